"""Whose turn it is: taking lanes that are due, as many as there is room for, and giving them back.

One coroutine per engine asks the journal: when it is rung because something was sent here or a lane
has left, when the time of a message comes that has to wait, and now and then in any case, which is
how the lanes of a dead worker are found.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from makegood.decision.facts import Beginning
from makegood.definition.receiving.projection import Projection
from makegood.definition.receiving.receptors import Receptors, require_owned
from makegood.errors import StoreBusy, StoreError, StoreFull, StoreRefused, UnknownMessage
from makegood.journal.beside.models import MODEL_PREFIX
from makegood.journal.lanes.naming import lane_of
from makegood.journal.messages import LaneId, Later, Subscription
from makegood.runtime.asking.starting import first_record, start_post
from makegood.runtime.clock import pause
from makegood.runtime.looking.lookout import Lookout
from makegood.runtime.projecting.projecting import Projecting
from makegood.runtime.receiving.answering import Answering
from makegood.runtime.receiving.call import Surroundings
from makegood.runtime.receiving.horizon import Horizon
from makegood.runtime.receiving.keeping import once
from makegood.runtime.receiving.lane import HeldLane
from makegood.runtime.receiving.receiver import receivers_of
from makegood.values.ids import RunId, child_run
from makegood.values.instants import after
from makegood.values.limits import CLAIMS_TOGETHER_MAX, LANE_DELIVERIES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from makegood.definition.call import Call
    from makegood.journal.mail import Post
    from makegood.journal.messages import Held, KeepsMessages, Outcome
    from makegood.runtime.calling.perform import Performer
    from makegood.runtime.ports import Clock, Interceptor, Timer
    from makegood.runtime.receiving.call import ReceptorCall
    from makegood.runtime.receiving.receiver import Receiver
    from makegood.runtime.shell import Shell
    from makegood.values.envelope import Envelope
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["Reception"]

ROUTED = "transport:"
"""What the name of a recipient begins with that is no receptor, but a route to others."""

BESIDE_OWNERS = (ROUTED, MODEL_PREFIX)
"""What the names of recipients begin with who are given a command besides its owner."""

_ROOM_WORTH = 4
"""The journal is asked for more once this part of all room is free."""


class Reception:
    """Receives messages for one engine."""

    def __init__(self, shell: Shell, *, take_note: Callable[[str], None]) -> None:
        self._shell = shell
        self._take_note = take_note
        self._stored_bell: Callable[[], None] | None = None
        """Learns that a run of a plan was left in the journal, by the plan's fingerprint."""
        self._receivers: dict[str, Receiver] = {}
        self._unsaid: list[Subscription] = []
        """What the journal has not heard of."""
        self._saying = asyncio.Lock()
        self._lanes: dict[LaneId, HeldLane] = shell.lanes
        self._held: Counter[str] = Counter()
        """How many lanes of each receptor are held."""
        self._may_be_more = False
        """Whether more may be due than there was room for."""
        self._turns = 0
        """How often lanes were taken: whose turn is first goes round."""
        self._by_type: dict[str, list[str]] = {}
        """Who receives the messages of each type here."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._suspects: set[LaneId] = set()
        """Lanes that were taken alone, because those who took them before have died."""
        self.unowned: dict[str, UnknownMessage] = {}
        """Receptors that may send a command which nobody owned when that was asked last."""
        self.answering = Answering(shell.worker)
        self.projecting = Projecting(shell, self.answering)
        self.surroundings = Surroundings(
            shell.clock,
            shell.carriers,
            source=shell.config.message_source,
            once=self._is_first,
            start=self._start,
        )
        self.lookout = Lookout(
            shell,
            self._look,
            longest=shell.config.poll_max,
            about="taking messages",
            purpose="receive messages",
        )
        self._horizon = Horizon(shell.clock, self.lookout.ring)

    @property
    def lookouts(self) -> tuple[Lookout, Lookout]:
        """Who looks for messages that are received, and who for those that are folded."""
        return self.lookout, self.projecting.lookout

    def ring(self) -> None:
        """Look at once whether something is to be received or folded."""
        self.lookout.ring()
        self.projecting.lookout.ring()

    async def stop(self) -> None:
        """Take nothing more."""
        await self.lookout.stop()
        await self.projecting.lookout.stop()

    async def close(self) -> None:
        """Give nothing back any more; whoever closes the engine gives back what is left."""
        self._horizon.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # What is served ------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The whole names of the receptors that are served."""
        return tuple(sorted(self._receivers))

    def serve(self, declared: Sequence[object]) -> None:
        """Receive for the receptors and read models among these too; see `Engine.serve`."""
        # Any: the rows of each are of a class of their own.
        projections: list[Projection[Any]] = [
            each for each in declared if isinstance(each, Projection)
        ]
        self.projecting.serve(projections)
        groups = [each for each in declared if isinstance(each, Receptors)]
        receptors = [receptor for group in groups for receptor in group.receptors]
        new = {each.name: each for each in receptors}
        known = [each.receptor for name, each in self._receivers.items() if name not in new]
        require_owned((*known, *receptors))
        for receiver in receivers_of(receptors, self._shell.guards.services):
            self._receivers[receiver.name] = receiver
            self.keep_for(receiver.name, receiver.receptor.types)
        self._by_type = {}
        for name, receiver in self._receivers.items():
            for kind in receiver.receptor.types:
                self._by_type.setdefault(kind, []).append(name)
        self.lookout.ring()

    def keep_for(self, recipient: str, types: Iterable[str]) -> None:
        """Have messages of these types kept for somebody, from the next that are stored here on."""
        self._unsaid += [Subscription(recipient=recipient, type=name) for name in types]

    @property
    def is_subscribed(self) -> bool:
        """Whether the journal knows for whom messages are kept."""
        return not self._unsaid

    async def subscribe(self) -> None:
        """Let the journal know for whom messages are kept, before any is stored from here."""
        if not self._unsaid:
            return
        async with self._saying:
            said = [*self._unsaid]
            if not said:
                # Who had the lock before has said it: thousands may wait here at the beginning.
                return
            await self._own(said)
            await self.messages.subscribe(said, now=self.clock.now())
            self._unsaid = [each for each in self._unsaid if each not in said]

    async def _own(self, said: Sequence[Subscription]) -> None:
        """Refuse to be the second owner of a command: each would be given every one of them."""
        commands = {
            schema.name
            for receiver in self._receivers.values()
            for schema in receiver.receptor.receives.values()
            if schema.kind == "command"
        }
        owned = [
            each
            for each in said
            if each.type in commands and not each.recipient.startswith(BESIDE_OWNERS)
        ]
        if not owned:
            return
        other = await self.messages.own(owned, beside=BESIDE_OWNERS, now=self.clock.now())
        if other is not None:
            (mine,) = {each.recipient for each in owned if each.type == other.type}
            message = (
                f"the command `{other.type}` is owned by the receptor `{other.recipient}` on this "
                f"store, and so not by `{mine}`; if that is its new name: makegood receptors "
                f"--forget {other.recipient}"
            )
            raise StoreRefused(message)

    async def _look_for_owners(self) -> None:
        """Learn which receptors may send a command that nobody owns; they are not called."""
        self.unowned = {}
        for name, receiver in self._receivers.items():
            try:
                await self._shell.publisher.require_owners(receiver.receptor.sends)
            except UnknownMessage as error:
                self.unowned[name] = error

    # Taking --------------------------------------------------------------------------------------

    async def _look(self) -> bool:
        """Take what is due, as long as there is room and more of it."""
        if not self._receivers:
            return False
        shell = self._shell
        await self.subscribe()
        await self._look_for_owners()
        await shell.halts.look()
        while not self.lookout.is_stopping:
            room = {name: self._room_for(name) for name in self._names_in_turn()}
            limit = min(self._room(), sum(room.values()), shell.config.lane_batch)
            if self._suspects:
                # If this process dies now, it is known of what.
                limit = 0
            # Asking also tells the journal that what is held here is still being worked on.
            taken = await self.messages.take(
                shell.worker,
                room=room,
                per_lane=LANE_DELIVERIES_MAX,
                limit=limit,
                now=self.clock.now(),
            )
            for held in taken:
                self._take_up(held)
            self._may_be_more = len(taken) >= limit
            if len(taken) < limit or not taken:
                break
        return False

    def _take_up(self, held: Held) -> None:
        before = self._lanes.get(held.id)
        if before is not None:
            # Its lease had run out and was taken again: what is under way of it is stale.
            before.abandon()
        lane = HeldLane(self, self._receivers[held.id.recipient], held)
        self._lanes[held.id] = lane
        self._held[held.id.recipient] += 1
        if lane.is_suspect and held.claims > CLAIMS_TOGETHER_MAX:
            self._suspects.add(held.id)
        lane.begin()

    def _names_in_turn(self) -> list[str]:
        names = list(self._receivers)
        self._turns += 1
        first = self._turns % len(names)
        return names[first:] + names[:first]

    def _room(self) -> int:
        return max(0, self._shell.config.lanes_active_max - len(self._lanes))

    def _room_for(self, name: str) -> int:
        if self.is_winding_down(name):
            return 0
        at_once = self._receivers[name].receptor.at_once
        most = self._shell.config.lanes_active_max if at_once is None else at_once
        return max(0, most - self._held[name])

    def _make_use_of_room(self, name: str) -> None:
        """Ask again once there is room worth asking for."""
        if not self._may_be_more:
            return
        receptor = self._receivers[name].receptor
        is_bounded = receptor.at_once is not None
        if is_bounded or self._room() * _ROOM_WORTH >= self._shell.config.lanes_active_max:
            self.lookout.ring()

    # What lanes ask for --------------------------------------------------------------------------

    @property
    def messages(self) -> KeepsMessages:
        """What the journal keeps of messages."""
        return self._shell.journal.messages

    @property
    def clock(self) -> Clock:
        """The engine's clock."""
        return self._shell.clock

    @property
    def worker(self) -> WorkerId:
        """By which name lanes are held."""
        return self._shell.worker

    @property
    def performer(self) -> Performer:
        """Who calls functions."""
        return self._shell.performer

    @property
    def interceptors(self) -> tuple[Interceptor, ...]:
        """What is around every call."""
        return self._shell.interceptors

    def is_winding_down(self, name: str) -> bool:
        """Say whether nothing more is begun of a receptor here."""
        shell = self._shell
        return shell.is_draining or (bool(shell.halts.known) and shell.halts.holds_receptor(name))

    def held_back(self, receiver: Receiver, lane: LaneId) -> Instant | None:
        """Say when a receptor may be called, if a service that it is given is halted."""
        guards, now = self._shell.guards, self.clock.now()
        if not (self._shell.halts.known or guards.circuits):
            return None
        halted = guards.halted(RunId(lane.lane), now)
        return max((halted[name] for name in receiver.services if name in halted), default=None)

    def begins(self, receiver: Receiver) -> None:
        """Take notice of a call that begins, for it may be the trial of a service."""
        if self._shell.guards.circuits:
            self._shell.guards.begins(receiver.services, self.clock.now())

    def settled(self, lane: HeldLane, outcome: Outcome) -> None:
        """Take notice of what a lane has written: somebody may receive it here, or take it up."""
        self._suspects.discard(lane.id)
        self._shell.outage.is_over()
        for handled in outcome.handled:
            if isinstance(handled, Later):
                self._horizon.add(handled.due_at)
        if outcome.messages:
            self.stored(outcome.messages)
        for post in outcome.starts:
            assert post.create is not None, "what starts a run makes its row"
            self._take_note(post.create.fingerprint)

    def on_stored(self, bell: Callable[[], None]) -> None:
        """Say who else is to be told when messages were stored from here."""
        self._stored_bell = bell

    def stored(self, messages: Sequence[Envelope]) -> None:
        """Take notice of messages that were stored from here."""
        if messages and self._stored_bell is not None:
            self._stored_bell()
        self.projecting.stored(messages)
        for message in messages:
            recipients = self._by_type.get(message.type)
            if recipients is None:
                continue
            if message.not_before is not None:
                self._horizon.add(message.not_before)
                continue
            for recipient in recipients:
                held = self._lanes.get(LaneId(recipient, lane_of(message)))
                if held is None:
                    self.lookout.ring()
                else:
                    # It is taken when the lane has been given back, and nobody can before.
                    held.has_more = True

    def knock(self) -> None:
        """Learn that somebody else may have stored something, for a lane that is held too."""
        for lane in self._lanes.values():
            lane.has_more = True
        self.ring()

    def replied(self) -> None:
        """Say that what was written has its reply, to whoever waits for all of them."""
        self._shell.replied()

    def tell_outage(self, name: str, error: StoreError) -> None:
        """Tell the log that a store which is busy keeps something from being written."""
        self._shell.outage.tell(f"what {name} has received", error)

    def fail(self, error: BaseException) -> None:
        """Stop the engine: nothing can be written any more."""
        failure = error if isinstance(error, StoreError) else StoreError(f"{error!r} was raised")
        self._shell.fail(failure)

    def later(self, callback: Callable[[], object]) -> Timer:
        """Call back when a store that was busy is asked again."""
        again = after(self.clock.now(), self._shell.config.poll_max)
        return self.clock.call_at(again, callback)

    def let_go(self, lane: HeldLane) -> None:
        """Let a lane go, unless it is not this one that is held."""
        if self._lanes.get(lane.id) is not lane:
            return
        del self._lanes[lane.id]
        self._held[lane.name] -= 1
        self._suspects.discard(lane.id)
        if lane.has_more:
            self.lookout.ring()
        else:
            self._make_use_of_room(lane.name)

    def give_back(self, lane: HeldLane) -> None:
        """Give a lane back of which nothing was handled."""
        task = asyncio.get_running_loop().create_task(self._give_back(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _give_back(self, lane: HeldLane) -> None:
        shell = self._shell
        while not shell.is_draining:
            try:
                release = self.messages.release(shell.worker, [lane.id], now=self.clock.now())
                await shell.answer(release)
            except (StoreBusy, StoreFull) as error:
                self.tell_outage(lane.name, error)
            except StoreError as error:
                shell.fail(error)
                return
            else:
                self.let_go(lane)
                return
            await pause(self.clock, after(self.clock.now(), shell.config.poll_max))

    # What calls ask for --------------------------------------------------------------------------

    async def _is_first(self, key: str, call: ReceptorCall) -> bool:
        return await once(
            self.messages, key, of=call.envelope, owner=call.key, now=self.clock.now()
        )

    def _start(self, call: Call[object], key: str, of: ReceptorCall) -> Post:
        """Return the post that starts a run which a receptor has called."""
        now = self.clock.now()
        started, new = first_record(
            call,
            now,
            key=key,
            subject=of.envelope.subject,
            context=of.captured or {},
            beginning=Beginning(
                correlation=of.envelope.correlation,
                causation=of.envelope.id,
                tenant=of.envelope.tenant,
            ),
        )
        return start_post(child_run(key, now), started, new)
