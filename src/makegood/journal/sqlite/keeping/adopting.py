"""How does a run come to go by another plan? Knows one row, and nothing of what a plan is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.values.ids import RunId

__all__ = ["adopt_run"]


def adopt_run(connection: Connection, run: RunId, *, plan: str, instead_of: str, seq: int) -> bool:
    """Let a run that nobody holds go by another plan; say whether that was done.

    What a dead process held is held no longer once another one leads.
    """
    found = connection.execute(
        """
        UPDATE makegood_run SET fingerprint = ?, epoch = epoch + 1
         WHERE id = ? AND fingerprint = ? AND seq = ? AND owner IS NULL AND pruned_at IS NULL
        RETURNING id
        """,
        (plan, run, instead_of, seq),
    ).fetchall()
    return bool(found)
