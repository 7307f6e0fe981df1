"""Where runs stand in their lifecycles, and how they have moved, as an operator asks for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Census, Filter, InvalidInput, Move, MoveCount, StageCount
from makegood.journal.protocol import Summary
from makegood.runtime.operator import Operator
from makegood.values.instants import Instant, after
from tests.journal.records import append, first, run_id

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World

HOUR = timedelta(hours=1)


async def filled(world: World) -> Engine:
    """Return an engine on a store in which two orders and a return are under way."""
    engine = await world.engine()
    journal = engine._shell.journal
    now = world.clock.now()
    for number, workflow, ago in ((1, "order", 3 * HOUR), (2, "order", HOUR), (3, "return", HOUR)):
        began, run = after(now, -ago), run_id(number)
        entered = move(number, 1, "CREATED", began, workflow=workflow)
        summary = Summary(status="waiting", stage="CREATED", stage_since=began)
        await journal.append(first(run, workflow=workflow, summary=summary, moves=(entered,)))
    moved = move(1, 2, "PAYING", now, workflow="order", origin="CREATED")
    parked = Summary(status="parked", stage="PAYING", stage_since=now)
    await journal.append(append(run_id(1), 2, summary=parked, moves=(moved,)))
    return engine


def move(
    number: int,
    version: int,
    destination: str,
    at: Instant,
    *,
    workflow: str,
    origin: str | None = None,
) -> Move:
    return Move(
        run=run_id(number),
        workflow=workflow,
        version=version,
        origin=origin,
        destination=destination,
        cause="entry",
        at=at,
    )


def stage(name: str, *, oldest: int, since: Instant, parked: int = 0) -> StageCount:
    return StageCount(
        workflow="order",
        stage=name,
        count=1,
        parked=parked,
        paused=0,
        since=since,
        oldest=run_id(oldest),
    )


async def test_a_census_counts_stages_now_and_moves_within_a_period(world: World) -> None:
    operator = Operator(await filled(world))
    now = world.clock.now()

    (orders,) = await operator.census("order", period=2 * HOUR)

    created = stage("CREATED", oldest=2, since=after(now, -HOUR))
    assert orders == Census(
        lifecycle="order",
        at=now,
        since=after(now, -2 * HOUR),
        stages=(created, stage("PAYING", oldest=1, since=now, parked=1)),
        moves=(
            MoveCount(workflow="order", origin=None, destination="CREATED", count=1),
            MoveCount(workflow="order", origin="CREATED", destination="PAYING", count=1),
        ),
    )
    assert (orders.count, orders.parked, orders.paused) == (2, 1, 0)
    assert orders.oldest == created
    assert orders.lag(created) == HOUR


async def test_every_lifecycle_with_runs_or_moves_is_counted(world: World) -> None:
    operator = Operator(await filled(world))

    assert [each.lifecycle for each in await operator.census()] == ["order", "return"]
    assert [each.lifecycle for each in await operator.census("refund")] == ["refund"]


async def test_a_lifecycle_without_runs_has_no_oldest_one(world: World) -> None:
    operator = Operator(await filled(world))

    (found,) = await operator.census("refund")

    assert (found.count, found.oldest, found.stages, found.moves) == (0, None, (), ())


async def test_moves_are_shown_page_by_page(world: World) -> None:
    operator = Operator(await filled(world))

    moves = await operator.moves(run_id(1))

    assert [each.destination for each in moves] == ["CREATED", "PAYING"]
    assert await operator.moves(run_id(1), limit=1) == moves[:1]
    assert await operator.moves(run_id(1), after=1) == moves[1:]
    assert await operator.moves(run_id(9)) == ()


async def test_an_engine_lists_the_runs_at_a_stage(world: World) -> None:
    engine = await filled(world)

    page = await engine.list(Filter(stage="CREATED"))

    assert [row.run for row in page.rows] == [run_id(3), run_id(2)]


async def test_what_cannot_be_asked_is_refused(world: World) -> None:
    operator = Operator(await filled(world))

    with pytest.raises(InvalidInput, match="give a period that lasts some time"):
        await operator.census(period=timedelta(0))
    with pytest.raises(InvalidInput, match="a page of 0 moves; ask for 1 to 1000"):
        await operator.moves(run_id(1), limit=0)
