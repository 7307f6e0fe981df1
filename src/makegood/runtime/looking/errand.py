"""A coroutine that an engine has under way from its beginning to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.errors import StoreFailed

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from makegood.runtime.shell import Shell

__all__ = ["Errand"]


class Errand:
    """Owns the task of one such coroutine.

    `purpose` completes the sentence that the engine cannot do something any more: when the
    coroutine raises, the engine stops for that reason, rather than seem alive.
    """

    def __init__(self, shell: Shell, purpose: str) -> None:
        self._shell = shell
        self._purpose = purpose
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Have it under way."""
        self._task = asyncio.get_running_loop().create_task(work)
        self._task.add_done_callback(self._ended)

    def hasten(self) -> None:
        """Cancel it now: it waits for nothing that is worth waiting for."""
        if self._task is not None:
            self._task.cancel()

    async def end(self) -> None:
        """Wait until it ends by itself, within the grace of a shutdown; then cancel it."""
        if self._task is None:
            return
        grace = self._shell.config.shutdown_grace.total_seconds()
        await asyncio.wait([self._task], timeout=grace)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            message = f"the engine cannot {self._purpose} any more: {error!r}"
            self._shell.fail(StoreFailed(message))
