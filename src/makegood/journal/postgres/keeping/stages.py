"""Where do runs stand, and how did they come there? Reads rows, and knows no lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.staging import MOVE_COLUMNS, Move, MoveCount, StageCount, move_of
from makegood.values.ids import RunId

if TYPE_CHECKING:
    from makegood.journal.postgres.connection import Connection
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["moves_counted", "moves_of", "stages_counted"]


async def moves_of(
    connection: Connection, schema: str, run: RunId, *, after: int, limit: int
) -> tuple[Move, ...]:
    """Return the moves of a run behind a version, the oldest first."""
    rows = await connection.fetch(
        f"""
        SELECT {MOVE_COLUMNS} FROM "{schema}".move
         WHERE run = $1 AND version > $2 ORDER BY version LIMIT $3
        """,
        *(run, after, limit),
    )
    return tuple(move_of(run, values) for values in rows)


async def stages_counted(
    connection: Connection, schema: str, workflow: str | None
) -> tuple[StageCount, ...]:
    """Return how many unfinished runs stand at each stage, and the one that has stood longest."""
    rows = await connection.fetch(
        f"""
        SELECT workflow, stage, count(*), count(*) FILTER (WHERE status = 'parked'),
               count(*) FILTER (WHERE status = 'paused'), min(stage_since),
               (min(ARRAY[to_char(stage_since, 'FM00000000000000000000'), id] COLLATE "C"))[2]
          FROM "{schema}".run
         WHERE ended_at IS NULL AND stage IS NOT NULL AND ($1::text IS NULL OR workflow = $1)
         GROUP BY workflow, stage ORDER BY workflow, stage
        """,
        workflow,
    )
    return tuple(
        StageCount(
            workflow=name,
            stage=stage,
            count=count,
            parked=parked,
            paused=paused,
            since=since,
            oldest=RunId(oldest),
        )
        for name, stage, count, parked, paused, since, oldest in rows
    )


async def moves_counted(
    connection: Connection, schema: str, workflow: str | None, since: Instant
) -> tuple[MoveCount, ...]:
    """Return how many moves were made from each stage to another one since a moment."""
    rows = await connection.fetch(
        f"""
        SELECT workflow, origin, destination, count(*) FROM "{schema}".move
         WHERE at >= $2 AND ($1::text IS NULL OR workflow = $1)
         GROUP BY workflow, origin, destination
         ORDER BY workflow, origin NULLS FIRST, destination
        """,
        *(workflow, since),
    )
    return tuple(
        MoveCount(workflow=name, origin=origin, destination=destination, count=count)
        for name, origin, destination, count in rows
    )
