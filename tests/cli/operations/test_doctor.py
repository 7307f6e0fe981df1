"""`makegood doctor`: each check is well where all is well, and says so where it is not."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from makegood.cli.app import main
from makegood.cli.operations.doctor import audited, keys_check
from makegood.cli.status import DONE, FOUND
from makegood.journal.mail import Claiming, LettingGo, ToRun, write_outgoing
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.postgres.connection import ASYNCPG
from makegood.journal.postgres.opening import open_database, scripts
from makegood.journal.postgres.upkeep.upkeep import PostgresUpkeep
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.journal.sqlite.rows import HELD
from makegood.journal.sqlite.upkeep import SqliteUpkeep
from makegood.journal.upkeep import Bounds, Check, Health
from makegood.runtime.clock import SystemClock
from makegood.testing.servers import PostgresServer
from makegood.values.instants import Instant
from tests.cli.shop import run_id
from tests.journal.records import first, last

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.postgres.connection import Connection, Pool
    from makegood.journal.postgres.place import Place
    from makegood.journal.upkeep import Upkeep
    from tests.journal.postgres.served import PostgresWorld, Served

NOW = SystemClock().now


async def found(upkeep: Upkeep, **options: Any) -> dict[str, Check]:
    """Return the checks that are not well, by name."""
    checks = await upkeep.examine(**({"now": NOW} | options))
    return {check.name: check for check in checks if check.health is not Health.OK}


def change(store: str | Path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(sql, parameters)


# The command ------------------------------------------------------------------------------------


def test_what_is_well_is_said_in_a_line_each(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, "UPDATE makegood_run SET wake_at = 1e17 WHERE wake_at IS NOT NULL")
    assert main(["doctor", "--store", store, "--thorough"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["✓", name]
        for name in (
            *("server", "schema", "log", "disk", "settings", "indexes", "leader", "lag"),
            *("content", "mail", "keys", "runs"),
        )
    ]
    assert lines[-1].endswith("something that will wake it; 2 parked, to wait for a person")


def test_what_is_wrong_is_said_with_its_remedy_and_by_the_status(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, "UPDATE makegood_run SET wake_at = NULL WHERE id = ?", run_id(5))
    change(store, "DROP INDEX makegood_run_by_wake")
    news = write_outgoing(ToRun(run=run_id(1), body=b"1"))
    change(store, "INSERT INTO makegood_outgoing VALUES (1, ?, 0, ?)", run_id(2), news)
    assert main(["doctor", "--store", store]) == FOUND
    shown = capsys.readouterr().out
    assert "✗ indexes   makegood_run_by_wake is missing\n" in shown
    assert "            → make them again" in shown
    assert "✗ mail      what a run says to another one is on its way since" in shown
    assert "✗ runs      runs that nothing will wake: 1" in shown
    assert main(["doctor", "--store", store, "--json"]) == FOUND
    checks = {each["name"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
    assert (checks["runs"]["health"], checks["lag"]["health"]) == ("wrong", "ok")


async def test_the_auditor_needs_no_more_than_a_journal() -> None:
    journal = MemoryJournal(MemoryStore())
    await journal.open(work=True)
    await journal.append(first(run_id(1)))
    assert (await audited(journal)).health is Health.OK
    await journal.append(first(run_id(2), release=True))
    assert (await audited(journal)).health is Health.WRONG


async def test_a_key_that_is_held_by_a_run_that_has_ended_is_found() -> None:
    journal = MemoryJournal(MemoryStore())
    await journal.open(work=True)
    claim = Claiming(key="account/17", id="hold@1", root=run_id(1), body=b"1")
    await journal.append(first(run_id(1), outgoing=(claim,)))
    await journal.deliver(limit=9, now=Instant(1))
    assert (await keys_check(journal)).health is Health.OK
    held = last(run_id(1), 2, ended_at=1, inbox_head=1, outgoing=(LettingGo(key="another"),))
    await journal.append(held)
    assert (await keys_check(journal)).health is Health.OK, "it is on its way"
    await journal.deliver(limit=9, now=Instant(1))

    check = await keys_check(journal)

    assert check.health is Health.WRONG
    assert check.says == "keys held by runs that have ended: 1, 'account/17' for one"


# A file -----------------------------------------------------------------------------------------


async def test_a_file_is_found_wanting_in_each_of_its_ways(store: str, tmp_path: Path) -> None:
    large = Bounds(disk_bytes_min=1 << 60, log_bytes_max=-1)
    Path(f"{store}-wal").touch()  # noqa: ASYNC240 - it takes no time

    wanting = await found(SqliteUpkeep(store, bounds=large))

    assert {name: check.health.value for name, check in wanting.items()} == {
        "log": "warning",
        "disk": "wrong",
        "leader": "warning",
        "lag": "wrong",
    }
    assert set(await found(SqliteUpkeep(tmp_path / "absent.journal"))) == {"schema"}


async def test_who_leads_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.journal"
    journal = SqliteJournal(path)
    await journal.open(work=True)
    await journal.close()
    change(path, "DELETE FROM makegood_run")
    assert "leader" not in await found(SqliteUpkeep(path))
    change(
        path,
        "INSERT INTO makegood_run (id, workflow, fingerprint, input_hash, status, seq, inbox_head, "
        "epoch, claims, owner, wake_at, created_at) VALUES ('r', 'w', 'f', 'h', 'running', 1, 0, "
        "1, 0, 'gone', ?, 0)",
        HELD,
    )

    assert (await found(SqliteUpkeep(path)))["leader"].remedy == "start a worker"


async def test_a_file_with_another_mode_or_an_older_schema_is_told_of(store: str) -> None:
    change(store, "PRAGMA journal_mode = DELETE")
    change(store, "PRAGMA user_version = 1")

    wanting = await found(SqliteUpkeep(store))

    assert wanting["settings"].says == "journal_mode is delete, as another program left it"
    assert wanting["schema"].remedy == "run `makegood db upgrade`"


async def test_a_damaged_file_is_found_by_who_reads_it_whole(store: str) -> None:
    with closing(sqlite3.connect(store)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'makegood_facts'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with open(store, "r+b") as file:  # noqa: ASYNC230, PTH123 - a moment, and a path
        file.seek((page - 1) * size + 8)
        file.write(b"\xff" * 64)

    assert (await found(SqliteUpkeep(store), thorough=True))["content"].health is Health.WRONG


# A server ---------------------------------------------------------------------------------------


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


async def make(world: PostgresWorld) -> None:
    connection = await open_database(world.place, ())
    await connection.close(timeout=5)


@pytest.mark.real
async def test_a_schema_and_its_server_are_well(world: PostgresWorld) -> None:
    assert set(await found(PostgresUpkeep(world.place))) == {"schema"}
    await make(world)
    # Other tests of this process may have transactions open.
    quiet = Bounds(transaction_seconds=3600)
    assert await found(PostgresUpkeep(world.place, bounds=quiet)) == {}


@pytest.mark.real
async def test_a_schema_is_found_wanting_in_each_of_its_ways(world: PostgresWorld) -> None:
    await make(world)
    row = (
        "INSERT INTO run (id, workflow, fingerprint, input_hash, status, seq, inbox_head, "
        "inbox_taken, epoch, claims, owner, wake_at, created_at) "
        "VALUES ($1, 'w', 'f', 'h', 'running', 1, 0, 0, 1, 0, $2, 1, 0)"
    )
    await world.sql(row, "held", "gone")
    await world.sql(row, "due", None)
    await world.sql("DROP INDEX run_ended")
    await world.sql(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'run_by_subject'::regclass"
    )
    greedy = replace(world.place, connections_max=1000)

    async with world.outside() as other:
        await other.execute("BEGIN; SELECT 1")
        wanting = await found(
            PostgresUpkeep(greedy, bounds=Bounds(transaction_seconds=0)),
            now=lambda: Instant(NOW() + 90_000_000),
        )

    assert {name: check.health.value for name, check in wanting.items()} == {
        "clock": "warning",
        "connections": "warning",
        "indexes": "wrong",
        "lag": "wrong",
        "leases": "wrong",
        "transactions": "wrong",
    }
    assert wanting["indexes"].says == "run_ended is missing, run_by_subject is invalid"
    assert "are 9" in wanting["clock"].says or "are 89" in wanting["clock"].says
    assert wanting["leases"].says.endswith("who are gone, and that nobody claims: 1")


@pytest.mark.real
async def test_a_schema_that_is_not_ours_or_behind_is_told_of(world: PostgresWorld) -> None:
    earlier = await open_database(world.place, (), own=scripts()[:1])
    await earlier.close(timeout=5)
    assert (await found(PostgresUpkeep(world.place)))["schema"].says.startswith("its number is 1")
    await world.sql("UPDATE meta SET value = 99")
    assert (await found(PostgresUpkeep(world.place)))["schema"].remedy == (
        "upgrade makegood on this host"
    )
    await world.sql("DROP TABLE meta")
    assert "is not a journal" in (await found(PostgresUpkeep(world.place)))["schema"].says


@pytest.mark.real
async def test_a_server_that_loses_what_it_acknowledged_is_wrong() -> None:
    unsafe = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    with PostgresServer(settings=unsafe) as server:
        upkeep = PostgresUpkeep(f"{server.url()}?pooled=1")
        checks = await upkeep.examine(now=NOW)
    said = [check.says.split()[0] for check in checks if check.name == "settings"]
    assert said == [
        *("fsync", "full_page_writes", "synchronous_commit"),
        *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"),
    ]


class Pooling:
    """A driver whose connections have the session that is free: a transaction pooler's."""

    def __init__(self) -> None:
        self.connections = 0

    async def connect(self, place: Place) -> Connection:
        self.connections += 1
        made: Any = await ASYNCPG.connect(place)
        return Pooled(made, self)  # type: ignore[return-value]

    async def pool_of(self, place: Place) -> Pool:
        return await ASYNCPG.pool_of(place)


