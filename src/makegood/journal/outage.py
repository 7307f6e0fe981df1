"""What is the log told of a store that is out of reach? Enough to notice it, and not a flood.

Whatever has to wait for a store is tried again soon, by every run and every step at once. The log
has one line when that begins, one a minute while it lasts, and one when the store answers again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SECONDS_BETWEEN_LINES", "Outage"]

SECONDS_BETWEEN_LINES = 60.0
"""How long the log is told nothing more, even when an outage ends and the next one begins."""

_log = logging.getLogger("makegood")


class Outage:
    """Tells the log of what waits for a store, seldom, and that it waits no more."""

    __slots__ = ("_is_told", "_now", "_told_at", "_untold", "_where")

    def __init__(self, where: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._now = now
        self._told_at: float | None = None
        self._is_told = False
        """The log was told that something waits, and not yet that nothing does."""
        self._untold = 0

    def tell(self, what: str, error: object) -> None:
        """Say what waits for the store and why, if nothing was said a short while ago."""
        now = self._now()
        if self._told_at is not None and now - self._told_at < SECONDS_BETWEEN_LINES:
            self._untold += 1
            return
        more = f" ({self._untold} times more since the last line)" if self._untold else ""
        self._told_at, self._untold, self._is_told = now, 0, True
        _log.warning("%s waits for %s: %s%s", what, self._where, error, more)

    def is_over(self) -> None:
        """Say that the store has answered, if the log was told that it did not."""
        if self._is_told:
            self._is_told = False
            _log.warning("%s answers again", self._where)
