"""How is an append written with its step's own statements or body? In their transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.errors import WritesRefused
from makegood.journal.postgres.appending import verdict_instead, write
from makegood.journal.postgres.lanes.writing import publish_with
from makegood.journal.postgres.steps.application import refusal_of
from makegood.journal.postgres.steps.driving import result_of_local
from makegood.journal.protocol import Applied, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.journal.postgres.appending import AppendJob
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.steps.attempting import Attempts
    from makegood.journal.protocol import Append, LocalOutcome, Verdict

# The schema is a plain name, checked in `place`; values are bound.

__all__ = ["Steps"]


class Steps:
    """Writes appends that bring statements or a body.

    `ring` is called when somebody else may have messages to take.
    """

    def __init__(self, place: Place, attempts: Attempts, *, ring: Callable[[], None]) -> None:
        self._place = place
        self._attempts = attempts
        self._ring = ring

    async def outcome_of(self, job: AppendJob) -> Verdict | BaseException:
        """Write the append; return its verdict, or what its waiter is to be raised.

        A transaction whose end is not known is applied again, like any append: its token tells
        whether it was committed.
        """
        step = _Step(self._place, job)
        outcome = await self._attempts.outcome_of(step, name="the append")
        if step.is_heard:
            self._ring()
        return outcome


class _Step:
    """One append with its step: a `Work`."""

    def __init__(self, place: Place, job: AppendJob) -> None:
        self._place = place
        self._job = job
        self._append: Append = job.append
        self._decided: LocalOutcome | None = None
        """What was decided for the step when its commit was refused: it is not run again."""
        self.is_heard = False
        """Whether somebody is to be given a message that came with it."""

    @property
    def body_seconds(self) -> float:
        local = self._append.local
        return 0.0 if local is None else max(0.0, local.timeout_seconds)

    async def inside(self, connection: Connection) -> Verdict:
        """Write the append and what comes with it."""
        append, schema = self._append, self._place.schema
        lease_micros = self._place.lease_micros
        if await write(connection, schema, (self._job,), lease_micros):
            return await verdict_instead(connection, schema, append)
        if append.writes:
            refusal = await refusal_of(connection, schema, append.writes)
            if refusal is not None:
                return Refused(refusal)
        if append.local is None:
            self.is_heard = await publish_with(connection, schema, (append,))
            return Applied()
        made = self._decided
        if made is None:
            made = await result_of_local(connection, schema, append.local)
        await connection.execute(
            f'SELECT "{schema}".record_local($1, $2, $3, $4, $5, $6, $7)',
            append.run,
            append.seq,
            append.epoch,
            append.token,
            append.at,
            made.facts,
            lease_micros,
        )
        # Last, for its lanes are others' too, and a body may take its time.
        whole = replace(append, messages=append.messages + made.messages)
        self.is_heard = await publish_with(connection, schema, (whole,))
        return Applied(made.facts)

    def is_written(self, verdict: Verdict) -> bool:
        """Say whether the append is there, now or from before."""
        return isinstance(verdict, Applied)

    def refused(self, reason: str) -> Verdict | None:
        """Say what is told where the commit is refused."""
        local = self._append.local
        if local is None:
            return Refused(reason)
        self._decided = local.failed(WritesRefused(reason))
        return None
