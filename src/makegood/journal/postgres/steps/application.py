"""How does the application's own SQL run on a connection to PostgreSQL? Knows no run.

Values go in and come out as every store has them: a whole `numeric` is an int and any other one
its digits, a truth value is 0 or 1, and what has no type of its own, such as a date, is its text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput
from makegood.journal.postgres.connection import TROUBLE, is_lost
from makegood.journal.postgres.steps.guard import Permission, permitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.protocol import Statement
    from makegood.values.injectable import Sql

__all__ = ["changed_rows", "refusal_of", "rows_of", "rows_read"]

_CHANGING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})


async def changed_rows(
    connection: Connection,
    schema: str,
    sql: str,
    parameters: Sequence[Sql],
    *,
    seconds: float | None = None,
) -> int:
    """Run a statement and return how many rows it changed."""
    statement = permitted(sql, Permission.WRITE, schema=schema)
    tag = (await connection.execute(statement, *parameters, timeout=seconds)).split()
    return int(tag[-1]) if tag[0] in _CHANGING else 0


async def rows_of(
    connection: Connection,
    schema: str,
    sql: str,
    parameters: Sequence[Sql],
    *,
    seconds: float | None = None,
) -> list[tuple[Sql, ...]]:
    """Run a statement, which may write, and return its rows."""
    statement = permitted(sql, Permission.WRITE, schema=schema)
    found = await connection.fetch(statement, *parameters, timeout=seconds)
    return [_plain_row(row) for row in found]


async def rows_read(
    connection: Connection, schema: str, sql: str, parameters: Sequence[Sql]
) -> list[tuple[Sql, ...]]:
    """Return the rows of a statement that only reads; `InvalidInput` for one that does more."""
    try:
        statement = permitted(sql, Permission.READ, schema=schema)
        await connection.execute("BEGIN READ ONLY")
        try:
            found = await connection.fetch(statement, *parameters)
        finally:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
    except TROUBLE as error:
        if is_lost(connection, error) and getattr(error, "sqlstate", None) != "25006":
            raise
        message = f"{error} in {sql!r}; a query reads the application's own tables"
        raise InvalidInput(message) from error
    return [_plain_row(row) for row in found]


async def refusal_of(
    connection: Connection, schema: str, writes: Sequence[Statement]
) -> str | None:
    """Apply a step's statements; return why they are refused, or None when all are applied.

    The caller rolls back what was applied before a refusal. A failure of the store is raised.
    """
    for statement in writes:
        try:
            changed = await changed_rows(connection, schema, statement.sql, statement.parameters)
        except TROUBLE as error:
            if is_lost(connection, error):
                raise
            return f"{error} in {statement.sql!r}"
        if statement.expect_rows is not None and changed != statement.expect_rows:
            return f"changed {changed} rows, not {statement.expect_rows}, in {statement.sql!r}"
    return None


def _plain_row(values: Iterable[object]) -> tuple[Sql, ...]:
    return tuple(_plain(value) for value in values)


def _plain(value: object) -> Sql:
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return str(value)
