"""What every turn of an engine shares: its journal, its clock, its ids, and who is at work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from makegood.errors import StoreBusy, StoreError, StoreFull
from makegood.journal.outage import Outage
from makegood.journal.protocol import StoredPlan
from makegood.runtime.asking.waiting import Waiting
from makegood.runtime.calling.perform import Performer
from makegood.runtime.clock import pause
from makegood.runtime.halting import Halts
from makegood.runtime.looking.bell import Bell
from makegood.runtime.observing.carrying import Carriers
from makegood.runtime.protecting.guard import Guards
from makegood.runtime.telemetry import Telemetry, log
from makegood.runtime.turning.raising import Raised
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from makegood.definition.plan import Plan
    from makegood.journal.messages import LaneId
    from makegood.journal.protocol import History, Journal
    from makegood.runtime.config import Config
    from makegood.runtime.ports import Carrier, Clock, Decide, Ids, Interceptor, Observer
    from makegood.runtime.receiving.lane import HeldLane
    from makegood.runtime.receiving.publishing import Publisher
    from makegood.runtime.turning.turn import Turn
    from makegood.values.ids import RunId

__all__ = ["UNREADABLE", "Shell", "stored"]

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, LookupError, ValueError, AssertionError)
"""What reading or folding facts raises that are damaged, or that another version has written."""


def stored(plan: Plan) -> StoredPlan:
    """Return a plan as it is kept."""
    json = msgspec.json.encode(plan).decode()
    return StoredPlan(fingerprint=plan.fingerprint, workflow=plan.workflow, json=json)


class Shell:
    """The parts of one engine that its turns, its worker and its runs work with."""

    publisher: Publisher
    """Whoever sends messages for the engine, which says so before anything is at work."""

    def __init__(
        self,
        *,
        name: str,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        config: Config,
        observers: Sequence[Observer],
        interceptors: Sequence[Interceptor],
        carriers: Sequence[Carrier],
        decide: Decide,
        services: Mapping[type, object],
    ) -> None:
        self.journal = journal
        self.decide = decide
        self.clock = clock
        self.ids = ids
        self.config = config
        self.telemetry = Telemetry(observers, clock)
        self.outage = Outage("the store", now=lambda: clock.now() / 1_000_000)
        """What the log is told while the store is out of reach."""
        self.interceptors = tuple(interceptors)
        self.carriers = Carriers(carriers)
        self.performer = Performer(clock, config, interceptors)
        self.worker = ids.worker()
        self.active: dict[RunId, Turn] = {}
        """The runs that this engine holds."""
        self.lanes: dict[LaneId, HeldLane] = {}
        """The lanes of messages that this engine holds."""
        self.waiting = Waiting(journal, clock, config, held=self.active, outage=self.outage)
        """Those who wait for other runs."""
        self.folded = Bell()
        """Rings when something was folded into a read model here."""
        self.questions = 0
        """How many answers the journal owes to callers."""
        self.halts = Halts(journal, engine=name, now=clock.now, age_max=config.poll_max)
        """What is halted on the store."""
        self.guards = Guards(self, services)
        """The services, and what may be begun of them."""
        self.is_draining = False
        """The engine is closing: outcomes are still recorded, nothing new is decided."""
        self.failure: StoreError | None = None
        """Why the engine can write no more."""
        self.broke = asyncio.Event()
        """Set when there is a failure."""
        self.raised = Raised()
        """What was raised in the runs that were held here."""
        self.kept: set[str] = set()
        """Fingerprints of the plans that are known to be in the journal."""
        self.plans: dict[str, Plan] = {}
        """Plans by fingerprint, served here or read from the journal."""
        self._held: dict[str, int] = {}
        """How many runs of each plan this engine holds, by fingerprint."""
        self._doorbell: Callable[[], None] | None = None
        self._mail_bell: Callable[[], None] | None = None
        self._room_bell: Callable[[], None] | None = None
        self._reception_bell: Callable[[], None] | None = None
        self._reply: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[object]] = set()

    def on_ring(self, doorbell: Callable[[], None]) -> None:
        """Say who is to be told when something was posted to a run that is not held here."""
        self._doorbell = doorbell

    def on_mail(self, bell: Callable[[], None]) -> None:
        """Say who is to be told when a run has something for another one."""
        self._mail_bell = bell

    def on_room(self, bell: Callable[[], None]) -> None:
        """Say who is to be told when a run has left."""
        self._room_bell = bell

    def on_reception(self, bell: Callable[[], None]) -> None:
        """Say who is to be told when messages may be taken."""
        self._reception_bell = bell

    def hold(self, turn: Turn) -> None:
        """Take a run in, which only `let_go` ends."""
        before = self.active.get(turn.run)
        if before is not None:
            # Its lease had run out and was claimed again: what is under way of it is stale.
            before.abandon()
        fingerprint = turn.served.plan.fingerprint
        self.active[turn.run] = turn
        self.waiting.take_note_of(turn.run)
        self._held[fingerprint] = self._held.get(fingerprint, 0) + 1

    def let_go(self, turn: Turn) -> None:
        """Let a run go, unless it is not this turn that holds it."""
        if self.active.get(turn.run) is not turn:
            return
        del self.active[turn.run]
        self.raised.keep(turn.run, turn.errors)
        self._held[turn.served.plan.fingerprint] -= 1
        self.telemetry.ring(turn.run)
        if self._room_bell is not None:
            self._room_bell()

    def held(self, fingerprint: str) -> int:
        """Return how many runs of a plan this engine holds."""
        return self._held.get(fingerprint, 0)

    def ring(self, run: RunId) -> None:
        """Tell whoever may do something about it that a run was posted to."""
        turn = self.active.get(run)
        if turn is not None:
            turn.ring()
        else:
            self.ring_worker()

    def ring_worker(self) -> None:
        """Tell whoever claims runs here to look at once."""
        if self._doorbell is not None:
            self._doorbell()

    def ring_reception(self) -> None:
        """Tell whoever takes messages here to look at once."""
        if self._reception_bell is not None:
            self._reception_bell()

    def look_up(self) -> None:
        """Let what is held here know that what is halted has changed, or that the engine closes."""
        for turn in list(self.active.values()):
            turn.look_up()
        for lane in list(self.lanes.values()):
            lane.look_up()

    async def answer(self, question: Awaitable[T]) -> T:
        """Await an answer of the journal, and be no longer at rest until it is there."""
        self.questions += 1
        try:
            return await question
        finally:
            self.questions -= 1

    def spawn(self, work: Coroutine[Any, Any, object], turn: Turn) -> None:
        """Run a coroutine of a run's own, and own its task."""
        guarded = self._guarded(work, turn)
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(guarded)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def fail(self, error: StoreError) -> None:
        """Stop: the store is broken. Every waiter learns why."""
        if self.failure is None:
            self.failure = error
            self.broke.set()
            log.error("the journal failed and the engine stops: %s", error)
        for turn in list(self.active.values()):
            turn.abandon(error)
        for lane in list(self.lanes.values()):
            lane.abandon()
        self.waiting.fail(error)

    def ring_relay(self) -> None:
        """Tell whoever delivers that a run has something for another one, durably."""
        if self._mail_bell is not None:
            self._mail_bell()

    def replied(self) -> None:
        """Say that an append has its reply, to whoever waits for all of them."""
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(None)

    async def settle(self) -> None:
        """Wait, within the grace, until no body and no append is at work; the engine is closing."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.config.shutdown_grace.total_seconds()
        while self.failure is None and self.is_at_work and loop.time() < give_up_at:
            self._reply = loop.create_future()
            # What is merely scheduled gets its turn first, and a lost reply must not hang us.
            await asyncio.wait([self._reply], timeout=0.05)

    async def hand_back(self) -> None:
        """Give every run back, so that another engine takes it at once."""
        held = list(self.active)
        for turn in list(self.active.values()):
            turn.abandon()
        if held and self.failure is None:
            try:
                await self.journal.release(self.worker, held, now=self.clock.now())
            except StoreError as error:
                log.warning("%d runs could not be handed back: %s", len(held), error)
        await self._hand_back_lanes()

    async def _hand_back_lanes(self) -> None:
        lanes = list(self.lanes)
        for lane in list(self.lanes.values()):
            lane.abandon()
        if lanes and self.failure is None:
            try:
                messages = self.journal.messages
                await messages.release(self.worker, lanes, now=self.clock.now())
            except StoreError as error:
                log.warning("%d lanes could not be handed back: %s", len(lanes), error)

    async def give_back(self, run: RunId) -> bool:
        """Give a run back as it is, and ask a store that is busy until it answers.

        False: the engine closes meanwhile, and hands back everything that it holds.
        """
        while not self.is_draining:
            try:
                await self.journal.release(self.worker, [run], now=self.clock.now())
            except (StoreBusy, StoreFull) as error:
                self.outage.tell(f"giving back run {run}", error)
            else:
                return True
            await pause(self.clock, after(self.clock.now(), self.config.poll_max))
        return False

    @property
    def is_at_rest(self) -> bool:
        """Whether no body is at work here and no answer is owed: only time moves on."""
        is_asking = self.waiting.is_asking or self.guards.is_asking or self.questions > 0
        if is_asking or self.performer.at_work > 0:
            return False
        if not all(lane.is_at_rest for lane in self.lanes.values()):
            return False
        return all(turn.is_at_rest for turn in self.active.values())

    @property
    def is_at_work(self) -> bool:
        """Whether a body is at work here, or an append."""
        if self.performer.at_work > 0:
            return True
        if any(lane.is_at_work for lane in self.lanes.values()):
            return True
        return any(turn.is_at_work for turn in self.active.values())

    async def history(self, run: RunId) -> History:
        """Read a run that is held here; a store that is busy is asked until it answers."""
        while True:
            try:
                return await self.journal.read(run)
            except StoreBusy as error:
                if self.is_draining:
                    raise
                self.outage.tell(f"run {run}", error)
            await pause(self.clock, after(self.clock.now(), self.config.poll_max))

    # Any: what a coroutine yields is nobody's business.
    async def _guarded(self, work: Coroutine[Any, Any, object], turn: Turn) -> None:
        try:
            await work
        except UNREADABLE:
            log.exception("run %s cannot be read; it is given back to be looked at", turn.run)
            turn.abandon()
            try:
                await self.journal.release(self.worker, [turn.run], now=self.clock.now())
            except (StoreBusy, StoreFull) as busy:
                # Where leases run out somebody takes it then; elsewhere whoever leads next does.
                self.outage.tell(f"giving back run {turn.run}", busy)
            self.ring(turn.run)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreError):
            self.fail(error)
        elif error is not None:
            log.error("an engine task failed", exc_info=error)
