"""When has a run settled that is held elsewhere? One question for all that are waited for.

Whoever waits leaves a future, and one task asks the journal which of these runs move no more: at
once about a run that is new here, and about all of them in rounds, soon after each other while
runs settle and seldom while none does. So a thousand that wait cost the store what one costs. The
task lives as long as somebody waits. It knows nothing of what a run did: who is woken reads that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.errors import EngineClosed, MakegoodError, StoreBusy
from makegood.values.instants import Instant, after

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from makegood.journal.outage import Outage
    from makegood.journal.protocol import Journal
    from makegood.runtime.config import Config
    from makegood.runtime.ports import Clock
    from makegood.values.ids import RunId

__all__ = ["RUNS_ASKED_MAX", "Waiting"]

RUNS_ASKED_MAX = 1_000
"""The most runs in one question."""

_ROUNDS_IN_POLL_MAX = 4
"""How many rounds there are at least in the longest wait of a worker. A worker that polls seldom
costs its runs some time at the beginning; a caller feels every round that is left out."""


class Waiting:
    """Those who wait for runs that this engine does not hold."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        config: Config,
        *,
        held: Container[RunId],
        outage: Outage,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._wait_min = config.poll_min
        self._wait_max = max(config.poll_min, config.poll_max / _ROUNDS_IN_POLL_MAX)
        self._held = held
        self._outage = outage
        self._waiters: dict[RunId, list[asyncio.Future[None]]] = {}
        self._new: dict[RunId, None] = {}
        """Runs about which nothing was asked yet, in the order in which they came."""
        self._task: asyncio.Task[None] | None = None
        self._bell: asyncio.Future[None] | None = None
        self._end: MakegoodError | None = None
        """Why nobody can wait any more."""
        self.is_asking = False
        """Whether the journal owes an answer: somebody may be woken any moment."""

    def __repr__(self) -> str:
        return f"<Waiting for {len(self._waiters)} runs>"

    async def until_settled(self, run: RunId) -> None:
        """Wait until the run ended, is parked or is not there, or until this engine holds it.

        Raises what ended the waiting: the store's failure, or `EngineClosed`.
        """
        if self._end is not None:
            raise self._end
        if run in self._held:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(run, []).append(woken)
        self._new[run] = None
        self._ring()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._ask())
            self._task.add_done_callback(self._ended)
        try:
            await woken
        finally:
            self._forget(run, woken)

    def take_note_of(self, run: RunId) -> None:
        """Wake those who wait for a run that this engine holds from now on."""
        if run in self._waiters:
            self._wake(run, None)

    def fail(self, error: MakegoodError) -> None:
        """Wake everybody with an error, and everybody who comes later."""
        self._end = self._end or error
        self._wake_all(error)

    async def close(self) -> None:
        """Wake everybody, because the engine closes, and wait until nothing more is asked."""
        self.fail(EngineClosed("the engine was closed while a run was waited for; the run goes on"))
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _ask(self) -> None:
        """Ask until nobody waits."""
        wait = self._wait_min
        # The first round is about everybody who has come by then.
        round_at = self._clock.now()
        try:
            while self._waiters:
                now = self._clock.now()
                new, self._new = self._new, {}
                if now >= round_at:
                    has_settled = await self._look(tuple(self._waiters))
                    wait = self._wait_min if new or has_settled else min(wait * 2, self._wait_max)
                    round_at = after(self._clock.now(), wait)
                else:
                    # What was just begun may be done soon: the next round comes early.
                    await self._look(tuple(new))
                    wait = self._wait_min
                    round_at = min(round_at, after(self._clock.now(), wait))
                await self._pause_until(round_at)
        finally:
            # Whoever comes from here on needs another task.
            self._task = None

    async def _look(self, runs: Sequence[RunId]) -> bool:
        """Ask about these runs, and wake those who wait for what has settled; say if any has."""
        has_woken = False
        for start in range(0, len(runs), RUNS_ASKED_MAX):
            batch = runs[start : start + RUNS_ASKED_MAX]
            self.is_asking = True
            try:
                settled = await self._journal.settled(batch)
            except StoreBusy as error:
                self._outage.tell("waiting for runs", error)
                return has_woken
            finally:
                self.is_asking = False
            for run in batch:
                if run in settled or run in self._held:
                    has_woken = True
                    self._wake(run, None)
        return has_woken

    async def _pause_until(self, when: Instant) -> None:
        if self._new or not self._waiters:
            return
        self._bell = asyncio.get_running_loop().create_future()
        timer = self._clock.call_at(when, self._ring)
        try:
            await self._bell
        finally:
            timer.cancel()
            self._bell = None

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    def _wake(self, run: RunId, error: BaseException | None) -> None:
        for woken in self._waiters.pop(run, ()):
            if woken.done():
                continue
            if error is None:
                woken.set_result(None)
            else:
                woken.set_exception(error)

    def _wake_all(self, error: BaseException) -> None:
        for run in tuple(self._waiters):
            self._wake(run, error)
        self._new.clear()
        self._ring()

    def _forget(self, run: RunId, woken: asyncio.Future[None]) -> None:
        """Drop one who waits no more; when it was the last one the task is to end."""
        remaining = [other for other in self._waiters.get(run, ()) if other is not woken]
        if remaining:
            self._waiters[run] = remaining
            return
        self._waiters.pop(run, None)
        self._new.pop(run, None)
        if not self._waiters:
            self._ring()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._wake_all(EngineClosed("the event loop ends, and nothing is asked any more"))
        elif (error := task.exception()) is not None:
            self._wake_all(error)
