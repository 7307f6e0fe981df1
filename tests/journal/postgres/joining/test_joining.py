"""Is a run that is started in the caller's transaction a part of it, on every connection?"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from makegood import Config, Engine, Filter, InvalidInput, KeyConflict, StoreBusy, UnknownRun
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.joining.callers import KINDS
from tests.journal.postgres.served import eventually
from tests.runtime.outside import Outside
from tests.runtime.trips import book

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from makegood import Run
    from tests.journal.postgres.joining.callers import Caller
    from tests.journal.postgres.served import PostgresWorld, Served

# The names are of the tests' own making.
# ruff: noqa: S608

pytestmark = pytest.mark.real

SOON = Config(poll_max=timedelta(milliseconds=50), shutdown_grace=timedelta(0))
SECONDS_MAX = 30

DRIVERS = ("asyncpg", "psycopg", "sqlalchemy-asyncpg")
"""Each is asked in a way of its own."""

every_kind = pytest.mark.parametrize("kind", KINDS)
each_driver = pytest.mark.parametrize("kind", DRIVERS)


class Shop:
    """A client that starts runs, a table of its own, and where a worker may carry them out."""

    def __init__(self, world: PostgresWorld, served: Served) -> None:
        self.world = world
        self.url = served.url
        self.table = f"{world.place.schema.replace('engine_', 'shop_')}.placed"
        self.outside = Outside()
        self.client = self.engine(work=False)

    def engine(self, *, work: bool) -> Engine:
        return Engine(
            PostgresJournal(self.world.place),
            services={Outside: self.outside},
            config=SOON,
            work=work,
        )

    def caller(self, kind: str) -> AbstractAsyncContextManager[Caller]:
        return KINDS[kind](self.url)

    async def place(self, caller: Caller, trip: str, *, key: str | None = None) -> Run[str]:
        """Write down a trip in the shop's own table, and start its run, in one transaction."""
        await caller.execute(f"INSERT INTO {self.table} VALUES ('{trip}')")
        return await self.client.start(book(trip), key=key, within=caller.connection)

    async def placed(self) -> list[str]:
        rows = await self.world.sql(f"SELECT trip FROM {self.table} ORDER BY trip")
        return [trip for (trip,) in rows]

    async def begun(self) -> list[str]:
        """Return the inputs of the runs that are there, as JSON."""
        rows = await self.world.sql("SELECT convert_from(body, 'UTF8') FROM inbox ORDER BY run")
        assert len(rows) == len((await self.client.list(Filter())).rows)
        return [body for (body,) in rows]


@pytest.fixture
async def shop(served: Served) -> AsyncGenerator[Shop]:
    world = await served.world()
    shop = Shop(world, served)
    async with shop.client, asyncio.timeout(SECONDS_MAX):
        await world.sql(f"CREATE TABLE {shop.table} (trip text)")
        yield shop
    await world.close()


@every_kind
async def test_a_run_begins_when_the_callers_transaction_commits(shop: Shop, kind: str) -> None:
    async with shop.engine(work=True) as worker, shop.caller(kind) as caller:
        worker.serve(book)
        run = await shop.place(caller, "Oslo", key="trip-1")
        assert (await shop.client.list(Filter())).rows == ()
        for early in (run.outcome(), run.describe(), run.cancel()):
            with pytest.raises(UnknownRun, match="commit the transaction first in which it was"):
                await early

        await caller.commit()

        assert await run.result() == "send done"
    assert shop.outside.calls == ["hold", "charge", "send"]
    assert await shop.placed() == ["Oslo"]


@every_kind
async def test_a_rollback_leaves_no_run(shop: Shop, kind: str) -> None:
    async with shop.caller(kind) as caller:
        run = await shop.place(caller, "Oslo", key="trip-1")

        await caller.rollback()

        with pytest.raises(UnknownRun, match="one that is rolled back leaves no run"):
            await run.result()
    assert await shop.placed() == await shop.begun() == []
    # The key is as free as it was.
    await shop.client.start(book("Bergen"), key="trip-1")


@every_kind
async def test_what_is_rolled_back_to_a_savepoint_leaves_no_run(shop: Shop, kind: str) -> None:
    async with shop.caller(kind) as caller:
        await shop.place(caller, "Oslo")
        await caller.execute("SAVEPOINT second")
        await shop.place(caller, "Bergen")
        await caller.execute("ROLLBACK TO SAVEPOINT second")
        await shop.place(caller, "Moss")

        await caller.commit()

    assert await shop.placed() == ["Moss", "Oslo"]
    oslo, moss = await shop.begun()
    assert ('"Oslo"' in oslo, '"Moss"' in moss) == (True, True)


