"""Of runs that come to go by another plan (promise 30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from makegood.journal.protocol import Applied, Fenced, Filter, Leased
from makegood.values.instants import Instant
from tests.journal.promises import NONE_LEASED, OTHER, RUN, lease, promise, remembered
from tests.journal.records import (
    AFTER_EVERY_LEASE,
    ALICE,
    BOB,
    World,
    append,
    facts,
    first,
    last,
    post,
    run_id,
)

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal

NOW = Instant(50)


async def adopt(journal: Journal, **other: Any) -> bool:
    asked: dict[str, Any] = {"plan": "plan-2", "instead_of": "plan-1", "seq": 1, "now": NOW}
    return await journal.adopt(other.pop("run", RUN), **(asked | other))


@promise(30)
async def test_a_run_that_nobody_holds_goes_by_another_plan(journal: Journal) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(20)))

    assert await adopt(journal)

    row = (await journal.read(RUN)).row
    assert (row.fingerprint, row.seq, row.wake_at, row.owner) == ("plan-2", 1, 20, None)
    assert await lease(journal, BOB) == NONE_LEASED
    found = await journal.lease(BOB, room={"plan-2": 9}, limit=9, now=Instant(20))
    assert found.claimed == (Leased(run=RUN, epoch=3, fingerprint="plan-2", claims=1),)


@promise(30)
async def test_a_run_that_nothing_wakes_is_not_woken(journal: Journal) -> None:
    await journal.append(first(RUN, release=True))

    assert await adopt(journal)

    row = (await journal.read(RUN)).row
    assert (row.fingerprint, row.wake_at) == ("plan-2", None)


@promise(30)
@pytest.mark.parametrize("due", [None, Instant(20), Instant(90)])
async def test_a_run_that_is_woken_is_due_at_once(journal: Journal, due: Instant | None) -> None:
    await journal.append(first(RUN, release=True, wake_at=due))

    assert await adopt(journal, wakes=True)

    assert (await journal.read(RUN)).row.wake_at == (20 if due == 20 else NOW)


@promise(30)
async def test_a_run_that_was_only_posted_goes_by_another_plan(journal: Journal) -> None:
    await journal.post(post(RUN, create=first(RUN).create))

    assert await adopt(journal, seq=0)
    assert (await journal.read(RUN)).row.fingerprint == "plan-2"


@promise(30)
@pytest.mark.parametrize("other", [{"instead_of": "plan-3"}, {"seq": 2}, {"run": OTHER}], ids=str)
async def test_a_run_that_is_not_as_it_was_read_is_left_as_it_is(
    journal: Journal, other: dict[str, Any]
) -> None:
    await journal.append(first(RUN, release=True, wake_at=Instant(20)))

    assert not await adopt(journal, **other)

    row = (await journal.read(RUN)).row
    assert (row.fingerprint, row.epoch) == ("plan-1", 1)


@promise(30)
async def test_a_run_that_is_held_is_left_to_its_holder(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))

    assert not await adopt(alice)
    if bob.leads:
        assert not await adopt(bob)

    assert await alice.append(append(RUN, 2)) == Applied()


@promise(30)
async def test_a_run_that_was_pruned_is_left_as_it_is(journal: Journal) -> None:
    await journal.append(first(RUN, "order-1"))
    await journal.append(last(RUN, 2, ended_at=10))
    await journal.prune(ended_before=Instant(11), limit=9, now=Instant(99))

    assert not await adopt(journal, seq=2)


@promise(30)
async def test_the_run_of_a_dead_worker_goes_by_another_plan_and_its_holder_is_fenced(
    world: World,
) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.append(first(RUN))
    await world.kill(alice)
    await bob.lease(BOB, room={"plan-2": 9}, limit=9, now=AFTER_EVERY_LEASE)

    assert await adopt(bob, now=AFTER_EVERY_LEASE)

    assert await alice.append(append(RUN, 2)) == Fenced()
    assert await remembered(bob, RUN) == (1, (facts("001/1"),))
    found = await bob.lease(BOB, room={"plan-2": 9}, limit=9, now=AFTER_EVERY_LEASE)
    assert [(leased.run, leased.fingerprint) for leased in found.claimed] == [(RUN, "plan-2")]


@promise(30)
async def test_a_holder_from_before_writes_nothing_after_a_run_was_given_back(
    journal: Journal,
) -> None:
    await journal.append(first(RUN))
    await journal.release(ALICE, (RUN,), now=Instant(6))

    assert await adopt(journal)

    assert await journal.append(append(RUN, 2)) == Fenced()


@promise(17)
async def test_runs_of_other_plans_are_listed(journal: Journal) -> None:
    for number, plan in ((1, "plan-1"), (2, "plan-2"), (3, "plan-3")):
        await journal.append(first(run_id(number), fingerprint=plan))

    async def shown(*plans: str) -> list[str]:
        page = await journal.list(Filter(not_of=frozenset(plans)))
        return [row.fingerprint for row in page.rows]

    assert await shown() == ["plan-3", "plan-2", "plan-1"]
    assert await shown("plan-2") == ["plan-3", "plan-1"]
    assert await shown("plan-1", "plan-3", "plan-9") == ["plan-2"]
