"""How does a run come to go by another plan? Knows one row, and nothing of what a plan is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.journal.postgres.connection import Connection
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["adopt_run"]


async def adopt_run(
    connection: Connection,
    schema: str,
    run: RunId,
    *,
    plan: str,
    instead_of: str,
    seq: int,
    now: Instant,
    wakes: bool,
) -> bool:
    """Let a run that nobody holds go by another plan; say whether that was done.

    A lease ends by the server's clock. Whose lease has run out has lost the run, as when it is
    claimed by somebody else.
    """
    found = await connection.fetchval(
        f"""
        WITH free AS MATERIALIZED (
            SELECT id, owner FROM "{schema}".run
             WHERE id = $1 AND fingerprint = $3 AND seq = $4 AND pruned_at IS NULL
               AND (owner IS NULL OR wake_at <= "{schema}".server_now())
               FOR UPDATE
        ), lost AS (
            INSERT INTO "{schema}".lost_worker (id)
            SELECT owner FROM free WHERE owner IS NOT NULL
                ON CONFLICT DO NOTHING
        )
        UPDATE "{schema}".run AS run
           SET fingerprint = $2, epoch = run.epoch + 1, owner = NULL,
               wake_at = CASE WHEN free.owner IS NOT NULL THEN $5
                              WHEN $6 THEN least(run.wake_at, $5)
                              ELSE run.wake_at END
          FROM free WHERE run.id = free.id
        RETURNING run.id
        """,
        *(run, plan, instead_of, seq, now, wakes),
    )
    return found is not None
