"""What happens in the application's own tables? Knows migrations, writes and queries, no run.

The tables of extensions and of the shop live in the journal's file so that their changes share a
commit with the facts. The in-memory journal uses the same functions over a database in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import apsw

from makegood.errors import InvalidInput, StoreRefused
from makegood.journal.application.guard import Permission
from makegood.journal.application.local import LOCAL_LOST, changed_rows
from makegood.journal.application.numbering import name_of, to_apply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.application.guard import Guard
    from makegood.journal.protocol import Migration, Statement
    from makegood.values.injectable import Sql

__all__ = ["MIGRATION_TABLE", "migrate", "refusal_of", "rows_of"]

MIGRATION_TABLE = """
CREATE TABLE IF NOT EXISTS makegood_migration (
    owner  TEXT    NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (owner, number)
) WITHOUT ROWID
"""


def refusal_of(connection: Connection, guard: Guard, writes: Sequence[Statement]) -> str | None:
    """Apply a step's statements; return why they are refused, or None when all are applied.

    The caller's savepoint takes back what was applied before the refusal. A failure of the store
    itself is raised.
    """
    for statement in writes:
        try:
            changed = changed_rows(connection, statement.sql, statement.parameters, guard)
        except LOCAL_LOST:
            raise
        except (apsw.Error, TypeError, ValueError, OverflowError) as error:
            return f"{error} in {statement.sql!r}"
        if statement.expect_rows is not None and changed != statement.expect_rows:
            return f"changed {changed} rows, not {statement.expect_rows}, in {statement.sql!r}"
    return None


def rows_of(
    connection: Connection, guard: Guard, sql: str, parameters: Sequence[Sql]
) -> list[tuple[Sql, ...]]:
    """Return the rows of a statement that only reads; `InvalidInput` for one that does more."""
    try:
        with guard.only(Permission.READ):
            return connection.execute(sql, tuple(parameters), can_cache=False).fetchall()
    except (apsw.SQLError, apsw.AuthError, apsw.ReadOnlyError, apsw.BindingsError) as error:
        message = f"{error} in {sql!r}; a query reads the application's own tables"
        raise InvalidInput(message) from error


def migrate(connection: Connection, guard: Guard, migrations: Sequence[Migration]) -> list[str]:
    """Apply each migration that was not applied yet, in order; the caller holds a transaction.

    Return the names of those that were applied.
    """
    applied = cast(
        "set[tuple[str, int]]",
        set(connection.execute("SELECT owner, number FROM makegood_migration")),
    )
    missing = to_apply(migrations, applied)
    for migration in missing:
        _apply(connection, guard, migration)
    return [name_of(migration.owner, migration.number) for migration in missing]


def _apply(connection: Connection, guard: Guard, migration: Migration) -> None:
    try:
        with guard.only(Permission.DEFINE):
            for _ in connection.execute(migration.sql, can_cache=False):
                pass
    except (apsw.SQLError, apsw.AuthError, apsw.ConstraintError) as error:
        message = f"migration {migration.number} of {migration.owner!r} failed: {error}"
        raise StoreRefused(message) from error
    connection.execute(
        "INSERT INTO makegood_migration (owner, number) VALUES (?, ?)",
        (migration.owner, migration.number),
    )
