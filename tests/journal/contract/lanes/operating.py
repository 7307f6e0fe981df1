"""Of what people see of messages and do with them: the promises 19 to 23."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.journal.messages import (
    DeliveryFilter,
    DeliveryId,
    DeliveryState,
    Duplicate,
    Erased,
    Lag,
    Malformed,
    MessageFilter,
    Moved,
    Pruned,
    Stored,
)
from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import (
    CHARGE,
    SHIP,
    chosen,
    dead_letter,
    deliveries,
    die,
    done,
    finish,
    ids,
    later,
    message,
    only,
    order,
    promise_of_messages,
    publish,
    states,
    stored,
    subscribe,
    take,
)
from tests.journal.records import ALICE

if TYPE_CHECKING:
    from typing import Any

    from makegood.journal.messages import KeepsMessages

DEAD = frozenset({DeliveryState.DEAD})


async def dead_letters(post: KeepsMessages, count: int) -> list[DeliveryId]:
    """Let so many messages die, each of a key of its own."""
    await subscribe(post, CHARGE)
    await publish(post, *(message(f"order-{n}") for n in range(count)))
    for held in await take(post):
        await die(post, held, fault=f"f-{held.due[0].seq % 2}")
    return [each.id for each in await deliveries(post, states=DEAD)]


@promise_of_messages(19)
async def test_a_dead_letter_that_is_sent_again_is_handed_out_anew(post: KeepsMessages) -> None:
    (meant,) = await dead_letters(post, 1)

    assert await post.resend(chosen(meant), order(at=50)) == Moved(ids=(meant,))

    held = await only(post, now=50)
    assert (held.due[0].seq, held.due[0].attempts, held.due[0].sending) == (meant.seq, 0, 1)
    (found,) = await deliveries(post)
    assert (found.state, found.order) == ("due", order(at=50))


@promise_of_messages(19)
async def test_what_is_sent_again_stands_where_its_number_places_it(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    sent = [message("a") for _ in range(3)]
    await publish(post, *sent)
    held = await only(post)
    await die(post, held)
    held = await only(post)
    await finish(post, held, later(held, due_at=80))

    await post.resend(chosen((await dead_letter(post)).id), order(at=50))

    assert ids(await take(post, now=50)) == [[sent[0].id]]


@promise_of_messages(19)
async def test_what_is_sent_again_while_its_lane_is_held_is_next(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    sent = [message("a") for _ in range(3)]
    await publish(post, *sent)
    await die(post, await only(post))
    held = await only(post, per_lane=1)

    await post.resend(chosen((await dead_letter(post)).id), order(at=11))
    await finish(post, held, *done(held), now=12)

    assert ids(await take(post, now=12)) == [[sent[0].id, sent[2].id]]


@promise_of_messages(19)
async def test_nothing_is_moved_twice(post: KeepsMessages) -> None:
    one, two = await dead_letters(post, 2)

    assert await post.resend(chosen(one), order()) == Moved(ids=(one,))
    assert await post.resend(chosen(one), order()) == Moved(ids=())
    assert await post.discard(chosen(one, two), order()) == Moved(ids=(two,))
    assert await post.discard(chosen(one, two), order()) == Moved(ids=())
    assert await post.resend(chosen(two), order()) == Moved(ids=())

    assert await states(post) == ["due", "discarded"]


@promise_of_messages(19)
async def test_a_dry_run_only_says_what_it_would_move(post: KeepsMessages) -> None:
    meant = await dead_letters(post, 2)

    answers = [
        await post.resend(DeliveryFilter(), order(), dry_run=True),
        await post.discard(DeliveryFilter(), order(), dry_run=True),
    ]

    assert answers == [Moved(ids=tuple(meant))] * 2
    assert await states(post) == ["dead", "dead"]


@promise_of_messages(19)
async def test_many_are_moved_in_parts_the_oldest_first(post: KeepsMessages) -> None:
    meant = await dead_letters(post, 5)

    first = await post.discard(DeliveryFilter(limit=3), order())
    second = await post.discard(DeliveryFilter(limit=3), order())

    assert (first, second) == (
        Moved(ids=tuple(meant[:3]), has_more=True),
        Moved(ids=tuple(meant[3:])),
    )


@promise_of_messages(19)
@pytest.mark.parametrize(
    ("filter", "moved"),
    [
        ({"recipient": CHARGE}, [1, 2, 3]),
        ({"recipient": SHIP}, []),
        ({"fault": "f-1"}, [1, 3]),
        ({"reason": "used up", "lane": "order-1"}, [2]),
        ({"type": "OrderPaid"}, []),
        ({"failed_before": Instant(10)}, []),
        ({"failed_after": Instant(10), "failed_before": Instant(11)}, [1, 2, 3]),
    ],
)
async def test_a_filter_says_what_is_meant(
    post: KeepsMessages, filter: dict[str, Any], moved: list[int]
) -> None:
    await dead_letters(post, 3)

    answer = await post.discard(DeliveryFilter(**filter), order())

    assert [each.seq for each in answer.ids] == moved


@promise_of_messages(20)
async def test_deliveries_are_paged_with_the_newest_first(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE, SHIP)
    await publish(post, *(message(f"{n}") for n in range(4)))
    pages = [await post.deliveries(DeliveryFilter(limit=3))]
    while (after := pages[-1].next) is not None:
        await publish(post, message())
        pages.append(await post.deliveries(DeliveryFilter(limit=3, after=after)))

    found = [each.id for page in pages for each in page.rows]

    assert found == [DeliveryId(seq, name) for seq in (4, 3, 2, 1) for name in (SHIP, CHARGE)]
    assert [len(page.rows) for page in pages] == [3, 3, 2]


@promise_of_messages(20)
async def test_deliveries_are_shown_without_bodies_and_a_message_with_its_own(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    sent = message(body=b'"secret"')
    await publish(post, sent)

    (shown,) = await deliveries(post)
    kept = await post.message(1)

    assert kept is not None
    assert (shown.message.body, kept.message) == (b"", sent)
    assert kept.deliveries == (shown,)
    assert await post.message(2) is None


@promise_of_messages(20)
@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"correlation": "c-1"}, ["1", "3"]),
        ({"key": "a", "tenant": ""}, ["1"]),
        ({"tenant": "north"}, ["2"]),
        ({"type": "OrderPaid"}, ["3"]),
        ({"source": "shop", "id": "2"}, ["2"]),
        ({}, ["1", "2", "3"]),
    ],
)
async def test_messages_are_found_by_what_is_known_of_them(
    post: KeepsMessages, filter: dict[str, Any], found: list[str]
) -> None:
    await publish(
        post,
        message("a", id="1", correlation="c-1"),
        message("a", id="2", correlation="c-2", tenant="north"),
        message("b", id="3", correlation="c-1", type="OrderPaid"),
    )

    assert await stored(post, **filter) == found


@promise_of_messages(20)
async def test_messages_are_paged_with_what_became_of_them(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, *(message(f"{n}", correlation="c") for n in range(5)))
    held = (await take(post))[0]
    await finish(post, held, *done(held))
    filter = MessageFilter(correlation="c", limit=2)
    pages = [await post.messages(filter)]
    while (after := pages[-1].next) is not None:
        pages.append(await post.messages(MessageFilter(correlation="c", limit=2, after=after)))

    rows = [row for page in pages for row in page.rows]
    assert [row.seq for row in rows] == [5, 4, 3, 2, 1]
    assert [str(row.deliveries[0].state) for row in rows] == ["due"] * 4 + ["done"]


@promise_of_messages(20)
async def test_lanes_are_listed_by_their_names(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE, SHIP)
    await publish(post, *(message(f"{n}") for n in range(3)))
    held = await take(post, limit=1)

    found = await post.lanes(CHARGE, limit=2)
    rest = await post.lanes(CHARGE, after=found[-1].id, limit=2)

    assert [each.id.lane for each in (*found, *rest)] == ["0", "1", "2"]
    assert (found[0].owner, found[0].epoch, found[0].claims) == (ALICE, held[0].epoch, 1)
    assert (found[1].owner, found[1].due_at) == (None, 1)


@promise_of_messages(21)
async def test_the_lag_says_how_far_every_recipient_is_behind(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE, SHIP)
    await subscribe(post, "mail.tell", to=["Never"])
    await publish(post, message("a"), message("a"), now=3)
    await publish(post, message("b"), message("c", not_before=Instant(99)), now=4)
    held = (await take(post))[0]
    await die(post, held)

    assert await post.lag() == (
        Lag(recipient="mail.tell", waiting=0, oldest_at=None, dead=0),
        Lag(recipient=CHARGE, waiting=2, oldest_at=Instant(3), dead=1),
        Lag(recipient=SHIP, waiting=3, oldest_at=Instant(3), dead=0),
    )


@promise_of_messages(22)
async def test_old_messages_are_forgotten_once_nobody_is_to_be_given_them(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    handled, waits, dying, unheard, young = (
        message("a"),
        message("b"),
        message("c"),
        message("d", type="Unheard"),
        message("e"),
    )
    await publish(post, handled, waits, dying, unheard, now=1)
    await publish(post, young, now=9)
    for held in await take(post):
        if held.id.lane in {"a", "e"}:
            await finish(post, held, *done(held))
        if held.id.lane == "c":
            await die(post, held)

    would = await _prune(post, dry_run=True)
    pruned = await _prune(post)

    assert would == pruned == Pruned(count=2, next=None)
    assert await stored(post) == [waits.id, dying.id, young.id]
    assert await _prune(post, dead_before=11) == Pruned(count=1, next=None)
    assert await publish(post, handled, young) == (Stored(6, (CHARGE,)), Duplicate(5))


@promise_of_messages(22)
async def test_old_messages_are_looked_at_in_parts(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("waits"), *(message(f"{n}", type="Unheard") for n in range(4)))

    would = await _prune(post, limit=2, dry_run=True)
    first = await _prune(post, limit=2)
    assert would == first
    second = await _prune(post, limit=2, after=first.next)
    third = await _prune(post, limit=2, after=second.next)

    assert [first, second, third] == [
        Pruned(count=1, next=2),
        Pruned(count=2, next=4),
        Pruned(count=1, next=None),
    ]


@promise_of_messages(22)
async def test_a_dead_letter_that_blocks_a_lane_is_not_forgotten(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("a"))
    await die(post, await only(post), blocks=True)

    assert (await _prune(post, dead_before=99)).count == 0


@promise_of_messages(23)
async def test_what_is_about_a_subject_is_taken_out_of_the_store(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    about = {"subject": "customer-1", "body": b'"secret"', "headers": (("name", "Ann"),)}
    await publish(post, message("a", **about), message("b", **about), message("c", body=b'"other"'))
    held = await take(post)
    await finish(post, held[0], *done(held[0]))
    await die(post, held[1], error=b'"Ann has no money"')

    assert await post.erase(subject="customer-1", limit=9, now=Instant(60)) == Erased(
        count=2, waiting=0
    )

    kept = [await post.message(seq) for seq in (1, 2, 3)]
    assert [(each.message.body, each.message.headers, each.erased_at) for each in kept if each] == [
        (b"", (), 60),
        (b"", (), 60),
        (b'"other"', (), None),
    ]
    assert [(str(each.state), each.error) for each in await deliveries(post)] == [
        ("done", b""),
        ("discarded", b""),
        ("due", b""),
    ]
    assert await post.erase(subject="customer-1", limit=9, now=Instant(70)) == Erased(
        count=0, waiting=0
    )


@promise_of_messages(23)
async def test_what_is_still_to_be_handled_stays_whole_when_its_key_is_erased(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("a", body=b"1"), message("a", tenant="north", body=b"2"))
    sent = await publish(post, message("a", type="Unheard", body=b"3"))

    assert await post.erase(key="a", limit=9, now=Instant(60)) == Erased(count=1, waiting=1)

    kept = [await post.message(seq) for seq in (1, 2, sent[0].seq)]
    assert [each.message.body for each in kept if each] == [b"1", b"2", b""]


@promise_of_messages(23)
async def test_an_erased_dead_letter_no_longer_blocks_its_lane(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("a", subject="customer-1"))
    await die(post, await only(post), blocks=True)
    new = message("a")
    await publish(post, new)

    await post.erase(subject="customer-1", limit=9, now=Instant(60))

    assert ids(await take(post, now=60)) == [[new.id]]


@promise_of_messages(19)
async def test_what_was_malformed_is_discarded_like_any_dead_letter(post: KeepsMessages) -> None:
    raw = Malformed(
        id="1", source="broker", body=b"?", at=Instant(0), recipient="from:broker", reason="bad"
    )
    await publish(post, raw)

    await post.discard(DeliveryFilter(recipient="from:broker"), order())

    assert await states(post) == ["discarded"]
    assert await post.lanes("from:broker", limit=9) == ()


async def _prune(
    post: KeepsMessages,
    *,
    dead_before: int = 5,
    limit: int = 99,
    after: int | None = None,
    dry_run: bool = False,
) -> Pruned:
    return await post.prune(
        before=Instant(5),
        dead_before=Instant(dead_before),
        limit=limit,
        after=after,
        dry_run=dry_run,
    )
