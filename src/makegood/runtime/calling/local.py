"""A local step's body as the journal runs it: inside the transaction of its own append."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.facts import write_facts
from makegood.runtime.calling.perform import Arrival, failed, outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.runtime.calling.jobs import Job
    from makegood.runtime.ports import Clock, Interceptor
    from makegood.values.injectable import Transaction

__all__ = ["LocalBody"]

_DEFAULT_SECONDS = 30.0


class LocalBody:
    """Implements `LocalWork` over a job. It may be run more than once: the last run counts."""

    def __init__(self, job: Job, clock: Clock, interceptors: Sequence[Interceptor]) -> None:
        self._job = job
        self._clock = clock
        self._interceptors = interceptors
        self.error: BaseException | None = None
        """The exception behind the recorded failure, if it failed."""
        until = job.until
        self.timeout_seconds: float = (
            _DEFAULT_SECONDS if until is None else max(0.0, (until - clock.now()) / 1_000_000)
        )

    async def run(self, transaction: Transaction) -> bytes:
        """Run the body and return its start and its outcome as facts."""
        self.error = None
        self._job.transaction = transaction
        value = await self._job.call(self._interceptors)
        arrival = outcome_of(self._job, value, self._clock.now())
        if arrival.error is not None:
            # Its result cannot be recorded: raised, so that what it wrote is taken back.
            raise arrival.error
        return write_facts(self._with_start(arrival))

    def failed(self, error: Exception) -> bytes:
        """Return its start and its failure as facts."""
        self.error = error
        return write_facts(self._with_start(failed(self._job, error, self._clock.now())))

    def _with_start(self, arrival: Arrival) -> tuple[Fact, Fact]:
        job, now = self._job, self._clock.now()
        if job.direction == "undo":
            return (facts.UndoStarted(job.path, job.attempt, now), arrival.fact)
        return (facts.NodeStarted(job.path, job.attempt, now), arrival.fact)
