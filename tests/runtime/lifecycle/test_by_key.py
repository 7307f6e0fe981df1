"""Whoever knows the key of a record alone finds its run, and asks of it whatever a handle does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import InvalidInput, Operator, RunErased, UnknownRun
from tests.runtime.lifecycle.shop import DAY, Order, Packed, Paid, Status, orders
from tests.runtime.trips import book
from tests.runtime.world import until

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World


async def shipped(world: World, engine: Engine) -> None:
    run = await engine.start(orders(Order("o-1")))
    await world.finish(engine, run.await_status(Status.PAYING))
    await engine.send(Paid(7), key="o-1")
    await engine.send(Packed("p"), key="o-1")
    await world.finish(engine, run.outcome())


async def test_a_record_is_found_by_its_key_alone(stored: World) -> None:
    engine = await stored.engine(orders)
    started = await engine.start(orders(Order("o-1")))
    client = await stored.engine(work=False)

    found = await client.find(orders, "o-1")
    waiting = asyncio.ensure_future(found.await_status(Status.PAID))
    await stored.finish(engine, started.await_status(Status.PAYING))
    await client.send(Paid(7), key="o-1")
    awaited = await stored.finish(engine, asyncio.wait_for(waiting, None))
    standing = await found.record()

    assert found.id == started.id
    assert (awaited.what, awaited.reached, standing.status) == ("reached", Status.PAID, "PAID")


async def test_of_a_finished_record_its_end_is_known_and_of_the_next_one_its_way(
    stored: World,
) -> None:
    engine = await stored.engine(orders)
    await shipped(stored, engine)

    ended = await engine.find(orders, "o-1")
    missed = await ended.await_status(Status.LOST)
    standing = await ended.record()
    again = await engine.start(orders(Order("o-1")))
    found = await engine.find(orders, "o-1")

    assert (missed.what, missed.status) == ("completed", "SHIPPED")
    assert (standing.status, standing.run_status) == ("SHIPPED", "completed")
    assert found.id == again.id != ended.id
    await stored.finish(engine, found.cancel())


async def test_a_key_that_no_run_has_or_had_is_not_waited_for_unless_somebody_says(
    world: World,
) -> None:
    engine = await world.engine(orders, book)
    await engine.start(book("Oslo"), key="o-1")

    with pytest.raises(UnknownRun, match="no run of `order` has the key 'o-1', nor is one known"):
        await engine.find(orders, "o-1")
    with pytest.raises(UnknownRun):
        await world.finish(engine, engine.find(orders, "o-1", within=timedelta(seconds=5)))
    with pytest.raises(InvalidInput):
        await engine.find(orders, "")


async def test_a_record_that_begins_soon_is_waited_for(world: World) -> None:
    client = await world.engine(work=False)
    finding = asyncio.ensure_future(client.find(orders, "o-1", within=timedelta(minutes=1)))
    await until(lambda: world.clock.next_due is not None)

    engine = await world.engine(orders)
    started = await engine.start(orders(Order("o-1")))
    found = await world.finish(engine, asyncio.wait_for(finding, None))

    assert found.id == started.id


async def test_of_an_erased_record_that_is_told_and_a_pruned_one_is_not_known(
    stored: World,
) -> None:
    engine = await stored.engine(orders)
    run = await engine.start(orders(Order("o-1")), subject="eve")
    await stored.finish(engine, run.await_status(Status.PAYING))
    await stored.finish(engine, run.cancel())
    await stored.finish(engine, run.outcome())
    operator = Operator(engine)
    await operator.erase(subject="eve", actor="dpo", reason="asked")

    erased = await engine.find(orders, "o-1")
    with pytest.raises(RunErased):
        await erased.record()
    assert (await erased.await_status(Status.PAID)).what == "erased"
    stored.clock.turn(DAY)
    assert await operator.prune(ended_before=stored.clock.now()) == 1
    with pytest.raises(UnknownRun):
        await engine.find(orders, "o-1")
