"""Of lanes that are taken: the promises 7 to 12."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from makegood.journal.messages import Done, LaneId
from makegood.journal.protocol import Fenced
from makegood.values.ids import WorkerId
from makegood.values.instants import Instant
from makegood.values.limits import CLAIMS_TOGETHER_MAX
from tests.journal.contract.lanes.post import (
    CHARGE,
    SHIP,
    done,
    finish,
    ids,
    lanes,
    later,
    message,
    only,
    promise_of_messages,
    publish,
    subscribe,
    take,
)
from tests.journal.records import AFTER_EVERY_LEASE, ALICE, BOB

if TYPE_CHECKING:
    from makegood.journal.messages import KeepsMessages
    from tests.journal.records import World


@promise_of_messages(7)
async def test_a_lane_is_held_by_one_worker_at_a_time(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("a"), message("a"))

    held = await only(post)

    assert (held.id, held.claims, len(held.due)) == (LaneId(CHARGE, "a"), 1, 2)
    await publish(post, message("a"))
    assert await take(post, BOB) == ()


@promise_of_messages(7)
async def test_workers_that_take_at_once_never_take_the_same_lane(world: World) -> None:
    workers = {name: (await world.open()).messages for name in (ALICE, BOB)}
    await subscribe(workers[ALICE], CHARGE)
    await publish(workers[ALICE], *(message(f"order-{n}") for n in range(30)))

    found = await asyncio.gather(
        *(take(post, name, limit=3) for _ in range(10) for name, post in workers.items())
    )

    taken = [held.id for each in found for held in each]
    assert len(taken) == len(set(taken)) == 30


@promise_of_messages(7)
async def test_every_lease_has_a_number_that_no_other_has(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    epochs: list[int] = []
    for _ in range(3):
        await publish(post, message("a"))
        held = await only(post)
        await finish(post, held, *done(held))
        epochs.append(held.epoch)

    assert len(set(epochs)) == 3


@promise_of_messages(7)
async def test_no_more_is_taken_than_there_is_room_for(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE, SHIP)
    await publish(post, *(message(f"{n}") for n in range(9)))

    assert len(await take(post, room={CHARGE: 2, SHIP: 0})) == 2
    assert len(await take(post, room={CHARGE: 9, SHIP: 9}, limit=3)) == 3
    assert await take(post, room={}) == ()


@promise_of_messages(7)
async def test_lanes_are_dealt_out_among_recipients(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, *(message(f"{n}") for n in range(9)))
    await subscribe(post, SHIP)
    await publish(post, *(message(f"ship-{n}") for n in range(2)), now=2)
    room = {CHARGE: 9, SHIP: 9}

    found = await take(post, room=room, limit=8)

    recipients = [held.id.recipient for held in found]
    assert (recipients.count(CHARGE), recipients.count(SHIP)) == (6, 2)


@promise_of_messages(7)
async def test_of_a_lane_no_more_is_handed_out_than_was_asked_for(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    sent = [message("a") for _ in range(5)]
    await publish(post, *sent)

    held = await only(post, per_lane=2)

    assert [due.message for due in held.due] == sent[:2]


@promise_of_messages(8)
async def test_messages_of_a_key_are_handed_out_as_they_were_stored(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    # Ids and moments say otherwise.
    sent = [message("a", id=f"{9 - n}", at=Instant(9 - n)) for n in range(4)]
    for n, each in enumerate(sent):
        await publish(post, each, now=9 - n)

    handled: list[str] = []
    for moment in range(20, 24):
        held = await only(post, per_lane=1, now=moment)
        handled.append(held.due[0].message.id)
        await finish(post, held, *done(held), now=moment)

    assert handled == [each.id for each in sent]


@promise_of_messages(8)
async def test_what_waits_keeps_its_lane_waiting_and_no_other(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    first, second, other = message("a"), message("a"), message("b")
    await publish(post, first, second)
    held = await only(post)
    await finish(post, held, later(held, due_at=30))
    await publish(post, other)

    assert ids(await take(post, now=29)) == [[other.id]]
    assert ids(await take(post, now=30)) == [[first.id, second.id]]


@promise_of_messages(8)
async def test_the_same_key_of_another_recipient_does_not_wait(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE, SHIP)
    await publish(post, message("a"))
    held = await only(post)
    await finish(post, held, later(held, due_at=99))

    assert len(await take(post, room={SHIP: 9})) == 1


@promise_of_messages(8)
async def test_the_same_key_of_another_tenant_does_not_wait(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("a"), message("a", tenant="north"))

    assert [len(held.due) for held in await take(post)] == [1, 1]


@promise_of_messages(8)
async def test_messages_without_a_key_wait_for_nobody(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message(None), message(None), message(None, id="a"))

    assert len(await take(post)) == 3


@promise_of_messages(9)
async def test_the_lane_that_has_been_due_the_longest_is_taken_first(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    for moment, key in ((3, "a"), (1, "b"), (2, "c")):
        await publish(post, message(key), now=moment)

    found = [lanes(await take(post, limit=1)) for _ in range(3)]

    assert found == [["b"], ["c"], ["a"]]


@promise_of_messages(9)
async def test_small_lanes_are_not_kept_waiting_by_a_huge_one_which_goes_on(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    await publish(post, *(message("huge") for _ in range(50)), now=1)
    await publish(post, *(message(f"small-{n}") for n in range(4)), now=2)

    found: list[str] = []
    for moment in range(10, 20):
        (held,) = await take(post, limit=1, per_lane=5, now=moment)
        found.append(held.id.lane)
        await finish(post, held, *done(held), now=moment)

    assert found[:6] == ["huge", "small-0", "small-1", "small-2", "small-3", "huge"]
    assert found[6:] == ["huge"] * 4


@promise_of_messages(10)
async def test_a_lane_that_may_kill_its_workers_is_taken_alone(world: World) -> None:
    journal = await world.open()
    post = journal.messages
    await subscribe(post, CHARGE)
    await publish(post, message("poison"), now=1)
    for n in range(CLAIMS_TOGETHER_MAX):
        found = await take(post, WorkerId(f"victim-{n}"), now=(n + 1) * AFTER_EVERY_LEASE)
        assert [held.claims for held in found] == [n + 1]
        await world.kill(journal)
        journal = await world.open()
        post = journal.messages
    await publish(post, message("b"), message("c"), now=2)
    now = 9 * AFTER_EVERY_LEASE

    found = sorted([lanes(await take(post, now=now)), lanes(await take(post, now=now))])

    assert found == [["b", "c"], ["poison"]]


@promise_of_messages(11)
async def test_a_message_for_later_keeps_nothing_waiting_until_its_time(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    reminder = message("a", not_before=Instant(20))
    before, between = message("a"), message("a")
    await publish(post, before, reminder, between)

    held = await only(post, now=19)
    assert ids([held]) == [[before.id, between.id]]
    await finish(post, held, Done(held.due[0].seq), now=19)

    assert ids(await take(post, now=20)) == [[reminder.id, between.id]]


@promise_of_messages(11)
async def test_a_message_for_later_waits_for_a_lane_that_is_held(post: KeepsMessages) -> None:
    await subscribe(post, CHARGE)
    reminder = message("a", not_before=Instant(20))
    await publish(post, reminder, message("a"))
    held = await only(post, now=19)

    assert await take(post, BOB, now=20) == ()
    await finish(post, held, *done(held), now=21)

    assert ids(await take(post, BOB, now=21)) == [[reminder.id]]


@promise_of_messages(12)
async def test_the_lanes_of_a_dead_worker_are_taken_by_others(world: World) -> None:
    one, two = await world.open(), await world.open()
    await subscribe(one.messages, CHARGE)
    await publish(one.messages, message("a"))
    held = await only(one.messages)

    await world.kill(one)
    again = await only(two.messages, worker=BOB, now=AFTER_EVERY_LEASE)

    assert (again.id, again.claims) == (held.id, 2)
    assert await finish(one.messages, held, *done(held)) == Fenced()


@promise_of_messages(12)
async def test_what_is_given_back_unchanged_is_due_at_once_and_was_not_claimed(
    post: KeepsMessages,
) -> None:
    await subscribe(post, CHARGE)
    await publish(post, message("a"))
    held = await only(post)

    await post.release(BOB, [held.id], now=Instant(10))
    assert await take(post, BOB) == ()
    await post.release(ALICE, [held.id, LaneId(CHARGE, "gone")], now=Instant(10))

    again = await only(post, worker=BOB, now=10)
    assert (again.claims, ids([again])) == (1, ids([held]))
