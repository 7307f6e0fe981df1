"""A process's own clock, which may be wrong: ahead, behind, fast, slow, or put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.runtime.ports import Timer
    from makegood.testing.simulation.loop import SimulatedLoop

__all__ = ["START", "HostClock"]

START = Instant(1_767_225_600_000_000)
"""When every simulation begins: 2026-01-01."""


class HostClock:
    """Tells the time of a simulated loop, off by `offset` microseconds and `parts_per_million`.

    Timers run by the rate of the clock and do not notice when it is put forward or back, as
    those of an operating system's monotonic clock do not.
    """

    def __init__(self, loop: SimulatedLoop, *, offset: int = 0, parts_per_million: int = 0) -> None:
        self._loop = loop
        self._offset = offset
        self._rate = 1_000_000 + parts_per_million

    def now(self) -> Instant:
        """Return what this clock shows."""
        return Instant(START + self._offset + self._loop.micros * self._rate // 1_000_000)

    def put(self, by: int) -> None:
        """Put the clock forward, or back, by so many microseconds."""
        self._offset += by

    def set_right(self) -> None:
        """Show the true time from now on. Timers that are set run on as before."""
        self._offset = 0
        self._rate = 1_000_000

    def call_at(self, when: Instant, callback: Callable[[], object]) -> Timer:
        """Call back when this clock will show an instant; at once where it has passed."""
        wait = when - self.now()
        if wait <= 0:
            return self._loop.call_soon(callback)
        # Rounded up, so that the clock never shows less than what was asked for.
        micros = -(-wait * 1_000_000 // self._rate)
        return self._loop.call_at((self._loop.micros + micros) / 1_000_000, callback)
