"""Messages between engines that work on one PostgreSQL, in real time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import Config, Engine, KeyConflict, Operator, WaitTimedOut, wait, workflow
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.upkeep import forgotten
from tests.journal.postgres.served import eventually
from tests.runtime.mail.shop import Shipped, follow_for_ever, ship
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from makegood import Run, Workflow
    from tests.journal.postgres.served import Served

pytestmark = pytest.mark.real

SECONDS_MAX = 30
PARCEL = Shipped("order-1", "parcel 9")


@workflow
def follow_shortly(order: str) -> str:
    """Wait no longer than a moment."""
    return wait(Shipped, key=order, within=timedelta(milliseconds=50)).parcel


class Shop:
    """Engines on one schema of a server."""

    def __init__(self, place: Any, engines: AsyncExitStack) -> None:  # Any: see `PostgresWorld`
        self._place = place
        self._engines = engines
        self.outside = Outside()

    async def engine(self, *served: Workflow[..., Any], work: bool = True) -> Engine:
        engine = Engine(
            PostgresJournal(self._place),
            services={Outside: self.outside},
            config=Config(shutdown_grace=timedelta(0)),
            work=work,
        )
        await self._engines.enter_async_context(engine)
        engine.serve(*served)
        return engine

    async def waiting(self, engine: Engine, *, count: int = 1) -> None:
        async def wait_for_them() -> bool:
            return len((await Operator(engine).messages()).waiting) == count

        await eventually(wait_for_them)


@pytest.fixture
async def shop(served: Served) -> AsyncIterator[Shop]:
    async with served.lent() as world, AsyncExitStack() as engines:
        yield Shop(world.place, engines)


async def result(run: Run[str]) -> str:
    async with asyncio.timeout(SECONDS_MAX):
        return await run.result()


async def test_a_message_finds_its_run_whichever_engine_sends_it_and_whenever(shop: Shop) -> None:
    first, second = await shop.engine(follow_for_ever), await shop.engine(ship)
    late = await first.start(follow_for_ever("late"))
    await shop.waiting(first)
    assert (first.active, await forgotten(first._shell.journal)) == (0, ())

    await second.start(ship("late"))
    await (await second.start(ship("early"))).result()
    early = await first.start(follow_for_ever("early"))

    assert await result(late) == "parcel of late"
    assert await result(early) == "parcel of early"
    assert (await Operator(first).messages()).kept == ()


async def test_a_client_that_only_sends_wakes_the_run_and_is_dropped_the_second_time(
    shop: Shop,
) -> None:
    worker, client = await shop.engine(follow_for_ever), await shop.engine(work=False)
    run = await worker.start(follow_for_ever("order-1"))
    await shop.waiting(worker)

    sent = [await client.send(PARCEL, key="order-1", id="event-7") for _ in range(2)]

    assert [each.run for each in sent] == [run.id, run.id]
    assert await result(run) == "parcel 9"
    assert (await Operator(client).messages()).kept == ()


async def test_of_many_that_wait_for_one_key_one_has_it_and_the_others_are_told(
    shop: Shop,
) -> None:
    engines = [await shop.engine(follow_for_ever) for _ in range(2)]
    runs = [await engine.start(follow_for_ever("order-1")) for engine in engines for _ in range(3)]
    await shop.waiting(engines[0])

    async def all_but_one_have_failed() -> bool:
        return [(await run.describe()).status for run in runs].count("failed") == len(runs) - 1

    await eventually(all_but_one_have_failed)
    await engines[1].send(PARCEL, key="order-1")

    async with asyncio.timeout(SECONDS_MAX):
        outcomes = [await run.outcome() for run in runs]
    assert [each.value for each in outcomes if each.is_completed] == ["parcel 9"]
    errors = {type(each.error) for each in outcomes if not each.is_completed}
    assert errors == {KeyConflict}


async def test_a_message_that_races_with_the_end_of_the_wait_is_given_or_kept(shop: Shop) -> None:
    """Whichever is first: it is never lost, and never given to a run that has given up."""
    engine = await shop.engine(follow_shortly)
    keys = [f"order-{number}" for number in range(20)]
    runs = [await engine.start(follow_shortly(key)) for key in keys]
    for key in keys:
        await engine.send(Shipped(key, key), key=key)

    async with asyncio.timeout(SECONDS_MAX):
        outcomes = [await run.outcome() for run in runs]

    async def all_is_said() -> bool:
        return not await engine._shell.journal.undelivered(limit=1)

    await eventually(all_is_said)
    given = {each.value for each in outcomes if each.is_completed}
    kept = {each.key for each in (await Operator(engine).messages()).kept}
    assert given | kept == set(keys)
    assert given & kept == set()
    late = [each for each in outcomes if not each.is_completed]
    assert {type(each.error) for each in late} <= {WaitTimedOut}
