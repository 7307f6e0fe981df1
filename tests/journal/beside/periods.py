"""Of how long what has ended is kept (the promises of `KeepsPeriods`)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.journal.protocol import Filter
from makegood.values.instants import Instant
from tests.journal.promises import promise, promise_of_periods
from tests.journal.records import first, last, run_id

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from makegood.values.ids import RunId
    from tests.journal.records import World

TEN = timedelta(microseconds=10)
NEVER = Instant(0)
NOW = Instant(50)


async def ended(journal: Journal, number: int, workflow: str, at: int) -> RunId:
    run = run_id(number)
    await journal.append(first(run, workflow=workflow))
    await journal.append(last(run, 2, ended_at=at))
    return run


async def left(journal: Journal) -> list[RunId]:
    return [row.run for row in (await journal.list(Filter())).rows]


@promise_of_periods(1)
async def test_a_period_is_seen_by_everybody_and_outlives_who_declared_it(world: World) -> None:
    alice, bob = await world.open(), await world.open(work=False)

    await alice.retain("booking", TEN)
    await alice.retain("order", timedelta(days=3_653))
    await alice.close()

    assert await bob.retained() == {"booking": TEN, "order": timedelta(days=3_653)}


@promise_of_periods(1)
@promise_of_periods(2)
async def test_a_period_takes_the_place_of_the_one_before_and_may_be_taken_back(
    journal: Journal,
) -> None:
    for period in (TEN, 2 * TEN, 2 * TEN):
        await journal.retain("booking", period)
    await journal.retain("order", TEN)
    assert await journal.retained() == {"booking": 2 * TEN, "order": TEN}

    for _ in range(2):
        await journal.retain("booking", None)

    assert await journal.retained() == {"order": TEN}


@promise_of_periods(2)
async def test_nothing_is_kept_of_periods_at_first(journal: Journal) -> None:
    assert await journal.retained() == {}


@promise_of_periods(3)
async def test_what_has_a_period_goes_when_it_is_over_whatever_the_moment_given(
    journal: Journal,
) -> None:
    await journal.retain("booking", TEN)
    kept = [await ended(journal, 1, "booking", 40), await ended(journal, 2, "order", 39)]
    await ended(journal, 3, "booking", 39)

    assert await journal.prune(ended_before=NEVER, limit=9, now=NOW) == 1

    assert await left(journal) == kept[::-1]


@promise_of_periods(3)
async def test_what_has_a_period_stays_until_then_whatever_the_moment_given(
    journal: Journal,
) -> None:
    await journal.retain("booking", TEN)
    kept = await ended(journal, 1, "booking", 40)
    await ended(journal, 2, "order", 40)

    assert await journal.prune(ended_before=NOW, limit=9, now=NOW) == 1

    assert await left(journal) == [kept]
    await journal.retain("booking", None)
    assert await journal.prune(ended_before=NOW, limit=9, now=NOW) == 1


@promise(21)
@promise_of_periods(3)
async def test_a_prune_of_many_workflows_takes_no_more_than_its_limit(journal: Journal) -> None:
    await journal.retain("booking", TEN)
    for number, workflow in enumerate(("booking", "order", "booking", "claim", "order"), 1):
        await ended(journal, number, workflow, 10 + number)

    counts = [await journal.prune(ended_before=NOW, limit=2, now=NOW) for _ in range(4)]

    assert counts == [2, 2, 1, 0]
    assert await left(journal) == []
