"""Finding work: claiming runs that are due, and waking held runs that were posted to.

One coroutine per engine asks the journal, soon again while it finds something and seldom while
it does not. It is also how a run of a dead worker is found, so it is the truth of recovery;
being rung only makes it sooner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from makegood.decision import facts
from makegood.decision.facts import ParkReason, write_facts
from makegood.errors import StoreBusy, StoreError, StoreFailed, StoreFull
from makegood.journal.protocol import Append, Summary
from makegood.runtime.clock import pause
from makegood.runtime.shell import UNREADABLE
from makegood.runtime.telemetry import log
from makegood.runtime.turn import Turn
from makegood.values.instants import after
from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from makegood.journal.protocol import History, Leased
    from makegood.runtime.calling.served import Served
    from makegood.runtime.ports import Timer
    from makegood.runtime.shell import Shell
    from makegood.values.instants import Instant

__all__ = ["Worker"]

T = TypeVar("T")


class Worker:
    """Claims runs for one engine."""

    def __init__(self, shell: Shell, served: Mapping[str, Served]) -> None:
        self._shell = shell
        self._served = served
        """By fingerprint."""
        self._task: asyncio.Task[None] | None = None
        self._bell: asyncio.Future[None] | None = None
        self._is_rung = False
        self._is_stopping = False
        self._suspects: list[Turn] = []
        """Runs that were claimed alone, because those who took them before have died."""
        self.is_asking = False
        """Whether the journal owes an answer: what is due may be taken up any moment."""

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Ask no more, once what was claimed last is held."""
        self._is_stopping = True
        self.ring()
        if self._task is not None:
            grace = self._shell.config.shutdown_grace.total_seconds()
            await asyncio.wait([self._task], timeout=grace)
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def ring(self) -> None:
        """Ask at once."""
        self._is_rung = True
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def _work(self) -> None:
        wait = self._shell.config.poll_min
        while self._shell.failure is None and not self._is_stopping:
            self._is_rung = False
            self.is_asking = True
            try:
                has_found = await self._claim()
            except (StoreFull, StoreBusy) as error:
                log.warning("no runs can be claimed for the moment: %s", error)
                has_found = False
            except StoreError as error:
                self._shell.fail(error)
                return
            finally:
                self.is_asking = False
            longest = self._shell.config.poll_max
            if has_found:
                wait = self._shell.config.poll_min
            await self._pause_until(after(self._shell.clock.now(), wait))
            # One that waits to take over asks often: taking over is to be at once.
            wait = min(wait * 2, longest) if self._shell.journal.leads else longest / 20

    async def _pause_until(self, when: Instant) -> None:
        if self._is_rung:
            return
        self._bell = asyncio.get_running_loop().create_future()
        timer: Timer = self._shell.clock.call_at(when, self.ring)
        try:
            await self._bell
        finally:
            timer.cancel()
            self._bell = None

    async def _claim(self) -> bool:
        """Ask the journal once; say whether there was anything."""
        shell = self._shell
        if not self._served:
            return False
        room = min(shell.config.claim_batch, shell.config.runs_active_max - len(shell.active))
        self._suspects = [turn for turn in self._suspects if self._is_suspect(turn)]
        if self._suspects:
            # If this process dies now, it is known of what.
            room = 0
        leases = await shell.journal.lease(
            shell.worker,
            room=dict.fromkeys(self._served, room),
            limit=max(0, room),
            now=shell.clock.now(),
        )
        for run in leases.rung:
            if (turn := shell.active.get(run)) is not None:
                turn.ring()
        await asyncio.gather(*(self._resume(leased) for leased in leases.claimed))
        return bool(leases.claimed)

    def _is_suspect(self, turn: Turn) -> bool:
        """Say whether a run that was claimed often has something under way and no progress yet."""
        if self._shell.active.get(turn.run) is not turn:
            return False
        is_under_way = turn.is_at_work or turn.state.in_flight > 0
        return is_under_way and turn.state.claims > CLAIMS_TOGETHER_MAX

    async def _resume(self, leased: Leased) -> None:
        shell = self._shell
        history = await self._until_answered(lambda: shell.journal.read(leased.run))
        if history is None:
            return
        turn = Turn(shell, self._served[leased.fingerprint], leased.run, epoch=leased.epoch)
        if leased.claims > CLAIMS_TOGETHER_MAX:
            self._suspects.append(turn)
        try:
            turn.resume(history, claims=leased.claims)
        except UNREADABLE:
            # One unreadable run must not stop the others, nor be claimed for ever.
            log.exception("run %s cannot be read and is parked", leased.run)
            turn.abandon()
            append = _poison(shell, history, leased)
            await self._until_answered(lambda: shell.journal.append(append))

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the journal for what a claimed run needs, again while it is busy or full.

        Nobody else takes a claimed run, so it is not let go before the engine closes.
        """
        while not self._is_stopping:
            self.is_asking = True
            try:
                return await ask()
            except (StoreFull, StoreBusy) as error:
                log.warning("a claimed run waits for the store: %s", error)
            clock = self._shell.clock
            self.is_asking = False
            await pause(clock, after(clock.now(), self._shell.config.poll_max))
        return None

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Without it nothing is taken up again: better to stop than to seem alive.
            self._shell.fail(StoreFailed(f"the engine cannot claim runs any more: {error!r}"))


def _poison(shell: Shell, history: History, leased: Leased) -> Append:
    """Return the append that parks a run whose facts cannot be read."""
    now = shell.clock.now()
    return Append(
        run=leased.run,
        worker=shell.worker,
        epoch=leased.epoch,
        seq=history.row.seq + 1,
        inbox_head=history.row.inbox_head,
        inbox_taken=history.row.inbox_head,
        token=shell.ids.token(),
        facts=write_facts((facts.Parked(ParkReason.POISON, now),)),
        at=now,
        summary=Summary(status="parked", reason=ParkReason.POISON),
        release=True,
    )
