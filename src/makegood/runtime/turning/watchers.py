"""Who waits until an engine no longer holds a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.errors import StoreError

__all__ = ["Watchers"]


class Watchers:
    """Those who wait for one run to leave."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait until they are told."""
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(watcher)
        await watcher

    def tell(self, error: StoreError | None) -> None:
        """Tell all of them that the run has left, or why nobody knows."""
        waiting, self._waiting = self._waiting, []
        for watcher in waiting:
            if watcher.done():
                continue
            if error is None:
                watcher.set_result(None)
            else:
                watcher.set_exception(error)
