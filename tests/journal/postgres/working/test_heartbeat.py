"""Do leases go on while their runs are held, and what happens when they cannot (promise 14)?"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, IdempotencyKey, injected, step, workflow
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.protocol import Applied
from makegood.values.instants import Instant
from tests.journal.contract.lanes.post import listens, promise_of_messages
from tests.journal.postgres.proxy import Fate, Proxy
from tests.journal.postgres.served import eventually
from tests.journal.promises import NONE_LEASED, OTHER, RUN, lease, promise
from tests.journal.records import ALICE, BOB, append, first, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

SECONDS_MAX = 30


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world(lease_seconds=1.5)
    yield world
    await world.close()


async def no_claim_until_past(world: PostgresWorld, seconds: float) -> None:
    """Ask for claims as another worker, in vain, for so long by the server's clock."""
    other = await world.open()
    end = await world.now() + round(seconds * 1_000_000)

    async def is_past() -> bool:
        assert await lease(other, BOB) == NONE_LEASED
        return await world.now() > end

    await eventually(is_past)


@promise(14)
async def test_everything_that_is_held_is_renewed_by_itself(world: PostgresWorld) -> None:
    """Nobody asks for claims here, and one round trip cannot renew so many."""
    journal = await world.open()
    runs = [run_id(number) for number in range(2_100)]
    await asyncio.gather(*(journal.append(first(run)) for run in runs))

    await no_claim_until_past(world, 2)

    assert await journal.append(append(runs[0], 2)) == Applied()
    assert await journal.append(append(runs[-1], 2)) == Applied()


@promise_of_messages(24)
async def test_whoever_listens_does_so_for_longer_than_a_lease(world: PostgresWorld) -> None:
    """Nobody says so again."""
    journal, other = await world.open(), await world.open()
    assert await listens(journal.messages, ALICE)
    end = await world.now() + 2_500_000

    async def is_past() -> bool:
        assert not await listens(other.messages, BOB)
        return await world.now() > end

    await eventually(is_past)
    assert await listens(journal.messages, ALICE)


@promise_of_messages(24)
async def test_who_cannot_renew_its_leases_does_not_begin_to_listen(served: Served) -> None:
    world = await served.world(lease_seconds=0.5)
    journal = await world.open()
    await world.sql("ALTER FUNCTION renew RENAME TO renewed")

    async def leads_no_more() -> bool:
        return not journal.leads

    await eventually(leads_no_more)

    assert not await listens(journal.messages, ALICE)
    await world.close()


@promise(14)
async def test_an_answer_that_never_comes_costs_no_lease(
    served: Served, world: PostgresWorld
) -> None:
    """F47: the round trip is given up while there is time for another one."""
    async with Proxy(served.port) as proxy:
        behind = world.place.dsn.replace(f":{served.port}/", f":{proxy.port}/")
        journal = PostgresJournal(replace(world.place, dsn=behind))
        await journal.open(work=True)
        await journal.append(first(RUN))
        proxy.next(Fate.SILENT, said=b"renew")

        await no_claim_until_past(world, 2.5)

        assert proxy.cuts == 1
        assert await journal.append(append(RUN, 2)) == Applied()
        await journal.close()


@promise(14)
async def test_who_cannot_renew_takes_on_nothing_more_until_it_can(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    world = await served.world(lease_seconds=0.5)
    journal = await world.open()
    await journal.append(first(RUN, release=True, wake_at=Instant(1)))

    async def leads() -> bool:
        return journal.leads

    async def leads_no_more() -> bool:
        return not journal.leads and "no lease can be renewed" in caplog.text

    await world.sql("ALTER FUNCTION renew RENAME TO renewed")
    await eventually(leads_no_more)
    nothing = await lease(journal)
    await world.sql("ALTER FUNCTION renewed RENAME TO renew")
    await eventually(leads)
    something = await lease(journal)

    assert nothing == NONE_LEASED
    assert [leased.run for leased in something.claimed] == [RUN]
    said = [record.message for record in caplog.records if "renewed" in record.message]
    assert len(said) == 2
    assert "until one can, nothing new is begun or claimed here" in said[0]
    assert said[1].endswith("again")
    await world.close()


@promise(14)
async def test_what_somebody_holds_locked_is_renewed_as_soon_as_it_is_free(
    world: PostgresWorld,
) -> None:
    """A lock for longer than the lease: nobody can claim the run either, and it stays ours."""
    journal = await world.open()
    await journal.append(first(RUN))
    await journal.append(first(OTHER))
    async with world.outside() as connection, connection.transaction():
        await connection.execute("SELECT FROM run WHERE id = $1 FOR UPDATE", RUN)
        await no_claim_until_past(world, 2)

    async def is_renewed() -> bool:
        rows = await world.sql("SELECT wake_at > server_now() FROM run WHERE id = $1", RUN)
        return bool(rows[0][0])

    await eventually(is_renewed)
    assert (await journal.read(RUN)).row.owner == ALICE


class Wall:
    """Blocks the thread of the first call until it is pulled down."""

    def __init__(self) -> None:
        self.keys: list[IdempotencyKey] = []
        self.reached = threading.Event()
        self.is_down = threading.Event()


async def run_into(name: str, *, wall: Wall = injected, key: IdempotencyKey = injected) -> str:
    wall.keys.append(key)
    if len(wall.keys) == 1:
        wall.reached.set()
        wall.is_down.wait(SECONDS_MAX)
    return f"{name} {len(wall.keys)}"


blocked = step(run_into, irreversible="test", key_valid_for=timedelta(days=1))


@workflow
def walk(name: str) -> str:
    """Walk into a wall."""
    return blocked(name)


async def test_an_engine_that_stood_still_finds_its_runs_taken_over_and_writes_nothing(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """F16, G6: a step blocks the event loop for longer than a lease, and another worker goes on."""
    world = await served.world(lease_seconds=0.5)
    wall = Wall()
    stood_still = threading.Thread(target=asyncio.run, args=(stand_still(world, wall),))
    stood_still.start()
    async with asyncio.timeout(SECONDS_MAX), engine_on(world, wall) as heir:
        heir.serve(walk)
        await asyncio.to_thread(wall.reached.wait, SECONDS_MAX)
        (row,) = (await heir.list()).rows

        result = await heir.run(row.run).result()
        wall.is_down.set()
        await asyncio.to_thread(stood_still.join, SECONDS_MAX)

        history = await heir._shell.journal.read(row.run)
    assert result == "north 2"
    assert (history.row.epoch, history.row.status) == (2, "completed")
    assert len(wall.keys) == 2
    assert len(set(wall.keys)) == 1
    assert "the event loop stood still for" in caplog.text
    assert "is held by another worker; it is dropped here" in caplog.text
    await world.close()


def engine_on(world: PostgresWorld, wall: Wall) -> Engine:
    return Engine(
        PostgresJournal(world.place),
        services={Wall: wall},
        config=Config(shutdown_grace=timedelta(0), poll_max=timedelta(seconds=0.1)),
    )


async def stand_still(world: PostgresWorld, wall: Wall) -> None:
    """Start a run that blocks this thread's event loop, and wait until the run is let go."""
    async with asyncio.timeout(SECONDS_MAX), engine_on(world, wall) as engine:
        engine.serve(walk)
        await engine.start(walk("north"))

        async def is_let_go() -> bool:
            return engine.active == 0

        await eventually(is_let_go)
