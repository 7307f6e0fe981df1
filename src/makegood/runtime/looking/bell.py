"""Waiting until something has happened in this process, any number at once."""

from __future__ import annotations

import asyncio

__all__ = ["Bell"]


class Bell:
    """Wakes all who wait for it, each time that it rings."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def next(self) -> asyncio.Future[None]:
        """Return what is done when it rings the next time."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = [each for each in self._waiting if not each.done()]
        self._waiting.append(waiting)
        return waiting

    def ring(self) -> None:
        """Wake them."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