@each_driver
async def test_a_key_names_one_run_inside_the_transaction_too(shop: Shop, kind: str) -> None:
    before = await shop.client.start(book("Bergen"), key="trip-0")
    async with shop.caller(kind) as caller:
        run = await shop.place(caller, "Oslo", key="trip-1")

        assert (await shop.place(caller, "Oslo", key="trip-1")).id == run.id
        assert (await shop.place(caller, "Bergen", key="trip-0")).id == before.id
        for key in ("trip-0", "trip-1"):
            with pytest.raises(KeyConflict, match=f"the key '{key}' of `book` belongs to run"):
                await shop.client.start(book("Moss"), key=key, within=caller.connection)

        await caller.commit()
    assert await shop.placed() == ["Bergen", "Oslo", "Oslo"]
    assert len(await shop.begun()) == 2


@pytest.mark.parametrize("commits", [True, False])
@each_driver
async def test_of_two_that_race_for_a_key_the_second_waits(
    shop: Shop, kind: str, *, commits: bool
) -> None:
    async with shop.caller(kind) as first, shop.caller("session-psycopg") as second:
        run = await shop.place(first, "Oslo", key="trip-1")
        racing = asyncio.ensure_future(shop.place(second, "Oslo", key="trip-1"))
        await eventually(lambda: is_waiting(shop.world))
        assert not racing.done()

        await (first.commit() if commits else first.rollback())

        assert ((await racing).id == run.id) == commits
        await second.commit()
    assert len(await shop.begun()) == 1


async def is_waiting(world: PostgresWorld) -> bool:
    """Say whether a statement that starts a run waits for another transaction."""
    rows = await world.sql(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND strpos(query, $1) > 0",
        f'"{world.place.schema}".post(',
    )
    return bool(rows)


async def test_a_key_that_is_held_by_an_open_transaction_keeps_no_other_start_waiting(
    shop: Shop,
) -> None:
    async with shop.caller("asyncpg") as caller, shop.engine(work=True) as engine:
        engine.serve(book)
        await shop.place(caller, "Oslo", key="trip-1")
        blocked = asyncio.ensure_future(engine.start(book("Oslo"), key="trip-1"))
        await eventually(lambda: is_making(shop.world))

        others = [await engine.start(book("Bergen"), key=f"trip-{n}") for n in range(2, 6)]

        assert not blocked.done()
        assert [await run.result() for run in others]
        with pytest.raises(StoreBusy, match="others are in the way"):
            await blocked
        await caller.rollback()
        run = await engine.start(book("Oslo"), key="trip-1")
        assert await run.result()


async def is_making(world: PostgresWorld) -> bool:
    """Say whether an engine's own start waits for another transaction."""
    rows = await world.sql(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND strpos(query, $1) > 0",
        f'"{world.place.schema}".make_runs(',
    )
    return bool(rows)


@each_driver
async def test_a_caller_that_is_cut_off_before_the_commit_leaves_no_run(
    shop: Shop, kind: str
) -> None:
    async with shop.caller(kind) as caller:
        await shop.place(caller, "Oslo")
        await cut_off(shop.world)

        # The first one finds it out, and the second one knows.
        for _ in range(2):
            with pytest.raises(caller.errors):
                await shop.client.start(book("Bergen"), within=caller.connection)
    assert await shop.placed() == await shop.begun() == []


async def cut_off(world: PostgresWorld) -> None:
    """End the sessions that have written to the engine's schema and not committed."""
    ended = await world.sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks "
        "WHERE relation = to_regclass($1) AND mode = 'RowExclusiveLock'",
        f"{world.place.schema}.run",
    )
    assert [done for (done,) in ended] == [True]


@each_driver
async def test_what_the_driver_raises_passes_through(shop: Shop, kind: str) -> None:
    async with shop.caller(kind) as caller:
        with pytest.raises(caller.errors, match="division by zero"):
            await caller.execute("SELECT 1 / 0")

        with pytest.raises(caller.errors, match="current transaction is aborted"):
            await shop.client.start(book("Oslo"), within=caller.connection)


@each_driver
async def test_the_callers_session_stays_as_it_is(shop: Shop, kind: str) -> None:
    """Not even the engine's schema need be in the search path, which stays what it was."""
    # The server adds those of a language when that is used for the first time.
    settings = "SELECT name, setting INTO TEMP {} FROM pg_settings WHERE name NOT LIKE 'plpgsql%'"
    async with shop.caller(kind) as caller:
        await caller.execute("SET LOCAL search_path = pg_temp")
        await caller.execute(settings.format("before"))

        await shop.client.start(book("Oslo"), within=caller.connection)

        await caller.execute(settings.format("later"))
        await caller.execute(
            f"CREATE TABLE {shop.table}_changed AS SELECT * FROM before NATURAL FULL JOIN later "
            "WHERE (before.*) IS NULL OR (later.*) IS NULL"
        )
        await caller.commit()
    assert await shop.world.sql(f"SELECT * FROM {shop.table}_changed") == []
    assert len(await shop.begun()) == 1


