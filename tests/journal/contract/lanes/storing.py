"""Of messages that are stored and who subscribes to them: the promises 1 to 6."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.journal.messages import (
    DeliveryId,
    DeliveryState,
    Duplicate,
    Malformed,
    Stored,
    Subscription,
)
from makegood.journal.protocol import (
    Applied,
    Conflict,
    Fenced,
    Refused,
    Statement,
    ToRun,
)
from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import (
    CHARGE,
    ORDERED,
    SHIP,
    deliveries,
    done,
    finish,
    ids,
    message,
    only,
    promise_of_messages,
    publish,
    states,
    stored,
    subscribe,
    take,
)
from tests.journal.promises import OTHER, RUN, stock
from tests.journal.records import BOB, Body, append, first, last, run_id

if TYPE_CHECKING:
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.protocol import Journal
    from makegood.values.injectable import Transaction
    from tests.journal.records import World


@promise_of_messages(1)
async def test_a_message_goes_to_everyone_who_subscribes_to_its_type(post: KeepsMessages) -> None:
    await subscribe(post, SHIP, CHARGE)
    await subscribe(post, "mail.tell", to=["OrderCancelled"])
    sent = message()

    (receipt,) = await publish(post, sent)

    assert receipt == Stored(1, (CHARGE, SHIP))
    found = await take(post, room={CHARGE: 9, SHIP: 9, "mail.tell": 9})
    assert [(held.id.recipient, held.due[0].message) for held in found] == [
        (CHARGE, sent),
        (SHIP, sent),
    ]


@promise_of_messages(1)
async def test_a_message_comes_out_as_it_was_put_in(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    sent = message(
        "order-ü",
        tenant="north",
        version=3,
        subject="customer-1",
        causation="message-0",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        headers=(("content", "text/plain"), ("empty", "")),
        body=b"\x00\xff {}",
        at=Instant(-5),
        not_before=Instant(3),
    )

    await publish(post, sent, message(None))

    taken = {due.message.id: due.message for held in await take(post) for due in held.due}
    assert taken[sent.id] == sent
    kept = await post.message(1)
    assert kept is not None
    assert (kept.message, kept.stored_at) == (sent, 1)


@promise_of_messages(1)
async def test_calls_that_wait_together_all_get_their_receipts_in_their_order(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    sent = [[message(f"order-{n}"), message(f"order-{n}")] for n in range(40)]

    receipts = await asyncio.gather(*(publish(post, *pair) for pair in sent))

    seqs = [receipt.seq for pair in receipts for receipt in pair]
    assert seqs == sorted(seqs)
    found = {due.seq: due.message for held in await take(post) for due in held.due}
    assert [found[seq] for seq in seqs] == [each for pair in sent for each in pair]


@promise_of_messages(2)
async def test_a_message_whose_id_is_known_from_its_source_is_stored_once(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    sent = message()
    await publish(post, sent)
    held = await only(post)
    await finish(post, held, *done(held))

    receipts = await publish(post, sent, sent)

    assert receipts == (Duplicate(1), Duplicate(1))
    assert (await take(post), await states(post)) == ((), ["done"])


@promise_of_messages(2)
async def test_a_message_twice_in_one_call_is_stored_once(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    sent = message()

    receipts = await publish(post, sent, message(), sent)

    assert receipts == (Stored(1, (CHARGE,)), Stored(2, (CHARGE,)), Duplicate(1))
    assert len((await only(post)).due) == 2


@promise_of_messages(2)
async def test_a_message_that_two_publish_at_once_is_stored_once(world: World) -> None:
    one, two = (await world.open()).messages, (await world.open()).messages
    await subscribe(one, CHARGE)
    sent = [message(f"order-{n}") for n in range(20)]

    answers = await asyncio.gather(
        *(publish(post, each) for each in sent for post in (one, two)),
    )

    kinds = sorted(type(receipt).__name__ for answer in answers for receipt in answer)
    assert kinds == ["Duplicate"] * 20 + ["Stored"] * 20
    assert len(await states(one, limit=99)) == 20


@promise_of_messages(2)
async def test_what_two_publish_at_once_stands_in_the_order_of_both(world: World) -> None:
    """One of them is further on; so it is when one listener has taken over from another one."""
    one, two = (await world.open()).messages, (await world.open()).messages
    await subscribe(one, CHARGE)
    sent = [message("one key for all") for _ in range(60)]
    batches = [
        (post, sent[start : start + length])
        for start in range(0, 60, 5)
        for post, length in ((one, 5), (two, 9))
    ]

    for place in range(0, len(batches), 2):
        await asyncio.gather(*(publish(post, *batch) for post, batch in batches[place : place + 2]))

    assert ids([await only(one, per_lane=99)]) == [[each.id for each in sent]]


@promise_of_messages(2)
async def test_other_sources_and_tenants_have_ids_of_their_own(post: KeepsMessages) -> None:
    sent = message(id="1")

    receipts = await publish(
        post, sent, message(id="1", source="bank"), message(id="1", tenant="north")
    )

    assert receipts == (Stored(1), Stored(2), Stored(3))


@promise_of_messages(3)
async def test_what_nobody_subscribes_to_is_stored_and_shown_as_unheard(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    heard, unheard = message(), message(type="OrderArchived")

    assert await publish(post, heard, unheard) == (Stored(1, (CHARGE,)), Stored(2))

    assert await stored(post, unheard=True) == [unheard.id]
    assert await stored(post) == [heard.id, unheard.id]


@promise_of_messages(4)
async def test_what_an_append_brings_is_stored_with_it_and_once(
    journal: Journal, post: KeepsMessages
) -> None:
    await subscribe(post, CHARGE)
    sent = [message() for _ in range(4)]
    begun = first(RUN, messages=(sent[0],))
    goes_on = append(RUN, 2, messages=(sent[1], sent[2], sent[1]))
    both = last(RUN, 3, ended_at=5, messages=(sent[3],), outgoing=(ToRun(run=OTHER, body=b"1"),))

    verdicts = [await journal.append(each) for each in (begun, begun, goes_on, goes_on, both, both)]

    assert verdicts == [Applied()] * 6
    assert ids(await take(post)) == [[each.id for each in sent]]
    assert [each.stored_at for each in await deliveries(post)] == [1, 2, 2, 3]


@promise_of_messages(4)
async def test_appends_that_wait_together_bring_messages_or_not(
    journal: Journal, post: KeepsMessages
) -> None:
    runs = [run_id(number) for number in range(30)]
    sent = [message(f"{n}") for n in range(0, 30, 3)]

    await asyncio.gather(
        *(
            journal.append(first(run, messages=() if n % 3 else (sent[n // 3],)))
            for n, run in enumerate(runs)
        ),
        *(publish(post, message("published")) for _ in range(5)),
    )

    assert sorted(await stored(post, type=ORDERED, limit=99)) == sorted(
        [each.id for each in sent] + await stored(post, key="published")
    )


@promise_of_messages(4)
async def test_an_append_that_is_not_written_publishes_nothing(
    journal: Journal, post: KeepsMessages
) -> None:
    await journal.append(first(RUN))
    news = (message(),)

    verdicts = [
        await journal.append(append(RUN, 2, worker=BOB, messages=news)),
        await journal.append(append(RUN, 7, messages=news)),
        await journal.append(append(RUN, 2, messages=news, writes=(Statement("no SQL"),))),
    ]

    assert [type(verdict) for verdict in verdicts] == [Fenced, Conflict, Refused]
    assert await stored(post) == []


@promise_of_messages(4)
async def test_messages_come_with_a_steps_statements_and_a_local_step(
    journal: Journal, post: KeepsMessages
) -> None:
    await journal.append(first(RUN))
    sell = Statement("UPDATE stock SET count = count - 1", (), 1)
    one, two = message(), message()

    await journal.append(append(RUN, 2, writes=(sell,), messages=(one,)))
    await journal.append(append(RUN, 3, local=Body(_sell), messages=(two,)))

    assert (await stored(post), await stock(journal)) == ([one.id, two.id], 3)


@promise_of_messages(4)
async def test_a_local_step_says_itself_what_goes_out_unless_it_fails(
    journal: Journal, post: KeepsMessages
) -> None:
    await subscribe(post, CHARGE)
    await journal.append(first(RUN))
    beside, said, unsaid = message(), message(), message()
    selling = append(RUN, 2, local=Body(_sell, messages=(said, said)), messages=(beside,))

    verdicts = [await journal.append(selling) for _ in range(2)]
    failing = append(RUN, 3, local=Body(_fail, messages=(unsaid,)))
    verdicts.append(await journal.append(failing))

    assert [type(verdict) for verdict in verdicts] == [Applied] * 3
    assert verdicts[0] == verdicts[1]
    assert (await stored(post), await stock(journal)) == ([beside.id, said.id], 4)
    assert sorted(name for lane in ids(await take(post)) for name in lane) == sorted(
        [beside.id, said.id]
    )


async def _fail(transaction: Transaction) -> object:
    await _sell(transaction)
    message = "no more tea"
    raise ValueError(message)


async def _sell(transaction: Transaction) -> object:
    return await transaction.execute("UPDATE stock SET count = count - 1")


@promise_of_messages(4)
async def test_what_an_outcome_sends_on_is_stored_with_it_and_once(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await subscribe(post, SHIP, to=["OrderPaid"])
    await publish(post, message())
    held = await only(post)
    paid = message(type="OrderPaid")

    for _ in range(2):
        await finish(post, held, *done(held), outcome={"messages": (paid, paid)})

    assert ids(await take(post, room={SHIP: 9})) == [[paid.id]]
    assert len(await stored(post)) == 2


@promise_of_messages(4)
async def test_what_an_outcome_sends_may_be_for_the_very_lane_that_it_ends(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message())
    held = await only(post)
    again = message()

    await finish(post, held, *done(held), outcome={"messages": (again,)})

    assert ids(await take(post)) == [[again.id]]


@promise_of_messages(5)
async def test_what_is_malformed_is_kept_as_it_came_beside_what_is_not(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    raw = Malformed(
        id="raw-1",
        source="broker",
        body=b"\xff{",
        at=Instant(0),
        recipient="from:broker",
        reason="malformed",
        error=b'"not JSON"',
        headers=(("subject", "orders"),),
    )

    receipts = await publish(post, message(), raw, message(), raw)

    assert receipts == (Stored(1, (CHARGE,)), Stored(2), Stored(3, (CHARGE,)), Duplicate(2))
    (letter,) = await deliveries(post, states=frozenset({DeliveryState.DEAD}))
    assert (letter.id, letter.reason, letter.error) == (
        DeliveryId(2, "from:broker"),
        "malformed",
        b'"not JSON"',
    )
    kept = await post.message(2)
    assert kept is not None
    assert (kept.message.body, kept.message.headers) == (b"\xff{", (("subject", "orders"),))
    assert len((await only(post)).due) == 2


@promise_of_messages(6)
async def test_a_subscription_stands_for_all_who_open_the_store(world: World) -> None:
    one, two = (await world.open()).messages, (await world.open()).messages
    await subscribe(one, CHARGE, now=3)
    await subscribe(two, CHARGE, to=[ORDERED, "OrderPaid"], now=5)

    assert await one.subscriptions() == (
        _subscribed("OrderPaid", since=5, seen_at=5),
        _subscribed(ORDERED, since=3, seen_at=5),
    )
    assert await publish(two, message()) == (Stored(1, (CHARGE,)),)


@promise_of_messages(6)
async def test_a_subscription_that_ended_leaves_what_is_due(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE, SHIP)
    before = message()
    await publish(post, before)

    assert await post.unsubscribe(CHARGE, [ORDERED, "never subscribed"]) == 1

    assert await publish(post, message()) == (Stored(2, (SHIP,)),)
    assert ids(await take(post)) == [[before.id]]


@promise_of_messages(6)
async def test_who_subscribes_later_is_not_given_what_was_before(post: KeepsMessages) -> None:
    await publish(post, message())
    await subscribe(post, CHARGE)

    assert await take(post) == ()


def _subscribed(type: str, *, since: int, seen_at: int) -> Subscription:  # noqa: A002
    return Subscription(recipient=CHARGE, type=type, since=Instant(since), seen_at=Instant(seen_at))


@promise_of_messages(25)
async def test_a_type_is_owned_by_one_beside_whom_others_may_stand(post: KeepsMessages) -> None:
    await subscribe(post, "model:orders@1")

    assert await owner_before(post, CHARGE) is None
    assert await owner_before(post, CHARGE) is None
    assert await owner_before(post, SHIP) == CHARGE
    (stored,) = await publish(post, message())
    assert stored == Stored(1, ("model:orders@1", CHARGE))

    await post.unsubscribe(CHARGE, [ORDERED])
    assert await owner_before(post, SHIP) is None


@promise_of_messages(25)
async def test_whoever_may_not_own_one_type_owns_none_of_them(post: KeepsMessages) -> None:
    assert await owner_before(post, CHARGE) is None

    assert await owner_before(post, SHIP, types=("OrderArchived", ORDERED)) == CHARGE

    assert [each.recipient for each in await post.subscriptions()] == [CHARGE]


@promise_of_messages(25)
async def test_of_two_who_own_a_type_at_the_same_moment_one_does(world: World) -> None:
    one, two = (await world.open()).messages, (await world.open()).messages
    for number in range(10):
        kind = f"Command{number}"

        before = await asyncio.gather(
            owner_before(one, CHARGE, types=(kind,)), owner_before(two, SHIP, types=(kind,))
        )

        assert before in ([None, CHARGE], [SHIP, None])


async def owner_before(
    post: KeepsMessages, recipient: str, *, types: tuple[str, ...] = (ORDERED,)
) -> str | None:
    """Have a recipient own types; return who has one of them already."""
    wanted = [Subscription(recipient=recipient, type=name) for name in types]
    before = await post.own(wanted, beside=("model:",), now=Instant(1))
    return None if before is None else before.recipient
