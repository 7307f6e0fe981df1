"""How does a run come to go by another plan? Knows one row, and nothing of what a plan is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["adopt_run"]


def adopt_run(
    connection: Connection,
    run: RunId,
    *,
    plan: str,
    instead_of: str,
    seq: int,
    due: Instant | None,
) -> bool:
    """Let a run that nobody holds go by another plan, due at the latest then; say whether it does.

    What a dead process held is held no longer once another one leads.
    """
    found = connection.execute(
        """
        UPDATE makegood_run
           SET fingerprint = ?, epoch = epoch + 1,
               wake_at = coalesce(min(coalesce(wake_at, ?), ?), wake_at)
         WHERE id = ? AND fingerprint = ? AND seq = ? AND owner IS NULL AND pruned_at IS NULL
        RETURNING id
        """,
        (plan, due, due, run, instead_of, seq),
    ).fetchall()
    return bool(found)
