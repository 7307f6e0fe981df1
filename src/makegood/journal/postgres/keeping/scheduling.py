"""How is a schedule kept in the store? Knows one table, and nothing of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.beside.scheduling import ScheduleRow
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from makegood.journal.postgres.connection import Connection, Row

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["forget_schedule_named", "keep_schedule_row", "schedules_kept"]

_SELECT = "SELECT name, version, wake_at, body"


async def keep_schedule_row(connection: Connection, schema: str, row: ScheduleRow) -> bool:
    """Write a schedule over the version before it; say whether it is kept now."""
    values = (row.name, row.version, row.wake_at, row.body)
    await connection.execute(
        f"""
        UPDATE "{schema}".schedule SET version = $2, wake_at = $3, body = $4
         WHERE name = $1 AND version = $2::bigint - 1
        """,
        *values,
    )
    await connection.execute(
        f"""
        INSERT INTO "{schema}".schedule (name, version, wake_at, body)
        SELECT $1, $2, $3, $4 WHERE $2::bigint = 1
            ON CONFLICT (name) DO NOTHING
        """,
        *values,
    )
    found = await connection.fetchrow(
        f'{_SELECT} FROM "{schema}".schedule WHERE name = $1', row.name
    )
    return found is not None and _row(found) == row


async def schedules_kept(connection: Connection, schema: str) -> tuple[ScheduleRow, ...]:
    """Return all schedules, sorted by name."""
    found = await connection.fetch(f'{_SELECT} FROM "{schema}".schedule ORDER BY name')
    return tuple(_row(row) for row in found)


async def forget_schedule_named(connection: Connection, schema: str, name: str) -> bool:
    """Remove a schedule; say whether there was one."""
    found = await connection.fetch(
        f'DELETE FROM "{schema}".schedule WHERE name = $1 RETURNING name', name
    )
    return bool(found)


def _row(row: Row) -> ScheduleRow:
    name, version, wake_at, body = row
    return ScheduleRow(
        name=name,
        version=int(version),
        wake_at=None if wake_at is None else Instant(wake_at),
        body=bytes(body),
    )
