"""The application's own tables where the journal itself is not in SQLite: a database in memory.

It lets the in-memory journal keep the promises about writes, local steps, queries and
migrations with the very functions that the SQLite journal uses. It knows nothing of runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from makegood.journal.protocol import Refused
from makegood.journal.sqlite.application import MIGRATION_TABLE, migrate, refusal_of, rows_of
from makegood.journal.sqlite.guard import Guard
from makegood.journal.sqlite.local import facts_of_local

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.protocol import Append, Migration
    from makegood.values.injectable import Sql

__all__ = ["Scratch"]


class Scratch:
    """One database in memory, guarded like the journal's own."""

    __slots__ = ("_connection", "_guard")

    def __init__(self) -> None:
        self._connection = apsw.Connection(":memory:")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute(MIGRATION_TABLE)
        self._guard = Guard(self._connection)

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Apply each migration once, all of them or none."""
        with self._connection:
            migrate(self._connection, self._guard, migrations)

    def rows(self, sql: str, parameters: Sequence[Sql]) -> list[tuple[Sql, ...]]:
        """Return the rows of a statement that only reads."""
        return rows_of(self._connection, self._guard, sql, parameters)

    def apply(self, append: Append) -> bytes | Refused:
        """Apply an append's writes and its local step; return its facts, or why it is refused."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            refusal = refusal_of(connection, self._guard, append.writes)
            facts = append.facts
            if refusal is None and append.local is not None:
                facts = facts_of_local(connection, self._guard, append.local)
            if refusal is None and connection.in_transaction:
                connection.execute("COMMIT")
        except apsw.ConstraintError as error:
            refusal = str(error)
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return facts if refusal is None else Refused(refusal)
