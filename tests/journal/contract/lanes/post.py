"""What the tests of messages share: the usual messages and recipients, and short questions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from makegood.journal.messages import (
    Dead,
    DeliveryFilter,
    DeliveryState,
    Done,
    Finished,
    Later,
    MessageFilter,
    Order,
    Outcome,
    Subscription,
)
from makegood.values.envelope import Envelope
from makegood.values.instants import Instant
from tests.journal.records import ALICE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.messages import (
        Delivery,
        DeliveryId,
        Handling,
        Held,
        KeepsMessages,
        Malformed,
        Receipt,
        Settled,
    )
    from makegood.journal.protocol import Fenced, Journal, Refused
    from makegood.values.ids import WorkerId

Test = TypeVar("Test")

PROMISE_OF_MESSAGES = "promise_of_messages"
CHARGE, SHIP = "payments.charge", "shipping.ship"
ORDERED = "OrderPlaced"

_ids = itertools.count(1)


def promise_of_messages(number: int) -> Callable[[Test], Test]:
    """Name the promise of `KeepsMessages` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE_OF_MESSAGES, number)
        return test

    return mark


def message(key: str | None = "order-1", **other: Any) -> Envelope:
    """Return a message with an id of its own."""
    fields: dict[str, Any] = {
        "id": f"message-{next(_ids)}",
        "source": "shop",
        "type": ORDERED,
        "body": b"{}",
        "at": Instant(0),
        "correlation": "correlation-1",
    }
    return Envelope(key=key, **(fields | other))


def order(at: int = 50) -> Order:
    return Order(actor="ann", reason="repaired", at=Instant(at))


async def subscribe(
    post: KeepsMessages, *recipients: str, to: Sequence[str] = (ORDERED,), now: int = 0
) -> None:
    wanted = [Subscription(recipient=each, type=name) for each in recipients for name in to]
    await post.subscribe(wanted, now=Instant(now))


async def publish(
    post: KeepsMessages, *messages: Envelope | Malformed, now: int = 1
) -> tuple[Receipt, ...]:
    return await post.publish(messages, now=Instant(now))


async def take(
    post: KeepsMessages,
    worker: WorkerId = ALICE,
    *,
    now: int = 10,
    room: dict[str, int] | None = None,
    per_lane: int = 9,
    limit: int = 99,
) -> tuple[Held, ...]:
    room = {CHARGE: 99} if room is None else room
    return await post.take(worker, room=room, per_lane=per_lane, limit=limit, now=Instant(now))


async def only(post: KeepsMessages, **other: Any) -> Held:
    """Take the one lane that is due."""
    (held,) = await take(post, **other)
    return held


async def finish(
    post: KeepsMessages,
    held: Held,
    *handled: Handling,
    worker: WorkerId = ALICE,
    now: int = 10,
    outcome: dict[str, Any] | None = None,
    **other: Any,
) -> Settled | Fenced | Refused:
    made = Outcome(handled=handled, **(outcome or {}))
    return await post.finish(
        Finished(
            id=held.id, worker=worker, epoch=held.epoch, at=Instant(now), outcome=made, **other
        )
    )


async def listens(
    post: KeepsMessages, worker: WorkerId = ALICE, *, name: str = "bus", now: int = 10
) -> bool:
    """Say whether a worker is told that it is the one that listens."""
    return await post.claim_listening(name, worker, now=Instant(now))


def done(held: Held) -> list[Done]:
    return [Done(each.seq) for each in held.due]


def later(held: Held, *, due_at: int, **other: Any) -> Later:
    return Later(seq=held.due[0].seq, due_at=Instant(due_at), **other)


def dead(held: Held, reason: str = "used up", **other: Any) -> Dead:
    return Dead(seq=held.due[0].seq, reason=reason, **other)


async def die(post: KeepsMessages, held: Held, **other: Any) -> None:
    """Give up the first delivery of a lane."""
    await finish(post, held, dead(held, **other))


def ids(held: Sequence[Held]) -> list[list[str]]:
    """Return the ids of the messages that were handed out, lane by lane."""
    return [[due.message.id for due in each.due] for each in held]


def lanes(held: Sequence[Held]) -> list[str]:
    return [each.id.lane for each in held]


async def deliveries(post: KeepsMessages, **chosen: Any) -> list[Delivery]:
    """Return deliveries, the oldest first."""
    page = await post.deliveries(DeliveryFilter(**chosen))
    return list(reversed(page.rows))


async def dead_letter(post: KeepsMessages) -> Delivery:
    """Return the one dead letter that there is."""
    (letter,) = await deliveries(post, states=frozenset({DeliveryState.DEAD}))
    return letter


def chosen(*meant: DeliveryId, **other: Any) -> DeliveryFilter:
    return DeliveryFilter(ids=frozenset(meant), **other)


async def states(post: KeepsMessages, **chosen: Any) -> list[str]:
    return [str(each.state) for each in await deliveries(post, **chosen)]


async def stored(post: KeepsMessages, **shown: Any) -> list[str]:
    """Return the ids of the messages that are stored, the oldest first."""
    page = await post.messages(MessageFilter(**shown))
    return [each.message.id for each in reversed(page.rows)]


async def remembered(journal: Journal, post: KeepsMessages) -> object:
    """Return all that there is, to be compared with what there is later."""
    lanes = [await post.lanes(name, limit=99) for name in (CHARGE, SHIP)]
    return msgspec.to_builtins(
        [await deliveries(post), lanes, await stored(post), await post.lag()]
    ), await journal.query("SELECT count FROM stock")
