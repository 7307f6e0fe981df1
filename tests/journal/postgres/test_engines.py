"""Do engines work together on one PostgreSQL, in real time?"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, Filter, Transaction, Writes, injected, step, workflow
from makegood.extension import Migration
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.served import eventually
from tests.runtime.outside import Gate, Outside
from tests.runtime.trips import book
from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

AT_ONCE = Config(shutdown_grace=timedelta(0))
SECONDS_MAX = 30


@dataclass(frozen=True)
class Shop:
    """Five cups, and what was sold of them."""

    name: str = "shop"
    migrations: tuple[Migration, ...] = (
        Migration(
            owner="shop",
            number=1,
            sql="CREATE TABLE cup (count INTEGER CHECK (count >= 0)); INSERT INTO cup VALUES (5);"
            "CREATE TABLE sold (trip TEXT PRIMARY KEY)",
        ),
    )
    commands: tuple[()] = ()


async def take_cup(trip: str, *, transaction: Transaction = injected) -> int:
    await transaction.execute("UPDATE cup SET count = count - 1")
    rows = await transaction.fetch("SELECT count FROM cup")
    left = rows[0][0]
    assert isinstance(left, int)
    return left


async def put_cup_back(left: int, *, transaction: Transaction = injected) -> None:
    await transaction.execute("UPDATE cup SET count = count + 1")


async def sell(
    left: int, trip: str, *, writes: Writes = injected, outside: Outside = injected
) -> str:
    writes.execute("INSERT INTO sold VALUES (?)", trip, expect_rows=1)
    return f"{trip}: {left} left"


take = step(take_cup, undo=put_cup_back)
sold = step(sell, irreversible="a cup that is sold is gone", key_valid_for=None)


@workflow
def drink(trip: str) -> str:
    """Take a cup and sell it."""
    return sold(take(trip), trip)


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent(lease_seconds=60) as world:
        yield world


async def entered(stack: AsyncExitStack, world: PostgresWorld, outside: Outside) -> Engine:
    """Return an engine that is open and serves the workflows of these tests."""
    engine = Engine(
        PostgresJournal(world.place),
        services={Outside: outside},
        extensions=[Shop()],
        config=AT_ONCE,
    )
    await stack.enter_async_context(engine)
    engine.serve(book, drink)
    return engine


async def test_many_runs_share_few_commits(world: PostgresWorld) -> None:
    outside = Outside()
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        engine = await entered(stack, world, outside)
        runs = [await engine.start(book(f"trip {number}")) for number in range(60)]

        results = await asyncio.gather(*(run.result() for run in runs))

        journal = engine._shell.journal
        assert isinstance(journal, PostgresJournal)
        # Sixty starts one after the other, and three more appends of each run together.
        assert journal.commits < 60 + 60
    assert results == ["send done"] * 60
    assert len(outside.calls) == 180


async def test_local_steps_and_writes_share_the_commit_of_their_record(
    world: PostgresWorld,
) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        engine = await entered(stack, world, Outside())
        runs = [await engine.start(drink(f"trip {number}")) for number in range(7)]

        outcomes = await asyncio.gather(*(run.outcome() for run in runs))

        statuses = sorted(outcome.status for outcome in outcomes)
        assert statuses == ["completed"] * 5 + ["failed"] * 2
        assert await engine.read("SELECT count FROM cup") == [(0,)]
        assert await engine.read("SELECT count(*) FROM sold") == [(5,)]


async def test_engines_share_what_a_client_starts(world: PostgresWorld) -> None:
    outside = Outside()
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        client = Engine(PostgresJournal(world.place), work=False)
        await stack.enter_async_context(client)
        runs = [await client.start(book(f"trip {n}"), key=f"trip-{n}") for n in range(40)]
        for _ in range(2):
            await entered(stack, world, outside)

        results = await asyncio.gather(*(run.result() for run in runs))

        assert results == ["send done"] * 40
        assert (await client.list(Filter(unfinished=True))).rows == ()
    assert sorted(outside.calls) == ["charge"] * 40 + ["hold"] * 40 + ["send"] * 40


async def test_a_closing_engine_hands_its_runs_over_at_once(world: PostgresWorld) -> None:
    """Long before its leases end."""
    outside = Outside()
    gate = Gate()
    outside.planned["charge"].append(gate)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        closing = await entered(stack, world, outside)
        run = await closing.start(book("a"))
        await gate.reached.wait()
        next_one = await entered(stack, world, outside)

        await closing.__aexit__(None, None, None)

        assert await next_one.run(run.id).result() == "send done"
        assert await next_one.crashes() == 0
    assert outside.calls == ["hold", "charge", "charge", "send"]
    assert len(set(outside.keys["charge"])) == 1


async def test_the_runs_of_a_killed_engine_are_taken_over_after_their_lease(
    world: PostgresWorld,
) -> None:
    """G5, G6: and what it still wanted to write is refused."""
    outside = Outside()
    gate = Gate()
    outside.planned["charge"].append(gate)
    world.place = replace(world.place, lease_seconds=1)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        killed = await entered(stack, world, outside)
        run = await killed.start(book("a"))
        await gate.reached.wait()
        heir = await entered(stack, world, outside)

        await World().kill(killed)

        assert await heir.run(run.id).result() == "send done"
        assert await heir.crashes() == 1
        row = (await heir.list(Filter())).rows[0]
        assert (row.status, row.epoch) == ("completed", 2)
    assert outside.happened == ["hold", "charge", "send"]
    assert len(set(outside.keys["charge"])) == 1


async def test_an_engine_that_lives_keeps_its_runs_past_many_leases(world: PostgresWorld) -> None:
    """A body that takes longer than the lease is neither begun again nor taken over."""
    outside = Outside()
    gate = Gate()
    outside.planned["charge"].append(gate)
    world.place = replace(world.place, lease_seconds=0.6)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        engine = await entered(stack, world, outside)
        engine._shell.config = Config(poll_max=timedelta(seconds=0.05))
        run = await engine.start(book("a"))
        await gate.reached.wait()
        other = await entered(stack, world, outside)
        begun = await world.now()

        async def is_past() -> bool:
            return await world.now() > begun + 1_500_000

        await eventually(is_past)

        gate.open()

        assert await other.run(run.id).result() == "send done"
        assert await other.crashes() == 0
    assert outside.calls == ["hold", "charge", "send"]
