"""A clock that tests turn: nothing happens until somebody says that time passes."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from makegood.values.instants import Instant, after, as_datetime, as_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.runtime.ports import Timer

__all__ = ["TurnableClock"]


class _Timer:
    """A callback and whether it is still wanted."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class TurnableClock:
    """Stands still until it is turned; give it to `Engine(clock=…)`."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = as_instant(start)
        self._timers: list[tuple[Instant, int, _Timer]] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"<TurnableClock at {as_datetime(self._now):%Y-%m-%d %H:%M:%S.%f}>"

    def now(self) -> Instant:
        """Return the instant at which the clock stands."""
        return self._now

    def call_at(self, when: Instant, callback: Callable[[], object]) -> Timer:
        """Call back when the clock is turned to an instant; at once where it has passed."""
        if when <= self._now:
            return asyncio.get_running_loop().call_soon(callback)
        timer = _Timer(callback)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    @property
    def next_due(self) -> Instant | None:
        """The instant of the next timer, or None."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def turn(self, by: timedelta) -> None:
        """Let time pass, and call back what falls due, in order."""
        self.turn_to(after(self._now, by))

    def turn_to(self, when: Instant) -> None:
        """Let time pass until an instant, and call back what falls due, in order."""
        while (due := self.next_due) is not None and due <= when:
            _when, _count, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = max(self._now, when)

    def turn_to_next(self) -> bool:
        """Let time pass until the next timer; say whether there was one."""
        due = self.next_due
        if due is None:
            return False
        self.turn_to(due)
        return True
