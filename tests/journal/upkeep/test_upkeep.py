"""A store is looked after from outside: its schema gets further, and no row is lost on the way."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from makegood import InvalidInput, StoreRefused
from makegood.journal.address import open_upkeep
from makegood.journal.mail import Waiting
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.upkeep.upkeep import PostgresUpkeep
from makegood.journal.protocol import Summary, ToRun
from makegood.journal.upkeep import Schema, forgotten
from makegood.values.instants import Instant
from tests.journal.promises import RUN
from tests.journal.records import STOCK, first, last, post, run_id
from tests.journal.upkeep.kept import POSTGRES, Kept, KeptFile, KeptSchema

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


# How far it is ----------------------------------------------------------------------------------


async def test_a_store_that_is_not_there_is_at_zero_and_is_not_made_by_asking(kept: Kept) -> None:
    schema = await kept.upkeep.schema((STOCK,))

    newest = schema.newest
    pending = (*(f"makegood {number}" for number in range(1, newest + 1)), "shop 1")
    assert schema == Schema(number=0, newest=newest, pending=pending)
    assert (await kept.upkeep.schema()).number == 0
    if isinstance(kept, KeptFile):
        assert not kept.path.parent.joinpath("orders.journal").exists()


async def test_an_upgrade_says_what_it_applied_and_then_finds_nothing_to_do(kept: Kept) -> None:
    newest = (await kept.upkeep.schema()).newest
    await kept.make(1)

    before = await kept.upkeep.schema((STOCK,))
    applied = await kept.upkeep.upgrade((STOCK,))

    assert before.pending == applied
    assert applied == (*(f"makegood {number}" for number in range(2, newest + 1)), "shop 1")
    assert (await kept.upkeep.schema((STOCK,))).is_current
    assert await kept.upkeep.upgrade((STOCK,)) == ()


async def test_of_upgraders_at_once_each_migration_is_applied_by_one(kept: Kept) -> None:
    upgraded = await asyncio.gather(*(kept.upkeep.upgrade((STOCK,)) for _ in range(4)))

    newest = (await kept.upkeep.schema()).newest
    whole = [f"makegood {number}" for number in range(1, newest + 1)]
    assert sorted(name for each in upgraded for name in each) == sorted([*whole, "shop 1"])


HALF_WAY = """
import asyncio, os, sys
from makegood.journal.address import open_upkeep
from makegood.journal.protocol import Migration

