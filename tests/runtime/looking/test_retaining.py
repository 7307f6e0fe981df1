"""The store is told how long ended runs are kept, by the engine that serves their workflow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import DefinitionError, Operator, StoreBusy, UnknownRun, step, workflow
from makegood.runtime.moving.adopting import POLLS_BETWEEN_LOOKS
from tests.runtime.lifecycle.shop import DAY, Order, Status, orders
from tests.runtime.trips import book
from tests.runtime.world import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood import Engine
    from tests.runtime.world import World

YEAR = timedelta(days=365)


async def kept(world: World) -> Mapping[str, timedelta]:
    journal = world.journal()
    await journal.open(work=False)
    try:
        return await journal.retained()
    finally:
        await journal.close()


async def told(engine: Engine) -> None:
    await until(lambda: engine._retainer._told == engine._retainer._periods)


async def cancelled(world: World, engine: Engine) -> str:
    run = await engine.start(orders(Order("o-1")))
    await world.finish(engine, run.await_status(Status.PAYING))
    await world.finish(engine, run.cancel())
    await world.finish(engine, run.outcome())
    return run.id


async def test_the_runs_of_a_lifecycle_are_kept_as_long_as_it_says_and_then_pruned(
    stored: World,
) -> None:
    engine = await stored.engine(orders.kept_for(YEAR))
    run = await cancelled(stored, engine)
    operator = Operator(engine)

    stored.clock.turn(YEAR - DAY)
    assert await operator.prune(ended_before=stored.clock.now()) == 0
    assert (await engine.run(run).record()).status == "PAYING"
    stored.clock.turn(2 * DAY)
    assert await operator.prune() == 1

    with pytest.raises(UnknownRun):
        await engine.run(run).record()


async def test_without_a_moment_what_says_nothing_of_itself_stays(world: World) -> None:
    engine = await world.engine(orders)
    run = await cancelled(world, engine)
    world.clock.turn(YEAR)

    assert await Operator(engine).prune() == 0

    assert (await engine.run(run).record()).status == "PAYING"


async def test_what_is_served_last_counts_also_that_nothing_is_said_any_more(
    stored: World,
) -> None:
    for given, left in (
        (orders.kept_for(YEAR), {"order": YEAR}),
        (orders.kept_for(DAY), {"order": DAY}),
        (orders, {}),
    ):
        engine = await stored.engine(given)
        await cancelled(stored, engine)
        await stored.close(engine)
        assert await kept(stored) == left


async def test_the_longest_period_counts_where_one_engine_serves_several(world: World) -> None:
    @workflow
    def buy(order: Order) -> Order:
        return step(orders)(order)

    engine = await world.engine(orders.kept_for(DAY))
    engine.serve(buy, book.kept_for(DAY))
    engine.serve(orders.kept_for(YEAR))
    engine.serve(orders.kept_for(2 * DAY), orders)
    await told(engine)

    assert await kept(world) == {"order": YEAR, "book": DAY}


async def test_a_store_that_is_busy_is_told_later(world: World) -> None:
    engine, journal = await world.watched()
    journal.period_errors.append(StoreBusy("it is being backed up"))
    engine.serve(orders.kept_for(YEAR))
    await until(lambda: not journal.period_errors)
    assert await kept(world) == {}

    world.clock.turn(engine._shell.config.poll_max * POLLS_BETWEEN_LOOKS)
    await told(engine)

    assert await kept(world) == {"order": YEAR}


def test_a_period_is_kept_when_steps_are_bound_and_has_no_part_in_the_plan() -> None:
    assert orders.kept_for(YEAR).plan == orders.plan
    assert book.kept_for(YEAR).bind().period == YEAR
    assert orders.version("2").kept_for(DAY).period == DAY


@pytest.mark.parametrize("period", [timedelta(0), -DAY, timedelta(days=36_526), 30])
def test_what_is_no_period_is_refused(period: timedelta) -> None:
    with pytest.raises(DefinitionError, match="the runs of `order` are to be kept for"):
        orders.kept_for(period)
