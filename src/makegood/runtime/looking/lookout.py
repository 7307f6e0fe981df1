"""Looking, now and then and whenever rung, whether there is something to do in the journal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.errors import StoreBusy, StoreError, StoreFull
from makegood.runtime.looking.errand import Errand
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from makegood.runtime.ports import Timer
    from makegood.runtime.shell import Shell

__all__ = ["Lookout"]


class Lookout:
    """Looks for one engine, wherever its journal lets it work.

    `look` does what there is to do, and says whether more may be there soon: then it is asked again
    after `poll_min`, else after `longest`. Being rung makes it sooner. A store that is busy or full
    is asked again; one that fails ends the engine. `about` says in the log what a busy store keeps
    from being done, and `purpose` what the engine cannot do any more when `look` raises.
    """

    def __init__(
        self,
        shell: Shell,
        look: Callable[[], Awaitable[bool]],
        *,
        longest: timedelta,
        about: str,
        purpose: str,
    ) -> None:
        self._shell = shell
        self._look = look
        self._longest = longest
        self._about = about
        self._errand = Errand(shell, purpose)
        self._bell: asyncio.Future[None] | None = None
        self._is_rung = False
        self.is_stopping = False
        """Whether this is the last look."""
        self.is_asking = False
        """Whether the journal owes an answer: something may come of it any moment."""

    def start(self) -> None:
        """Begin to look."""
        self._errand.begin(self._work())

    def end_soon(self) -> None:
        """Look once more where it was rung, without waiting for the end."""
        self.is_stopping = True
        self._wake()

    async def stop(self) -> None:
        """Look once more where it was rung, and then no further."""
        self.end_soon()
        await self._errand.end()

    def ring(self) -> None:
        """Look at once."""
        self._is_rung = True
        self._wake()

    async def _work(self) -> None:
        shell = self._shell
        while shell.failure is None and (self._is_rung or not self.is_stopping):
            self._is_rung = False
            self.is_asking = True
            try:
                has_more = shell.journal.leads and await self._look()
            except (StoreFull, StoreBusy) as error:
                shell.outage.tell(self._about, error)
                has_more = False
            except StoreError as error:
                shell.fail(error)
                return
            finally:
                self.is_asking = False
            await self._pause(shell.config.poll_min if has_more else self._longest)

    async def _pause(self, wait: timedelta) -> None:
        if self._is_rung or self.is_stopping:
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
