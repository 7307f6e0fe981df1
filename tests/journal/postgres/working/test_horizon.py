"""Is it said what keeps the server from removing old rows?"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from makegood.journal.postgres.journal import PostgresJournal
from makegood.testing.servers import PostgresServer
from tests.journal.postgres.served import PostgresWorld, Served, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

pytestmark = pytest.mark.real

BOUND = 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server in which only these tests have transactions."""
    settings = {"max_prepared_transactions": "2", "wal_level": "logical"}
    with PostgresServer(settings=settings) as server:
        yield server


@pytest.fixture
async def world(server: PostgresServer) -> AsyncGenerator[PostgresWorld, None]:
    world = await Served(server.url(), is_ours=True).world(transaction_seconds_max=BOUND)
    yield world
    await world.close()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "kept a transaction" in record.message]


async def is_warned(caplog: pytest.LogCaptureFixture, *, times: int = 1) -> None:
    async def is_so() -> bool:
        return len(warnings_in(caplog)) >= times

    await eventually(is_so)


async def has_looked(world: PostgresWorld, *, times: int) -> None:
    """Wait until the journals here have looked so often again."""
    loop = asyncio.get_running_loop()
    end = loop.time() + times * BOUND * 1.5

    async def is_so() -> bool:
        return loop.time() > end

    await eventually(is_so)


async def open_as_nobody(world: PostgresWorld) -> PostgresJournal:
    """Open a journal as a role that may do what an engine needs, and nothing else."""
    role = f"worker_{world.place.schema}"
    await world.sql(f"CREATE ROLE {role} LOGIN")
    await world.sql(f"GRANT CREATE ON DATABASE postgres TO {role}")
    dsn = world.place.dsn.replace("postgres@", f"{role}@")
    journal = PostgresJournal(replace(world.place, dsn=dsn))
    await journal.open(work=True)
    world.journals.append(journal)
    return journal


@pytest.mark.parametrize("may_see_all", [True, False])
async def test_a_transaction_that_is_open_for_long_is_warned_of_once(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture, *, may_see_all: bool
) -> None:
    """Whoever may not see when it began sees that it is still the same."""
    if may_see_all:
        await world.open()
    else:
        await open_as_nobody(world)
    async with world.outside() as connection, connection.transaction(isolation="repeatable_read"):
        process = await connection.fetchval("SELECT pg_backend_pid()")
        await is_warned(caplog)
        await has_looked(world, times=3)

    (said,) = warnings_in(caplog)
    where = r"127\S+"
    assert re.match(
        rf"process {process} has kept a transaction open at {where} for \d+ s; no", said
    )


async def test_the_next_one_is_warned_of_too(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture
) -> None:
    await world.open()
    for times in (1, 2):
        async with world.outside() as connection, connection.transaction():
            await connection.execute("SELECT txid_current()")
            await is_warned(caplog, times=times)

    assert len(set(warnings_in(caplog))) == 2


async def test_slots_and_prepared_transactions_are_warned_of_by_name(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture
) -> None:
    await world.open()
    await world.sql("SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')")
    await is_warned(caplog)
    await world.sql("SELECT pg_drop_replication_slot('forgotten')")
    async with world.outside() as connection:
        await connection.execute("BEGIN")
        await connection.execute("SELECT txid_current()")
        await connection.execute("PREPARE TRANSACTION 'half done'")
    await is_warned(caplog, times=2)
    await world.sql("ROLLBACK PREPARED 'half done'")

    first, second = warnings_in(caplog)
    assert first.startswith("replication slot forgotten has kept")
    assert second.startswith("prepared transaction half done has kept")


async def test_a_look_that_fails_hurts_nobody(
    world: PostgresWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="makegood")
    await world.sql("REVOKE SELECT ON pg_stat_progress_vacuum FROM PUBLIC")
    journal = await open_as_nobody(world)

    async def is_told() -> bool:
        return "nothing can be said of old transactions: permission denied" in caplog.text

    await eventually(is_told)
    await world.sql("GRANT SELECT ON pg_stat_progress_vacuum TO PUBLIC")
    assert journal.leads
