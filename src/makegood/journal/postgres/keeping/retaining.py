"""How long is what has ended kept in the store? Knows one table, and what a prune would take."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.values.instants import micros

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood.journal.postgres.connection import Connection
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["keep_period", "periods_kept", "prunable_of"]


async def keep_period(
    connection: Connection, schema: str, workflow: str, period: timedelta | None
) -> None:
    """Keep how long the ended runs of a workflow are kept, or take that back."""
    if period is None:
        await connection.execute(f'DELETE FROM "{schema}".period WHERE workflow = $1', workflow)
        return
    await connection.execute(
        f"""
        INSERT INTO "{schema}".period (workflow, micros) VALUES ($1, $2)
            ON CONFLICT (workflow) DO UPDATE SET micros = excluded.micros
        """,
        workflow,
        micros(period),
    )


async def periods_kept(connection: Connection, schema: str) -> Mapping[str, timedelta]:
    """Return the period of each workflow that has one."""
    rows = await connection.fetch(f'SELECT workflow, micros FROM "{schema}".period')
    return {workflow: timedelta(microseconds=length) for workflow, length in rows}


async def prunable_of(
    connection: Connection, schema: str, *, ended_before: Instant, now: Instant
) -> int:
    """Return how many runs a prune would take."""
    count: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM "{schema}".run LEFT JOIN "{schema}".period USING (workflow)
         WHERE ended_at IS NOT NULL AND pruned_at IS NULL
           AND ended_at < coalesce($2 - micros, $1) AND wake_at IS NULL
           AND NOT EXISTS (SELECT FROM "{schema}".outgoing WHERE sender = run.id)
        """,
        ended_before,
        now,
    )
    return count
