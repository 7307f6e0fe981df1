"""What goes on in a working journal from its opening to its end? Its own tasks, together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.postgres.working.doorbell import Listener, listening_place
from makegood.journal.postgres.working.heartbeat import Heartbeat
from makegood.journal.postgres.working.horizon import HorizonWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from makegood.journal.messages import LaneId
    from makegood.journal.postgres.connection import Driver
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.working.leaseholds import Leaseholds
    from makegood.values.ids import RunId

__all__ = ["Work"]


class Work:
    """The heartbeat, the ear at the door and the look at the horizon of one journal."""

    def __init__(
        self,
        place: Place,
        driver: Driver,
        *,
        desk: Desk,
        workers: Container[str],
        runs: Leaseholds[RunId],
        lanes: Leaseholds[LaneId],
        ring: Callable[[], None] | None,
    ) -> None:
        self.heartbeat = Heartbeat(place, driver, runs, lanes)
        self._horizon = HorizonWatch(place, desk)
        self._listener: Listener | None = None
        where = listening_place(place)
        if ring is not None and where is not None:
            self._listener = Listener(where, driver, workers=workers, ring=ring)

    async def end(self) -> None:
        """Let all of it end."""
        if self._listener is not None:
            await self._listener.end()
        await self._horizon.end()
        await self.heartbeat.end()
