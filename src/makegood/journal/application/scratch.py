"""The application's own tables where the journal itself is not in SQLite: a database in memory.

It lets the in-memory journal keep the promises about writes, local steps, queries and
migrations with the very functions that the SQLite journal uses. It knows nothing of runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import apsw

from makegood.errors import WritesRefused
from makegood.journal.application.connection import connect
from makegood.journal.application.guard import Guard
from makegood.journal.application.local import result_of_local
from makegood.journal.application.tables import MIGRATION_TABLE, migrate, refusal_of, rows_of
from makegood.journal.protocol import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.local import LocalBody
    from makegood.journal.protocol import Migration, Statement
    from makegood.values.injectable import Sql

__all__ = ["Scratch"]

T = TypeVar("T")


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

    def apply(self, writes: Sequence[Statement], local: LocalBody[T] | None) -> T | Refused | None:
        """Apply statements and a local body; return what that gave, or why it is refused."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            refusal = refusal_of(connection, self._guard, writes)
            if refusal is not None:
                return Refused(refusal)
            given = None if local is None else result_of_local(connection, self._guard, local)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except apsw.ConstraintError as error:
            return _refused_at_commit(local, str(error))
        else:
            return given
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _refused_at_commit(local: LocalBody[T] | None, reason: str) -> T | Refused:
    """Answer for a constraint that is only looked at when all is written."""
    return Refused(reason) if local is None else local.failed(WritesRefused(reason))
