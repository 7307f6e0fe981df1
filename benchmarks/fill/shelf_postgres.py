"""How do rows come in and out of a schema on PostgreSQL, and how a filled one comes to rest."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.database import connected
from benchmarks.fill.shelf import KEY_COLUMNS, TABLES, Rows
from makegood.journal.postgres.place import Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from benchmarks.database import Database
    from benchmarks.fill.shelf import Records, Shelf, Table
    from makegood.values.ids import RunId

__all__ = ["leave_alone", "postgres_shelf", "settle"]

# The schema is a plain name, checked in `Place`; tables and columns are named by it.
# ruff: noqa: S608


@asynccontextmanager
async def postgres_shelf(url: str) -> AsyncGenerator[Shelf, None]:
    """Connect to the schema of a journal's address."""
    async with connected(url) as connection:
        await connection.execute("SET synchronous_commit = off")
        yield _Shelf(Place.of(url).schema, connection)


async def leave_alone(url: str) -> None:
    """Have the server neither vacuum nor analyze the tables, so that it knows nothing of them."""
    async with connected(url) as connection:
        for table in _tables_of(url):
            await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")


async def settle(url: str) -> None:
    """Vacuum and analyze the tables and write them to the disk, before anybody is measured."""
    async with connected(url) as connection:
        for table in _tables_of(url):
            await connection.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")
            await connection.execute(f"VACUUM (ANALYZE) {table}")
        if await connection.fetchval("SELECT pg_has_role('pg_checkpoint', 'USAGE')"):
            await connection.execute("CHECKPOINT")


def _tables_of(url: str) -> list[str]:
    return [f'"{Place.of(url).schema}".{table}' for table in TABLES]


class _Shelf:
    """The tables of a schema."""

    def __init__(self, schema: str, connection: Database) -> None:
        self._schema = schema
        self._connection = connection

    async def rows_of(self, run: RunId) -> Rows:
        rows: Rows = {}
        for table, (of_run, order) in KEY_COLUMNS.items():
            found = await self._connection.fetch(
                f'SELECT * FROM "{self._schema}".{table} WHERE {of_run} = $1 ORDER BY {order}', run
            )
            rows[table] = tuple(dict(row) for row in found)
        return rows

    async def insert(
        self, columns: Mapping[Table, Sequence[str]], new: Mapping[Table, Records]
    ) -> None:
        await self._connection.execute("BEGIN")
        for table, records in new.items():
            await self._connection.copy_records_to_table(
                table, records=records, columns=columns[table], schema_name=self._schema
            )
        await self._connection.execute("COMMIT")

    async def megabytes(self) -> float:
        size: int = await self._connection.fetchval("SELECT pg_database_size(current_database())")
        return size / 1_000_000
