"""Giving runs what other runs have said to them: one coroutine per engine that works.

What a turn has for others is in the journal with the turn. Whoever wrote it delivers it at once;
where it dies before, any other working engine finds it when it looks next.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.errors import StoreBusy, StoreError, StoreFailed, StoreFull
from makegood.values.instants import after
from makegood.values.limits import DELIVERED_AT_ONCE_MAX

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.runtime.ports import Timer
    from makegood.runtime.shell import Shell

__all__ = ["Relay"]


class Relay:
    """Delivers for one engine."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._task: asyncio.Task[None] | None = None
        self._bell: asyncio.Future[None] | None = None
        self._is_rung = False
        self._is_stopping = False
        self.is_asking = False
        """Whether the journal owes an answer: somebody may be given something any moment."""

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Deliver what was left here, once more, and look no further."""
        self._is_stopping = True
        self._wake()
        if self._task is not None:
            grace = self._shell.config.shutdown_grace.total_seconds()
            await asyncio.wait([self._task], timeout=grace)
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def ring(self) -> None:
        """Deliver at once: a run that is held here has something for another one."""
        self._is_rung = True
        self._wake()

    async def _work(self) -> None:
        shell = self._shell
        while shell.failure is None and (self._is_rung or not self._is_stopping):
            self._is_rung = False
            try:
                has_more = shell.journal.leads and await self._deliver()
            except (StoreFull, StoreBusy) as error:
                shell.outage.tell("delivering what runs say", error)
                has_more = False
            except StoreError as error:
                shell.fail(error)
                return
            await self._pause(shell.config.poll_min if has_more else shell.config.poll_max)

    async def _deliver(self) -> bool:
        """Deliver all that there is, and say whether somebody else is about to deliver more."""
        shell = self._shell
        while True:
            self.is_asking = True
            try:
                delivered = await shell.journal.deliver(
                    limit=DELIVERED_AT_ONCE_MAX, now=shell.clock.now()
                )
            finally:
                self.is_asking = False
            for run in delivered.posted:
                shell.ring(run)
            if not (delivered.count and delivered.has_more):
                return delivered.has_more

    async def _pause(self, wait: timedelta) -> None:
        if self._is_rung or self._is_stopping:
            return
        clock = self._shell.clock
        self._bell = asyncio.get_running_loop().create_future()
        timer: Timer = clock.call_at(after(clock.now(), wait), self._wake)
        try:
            await self._bell
        finally:
            timer.cancel()
            self._bell = None

    def _wake(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Without it runs wait for each other in vain: better to stop than to seem alive.
            self._shell.fail(StoreFailed(f"the engine cannot deliver any more: {error!r}"))
