"""Where a record stands, and waiting until it has come to a status, from outside."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

import pytest

from makegood import InvalidInput, Operator, OutcomeUnknown, RunErased, UnreadableRun
from makegood.journal.protocol import Post, Posted
from tests.runtime.asking.parked import EVE
from tests.runtime.lifecycle.shop import DAY, Order, Packed, Paid, Status, orders
from tests.runtime.outside import Gate
from tests.runtime.trips import book
from tests.runtime.world import until

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World


class Foreign(Enum):
    GONE = 1


async def started(world: World, *, is_paying: bool = True) -> tuple[Engine, Run[Order]]:
    engine = await world.engine(orders)
    run = await engine.start(orders(Order("o-1")))
    if is_paying:
        await world.finish(engine, run.await_status(Status.PAYING))
    return engine, run


async def test_a_status_is_awaited_until_the_record_comes_there(stored: World) -> None:
    engine, run = await started(stored, is_paying=False)
    waiting = asyncio.ensure_future(run.await_status(Status.PAID, Status.LOST))
    await stored.finish(engine, run.await_status(Status.PAYING))
    await engine.send(Paid(7), key="o-1")

    awaited = await stored.finish(engine, asyncio.wait_for(waiting, None))

    assert (awaited.what, awaited.reached, awaited.status) == ("reached", Status.PAID, "PAID")
    assert awaited.version == 3


async def test_what_is_past_is_not_waited_for_unless_only_what_follows_counts(
    stored: World,
) -> None:
    engine, run = await started(stored)
    await engine.send(Paid(7), key="o-1")
    there = await stored.finish(engine, run.await_status(Status.PAID))

    past = await run.await_status(Status.PAYING)
    moment = timedelta(seconds=5)
    again = run.await_status(Status.PAYING, Status.PAID, after=there.version, within=moment)

    assert (past.what, past.version) == ("reached", 2)
    assert (await stored.finish(engine, again)).what == "timed out"


async def test_who_waits_learns_of_every_other_end(stored: World) -> None:
    engine, run = await started(stored)
    elsewhere = asyncio.ensure_future(run.await_status(Status.LOST))
    await engine.send(Paid(7), key="o-1")
    await engine.send(Packed("p"), key="o-1")
    completed = await stored.finish(engine, asyncio.wait_for(elsewhere, None))

    other = await engine.start(orders(Order("o-2")))
    await stored.finish(engine, other.await_status(Status.PAYING))
    await stored.finish(engine, other.cancel(reason="no more"))
    cancelled = await stored.finish(engine, other.await_status(Status.PAID))

    assert (completed.what, completed.reached, completed.status) == ("completed", None, "SHIPPED")
    assert completed.error is cancelled.error is None
    assert (cancelled.what, cancelled.status, cancelled.reason) == (
        "cancelled",
        "PAYING",
        "cancelled",
    )


async def test_who_waits_for_a_run_that_is_parked_learns_why(stored: World) -> None:
    stored.outside.planned["settle 7"] = [OutcomeUnknown("no answer")] * 3
    engine, run = await started(stored)
    await engine.send(Paid(7), key="o-1")

    awaited = await stored.finish(engine, run.await_status(Status.PAID))

    assert (awaited.what, awaited.status, awaited.reason) == ("parked", "PAYING", "in doubt")
    assert awaited.error is not None
    assert "no answer" in awaited.error


async def test_who_waits_too_long_is_told_where_the_record_stands(world: World) -> None:
    gate = Gate()
    world.outside.planned["price"] = [gate]
    engine, run = await started(world, is_paying=False)
    waiting = asyncio.ensure_future(run.await_status(Status.PAYING, within=timedelta(seconds=5)))
    await gate.reached.wait()
    await until(lambda: bool(engine._shell.telemetry._feeds))

    world.clock.turn(timedelta(seconds=5))
    awaited = await asyncio.wait_for(waiting, None)

    assert (awaited.what, awaited.status, awaited.reached) == ("timed out", "NEW", None)
    gate.open()


async def test_any_number_may_wait_on_any_engine(world: World) -> None:
    engine, run = await started(world)
    client = await world.engine(work=False)
    waiting = [
        asyncio.ensure_future(each.run(run.id).await_status(Status.PAID))
        for each in (engine, client, client)
    ]
    await engine.send(Paid(7), key="o-1")

    found = await world.finish(engine, asyncio.wait_for(asyncio.gather(*waiting), None))

    assert [each.reached for each in found] == [Status.PAID] * 3


async def test_the_record_is_read_as_it_is_now(stored: World) -> None:
    engine, run = await started(stored)
    client = await stored.engine(work=False)

    here = await run.record()
    there = await client.run(run.id).record()
    stored.clock.turn(DAY)
    await stored.finish(engine, until_version(run, 3))
    later = await run.record()

    assert (here.record, here.status, here.version) == (Order("o-1", total=7), "PAYING", 2)
    assert here.run_status == "waiting"
    assert there.record == {"id": "o-1", "total": 7, "reminders": 0}
    assert (later.record.reminders, later.status) == (1, "PAYING")
    assert later.since == here.since


async def until_version(run: Run[Order], version: int) -> None:
    async for _event in run.events():
        if (await run.record()).version == version:
            return


async def test_a_record_is_there_before_anybody_has_begun_its_run(stored: World) -> None:
    client = await stored.engine(work=False)
    run = await client.start(orders(Order("o-1")))

    standing = await run.record()

    assert (standing.record, standing.status, standing.version) == (Order("o-1"), None, 1)


async def test_what_is_no_status_of_the_run_is_refused(world: World) -> None:
    engine, run = await started(world)
    with pytest.raises(InvalidInput, match="`order` has no status 'GONE'; it has NEW, PAYING"):
        await run.await_status(Foreign.GONE)
    with pytest.raises(InvalidInput, match="names no status of `order`; name one"):
        await run.await_status()
    trips = await world.engine(book)
    trip = await trips.start(book("Oslo"))
    with pytest.raises(InvalidInput, match="`book` is no lifecycle"):
        await trip.await_status(Status.NEW)
    with pytest.raises(InvalidInput, match="`book` is no lifecycle"):
        await trip.record()
    assert engine.active <= 1


async def test_nothing_is_left_of_the_record_of_an_erased_run(stored: World) -> None:
    engine = await stored.engine(orders)
    run = await engine.start(orders(Order("o-1")), subject="eve")
    await stored.finish(engine, run.await_status(Status.PAYING))
    await stored.finish(engine, run.cancel())
    await stored.finish(engine, run.outcome())
    await Operator(engine).erase(subject="eve", actor="dpo", reason="asked")

    with pytest.raises(RunErased):
        await run.record()
    assert (await run.await_status(Status.PAID)).what == "erased"


async def test_a_record_that_was_parked_before_it_was_begun_is_as_it_is_to_begin(
    world: World,
) -> None:
    """Something else was posted that cannot be read; what it begins with waits beside that."""
    client = await world.engine(work=False)
    run = await client.start(orders(Order("o-1")))
    await client._shell.journal.post(Post(run=run.id, body=b"?", at=world.clock.now()))
    engine = await world.engine(orders)
    assert (await world.finish(engine, engine.run(run.id).outcome())).reason == "poison"

    found = await engine.run(run.id).record()

    assert (found.record, found.run_status) == (Order("o-1"), "parked")
    await Operator(engine).retry(run.id, leave_out=[2], **EVE | {"wait": timedelta(0)})
    await world.finish(engine, engine.run(run.id).await_status(Status.PAYING))


async def test_of_a_record_that_begins_with_what_cannot_be_read_nothing_is_said(
    world: World,
) -> None:
    client = await world.engine(work=False)
    run = await client.start(orders(Order("o-1")))
    record = world._store.records[run.id]
    record.inbox = [Posted(1, b"?", world.clock.now())]

    with pytest.raises(UnreadableRun, match="cannot be read, because another version wrote it"):
        await run.record()
