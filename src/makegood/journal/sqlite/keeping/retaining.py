"""How long is what has ended kept in the file? Knows one table, and which runs that lets go."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from makegood.journal.beside.retaining import ended_before_of
from makegood.values.instants import micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from makegood.journal.application.connection import Connection
    from makegood.values.instants import Instant

__all__ = ["keep_period", "periods_kept", "prunable_of", "prune_ended"]


def keep_period(connection: Connection, workflow: str, period: timedelta | None) -> None:
    """Keep how long the ended runs of a workflow are kept, or take that back."""
    if period is None:
        connection.execute("DELETE FROM makegood_period WHERE workflow = ?", (workflow,))
        return
    connection.execute(
        """
        INSERT INTO makegood_period (workflow, micros) VALUES (?, ?)
            ON CONFLICT (workflow) DO UPDATE SET micros = excluded.micros
        """,
        (workflow, micros(period)),
    )


def periods_kept(connection: Connection) -> Mapping[str, timedelta]:
    """Return the period of each workflow that has one."""
    found = connection.execute("SELECT workflow, micros FROM makegood_period").fetchall()
    return {
        workflow: timedelta(microseconds=length)
        for workflow, length in cast("list[tuple[str, int]]", found)
    }


def prunable_of(connection: Connection, *, ended_before: Instant, now: Instant) -> int:
    """Return how many runs a prune would take."""
    count = 0
    for workflow, before in _workflows(connection, ended_before=ended_before, now=now):
        found = connection.execute(f"SELECT count(*) {_ENDED}", (workflow, before))
        count += cast("int", found.get)
    return count


def prune_ended(connection: Connection, *, ended_before: Instant, limit: int, now: Instant) -> int:
    """Remove the history of ended runs that nobody holds and nothing wakes; return how many."""
    marked: list[str] = []
    for workflow, before in _workflows(connection, ended_before=ended_before, now=now):
        if len(marked) == limit:
            break
        found = connection.execute(
            f"""
            UPDATE makegood_run SET pruned_at = ?4, subject = NULL
             WHERE id IN (SELECT id {_ENDED} ORDER BY ended_at, id LIMIT ?3)
            RETURNING id
            """,  # noqa: S608 - our own condition
            (workflow, before, limit - len(marked), now),
        ).fetchall()
        marked += [run for (run,) in cast("list[tuple[str]]", found)]
    runs = (msgspec.json.encode(marked).decode(),)
    for statement in (
        "DELETE FROM makegood_facts WHERE run IN (SELECT value FROM json_each(?))",
        "DELETE FROM makegood_inbox WHERE run IN (SELECT value FROM json_each(?))",
        "DELETE FROM makegood_move WHERE run IN (SELECT value FROM json_each(?))",
        """DELETE FROM makegood_run
            WHERE (key IS NULL OR key_hold = 2) AND id IN (SELECT value FROM json_each(?))""",
    ):
        connection.execute(statement, runs)
    return len(marked)


_ENDED = """
    FROM makegood_run
   WHERE workflow = ?1 AND ended_at IS NOT NULL AND pruned_at IS NULL AND ended_at < ?2
     AND wake_at IS NULL AND id NOT IN (SELECT sender FROM makegood_outgoing)
"""

_NEXT_WORKFLOW = """
    SELECT min(workflow) FROM makegood_run
     WHERE ended_at IS NOT NULL AND pruned_at IS NULL AND workflow > ?
"""


def _workflows(
    connection: Connection, *, ended_before: Instant, now: Instant
) -> Iterator[tuple[str, Instant]]:
    """Give each workflow that has ended runs, and before when those ended that may go."""
    periods = periods_kept(connection)
    name = cast("str | None", connection.execute(_NEXT_WORKFLOW, ("",)).get)
    while name is not None:
        yield name, ended_before_of(periods.get(name), ended_before=ended_before, now=now)
        name = cast("str | None", connection.execute(_NEXT_WORKFLOW, (name,)).get)
