"""How what a receptor does in the transaction itself is written, with what came of it.

Its statements and its body come first, and its lane is locked only at the end: others put messages
into that lane meanwhile, and none of them waits for a body. Whether the lease holds is looked at
before, so that a body is not run in vain, and compared when all of it is written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from makegood.errors import WritesRefused
from makegood.journal.lanes.dealing import require_sound_outcome
from makegood.journal.mail import Exists, Post
from makegood.journal.messages import Settled
from makegood.journal.postgres.connection import Connection
from makegood.journal.postgres.lanes.writing import Finishing, work, written_before
from makegood.journal.postgres.steps.application import refusal_of
from makegood.journal.postgres.steps.driving import result_of_local
from makegood.journal.protocol import Fenced, Refused

if TYPE_CHECKING:
    from makegood.journal.messages import Finished, Outcome

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["PostsAll", "Received"]

PostsAll = Callable[[Connection, Sequence[Post]], Awaitable[Sequence[int | Exists]]]
"""Makes posts in a transaction that is open."""


class Received:
    """What came of a delivery, with a receptor's own statements or body: a `Work`."""

    def __init__(self, schema: str, finished: Finished, *, post: PostsAll) -> None:
        self._schema = schema
        self._finished = finished
        self._post = post
        self._decided: Outcome | None = None
        """What was decided for the body when its commit was refused: it is not run again."""
        self.is_heard: bool = False
        """Whether somebody subscribes to what was sent on."""

    @property
    def body_seconds(self) -> float:
        """How long the body may take."""
        local = self._finished.local
        return 0.0 if local is None else max(0.0, local.timeout_seconds)

    async def inside(self, connection: Connection) -> Settled | Fenced | Refused:
        """Write what came of it, and what comes with that."""
        finished, schema = self._finished, self._schema
        if not await self._is_held(connection):
            return await self._instead(connection)
        if finished.writes:
            refusal = await refusal_of(connection, schema, finished.writes)
            if refusal is not None:
                return Refused(refusal)
        outcome = finished.outcome
        if finished.local is not None:
            decided = self._decided
            if decided is None:
                decided = await result_of_local(connection, schema, finished.local)
            outcome = decided
            require_sound_outcome(finished, outcome)
        written = await work(connection, schema, (), (Finishing(finished, outcome),))
        if not written.fitting:
            return Fenced()
        self.is_heard = written.is_heard
        started = await self._post(connection, outcome.starts) if outcome.starts else ()
        return Settled(outcome, tuple(started))

    def is_written(self, verdict: Settled | Fenced | Refused) -> bool:
        """Say whether it is there, now or from before."""
        return isinstance(verdict, Settled)

    def refused(self, reason: str) -> Refused | None:
        """Say what is told where the commit is refused."""
        local = self._finished.local
        if local is None:
            return Refused(reason)
        self._decided = local.failed(WritesRefused(reason))
        return None

    async def _is_held(self, connection: Connection) -> bool:
        finished = self._finished
        held = await connection.fetchval(
            f"""
            SELECT EXISTS (SELECT FROM "{self._schema}".lane
                            WHERE recipient = $1 AND lane = $2 AND owner = $3 AND epoch = $4)
            """,
            *(finished.id.recipient, finished.id.lane, finished.worker, finished.epoch),
        )
        return bool(held)

    async def _instead(self, connection: Connection) -> Settled | Fenced:
        before = await written_before(connection, self._schema, (self._finished,))
        return Settled() if before else Fenced()
