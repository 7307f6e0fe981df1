"""How is a schedule kept in the file? Knows one table, and nothing of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.journal.beside.scheduling import ScheduleRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.values.injectable import Sql

__all__ = ["forget_schedule_named", "keep_schedule_row", "schedules_kept"]

_FIELDS = ("name", "version", "wake_at", "body")
_SELECT = "SELECT name, version, wake_at, body FROM makegood_schedule"


def keep_schedule_row(connection: Connection, row: ScheduleRow) -> bool:
    """Write a schedule over the version before it; say whether it is kept now."""
    connection.execute(
        """
        UPDATE makegood_schedule SET version = ?2, wake_at = ?3, body = ?4
         WHERE name = ?1 AND version = ?2 - 1
        """,
        (row.name, row.version, row.wake_at, row.body),
    )
    connection.execute(
        """
        INSERT INTO makegood_schedule (name, version, wake_at, body)
        SELECT ?1, ?2, ?3, ?4 WHERE ?2 = 1
            ON CONFLICT (name) DO NOTHING
        """,
        (row.name, row.version, row.wake_at, row.body),
    )
    found = connection.execute(f"{_SELECT} WHERE name = ?", (row.name,)).fetchall()
    return [_row(values) for values in found] == [row]


def schedules_kept(connection: Connection) -> tuple[ScheduleRow, ...]:
    """Return all schedules, sorted by name."""
    found = connection.execute(f"{_SELECT} ORDER BY name").fetchall()
    return tuple(_row(values) for values in found)


def forget_schedule_named(connection: Connection, name: str) -> bool:
    """Remove a schedule; say whether there was one."""
    found = connection.execute(
        "DELETE FROM makegood_schedule WHERE name = ? RETURNING name", (name,)
    ).fetchall()
    return bool(found)


def _row(values: Sequence[Sql]) -> ScheduleRow:
    return msgspec.convert(dict(zip(_FIELDS, values, strict=True)), ScheduleRow)
