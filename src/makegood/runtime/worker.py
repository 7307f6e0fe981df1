"""Finding work: claiming runs that are due, and waking held runs that were posted to.

One coroutine per engine asks the journal, soon again while it finds something and seldom while
it does not. It is also how a run of a dead worker is found, so it is the truth of recovery;
being rung or knocked for only makes it sooner.

Claims are bounded by the room that there is, in the engine and for each workflow that has a limit
of its own. Where it is used up nothing is asked for until a run leaves, and what waits in the
journal then has the room before whatever is started here: a flood of starts keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from makegood.errors import StoreBusy, StoreError, StoreFull
from makegood.journal.protocol import Conflict
from makegood.runtime.clock import pause
from makegood.runtime.looking.errand import Errand
from makegood.runtime.shell import UNREADABLE, stored
from makegood.runtime.telemetry import log
from makegood.runtime.turning.turn import Turn
from makegood.runtime.turning.unreadable import parked_unread
from makegood.values.instants import after
from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from makegood.journal.halting import Halt
    from makegood.journal.protocol import History, Leased, Leases
    from makegood.runtime.calling.served import Served
    from makegood.runtime.ports import Timer
    from makegood.runtime.shell import Shell
    from makegood.values.ids import RunId

__all__ = ["Worker"]

T = TypeVar("T")


class Worker:
    """Claims runs for one engine."""

    def __init__(self, shell: Shell, served: Mapping[str, Served]) -> None:
        self._shell = shell
        self._served = served
        """By fingerprint."""
        self._errand = Errand(shell, "claim runs")
        self._bell: asyncio.Future[bool] | None = None
        """Set while this waits; True ends the waiting, False may make it shorter."""
        self._is_rung = False
        self._is_knocked = False
        self._is_stopping = False
        self._turns = 0
        """How often runs could be claimed: whose turn is first goes round."""
        self._coming: Counter[str] = Counter()
        """How many runs of each plan may still arrive from the claim that is under way."""
        self._coming_max = 0
        """How many of all plans together."""
        self._owed: frozenset[str] = frozenset()
        """Plans for which there was no room when the journal was asked last."""
        self._may_be_more = False
        """Whether more may be due than was claimed last."""
        self._suspects: list[Turn] = []
        """Runs that were claimed alone, because those who took them before have died."""
        self._halted: tuple[Halt, ...] = ()
        """What was halted when that was looked at last."""
        self.is_asking = False
        """Whether the journal owes an answer: what is due may be taken up any moment."""

    def start(self) -> None:
        """Begin to ask."""
        self._errand.begin(self._work())

    async def stop(self) -> None:
        """Ask no more, once what was claimed last is held."""
        self._is_stopping = True
        self.ring()
        await self._errand.end()

    def ring(self) -> None:
        """Ask at once."""
        self._is_rung = True
        self._wake(is_over=True)

    def knock(self) -> None:
        """Ask soon, but however often somebody knocks, no sooner than `poll_min` after the last."""
        self._is_knocked = True
        self._wake(is_over=False)

    def take_note_of(self, fingerprint: str) -> None:
        """Learn that a run of a plan was left in the journal by this engine itself."""
        served = self._served.get(fingerprint)
        if served is None:
            return
        if self.has_room_for(served):
            self.ring()
        else:
            self.knock()

    def make_use_of_room(self) -> None:
        """Learn that a run has left."""
        if self._may_be_more:
            self.knock()

    def has_room_for(self, served: Served) -> bool:
        """Say whether a run that is started here may be held here from its beginning.

        What is being claimed may need the room, and what waits in the journal for want of room
        comes first.
        """
        return served.plan.fingerprint not in self._owed and self._room_for(served) > 0

    def _room_for(self, served: Served) -> int:
        shell, fingerprint = self._shell, served.plan.fingerprint
        if shell.halts.holds(served.name):
            return 0
        room = shell.config.runs_active_max - len(shell.active) - self._coming_max
        if served.runs_active_max is not None:
            held = shell.held(fingerprint) + self._coming[fingerprint]
            room = min(room, served.runs_active_max - held)
        return max(0, room)

    async def _work(self) -> None:
        shortest, longest = self._shell.config.poll_min, self._shell.config.poll_max
        wait = shortest
        while self._shell.failure is None and not self._is_stopping:
            self._is_rung = self._is_knocked = False
            self.is_asking = True
            try:
                has_found = await self._claim()
            except (StoreFull, StoreBusy) as error:
                self._shell.outage.tell("claiming runs", error)
                has_found = False
            except StoreError as error:
                self._shell.fail(error)
                return
            finally:
                self.is_asking = False
            if has_found:
                wait = shortest
            is_more_due = has_found and self._may_be_more
            await self._pause(longest if self._is_full() else timedelta(0) if is_more_due else wait)
            # One that waits to take over asks often: taking over is to be at once.
            wait = min(wait * 2, longest) if self._shell.journal.leads else longest / 20

    def _is_full(self) -> bool:
        """Say whether nothing could be claimed before a run leaves."""
        return bool(self._served) and not any(map(self._room_for, self._served.values()))

    async def _pause(self, wait: timedelta) -> None:
        """Wait, unless rung, and no longer than `poll_min` where somebody knocks."""
        clock = self._shell.clock
        begun = clock.now()
        loop = asyncio.get_running_loop()
        while not self._is_rung:
            shortest = self._shell.config.poll_min
            until = after(begun, min(wait, shortest) if self._is_knocked else wait)
            self._bell = loop.create_future()
            timer: Timer = clock.call_at(until, lambda: self._wake(is_over=True))
            try:
                is_over = await self._bell
            finally:
                timer.cancel()
                self._bell = None
            if is_over:
                return

    def _wake(self, *, is_over: bool) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(is_over)

    async def _claim(self) -> bool:
        """Ask the journal once; say whether there was anything."""
        shell = self._shell
        if not self._served:
            return False
        await self._look_for_halts()
        room = {plan: self._room_for(self._served[plan]) for plan in self._plans_in_turn()}
        limit = min(shell.config.claim_batch, sum(room.values()))
        limit = max(0, min(limit, shell.config.runs_active_max - len(shell.active)))
        self._owed = frozenset(plan for plan, free in room.items() if free == 0)
        self._suspects = [turn for turn in self._suspects if self._is_suspect(turn)]
        if self._suspects:
            # If this process dies now, it is known of what.
            limit = 0
        try:
            leases = await self._lease(room, limit)
            await self._take_up(leases.claimed)
        finally:
            self._expect(Counter())
        return bool(leases.claimed)

    async def _look_for_halts(self) -> None:
        """Learn what is halted, and let the runs that are held here know when that has changed."""
        halts = self._shell.halts
        await halts.look()
        standing = halts.standing()
        if standing == self._halted:
            return
        self._halted = standing
        self._shell.look_up()

    async def _lease(self, room: Mapping[str, int], limit: int) -> Leases:
        """Claim what is due, as far as there is room, and wake those that were posted to."""
        shell = self._shell
        if limit > 0:
            self._turns += 1
        # Until it is known what was claimed, nobody else may take the room.
        self._expect(Counter({plan: min(free, limit) for plan, free in room.items()}), limit)
        leases = await shell.journal.lease(
            shell.worker, room=room, limit=limit, now=shell.clock.now()
        )
        claimed = Counter(leased.fingerprint for leased in leases.claimed)
        self._expect(claimed)
        self._may_be_more = claimed.total() >= limit or any(
            claimed[plan] >= free for plan, free in room.items()
        )
        for run in leases.rung:
            if (turn := shell.active.get(run)) is not None:
                turn.ring()
        return leases

    def _expect(self, coming: Counter[str], most: int | None = None) -> None:
        """Keep room for so many runs of each plan, and for so many at most of all together."""
        self._coming = coming
        self._coming_max = coming.total() if most is None else most

    def _plans_in_turn(self) -> list[str]:
        plans = list(self._served)
        first = self._turns % len(plans)
        return plans[first:] + plans[:first]

    def _is_suspect(self, turn: Turn) -> bool:
        """Say whether a run that was claimed often has something under way and no progress yet."""
        if self._shell.active.get(turn.run) is not turn:
            return False
        is_under_way = turn.is_at_work or turn.state.in_flight > 0
        return is_under_way and turn.state.claims > CLAIMS_TOGETHER_MAX

    async def _take_up(self, claimed: Sequence[Leased]) -> None:
        """Read what was claimed, all of it at once, and go on with each."""
        if not claimed:
            return
        journal = self._shell.journal
        runs = [leased.run for leased in claimed]
        histories = await self._until_answered(lambda: journal.read_all(runs))
        # Another worker may have had a run go by another plan since: that claim is void.
        plans = {leased.run: leased.fingerprint for leased in claimed}
        by_run = {
            history.row.run: history
            for history in histories or ()
            if history.row.fingerprint == plans[history.row.run]
        }
        await self._keep_plans(by_run.values())
        if any(self._served[plan].announces is not None for plan in plans.values()):
            await self._until_answered(self._shell.publisher.subscribe)
        unreadable = [
            parked_unread(self._shell, by_run[leased.run], leased)
            for leased in claimed
            if leased.run in by_run and not self._resume(leased, by_run[leased.run])
        ]
        for append in unreadable:
            verdict = await self._until_answered(partial(journal.append, append))
            if isinstance(verdict, Conflict):
                # Something was posted since it was read, be it how to go on without the rest.
                await self._until_answered(partial(self._give_back, append.run))
            elif append.outgoing:
                self._shell.ring_relay()

    async def _give_back(self, run: RunId) -> None:
        shell = self._shell
        await shell.journal.release(shell.worker, [run], now=shell.clock.now())

    async def _keep_plans(self, histories: Iterable[History]) -> None:
        """Store the plan of a run that another one has called, before it does anything.

        Who calls it may know another version of its workflow, and so cannot store what is served.
        """
        new = dict.fromkeys(each.row.fingerprint for each in histories if each.row.seq == 0)
        for fingerprint in new:
            if fingerprint in self._shell.kept:
                continue
            plan = stored(self._served[fingerprint].plan)
            await self._until_answered(partial(self._shell.journal.keep_plan, plan))
            self._shell.kept.add(fingerprint)

    def _resume(self, leased: Leased, history: History) -> bool:
        """Go on with a run; say whether it can be read."""
        shell = self._shell
        self._coming[leased.fingerprint] -= 1
        self._coming_max -= 1
        turn = Turn(shell, self._served[leased.fingerprint], leased.run, epoch=leased.epoch)
        if leased.claims > CLAIMS_TOGETHER_MAX:
            self._suspects.append(turn)
        try:
            turn.resume(history, claims=leased.claims)
        except UNREADABLE:
            # One unreadable run must not stop the others, nor be claimed for ever.
            log.exception("run %s cannot be read and is parked", leased.run)
            turn.abandon()
            return False
        return True

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the journal for what a claimed run needs, again while it is busy or full.

        Nobody else takes a claimed run, so it is not let go before the engine closes.
        """
        while not self._is_stopping:
            self.is_asking = True
            try:
                return await ask()
            except (StoreFull, StoreBusy) as error:
                self._shell.outage.tell("a claimed run", error)
            clock = self._shell.clock
            self.is_asking = False
            await pause(clock, after(clock.now(), self._shell.config.poll_max))
        return None
