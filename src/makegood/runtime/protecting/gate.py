"""How many calls of a service are at work at once, and how many begin in a time.

A gate counts and remembers who waits; it begins nothing. The rate is a window that slides: the
instants of the last calls are kept, and the next one may begin when the oldest of them is out of
the window. A bucket that leaks would need less memory, and lets nearly twice the limit through
in a window that it was empty before.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from makegood.values.instants import Instant, micros

if TYPE_CHECKING:
    from makegood.runtime.calling.body import Body
    from makegood.runtime.ports import Timer
    from makegood.runtime.protecting.policy import Rate

__all__ = ["Gate"]


class Gate:
    """Lets calls of one service through."""

    def __init__(self, *, at_once: int | None, rate: Rate | None) -> None:
        self.waiting: dict[Body, Instant] = {}
        """Who waits, in order of arrival, and since when."""
        self.timer: Timer | None = None
        """Rings when the window has room again."""
        self._at_once = at_once
        self._at_work = 0
        self._per = 0 if rate is None else micros(rate.per)
        self._begun: deque[Instant] | None = None if rate is None else deque(maxlen=rate.limit)

    def opens_at(self, now: Instant) -> Instant | None:
        """Say when one more call may begin: now, later, or, None, when one that is at work ends."""
        if self._at_once is not None and self._at_work >= self._at_once:
            return None
        begun = self._begun
        if begun is None or len(begun) < (begun.maxlen or 0):
            return now
        # A clock that goes back must not keep the gate shut for longer than the window is.
        return max(now, min(Instant(begun[0] + self._per), Instant(now + self._per)))

    def is_open(self, now: Instant) -> bool:
        """Say whether one more call may begin now."""
        opens = self.opens_at(now)
        return opens is not None and opens <= now

    def enter(self, now: Instant) -> None:
        """Count a call that begins."""
        self._at_work += 1
        if self._begun is not None:
            self._begun.append(now)

    def leave(self) -> None:
        """Count a call that has ended."""
        self._at_work -= 1

    def close(self) -> None:
        """Forget who waits, and ring no more."""
        self.waiting.clear()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
