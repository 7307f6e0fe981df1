"""The application's own tables where the journal itself is not in SQLite: a database in memory.

It lets the in-memory journal keep the promises about writes, local steps, queries and
migrations with the very functions that the SQLite journal uses. It knows nothing of runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from makegood.errors import WritesRefused
from makegood.journal.application.connection import connect
from makegood.journal.application.guard import Guard
from makegood.journal.application.local import facts_of_local
from makegood.journal.application.tables import MIGRATION_TABLE, migrate, refusal_of, rows_of
from makegood.journal.protocol import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.protocol import Append, Migration
    from makegood.values.injectable import Sql

__all__ = ["Scratch"]


class Scratch:
    """One database in memory, guarded like the journal's own."""

    __slots__ = ("_connection", "_guard")

    def __init__(self) -> None:
        self._connection = connect(":memory:")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute(MIGRATION_TABLE)
        self._guard = Guard(self._connection)

    def migrate(self, migrations: Sequence[Migration]) -> None:
        """Apply each migration once, all of them or none."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrate(connection, self._guard, migrations)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Sequence[Sql]) -> list[tuple[Sql, ...]]:
        """Return the rows of a statement that only reads."""
        return rows_of(self._connection, self._guard, sql, parameters)

    def apply(self, append: Append) -> bytes | Refused:
        """Apply an append's writes and its local step; return its facts, or why it is refused."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            refusal = refusal_of(connection, self._guard, append.writes)
            if refusal is not None:
                return Refused(refusal)
            facts = append.facts
            if append.local is not None:
                facts = facts_of_local(connection, self._guard, append.local)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except apsw.ConstraintError as error:
            return _refused_at_commit(append, str(error))
        else:
            return facts
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _refused_at_commit(append: Append, reason: str) -> bytes | Refused:
    """Answer for a constraint that is only looked at when all is written."""
    local = append.local
    return Refused(reason) if local is None else local.failed(WritesRefused(reason))
