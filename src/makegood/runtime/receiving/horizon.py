"""When messages are due that have to wait, as far as this engine knows."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.runtime.ports import Clock, Timer
    from makegood.values.instants import Instant

__all__ = ["Horizon"]

KNOWN_MAX = 10_000
"""How many instants are remembered; whatever else is due is found by asking now and then."""


class Horizon:
    """Rings at each instant that it was told, by one timer."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._due: list[Instant] = []
        self._timer: Timer | None = None
        self._armed_for: Instant | None = None

    def add(self, due: Instant) -> None:
        """Ring then."""
        if len(self._due) < KNOWN_MAX:
            heapq.heappush(self._due, due)
            self._arm()

    def close(self) -> None:
        """Ring no more."""
        self._due.clear()
        self._disarm()

    def _arm(self) -> None:
        soonest = self._due[0] if self._due else None
        if soonest == self._armed_for and self._timer is not None:
            return
        self._disarm()
        self._armed_for = soonest
        if soonest is not None:
            self._timer = self._clock.call_at(soonest, self._reach)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _reach(self) -> None:
        self._timer = None
        now = self._clock.now()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)
        self._arm()
        self._ring()
