"""Rows in and out of a SQLite file, on a connection of its own: no engine may be open on it."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import apsw

from benchmarks.fill.shelf import KEY_COLUMNS, TABLES, Row, Rows
from makegood.journal.application.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from benchmarks.fill.shelf import Records, Shelf, Table
    from makegood.journal.application.connection import Connection
    from makegood.values.ids import RunId
    from makegood.values.injectable import Sql

__all__ = ["sqlite_shelf"]

_CACHE_KILOBYTES = 500_000

# Tables and columns are named by the schema; values are bound.
# ruff: noqa: S608


@asynccontextmanager
async def sqlite_shelf(path: str) -> AsyncGenerator[Shelf, None]:
    """Open a file; in the end all of it is on the disk, so that nobody is measured before that."""
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KILOBYTES}")
        yield _Shelf(connection)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        connection.close()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Shelf:
    """The tables of a file."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def rows_of(self, run: RunId) -> Rows:
        return {table: tuple(self._rows(table, run)) for table in TABLES}

    async def insert(
        self, columns: Mapping[Table, Sequence[str]], new: Mapping[Table, Records]
    ) -> None:
        self._connection.execute("BEGIN")
        for table, records in new.items():
            named = ", ".join(columns[table])
            places = ", ".join("?" * len(columns[table]))
            insert = f"INSERT INTO makegood_{table} ({named}) VALUES ({places})"
            for record in records:
                self._connection.execute(insert, cast("tuple[Sql, ...]", record))
        self._connection.execute("COMMIT")

    async def megabytes(self) -> float:
        pages, page_bytes = (
            cast("int", self._connection.execute(f"PRAGMA {name}").get)
            for name in ("page_count", "page_size")
        )
        return pages * page_bytes / 1_000_000

    def _rows(self, table: Table, run: RunId) -> list[Row]:
        names = [
            cast("str", name)
            for (name,) in self._connection.execute(
                "SELECT name FROM pragma_table_info(?)", (f"makegood_{table}",)
            )
        ]
        of_run, order = KEY_COLUMNS[table]
        found = self._connection.execute(
            f"SELECT * FROM makegood_{table} WHERE {of_run} = ? ORDER BY {order}", (run,)
        )
        return [dict(zip(names, values, strict=True)) for values in found]
