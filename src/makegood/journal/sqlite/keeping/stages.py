"""Where do runs stand, and how did they come there? Reads rows, and knows no lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from makegood.journal.staging import MOVE_COLUMNS, Move, MoveCount, StageCount, move_of

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["moves_counted", "moves_of", "stages_counted"]


def moves_of(connection: Connection, run: RunId, *, after: int, limit: int) -> tuple[Move, ...]:
    """Return the moves of a run behind a version, the oldest first."""
    found = connection.execute(
        f"SELECT {MOVE_COLUMNS} FROM makegood_move"  # noqa: S608 - columns of ours, values bound
        " WHERE run = ? AND version > ? ORDER BY version LIMIT ?",
        (run, after, limit),
    ).fetchall()
    return tuple(move_of(run, values) for values in found)


def stages_counted(connection: Connection, workflow: str | None) -> tuple[StageCount, ...]:
    """Return how many unfinished runs stand at each stage, and the one that has stood longest."""
    # Beside a single min() SQLite takes the other columns from the row that has it; the id is a
    # part of what is compared, for the order of runs that came at the same moment.
    found = connection.execute(
        """
        SELECT workflow, stage, count(*), sum(status = 'parked'), sum(status = 'paused'),
               stage_since, id, min(printf('%020d', stage_since) || id)
          FROM makegood_run
         WHERE ended_at IS NULL AND stage IS NOT NULL AND (?1 IS NULL OR workflow = ?1)
         GROUP BY workflow, stage ORDER BY workflow, stage
        """,
        (workflow,),
    ).fetchall()
    return tuple(
        StageCount(
            workflow=name,
            stage=stage,
            count=count,
            parked=parked,
            paused=paused,
            since=since,
            oldest=oldest,
        )
        for name, stage, count, parked, paused, since, oldest, _ in cast(
            "list[tuple[str, str, int, int, int, Instant, RunId, str]]", found
        )
    )


def moves_counted(
    connection: Connection, workflow: str | None, since: Instant
) -> tuple[MoveCount, ...]:
    """Return how many moves were made from each stage to another one since a moment."""
    found = connection.execute(
        """
        SELECT workflow, origin, destination, count(*) FROM makegood_move
         WHERE at >= ?2 AND (?1 IS NULL OR workflow = ?1)
         GROUP BY workflow, origin, destination
         ORDER BY workflow, origin NULLS FIRST, destination
        """,
        (workflow, since),
    ).fetchall()
    return tuple(
        MoveCount(workflow=name, origin=origin, destination=destination, count=count)
        for name, origin, destination, count in cast(
            "list[tuple[str, str | None, str, int]]", found
        )
    )
