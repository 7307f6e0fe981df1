"""What keeps messages right, taken away in turn: by wrappers that are made for each world."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from makegood.journal.messages import DeliveryState, Done, Settled, Stored
from makegood.journal.reply import Reply
from makegood.testing.simulation import SimulatedBroker
from tests.simulation.messages.without import AroundMessages, Without, around

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from makegood import Transport
    from makegood.journal.lanes.office import StoredDelivery
    from makegood.journal.memory import MemoryStore
    from makegood.journal.messages import Finished, Held, KeepsMessages, LaneId, Malformed, Receipt
    from makegood.journal.protocol import Fenced, Refused
    from makegood.journal.reply import Pending
    from makegood.runtime.transporting.transport import Arrived, Confirmed, Outbound, Take
    from makegood.values.envelope import Envelope
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["EVERYBODY_LISTENS", "MISSED"]

Sending = tuple[str, str]
"""The source and the id of a message."""


# Behind the wire --------------------------------------------------------------------------------


class Unknown(AroundMessages):
    """What came before is not looked for, or only if it came so many microseconds before."""

    def __init__(self, messages: KeepsMessages, store: MemoryStore, *, at_least: int = 0) -> None:
        super().__init__(messages, store)
        self._office = store.office
        self._at_least = at_least

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        """Store messages, each as if it were new."""
        for message in messages:
            name = (message.tenant, message.source, message.id)
            known = self._office.ids.get(name)
            if known is None:
                continue
            is_seen = (
                self._at_least and now - self._office.messages[known].stored_at > self._at_least
            )
            if not is_seen:
                del self._office.ids[name]
        return self.messages_inside.publish(messages, now=now)


class OneLine(AroundMessages):
    """A message that is to be tried again keeps all others of its receptor waiting."""

    def __init__(self, messages: KeepsMessages, store: MemoryStore) -> None:
        super().__init__(messages, store)
        self._office = store.office

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Lease lanes that are due, unless another one of the receptor is sick."""
        taken = await self.messages_inside.take(
            worker, room=room, per_lane=per_lane, limit=limit, now=now
        )
        kept_back = [held.id for held in taken if self._waits_for_another(held.id)]
        await self.messages_inside.release(worker, kept_back, now=now)
        return tuple(held for held in taken if held.id not in kept_back)

    def _waits_for_another(self, lane: LaneId) -> bool:
        sick = {
            delivery.lane
            for stored in self._office.messages.values()
            for delivery in stored.deliveries.values()
            if delivery.id.recipient == lane.recipient and _is_sick(delivery)
        }
        return bool(sick) and lane not in sick


def _is_sick(delivery: StoredDelivery) -> bool:
    return delivery.state is DeliveryState.DUE and delivery.attempts > 0


class WithoutKeys(AroundMessages):
    """No message has a key, so that each is in nobody's way."""

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        """Store messages, each by itself."""
        keyless = [replace(each, key=None) if hasattr(each, "key") else each for each in messages]
        return self.messages_inside.publish(keyless, now=now)


class Cursor:
    """Numbers are drawn when a message leaves its process, and a route sends what is beyond them.

    So it is where numbers come from a sequence, and whoever relays remembers the highest.
    """

    def __init__(self) -> None:
        self._drawn: dict[Sending, int] = {}
        self._beyond = 0

    def draw(self, messages: Sequence[Envelope | Malformed]) -> None:
        """Give each of these a number."""
        for message in messages:
            self._drawn.setdefault((message.source, message.id), len(self._drawn) + 1)

    def drawing(self, messages: KeepsMessages, _store: MemoryStore | None) -> object:
        """Return what a process keeps its messages by."""
        return _Drawing(messages, self)

    def relaying(self, messages: KeepsMessages, store: MemoryStore) -> object:
        """Return what is at the other end."""
        return _Relaying(messages, store, self)

    def is_behind(self, sending: Sending) -> bool:
        """Say whether a message has a number that is passed."""
        return self._drawn[sending] <= self._beyond

    def sent(self, sendings: Sequence[Sending]) -> None:
        """Pass the numbers of what was sent."""
        self._beyond = max([self._beyond, *(self._drawn[each] for each in sendings)])


class _Drawing(AroundMessages):
    def __init__(self, messages: KeepsMessages, cursor: Cursor) -> None:
        super().__init__(messages, None)
        self._cursor = cursor

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        self._cursor.draw(messages)
        return self.messages_inside.publish(messages, now=now)

    def finish(self, finished: Finished) -> Pending[Settled | Fenced | Refused]:
        self._cursor.draw(finished.outcome.messages)
        return self.messages_inside.finish(finished)


class _Relaying(AroundMessages):
    def __init__(self, messages: KeepsMessages, store: MemoryStore, cursor: Cursor) -> None:
        super().__init__(messages, store)
        self._office = store.office
        self._cursor = cursor

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        taken = await self.messages_inside.take(
            worker, room=room, per_lane=per_lane, limit=limit, now=now
        )
        given: list[Held] = []
        for held in taken:
            due = tuple(each for each in held.due if not self._is_passed(held, each.message))
            if due:
                given.append(replace(held, due=due))
            else:
                await self.messages_inside.release(worker, [held.id], now=now)
        return tuple(given)

    def _is_passed(self, held: Held, message: Envelope) -> bool:
        is_route = held.id.recipient.startswith("transport:")
        return is_route and self._cursor.is_behind((message.source, message.id))

    def finish(self, finished: Finished) -> Pending[Settled | Fenced | Refused]:
        if finished.id.recipient.startswith("transport:"):
            kept = self._office.messages
            done = [each.seq for each in finished.outcome.handled if isinstance(each, Done)]
            self._cursor.sent([(kept[seq].message.source, kept[seq].message.id) for seq in done])
        return self.messages_inside.finish(finished)