slow = {
    "sqlite": "CREATE TABLE held (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
              "SELECT i + 1 FROM n) INSERT INTO held SELECT i FROM n",
    "postgresql": "CREATE TABLE held (a int); SELECT pg_sleep(60)",
}[sys.argv[1].partition(":")[0]]
print("begun", flush=True)
upkeep = open_upkeep(sys.argv[1])
asyncio.run(upkeep.upgrade((Migration(owner="shop", number=1, sql=slow),)))
"""


async def test_an_upgrader_that_is_killed_half_way_leaves_everything_as_it_was(
    kept: Kept,
) -> None:
    await kept.make(1)
    before = await kept.upkeep.schema((STOCK,))
    if isinstance(kept, KeptFile):
        address = f"sqlite:///{kept.path}"
    else:
        assert isinstance(kept, KeptSchema)
        address = f"{kept.world.dsn}&schema={kept.world.place.schema}"

    # It is waited for below, and killed where that takes too long.
    command = [sys.executable, "-c", HALF_WAY, address]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220
    try:
        await asyncio.to_thread(child.stdout.readline)  # type: ignore[union-attr]
        await _is_half_way(kept)
    finally:
        child.send_signal(signal.SIGKILL)
        await asyncio.to_thread(child.communicate)

    assert await kept.upkeep.schema((STOCK,)) == before
    assert await kept.upkeep.upgrade((STOCK,)) == before.pending


async def _is_half_way(kept: Kept) -> None:
    """Wait until the engine's scripts are applied and the extension's is at work."""
    async with asyncio.timeout(30):
        while True:
            if isinstance(kept, KeptFile):
                log = kept.path.with_name("orders.journal-wal")
                if log.exists() and log.stat().st_size > 20_000_000:
                    return
            else:
                assert isinstance(kept, KeptSchema)
                sleeping = await kept.world.sql(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%held%pg_sleep%' "
                    "AND state = 'active' AND pid <> pg_backend_pid()"
                )
                if sleeping[0][0]:
                    return
            await asyncio.sleep(0.02)


# As text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(3))
async def test_the_sql_that_is_printed_does_what_an_upgrade_would(kept: Kept, number: int) -> None:
    if number >= (await kept.upkeep.schema()).newest:
        pytest.skip("this store has no such earlier number")
    if number:
        await kept.make(number)
    script = await kept.upkeep.script((STOCK,))

    assert await kept.run(script) == ""

    assert (await kept.upkeep.schema((STOCK,))).is_current
    assert await kept.upkeep.upgrade((STOCK,)) == ()
    assert "nothing to apply" in await kept.upkeep.script((STOCK,))
    journal = kept.journal()
    await journal.open(work=True, migrations=(STOCK,))
    assert await journal.query("SELECT count FROM stock") == [(5,)]
    await journal.append(first(RUN))
    await journal.close()


async def test_the_sql_for_one_number_changes_nothing_at_another(kept: Kept) -> None:
    newest = (await kept.upkeep.schema()).newest
    await kept.make(newest)
    script = await kept.upkeep.script(since=newest - 1)

    assert await kept.run(script) != ""

    assert (await kept.upkeep.schema()).is_current


async def test_the_sql_is_printed_without_the_store_and_only_for_numbers_that_are_known() -> None:
    upkeep = open_upkeep("postgresql://nobody@127.0.0.1:1/absent?schema=orders")

    whole = await upkeep.script((STOCK,), since=0)

    assert 'CREATE SCHEMA IF NOT EXISTS "orders"' in whole
    assert whole.count('INSERT INTO "orders".migration') == 1
    with pytest.raises(InvalidInput, match=f"--since {POSTGRES + 1}: .* the numbers 0 to"):
        await upkeep.script(since=POSTGRES + 1)


async def test_what_ends_with_its_process_has_nobody_who_looks_after_it() -> None:
    with pytest.raises(InvalidInput, match="ends with its process"):
        open_upkeep("memory://")
    with pytest.raises(InvalidInput, match="names no journal"):
        open_upkeep("mysql://host/db")


# A role without rights --------------------------------------------------------------------------


async def test_a_role_that_may_not_define_tables_works_where_nothing_is_to_be_defined(
    world: PostgresWorld,
) -> None:
    schema = world.place.schema
    role = f"clerk_{schema}"
    await KeptSchema(world).make(POSTGRES - 1)
    clerk = replace(world.place, dsn=world.dsn.replace("postgres@", f"{role}@"))
    await world.sql(f"CREATE ROLE {role} LOGIN")
    await world.sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    await world.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}")

    with pytest.raises(
        StoreRefused,
        match=rf"has number {POSTGRES - 1}, this program needs {POSTGRES}, and this user may not "
        r"change it \(.*\); run `makegood db upgrade` as its owner",
    ):
        await PostgresJournal(clerk).open(work=True)
    await PostgresUpkeep(world.place).upgrade()
    journal = PostgresJournal(clerk)
    await journal.open(work=True)
    await journal.append(first(RUN))
    await journal.append(last(RUN, 2, ended_at=1))
    await journal.close()

    assert (await PostgresUpkeep(clerk).schema()).is_current
    await world.sql(f"DROP OWNED BY {role}")
    await world.sql(f"DROP ROLE {role}")


async def test_a_role_is_given_a_schema_and_need_not_be_able_to_make_one(
    world: PostgresWorld,
) -> None:
    schema = world.place.schema
    role = f"owner_{schema}"
    await world.sql(f"CREATE ROLE {role} LOGIN")
    await world.sql(f"CREATE SCHEMA {schema} AUTHORIZATION {role}")
    owner = replace(world.place, dsn=world.dsn.replace("postgres@", f"{role}@"))

    assert len(await PostgresUpkeep(owner).upgrade()) == POSTGRES

    await world.sql(f"DROP OWNED BY {role}")
    await world.sql(f"DROP ROLE {role}")


# The auditor ------------------------------------------------------------------------------------


WAITING = Waiting(message="shop.Shipped", key="order-1", node="wait")


async def test_what_nothing_will_wake_is_found_and_parked_runs_are_not(kept: Kept) -> None:
    journal = kept.journal()
    await journal.open(work=True)
    parked = Summary(status="parked", reason="in doubt")
    await journal.append(first(run_id(1), summary=parked, release=True))
    await journal.append(first(run_id(2), release=True))
    await journal.append(first(run_id(3)))
    await journal.append(first(run_id(4), release=True, wake_at=Instant(9)))

    assert [row.run for row in await forgotten(journal)] == [run_id(2)]
    await journal.append(first(run_id(5), release=True))
    await journal.append(first(run_id(6), outgoing=(ToRun(run=run_id(5), body=b"1"),)))
    assert [row.run for row in await forgotten(journal)] == [run_id(2)]
    await journal.append(first(run_id(7), release=True, outgoing=(WAITING,)))
    await journal.deliver(limit=9, now=Instant(1))
    assert [row.run for row in await forgotten(journal)] == [run_id(2)]
    await journal.post(post(run_id(2)))
    assert await forgotten(journal) == ()
    await journal.close()