class Pooled:
    """One of its connections, which another session answers once there are two."""

    def __init__(self, made: Any, pooling: Pooling) -> None:
        self._made = made
        self._pooling = pooling

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    async def fetchval(self, query: str, *args: object) -> Any:
        if "pg_backend_pid" in query:
            return self._pooling.connections
        return await self._made.fetchval(query, *args)


@pytest.mark.real
async def test_a_pooler_that_the_address_does_not_name_is_wrong(world: PostgresWorld) -> None:
    await make(world)

    unnamed = await found(PostgresUpkeep(world.place, driver=Pooling()))
    named = await found(PostgresUpkeep(replace(world.place, pooled=True), driver=Pooling()))

    assert unnamed["pooler"].remedy == "add pooled=1 to the address"
    assert unnamed["pooler"].health is Health.WRONG
    assert "pooler" not in named


@pytest.mark.real
async def test_a_database_without_a_schema_is_a_mistake_and_none_is_made(
    world: PostgresWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"{world.dsn}&schema={world.place.schema}"

    assert await asyncio.to_thread(main, ["runs", "--store", address]) == 2
    assert f"there is no journal in the schema {world.place.schema} of" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["doctor", "--store", address]) == FOUND
    assert await asyncio.to_thread(main, ["db", "status", "--store", address]) == FOUND
    schemas = await world.sql(
        "SELECT count(*) FROM pg_namespace WHERE nspname = $1", world.place.schema
    )
    assert schemas[0][0] == 0
