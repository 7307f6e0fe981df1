"""Do read models lose nothing on one PostgreSQL, whoever publishes, builds and folds meanwhile?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, ModelBehind, ModelOperator, ReadModel
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.served import eventually
from tests.runtime.projecting.orders import DAYS, SUMMARIES, Day, Noted, Placed, Summary

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

ORDERS = 200


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world(lease_seconds=60)
    yield world
    await world.close()


def engine_on(world: PostgresWorld) -> Engine:
    return Engine(PostgresJournal(world.place), config=Config())


async def publish(engine: Engine, first: int, last: int) -> None:
    """Publish orders, a few at a time, beside whatever else there is."""
    for number in range(first, last, 5):
        await asyncio.gather(
            *(engine.publish(Placed(f"order-{n}", n)) for n in range(number, number + 5))
        )


async def orders_in(engine: Engine) -> int:
    try:
        row = await ReadModel(engine, DAYS).get("monday")
    except ModelBehind:
        return 0
    return 0 if row is None else row.orders


async def test_what_is_published_while_it_is_built_is_in_it_once(world: PostgresWorld) -> None:
    async with engine_on(world) as publishing, engine_on(world) as folding:
        async with asyncio.TaskGroup() as group:
            group.create_task(publish(publishing, 0, ORDERS))
            group.create_task(publish(folding, ORDERS, 2 * ORDERS))
            await publishing.publish(Placed("first", 0))
            folding.serve(DAYS)

        async def has_all() -> bool:
            return await orders_in(folding) == 2 * ORDERS + 1

        await eventually(has_all)
        async with asyncio.TaskGroup() as group:
            group.create_task(publish(publishing, 2 * ORDERS, 3 * ORDERS))
            operator = ModelOperator(publishing)
            await operator.rebuild("days", actor="ann", because="to be sure")

        async def is_rebuilt() -> bool:
            editions = [(each.number, each.state) for each in await operator.editions()]
            return editions == [(2, "serving")] and await orders_in(folding) == 3 * ORDERS + 1

        await eventually(is_rebuilt)
        assert await ReadModel(publishing, DAYS).get("monday") == Day(
            3 * ORDERS + 1, sum(range(3 * ORDERS))
        )


async def test_two_processes_that_fold_into_the_same_rows_lose_nothing(
    world: PostgresWorld,
) -> None:
    async with engine_on(world) as one, engine_on(world) as other:
        one.serve(DAYS, SUMMARIES)
        other.serve(DAYS, SUMMARIES)
        async with asyncio.TaskGroup() as group:
            group.create_task(publish(one, 0, ORDERS))
            group.create_task(publish(other, ORDERS, 2 * ORDERS))
        receipt = await one.publish(Noted("order-7", "a"))
        model = ReadModel(other, SUMMARIES)
        await model.wait_for(receipt)

        async def has_all() -> bool:
            return await orders_in(one) == 2 * ORDERS

        await eventually(has_all)
        assert await model.get("order-7") == Summary(7, ("a",))
