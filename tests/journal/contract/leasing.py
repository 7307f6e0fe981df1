"""Of workers, and which run is whose (promises 12 to 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.protocol import (
    Applied,
    Fenced,
    Leased,
)
from makegood.values.instants import Instant
from makegood.values.limits import CLAIMS_TOGETHER_MAX
from tests.journal.promises import NONE_LEASED, OTHER, RUN, lease, promise, remembered
from tests.journal.records import (
    ALICE,
    BOB,
    SECOND,
    World,
    append,
    facts,
    first,
    post,
    run_id,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from makegood.values.ids import RunId


@promise(12)
async def test_runs_are_claimed_when_they_are_due_the_longest_due_first(
    journal: Journal,
) -> None:
    for number, wake_at in ((1, 30), (2, 10), (3, 20), (4, 99)):
        await journal.append(first(run_id(number), release=True, wake_at=Instant(wake_at)))

    assert await lease(journal, now=9) == NONE_LEASED
    two = await lease(journal, BOB, now=50, limit=2)
    rest = await lease(journal, BOB, now=50, limit=2)

    assert {leased.run for leased in two.claimed} == {run_id(2), run_id(3)}
    assert rest.claimed == (Leased(run=run_id(1), epoch=2, fingerprint="plan-1", claims=1),)
    row = (await journal.read(run_id(1))).row
    assert (row.owner, row.epoch, row.claims) == (BOB, 2, 1)


@promise(12)
async def test_only_runs_of_the_given_plans_are_claimed(journal: Journal) -> None:
    await journal.append(first(run_id(1), fingerprint="plan-1", release=True, wake_at=Instant(1)))
    await journal.append(first(run_id(2), fingerprint="plan-2", release=True, wake_at=Instant(1)))

    found = await journal.lease(BOB, room={"plan-2": 999}, limit=9, now=Instant(5))
    nothing = await journal.lease(BOB, room={}, limit=9, now=Instant(5))

    assert [leased.run for leased in found.claimed] == [run_id(2)]
    assert nothing.claimed == ()


@promise(12)
async def test_claims_are_dealt_out_among_plans_up_to_the_room_of_each(journal: Journal) -> None:
    due = {"release": True, "wake_at": Instant(1)}
    for number in range(1, 13):
        plan = "plan-1" if number <= 8 else "plan-2" if number <= 11 else "plan-3"
        await journal.append(first(run_id(number), fingerprint=plan, **due))

    async def claimed(limit: int, **room: int) -> list[int]:
        given = {f"plan-{name[1:]}": free for name, free in room.items()}
        found = await journal.lease(BOB, room=given, limit=limit, now=Instant(5))
        return sorted(int(leased.run[-3:]) for leased in found.claimed)

    assert await claimed(2, _1=9, _2=9) == [1, 9]
    assert await claimed(1, _2=9, _1=9) == [10]
    assert await claimed(4, _1=1, _2=0, _3=5) == [2, 12]
    assert await claimed(4, _1=9, _2=9) == [3, 4, 5, 11]
    assert await claimed(9, _1=2, _2=9, _3=9) == [6, 7]


@promise(12)
async def test_a_suspect_ends_the_dealing_at_its_place(journal: Journal) -> None:
    await journal.append(first(run_id(1), fingerprint="plan-1", release=True, wake_at=Instant(1)))
    room = {"plan-1": 9}
    for seq in range(2, 2 + CLAIMS_TOGETHER_MAX):
        (leased,) = (await journal.lease(ALICE, room=room, limit=9, now=Instant(5))).claimed
        again = {"release": True, "wake_at": Instant(1), "progress": False}
        await journal.append(append(run_id(1), seq, epoch=leased.epoch, **again))
    for number, plan in ((2, "plan-2"), (3, "plan-3")):
        await journal.append(
            first(run_id(number), fingerprint=plan, release=True, wake_at=Instant(9))
        )

    async def claimed(*plans: int) -> list[RunId]:
        room = {f"plan-{number}": 9 for number in plans}
        found = await journal.lease(ALICE, room=room, limit=9, now=Instant(20))
        return [leased.run for leased in found.claimed]

    assert await claimed(2, 1, 3) == [run_id(2)]
    assert await claimed(1, 3) == [run_id(1)]
    assert await claimed(1, 3) == [run_id(3)]


@promise(12)
async def test_claims_are_counted_until_there_is_progress(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(1)))
    again = {"release": True, "wake_at": Instant(1)}
    counted = []
    for seq, progress in ((2, False), (3, False), (4, True), (5, True)):
        leased = (await lease(journal, now=5)).claimed[0]
        counted.append(leased.claims)
        await journal.append(append(RUN, seq, epoch=leased.epoch, progress=progress, **again))

    assert counted == [1, 2, 3, 1]


@promise(12)
async def test_what_was_claimed_often_without_progress_is_claimed_alone(
    journal: Journal,
) -> None:
    due = {"release": True, "progress": False}
    await journal.append(first(run_id(2), release=True, wake_at=Instant(2)))
    for seq in range(2, 2 + CLAIMS_TOGETHER_MAX):
        (leased,) = (await lease(journal, now=5)).claimed
        await journal.append(append(run_id(2), seq, epoch=leased.epoch, wake_at=Instant(2), **due))
    for number in (1, 3):
        await journal.append(first(run_id(number), release=True, wake_at=Instant(number)))

    claimed = [[one.run for one in (await lease(journal, now=9)).claimed] for _ in range(4)]

    assert claimed == [[run_id(1)], [run_id(2)], [run_id(3)], []]


@promise(13)
async def test_held_runs_that_were_posted_to_are_named_to_their_holder(
    journal: Journal,
) -> None:
    for number in (1, 2, 3):
        await journal.append(first(run_id(number), worker=BOB if number == 3 else ALICE))
    for number in (2, 2, 3):
        await journal.post(post(run_id(number)))

    assert (await lease(journal, ALICE, now=5)).rung == (run_id(2),)
    assert (await lease(journal, BOB, now=5)).rung == (run_id(3),)
    await journal.append(append(run_id(2), 2, inbox_head=2, inbox_taken=2))
    assert (await lease(journal, ALICE, now=5)).rung == ()


@promise(14)
async def test_the_runs_of_a_dead_worker_are_taken_over(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))
    await world.kill(alice)

    claimed = (await lease(bob, BOB)).claimed

    assert claimed == (Leased(run=RUN, epoch=2, fingerprint="plan-1", claims=1),)
    assert bob.leads
    assert await bob.append(append(RUN, 2, worker=BOB, epoch=2)) == Applied()


@promise(14)
async def test_a_stale_holder_is_fenced_whatever_the_clocks_say(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))
    await world.kill(alice)
    await lease(bob, BOB)

    assert await alice.append(append(RUN, 2)) == Fenced()

    assert await remembered(bob, RUN) == (1, (facts("001/1"),))


@promise(14)
async def test_the_runs_of_a_live_worker_stay_with_it(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))

    for second in range(0, 60, 3):
        assert await lease(alice, ALICE, now=second * SECOND) == NONE_LEASED
        assert await lease(bob, BOB, now=(second + 2) * SECOND) == NONE_LEASED

    assert await alice.append(append(RUN, 2)) == Applied()


@promise(14)
async def test_who_does_not_work_holds_nothing(world: World) -> None:
    worker, client = await world.open(), await world.open(work=False)
    await worker.append(first(RUN, release=True, wake_at=Instant(1)))

    assert (worker.leads, client.leads) == (True, False)
    assert await lease(client, BOB) == NONE_LEASED
    assert await client.append(first(OTHER, worker=BOB)) == Fenced()
    assert await client.post(post(RUN)) == 1
    assert (await client.read(RUN)).row.inbox_head == 1


@promise(15)
async def test_a_run_handed_back_is_due_at_once_and_was_not_claimed(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(1)))
    await lease(journal, ALICE, now=5)
    before = await journal.read(RUN)

    await journal.release(ALICE, (RUN,), now=Instant(6))

    after = await journal.read(RUN)
    assert (after.row.owner, after.row.wake_at, after.row.claims) == (None, 6, 0)
    assert (after.appends, after.row.epoch) == (before.appends, before.row.epoch)
    assert (await lease(journal, BOB, now=6)).claimed[0].claims == 1


@promise(15)
async def test_only_ones_own_runs_can_be_handed_back(journal: Journal) -> None:
    await journal.append(first(RUN))
    before = await journal.read(RUN)

    await journal.release(BOB, (RUN, OTHER), now=Instant(6))

    assert await journal.read(RUN) == before