# Before the wire --------------------------------------------------------------------------------


class StoredAtOnce(AroundMessages):
    """A message is acknowledged when it is on its way to the store."""

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Pending[tuple[Receipt, ...]]:
        """Store messages, some time."""
        self.messages_inside.publish(messages, now=now)
        given: Reply[tuple[Receipt, ...]] = Reply()
        given.give(tuple(Stored(0) for _ in messages))
        return given


class TwoWrites(AroundMessages):
    """A message is marked as done in one write, and what came of it is stored by the next."""

    def finish(self, finished: Finished) -> Pending[Settled | Fenced | Refused]:
        """Remember what came of a lane's deliveries."""
        messages = finished.outcome.messages
        outcome = replace(finished.outcome, messages=())
        marked = self.messages_inside.finish(replace(finished, outcome=outcome))
        given: Reply[Settled | Fenced | Refused] = Reply()

        def store(_done: object) -> None:
            if marked.exception() is None and messages:
                self.messages_inside.publish(messages, now=finished.at)
            given.give(marked.exception() or marked.result())

        marked.add_done_callback(store)
        return given


# The way to the broker --------------------------------------------------------------------------


class AcknowledgedFirst:
    """What arrives is acknowledged before it is stored."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._tasks: list[asyncio.Task[None]] = []

    async def send(self, message: Outbound) -> Confirmed:
        """Give a message to the broker."""
        sent: Any = await self._transport.send(message)
        return sent  # type: ignore[no-any-return] # as the transport inside says

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        """Hand over what arrives."""

        async def begin(arrived: Sequence[Arrived]) -> None:
            task = asyncio.ensure_future(take(arrived))
            # Nobody learns how it ended.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._tasks.append(task)

        await self._transport.listen(topics, group=group, batch=batch, take=begin)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._transport.close()


# The broker -------------------------------------------------------------------------------------


class Everybody(AroundMessages):
    """Whoever asks is told to listen."""

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Say yes."""
        return True


EVERYBODY_LISTENS = Without(
    name="everybody listens",
    removes="One process of a service listens at a time.",
    journal=lambda journal: around(journal, None, Everybody),
)
"""What must not matter: no order rests on a lease, nor on a clock."""


# Each of them -----------------------------------------------------------------------------------

LOOKED_UP_BEFORE = 1_000_000
"""How long before it is stored a message's id is looked up, in microseconds."""


def _looked_up(messages: KeepsMessages, store: MemoryStore) -> object:
    return Unknown(messages, store, at_least=LOOKED_UP_BEFORE)


def _relayed_by_cursor() -> Without:
    cursor = Cursor()
    return Without(
        name="id cursor",
        removes="What is to be sent is found by its state, and not by its number.",
        journal=lambda journal: around(journal, None, cursor.drawing),
        store=lambda journal, store: around(journal, store, cursor.relaying),
    )


# Any: a wrapper of messages, which has all that the messages have.
def _behind(name: str, removes: str, wrap: Any) -> Callable[[], Without]:
    return lambda: Without(
        name=name, removes=removes, store=lambda journal, store: around(journal, store, wrap)
    )


# Any: as above.
def _before(name: str, removes: str, wrap: Any) -> Callable[[], Without]:
    return lambda: Without(
        name=name, removes=removes, journal=lambda journal: around(journal, None, wrap)
    )


MISSED: dict[str, tuple[Callable[[], Without], str]] = {
    "no dedupe": (
        _behind("no dedupe", "A message is known by its source and id.", Unknown),
        " 2 times",
    ),
    "check then insert": (
        _behind("check then insert", "That an id is new is found where it is stored.", _looked_up),
        " 2 times",
    ),
    "one line": (
        _behind("one line", "A sick key keeps no other waiting.", OneLine),
        "while another key was sick",
    ),
    "no keys": (
        _behind("no keys", "Messages of one key are received in their order.", WithoutKeys),
        "was done before",
    ),
    "id cursor": (_relayed_by_cursor, "transport:bus is still to be given"),
    "acknowledged before it is stored": (
        _before("acknowledged", "A message is acknowledged once it is durable.", StoredAtOnce),
        "is lost",
    ),
    "two writes": (
        _before("two writes", "What comes of a message is stored with its mark.", TwoWrites),
        "and should come",
    ),
    "broker acknowledged before it is stored": (
        lambda: Without(
            name="broker acknowledged",
            removes="What arrives is stored before the broker is told so.",
            transport=AcknowledgedFirst,
        ),
        "and not both",
    ),
    "broker shares out": (
        lambda: Without(
            name="broker shares out",
            removes="What a listener has not acknowledged comes before all that follows it.",
            broker=partial(SimulatedBroker, shares_out=True),
        ),
        "were sent in this order, and came as",
    ),
}
"""How each safeguard is taken away, and what shows its lack."""
