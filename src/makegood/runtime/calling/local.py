"""A local step's body as the journal runs it: inside the transaction of its own append."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

from makegood.decision import facts
from makegood.decision.facts import write_facts
from makegood.errors import InvalidInput, Unavailable, UnknownMessage
from makegood.journal.protocol import LocalOutcome
from makegood.runtime.calling.arriving import Arrival, failed, outcome_of
from makegood.values.later import Later

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import Context

    from makegood.decision.facts import Fact
    from makegood.runtime.calling.jobs import Job
    from makegood.runtime.shell import Shell
    from makegood.runtime.turning.turn import Turn
    from makegood.values.envelope import Envelope
    from makegood.values.injectable import Transaction

__all__ = ["LocalBody", "Within"]

_DEFAULT_SECONDS = 30.0


class LocalBody:
    """Implements `LocalWork` over a job. It may be run more than once: the last run counts."""

    def __init__(self, job: Job, shell: Shell) -> None:
        self._job = job
        self._shell = shell
        self.error: BaseException | None = None
        """The exception behind the recorded failure, if it failed."""
        self.messages: tuple[Envelope, ...] = ()
        """What goes out because of it."""
        self.refused: UnknownMessage | Unavailable | None = None
        """Why it is not called."""
        until = job.until
        self.timeout_seconds: float = (
            _DEFAULT_SECONDS if until is None else max(0.0, (until - shell.clock.now()) / 1_000_000)
        )

    def when_ready(self, then: Callable[[], None], turn: Turn) -> None:
        """Go on once what it may send will be received; it fails when nobody will."""
        sends = self._job.bound.sends
        if not sends or self._shell.publisher.is_ready(sends):
            then()
        else:
            self._shell.spawn(self._prepare(then), turn)

    async def _prepare(self, then: Callable[[], None]) -> None:
        try:
            await self._shell.publisher.prepare(self._job.bound.sends)
        except (UnknownMessage, Unavailable) as error:
            self.refused = error
        then()

    async def run(self, transaction: Transaction) -> LocalOutcome:
        """Run the body and return its start and its outcome as facts, and what it sends."""
        if self.refused is not None:
            raise self.refused
        self.error = None
        self._job.transaction = transaction
        value = await Within(self._shell.performer.context.copy(), self._called())
        arrival = outcome_of(self._job, value, self._shell.clock.now())
        if arrival.error is not None:
            # Its result cannot be recorded: raised, so that what it wrote is taken back.
            raise arrival.error
        self.messages = arrival.messages
        return LocalOutcome(write_facts(self._with_start(arrival)), arrival.messages)

    async def _called(self) -> object:
        try:
            return await self._job.call(self._shell.interceptors)
        except Later as said:
            message = f"`{self._job.path}` calls later(…), which no local step may"
            raise InvalidInput(message) from said

    def failed(self, error: Exception) -> LocalOutcome:
        """Return its start and its failure as facts; it sends nothing."""
        self.error, self.messages = error, ()
        arrival = failed(self._job, error, self._shell.clock.now())
        return LocalOutcome(write_facts(self._with_start(arrival)))

    def _with_start(self, arrival: Arrival) -> tuple[Fact, Fact]:
        job, now = self._job, self._shell.clock.now()
        if job.direction == "undo":
            return (facts.UndoStarted(job.path, job.attempt, now), arrival.fact)
        return (facts.NodeStarted(job.path, job.attempt, now), arrival.fact)


class Within:
    """A body in a context of its own, by whatever thread it is driven; to be awaited."""

    __slots__ = ("_body", "_context")

    # Any: what goes in and out is between the body and the journal that drives it.
    def __init__(self, context: Context, body: Coroutine[Any, Any, object]) -> None:
        self._context = context
        self._body = body

    def __await__(self) -> Generator[Any, Any, object]:
        # It has what `await` asks of a generator, and no more.
        return cast("Generator[Any, Any, object]", cast("object", self))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        return self.send(None)

    def send(self, answer: object) -> object:
        """Go on within the context."""
        return self._context.run(self._body.send, answer)

    def throw(self, error: BaseException) -> object:
        """Raise within the context."""
        return self._context.run(self._body.throw, error)

    def close(self) -> None:
        """End within the context."""
        self._context.run(self._body.close)
