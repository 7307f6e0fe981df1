"""Is nothing acknowledged that may be on one server alone, where commits wait for a standby?"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.protocol import Applied, Exists, Statement
from tests.journal.postgres.faults.watched import Moment, WatchedDriver
from tests.journal.postgres.served import eventually
from tests.journal.promises import OTHER, RUN, promise, remembered, stock
from tests.journal.records import STOCK, Body, append, facts, first, post
from tests.runtime.outside import Outside
from tests.runtime.trips import book

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.protocol import Append, Verdict
    from makegood.testing.servers import PostgresServer
    from makegood.values.injectable import Transaction
    from tests.journal.postgres.served import PostgresWorld

pytestmark = pytest.mark.real

SECONDS_MAX = 30
GIVEN_UP_AFTER = 6
"""How often an append is refused for a lock, with others and alone, before it is given up."""

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

TIMES = 3
"""How often an administrator ends the wait for the standby."""


@asynccontextmanager
async def missing_standby(world: PostgresWorld) -> AsyncGenerator[None]:
    """Let commits wait for a standby that is not there; at the end nobody asks for one."""
    await ask_for_standby(world, "nobody")
    try:
        yield
    finally:
        await ask_for_standby(world, "")


async def ask_for_standby(world: PostgresWorld, names: str) -> None:
    async with world.outside() as connection:
        await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await connection.execute("SELECT pg_reload_conf()")

    async def is_asked_for() -> bool:
        return bool((await world.sql("SHOW synchronous_standby_names"))[0][0] == names)

    await eventually(is_asked_for)


async def end_a_wait(world: PostgresWorld, by: str) -> None:
    """Wait until a commit waits for the standby, and end that."""

    async def has_ended() -> bool:
        waiting = await world.sql(WAITING)
        for (pid,) in waiting:
            await world.sql(f"SELECT {by}({pid})")
        return bool(waiting)

    await eventually(has_ended)


async def sell(transaction: Transaction) -> object:
    return await transaction.execute("UPDATE stock SET count = count - 1")


SOLD = (Statement("UPDATE stock SET count = count - 1", (), 1),)


@promise(1)
@pytest.mark.parametrize("by", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("kind", ["plain", "writes", "local"])
async def test_an_append_that_no_standby_has_confirmed_is_not_acknowledged(
    world: PostgresWorld, kind: str, by: str
) -> None:
    """F128, G1: though everybody can read it, for it may be gone after a failover."""
    journal = await world.open(migrations=(STOCK,))
    await journal.append(first(RUN))
    body = Body(sell)
    more = {"plain": {}, "writes": {"writes": SOLD}, "local": {"local": body}}[kind]
    async with missing_standby(world):
        waiting = journal.append(append(RUN, 2, **more))
        for _ in range(TIMES):
            await end_a_wait(world, by)
            assert not waiting.done()
        assert (await journal.read(RUN)).row.seq == 2

    async with asyncio.timeout(SECONDS_MAX):
        verdict = await waiting

    written = b"[1]" if kind == "local" else facts("001/2")
    assert verdict == Applied(written if kind == "local" else b"")
    assert await remembered(journal, RUN) == (2, (facts("001/1"), written))
    assert await stock(journal) == (5 if kind == "plain" else 4)
    assert body.times_run == (1 if kind == "local" else 0)


@promise(1)
async def test_a_commit_that_a_crash_of_the_server_made_known_is_not_acknowledged_for_that(
    world: PostgresWorld, server: PostgresServer
) -> None:
    journal = await world.open()
    async with missing_standby(world):
        waiting = journal.append(first(RUN))

        async def waits() -> bool:
            return bool(await world.sql(WAITING))

        await eventually(waits)
        await asyncio.to_thread(server.stop, immediate=True)
        await asyncio.to_thread(server.start)
        await eventually(waits)
        assert (await journal.read(RUN)).row.seq == 1
        assert not waiting.done()

    async with asyncio.timeout(SECONDS_MAX):
        assert await waiting == Applied()
    assert await remembered(journal, RUN) == (1, (facts("001/1"),))


@promise(3)
async def test_an_append_whose_commit_never_ends_is_doubtful_and_not_refused(
    world: PostgresWorld,
) -> None:
    """Whoever starts a run and is told that nothing was written would start another one."""
    failed: list[str] = []

    def watch(moment: Moment, sent: str) -> None:
        if moment is Moment.FAILED and "make_runs" in sent:
            failed.append(sent)

    async def was_often_in_the_way() -> bool:
        return len(failed) > GIVEN_UP_AFTER + 1

    place = replace(world.place, answer_seconds_max=0.3, lock_seconds_max=0.02)
    journal = PostgresJournal(place, driver=WatchedDriver(watch))
    await journal.open(work=True)
    world.journals.append(journal)
    await journal.append(first(OTHER))
    async with missing_standby(world):
        waiting = [journal.append(first(RUN, "order-1")), journal.append(append(OTHER, 2))]
        await eventually(was_often_in_the_way)
        assert [each.done() for each in waiting] == [False, False]

    async with asyncio.timeout(SECONDS_MAX):
        assert [await each for each in waiting] == [Applied(), Applied()]
    assert await remembered(journal, RUN) == (1, (facts("001/1"),))


@promise(9)
async def test_a_post_that_no_standby_has_confirmed_is_not_acknowledged(
    world: PostgresWorld,
) -> None:
    world.place = replace(world.place, ask_seconds_max=SECONDS_MAX)
    journal = await world.open()
    await journal.append(first(RUN))
    async with missing_standby(world):
        waiting = asyncio.ensure_future(journal.post(post(RUN)))
        for _ in range(TIMES):
            await end_a_wait(world, "pg_cancel_backend")
            assert not waiting.done()

    async with asyncio.timeout(SECONDS_MAX):
        assert await waiting == 1
    assert [posted.n for posted in (await journal.read(RUN)).inbox] == [1]


@promise(4)
@pytest.mark.parametrize("is_posted", [False, True])
async def test_a_run_that_no_standby_has_confirmed_is_not_said_to_exist(
    world: PostgresWorld, *, is_posted: bool
) -> None:
    """G8: whoever starts again under a key is told of a run that will be there."""
    world.place = replace(world.place, ask_seconds_max=SECONDS_MAX)
    dying, journal = await world.open(), await world.open()
    async with missing_standby(world):
        begun = dying.append(first(OTHER, "order-1"))
        await end_a_wait(world, "pg_cancel_backend")
        again = first(RUN, "order-1")
        if is_posted:
            waiting = asyncio.ensure_future(journal.post(post(RUN, create=again.create)))
        else:
            waiting = asyncio.ensure_future(wait_for(journal, again))
        for _ in range(2 * TIMES):
            await end_a_wait(world, "pg_cancel_backend")
            assert not waiting.done()

    async with asyncio.timeout(SECONDS_MAX):
        assert await waiting == Exists(OTHER, "hash-1")
        assert await begun == Applied()


async def wait_for(journal: PostgresJournal, sent: Append) -> Verdict:
    return await journal.append(sent)


async def test_an_engine_performs_nothing_whose_intention_no_standby_has_confirmed(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture
) -> None:
    outside = Outside()
    config = Config(shutdown_grace=timedelta(0))
    journal = PostgresJournal(world.place)
    async with Engine(journal, services={Outside: outside}, config=config) as engine:
        engine.serve(book)
        assert await (await engine.start(book("a"))).result() == "send done"
        async with missing_standby(world):
            starting = asyncio.ensure_future(engine.start(book("b")))
            for _ in range(TIMES):
                await end_a_wait(world, "pg_cancel_backend")
            assert outside.calls == ["hold", "charge", "send"]
            assert not starting.done()

        async with asyncio.timeout(SECONDS_MAX):
            assert await (await starting).result() == "send done"
    assert outside.calls == ["hold", "charge", "send"] * 2
    said = [record.getMessage() for record in caplog.records if "standby" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("an append waits for 127.0.0.1")
