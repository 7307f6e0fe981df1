"""What must be true of messages when everything has come to rest, whatever went wrong before.

Read from the stores and from what was done outside: each message was received once by each of its
receptors, in the order of its key, and what came of it is there once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec

from makegood.decision.messaging.giving_up import DeadReason
from makegood.journal.memory import MemoryJournal
from makegood.journal.messages import DeliveryState
from makegood.runtime.transporting.linking import missing_since
from makegood.values.envelope import SENT_AFTER
from makegood.values.instants import Instant
from tests.simulation.messages.shop import NOTED, SENDS, thing_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from makegood.journal.lanes.office import StoredDelivery, StoredMessage
    from makegood.journal.memory import MemoryStore
    from makegood.runtime.transporting.linking import MissingMessage
    from tests.simulation.kinds.books import Books

__all__ = ["Service", "judged", "situations"]

ROUTE = "transport:"


class Service:
    """What is known of one service: its store, and what it has done."""

    def __init__(self, name: str, store: MemoryStore) -> None:
        self.name = name
        self.store = store

    @property
    def messages(self) -> list[StoredMessage]:
        """Its messages, in the order in which they were stored."""
        kept = self.store.office.messages
        return [kept[seq] for seq in sorted(kept)]

    @property
    def is_at_rest(self) -> bool:
        """Whether nobody is still to be given anything."""
        return not any(stored.is_waited_for for stored in self.messages)

    def deliveries(self) -> Iterator[tuple[StoredMessage, StoredDelivery]]:
        """Yield every message with each of its deliveries."""
        for stored in self.messages:
            for _, delivery in sorted(stored.deliveries.items()):
                yield stored, delivery


def judged(
    services: Mapping[str, Service],
    books: Books,
    *,
    published: Collection[str],
    deadly: Collection[str],
    declined: Collection[str],
) -> Iterator[str]:
    """Yield what is wrong; `published` are the ids that were acknowledged."""
    for service in services.values():
        yield from _about_ids(service)
        yield from _about_deliveries(service, books, deadly, declined)
        yield from _about_notes(service)
        yield from _about_what_came_of(service)
        yield from _about_order(service, books)
    stored = {each.message.id for each in services["shop"].messages}
    for lost in sorted(set(published) - stored):
        yield f"{lost} was acknowledged, and is lost"
    yield from _about_the_way(services)
    for service in services.values():
        yield from _about_links(service)
    done = Counter(entry.deed.thing for entry in books.entries)
    for thing, count in done.items():
        if count > 1:
            yield f"{thing} was done {count} times"


def name_of(stored: StoredMessage) -> str:
    return f"{stored.message.source}:{stored.message.id}"


def order_of(stored: StoredMessage) -> str:
    """Return which order a message is about, which is its key by what it says."""
    order: str = msgspec.json.decode(stored.message.body)["order"]
    return order


def _about_ids(service: Service) -> Iterator[str]:
    names = Counter(name_of(stored) for stored in service.messages)
    for name, count in names.items():
        if count > 1:
            yield f"{service.name} has {name} {count} times"


def _about_deliveries(
    service: Service, books: Books, deadly: Collection[str], declined: Collection[str]
) -> Iterator[str]:
    """Say what became of deliveries that nothing gives a reason for."""
    done = {entry.deed.thing for entry in books.entries}
    for stored, delivery in service.deliveries():
        recipient, name = delivery.id.recipient, name_of(stored)
        if delivery.state in {DeliveryState.DUE, DeliveryState.LATER}:
            yield f"{recipient} is still to be given {name}"
        if recipient.startswith(ROUTE):
            if delivery.state is DeliveryState.DEAD:
                yield f"{name} was given up by {recipient}: {delivery.reason}"
            continue
        is_done = thing_of(recipient, stored.message.source, stored.message.id) in done
        if is_done != (delivery.state is DeliveryState.DONE):
            yield f"{recipient} is {delivery.state} with {name}, and has done it: {is_done}"
        if delivery.state is DeliveryState.DEAD:
            reason, id = delivery.reason, stored.message.id
            is_explained = (reason == DeadReason.POISON and id in deadly) or (
                reason == DeadReason.DECLINED and id in declined
            )
            if not is_explained:
                yield f"{name} is a dead letter of {recipient}: {reason}, for nothing"


def _about_notes(service: Service) -> Iterator[str]:
    """Compare what receptors wrote into their own table with what they have received."""
    rows = service.store.scratch().rows("SELECT receptor, message FROM noted", ())
    noted = Counter((str(receptor), str(name)) for receptor, name in rows)
    received = Counter(
        (delivery.id.recipient, name_of(stored))
        for stored, delivery in service.deliveries()
        if delivery.id.recipient in NOTED and delivery.state is DeliveryState.DONE
    )
    for (receptor, name), count in ((noted - received) + (received - noted)).items():
        yield f"{receptor} has noted {name} {noted[receptor, name]} times ({count} off)"


def _about_what_came_of(service: Service) -> Iterator[str]:
    """Compare what receptors have sent with what they have received."""
    came: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for stored in service.messages:
        message = stored.message
        if message.source == service.name and message.causation is not None:
            came[message.causation][message.type] += 1
    wanted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for stored, delivery in service.deliveries():
        if delivery.state is DeliveryState.DONE:
            wanted[stored.message.id].update(SENDS.get(delivery.id.recipient, ()))
    for id in sorted({*came, *wanted}):
        if came[id] != wanted[id]:
            yield f"of {id} came {dict(came[id])}, and should come {dict(wanted[id])}"


def _about_order(service: Service, books: Books) -> Iterator[str]:
    """Compare the order of effects with the order in which the messages of a key were stored."""
    place: dict[str, int] = {}
    for number, entry in enumerate(books.entries):
        place.setdefault(entry.deed.thing, number)
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for stored, delivery in service.deliveries():
        is_plain = delivery.state is DeliveryState.DONE and not delivery.sending
        thing = thing_of(delivery.id.recipient, stored.message.source, stored.message.id)
        if not is_plain or thing not in place:
            continue
        lane = (delivery.id.recipient, order_of(stored))
        before = last.get(lane)
        if before is not None and place[thing] < before[0]:
            yield f"{thing} was done before {before[1]}, which was stored before it"
        last[lane] = (place[thing], thing)


def _about_the_way(services: Mapping[str, Service]) -> Iterator[str]:
    """Compare what was sent from one store with what has arrived in the other one."""
    for sender, receiver in (("shop", "yard"), ("yard", "shop")):
        sent = [
            name_of(stored)
            for stored, delivery in services[sender].deliveries()
            if delivery.id.recipient.startswith(ROUTE) and delivery.state is DeliveryState.DONE
        ]
        arrived = [
            name_of(stored)
            for stored in services[receiver].messages
            if stored.message.source == sender
        ]
        if sorted(sent) != sorted(set(arrived)):
            lost = sorted(set(sent) ^ set(arrived))
            yield f"{lost} was sent by {sender} or has arrived at {receiver}, and not both"
            continue
        keys = {name_of(each): order_of(each) for each in services[sender].messages}
        for key in {keys[name] for name in sent}:
            went = [name for name in sent if keys[name] == key]
            came = [name for name in arrived if keys[name] == key]
            if went != came:
                yield f"{went} of {key} were sent in this order, and came as {came}"


def _about_links(service: Service) -> Iterator[str]:
    """Ask what is missing, of which nothing is: all that was sent has come."""
    asked = _missing(service.store)
    try:
        asked.send(None)
    except StopIteration as answered:
        # A store in memory answers at once.
        found: tuple[MissingMessage, ...] = answered.value
    for each in found:
        yield f"{service.name} misses {each.source}:{each.id}, which {each.before} names"


async def _missing(store: MemoryStore) -> tuple[MissingMessage, ...]:
    journal = MemoryJournal(store)
    await journal.open(work=False)
    return await missing_since(journal.messages, Instant(0))


def situations(services: Mapping[str, Service]) -> Iterator[str]:
    """Name what came about."""
    for service in services.values():
        for stored, delivery in service.deliveries():
            recipient = "a route" if delivery.id.recipient.startswith(ROUTE) else "a receptor"
            yield f"{recipient}: {delivery.state.value}"
            if delivery.attempts > 1:
                yield f"{recipient} tried again"
            if delivery.sending:
                yield "sent again by a person"
            if SENT_AFTER in dict(stored.message.headers):
                yield "a message names the one before it"
            if delivery.reason is not None:
                yield f"given up: {delivery.reason}"