async def test_an_engine_that_works_starts_within_a_transaction_as_well(shop: Shop) -> None:
    async with shop.engine(work=True) as worker, shop.caller("asyncpg") as caller:
        worker.serve(book)
        run = await worker.start(book("Oslo"), within=caller.connection)
        assert worker.active == 0
        await caller.commit()

        assert await run.result() == "send done"


async def test_a_connection_in_autocommit_is_refused(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        bare = await asyncpg.connect(shop.url)
        stack.callback(bare.terminate)
        autocommitting = await psycopg.AsyncConnection.connect(shop.url, autocommit=True)
        await stack.enter_async_context(autocommitting)
        for driver in ("asyncpg", "psycopg"):
            address = f"postgresql+{driver}:{shop.url.partition(':')[2]}"
            engine = create_async_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT")
            connection = await stack.enter_async_context(engine.connect())
            with pytest.raises(InvalidInput, match=r"no open transaction.* than AUTOCOMMIT"):
                await shop.client.start(book("Oslo"), within=connection)
        for connection in (bare, autocommitting):
            with pytest.raises(InvalidInput, match=r"no open transaction.*\.transaction\(\)"):
                await shop.client.start(book("Oslo"), within=connection)

        # What autocommits can still have a transaction.
        async with autocommitting.transaction():
            await shop.client.start(book("Oslo"), within=autocommitting)
    assert len(await shop.begun()) == 1


async def test_what_is_no_asynchronous_connection_to_postgresql_is_refused(shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        pool = await asyncpg.create_pool(shop.url, min_size=0)
        stack.callback(pool.terminate)
        blocking = stack.enter_context(psycopg.connect(shop.url))
        engine = create_engine(
            f"postgresql+psycopg:{shop.url.partition(':')[2]}", poolclass=NullPool
        )
        blocking_too = stack.enter_context(engine.connect())
        # Any: each is a mistake that a type checker refuses.
        mistakes: list[tuple[Any, str]] = [
            (pool, "asyncpg.pool.Pool"),
            (blocking, "psycopg.Connection"),
            (blocking_too, "sqlalchemy.engine.base.Connection"),
            (shop.url, "builtins.str"),
        ]
        for mistake, name in mistakes:
            with pytest.raises(InvalidInput, match=f"within a {name}; give a connection of"):
                await shop.client.start(book("Oslo"), within=mistake)
    assert await shop.begun() == []


async def test_a_connection_to_another_database_is_refused(shop: Shop) -> None:
    """There may be nothing at all, or a store in a schema of the same name."""
    name = f"{shop.world.place.schema}_other"
    await shop.world.sql(f"CREATE DATABASE {name}")
    url = f"{shop.url.rpartition('/')[0]}/{name}"
    refused = f"the connection is not to the journal in {shop.world.place.schema} at "
    for kind in DRIVERS:
        async with KINDS[kind](url) as caller:
            with pytest.raises(InvalidInput, match=refused):
                await shop.client.start(book("Oslo"), within=caller.connection)
            await caller.rollback()
    other = PostgresJournal(replace(shop.world.place, dsn=url))
    await other.open(work=False)
    for kind in DRIVERS:
        async with KINDS[kind](url) as caller:
            with pytest.raises(InvalidInput, match=refused):
                await shop.client.start(book("Oslo"), within=caller.connection)

            # The transaction is as it was.
            await caller.execute("SELECT 1")
            await caller.commit()
    assert (await other.list(Filter())).rows == ()
    await other.close()
    await shop.world.sql(f"DROP DATABASE {name} WITH (FORCE)")


async def test_the_role_of_the_connection_needs_few_rights(shop: Shop) -> None:
    """They are those of the page on starting runs in your own transaction."""
    schema = shop.world.place.schema
    role = f"guest_of_{schema}"
    await shop.world.sql(f"CREATE ROLE {role}")
    try:
        async with shop.caller("asyncpg") as caller:
            await caller.execute(f"SET LOCAL ROLE {role}")
            with pytest.raises(caller.errors, match=f"permission denied for schema {schema}"):
                await shop.client.start(book("Oslo"), within=caller.connection)
        for right, thing in (
            ("USAGE", f"SCHEMA {schema}"),
            ("SELECT", "meta"),
            ("SELECT, INSERT, UPDATE", "run"),
            ("INSERT", "inbox"),
        ):
            await shop.world.sql(f"GRANT {right} ON {thing} TO {role}")
        async with shop.caller("asyncpg") as caller:
            await caller.execute(f"SET LOCAL ROLE {role}")
            await shop.client.start(book("Oslo"), within=caller.connection)
            await caller.commit()
        assert len(await shop.begun()) == 1
    finally:
        await shop.world.sql(f"DROP OWNED BY {role}")
        await shop.world.sql(f"DROP ROLE {role}")
