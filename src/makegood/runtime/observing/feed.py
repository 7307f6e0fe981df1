"""What one engine has recorded of one run, for one who follows it, until that one takes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.runtime.ports import Event

__all__ = ["EVENTS_WAITING_MAX", "Feed"]

EVENTS_WAITING_MAX = 1_000
"""How many events may wait for one who follows. Of one who is slower than that the feed lets go
of all of them: the journal has them too."""


class Feed:
    """Collects events in order. It holds up nobody, however slowly it is emptied."""

    __slots__ = ("_bell", "_events")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._bell: asyncio.Future[None] | None = None

    def take(self, event: Event) -> None:
        """Take one more event, and wake who waits for it."""
        if len(self._events) == EVENTS_WAITING_MAX:
            self._events.clear()
        self._events.append(event)
        self.ring()

    def ring(self) -> None:
        """Wake who waits, whether there is an event or not."""
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def empty(self) -> list[Event]:
        """Return what has come since the last time, and keep none of it."""
        events, self._events = self._events, []
        return events

    async def wait(self) -> None:
        """Wait for the next ring; at once where there is something."""
        if self._events:
            return
        self._bell = asyncio.get_running_loop().create_future()
        try:
            await self._bell
        finally:
            self._bell = None
