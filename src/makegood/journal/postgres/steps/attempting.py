"""How something is written in a transaction of its own, with what the application brings to it.

A step that waits for a lock, or a constraint that is looked at last, is nobody else's concern. A
transaction whose end is not known is applied again: whatever is written here tells by itself
whether it was written before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from makegood.errors import InvalidInput, StoreBusy, StoreFailed, StoreFull
from makegood.journal.outage import Outage
from makegood.journal.postgres.connection import (
    TROUBLE,
    Fault,
    Patience,
    fault_of,
    roll_back,
    said,
)
from makegood.journal.postgres.steps.driving import BodyEnded

if TYPE_CHECKING:
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place

__all__ = ["Attempts", "Work"]

_TRIES_MAX = 5
"""How often a transaction is tried that others get in the way of."""

V = TypeVar("V")


class Work(Protocol[V]):
    """What is written in a transaction of its own."""

    @property
    def body_seconds(self) -> float:
        """How long the application's own part may take."""
        ...

    async def inside(self, connection: Connection) -> V:
        """Write it in the transaction that is open, and return the verdict."""
        ...

    def is_written(self, verdict: V) -> bool:
        """Say whether this verdict is one to commit."""
        ...

    def refused(self, reason: str) -> V | None:
        """Say what is told where the commit itself is refused; None to have it written again."""
        ...


class Attempts:
    """Writes one thing after the other, each on a connection of its own."""

    def __init__(self, place: Place, desk: Desk) -> None:
        self._place = place
        self._desk = desk
        self._outage = Outage(place.shown)

    async def outcome_of(self, work: Work[V], *, name: str) -> V | BaseException:
        """Write it; return its verdict, or what its waiter is to be raised."""
        attempt = _Attempt(self._place, work)
        patience = Patience()
        tries = 0
        while True:
            try:
                outcome = await self._desk.once(attempt.apply, seconds=attempt.seconds, bare=True)
            except BodyEnded as ended:
                return ended.reason
            except TROUBLE as error:
                fault = fault_of(error)
                if fault is Fault.FULL:
                    where = self._place.shown
                    return StoreFull(f"the disk of {where} is full; free some room, then go on")
                if fault is Fault.REFUSED:
                    message = f"{name} cannot be stored: {said(error)}; give other values"
                    return InvalidInput(message)
                if fault is Fault.BROKEN:
                    raise StoreFailed(said(error)) from error
                if fault is Fault.AGAIN:
                    tries += 1
                    if tries == _TRIES_MAX:
                        return StoreBusy(f"others are in the way ({said(error)}); try again later")
                self._outage.tell(name, said(error))
            else:
                self._outage.is_over()
                return outcome
            await patience.wait()


class _Attempt(Generic[V]):
    """One transaction, to be applied as often as it is lost."""

    def __init__(self, place: Place, work: Work[V]) -> None:
        self._place = place
        self._work = work
        self.seconds: float = work.body_seconds + place.answer_seconds_max

    async def apply(self, connection: Connection) -> V:
        """Write all of it, or nothing."""
        # The body has its own deadline, which is kept here; the server's is for when we are gone.
        limit = round((self.seconds + self._place.answer_seconds_max) * 1000)
        await connection.execute(f"BEGIN; SET LOCAL statement_timeout = {limit}")
        try:
            verdict = await self._work.inside(connection)
            if self._work.is_written(verdict):
                return await self._commit(connection, verdict)
        except BaseException as error:
            await roll_back(connection, error)
            raise
        await connection.execute("ROLLBACK")
        return verdict

    async def _commit(self, connection: Connection, verdict: V) -> V:
        """Commit; a constraint that is looked at only here refuses this work alone."""
        try:
            await connection.execute("COMMIT")
        except TROUBLE as error:
            if fault_of(error) is not Fault.REFUSED:
                raise
            instead = self._work.refused(str(error))
            return await self.apply(connection) if instead is None else instead
        return verdict
