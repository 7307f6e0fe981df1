"""Does an engine get over a bad day of its server, without a restart and without a flood of logs?

On each of these days customers start runs all the time, something befalls the server until twenty
calls to it have failed, and passes. `day_at` then looks whether everything has happened once.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.journal.postgres.faults.day import day_at
from tests.journal.postgres.served import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from makegood.testing.servers import PostgresServer
    from tests.journal.postgres.served import PostgresWorld

pytestmark = pytest.mark.real

LINES_MAX = 12
"""How much is logged of a day at most: whatever waits, tells of it once."""

END_ENGINES = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'makegood'"
)
END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Callable[[], None]:
    """Hold that the log was told something, and not a thousand times."""

    def require() -> None:
        said = [record.getMessage() for record in caplog.records]
        assert 1 <= len(said) <= LINES_MAX, "\n".join(said[:50])

    return require


async def end_backends(connection: asyncpg.Connection) -> None:
    """End the connections of everybody else."""
    await connection.fetch(END_OTHERS)


async def test_a_server_that_turns_read_only_and_back(
    world: PostgresWorld, quiet: Callable[[], None]
) -> None:
    """F52: as an old primary does after a failover, until the address means the new one."""
    async with day_at(world.place) as day, world.outside() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        await end_backends(connection)
        await day.feels_it()
        await connection.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    quiet()


async def test_a_server_whose_connections_are_all_taken(
    world: PostgresWorld, quiet: Callable[[], None]
) -> None:
    """F49."""
    async with day_at(world.place) as day, AsyncExitStack() as crowd:
        connection = await crowd.enter_async_context(world.outside())

        async def is_full() -> bool:
            await connection.fetch(END_ENGINES)
            try:
                taken = await asyncpg.connect(world.dsn)
            except asyncpg.TooManyConnectionsError:
                return True
            crowd.push_async_callback(taken.close)
            return False

        await eventually(is_full)
        await day.feels_it()
        await crowd.aclose()
    quiet()


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_server_that_is_stopped_and_started_again(
    world: PostgresWorld, server: PostgresServer, quiet: Callable[[], None], *, immediate: bool
) -> None:
    """F43, G32."""
    async with day_at(world.place) as day:
        await asyncio.to_thread(server.stop, immediate=immediate)
        await day.feels_it()
        await asyncio.to_thread(server.start)
    quiet()


async def test_a_disk_that_is_full_until_there_is_room(
    world: PostgresWorld, quiet: Callable[[], None]
) -> None:
    """F56: as the server says it."""
    async with day_at(world.place) as day, world.outside() as connection:
        await connection.execute(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100';
            END $$
            """
        )
        await connection.execute(
            "CREATE TRIGGER fails BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        await day.feels_it(200)
        await connection.execute("DROP TRIGGER fails ON facts")
    quiet()


async def test_a_disk_that_is_really_full_until_there_is_room(
    world: PostgresWorld, tiny_disk: Path, quiet: Callable[[], None]
) -> None:
    """F56: what is recorded goes to a disk of a megabyte, which somebody else fills."""
    async with day_at(world.place) as day, world.outside() as connection:
        await connection.execute(f"CREATE TABLESPACE tiny LOCATION '{tiny_disk}'")
        await connection.execute("ALTER TABLE facts SET TABLESPACE tiny")
        await connection.execute("CREATE TABLE filler (text text) TABLESPACE tiny")
        with pytest.raises(asyncpg.DiskFullError):
            await connection.execute(
                "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 2000)"
            )
        await day.feels_it()
        await connection.execute("DROP TABLE filler")
        await day.gets_on()
        await connection.execute("ALTER TABLE facts SET TABLESPACE pg_default")
        await connection.execute("DROP TABLESPACE tiny")
    quiet()


async def test_backends_that_are_ended_again_and_again(
    world: PostgresWorld, quiet: Callable[[], None]
) -> None:
    """F48."""
    async with day_at(world.place) as day, world.outside() as connection:
        for _ in range(15):
            await end_backends(connection)
            await day.gets_on(1)
        assert day.calls.failed > 0
    quiet()


async def test_a_table_that_somebody_keeps_locked_for_long(
    world: PostgresWorld, quiet: Callable[[], None]
) -> None:
    """F51."""
    place = replace(world.place, lock_seconds_max=0.05)
    async with day_at(place) as day, world.outside() as connection:
        await connection.execute("BEGIN; LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
        await day.feels_it()
        await connection.execute("COMMIT")
    quiet()


async def test_a_transaction_that_stays_open_for_long(world: PostgresWorld) -> None:
    """F55: it holds back vacuum, and nobody who works."""
    async with day_at(world.place) as day, world.outside() as connection:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await connection.fetch("SELECT count(*) FROM run")
        await day.gets_on(50)
        await connection.execute("COMMIT")


async def test_a_user_who_is_not_let_in_for_a_while(
    world: PostgresWorld, quiet: Callable[[], None]
) -> None:
    """As when a password is changed at the server first, and elsewhere a little later."""
    role = f"cashier_{world.place.schema}"
    place = replace(world.place, dsn=world.place.dsn.replace("postgres@", f"{role}@"))
    await world.sql(f"CREATE ROLE {role} LOGIN SUPERUSER")
    async with day_at(place) as day, world.outside() as connection:
        await connection.execute(f"ALTER ROLE {role} NOLOGIN")
        await end_backends(connection)
        await day.feels_it()
        await connection.execute(f"ALTER ROLE {role} LOGIN")
    quiet()
