"""How is what a run holds of somebody taken out of the file? Knows rows, not what a fact means."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = ["erase_run"]


def erase_run(
    connection: Connection,
    run: RunId,
    *,
    seq: int,
    appends: Sequence[bytes],
    last: bytes,
    token: bytes,
    now: Instant,
) -> bool:
    """Put these appends in the place of an ended run's, and add one; say whether that was done."""
    assert len(appends) == seq, "an erased run keeps its sequence"
    found = connection.execute(
        """
        UPDATE makegood_run SET status = 'erased', subject = NULL, seq = seq + 1, token = ?
         WHERE id = ? AND seq = ? AND ended_at IS NOT NULL AND pruned_at IS NULL
           AND owner IS NULL AND wake_at IS NULL
           AND id NOT IN (SELECT sender FROM makegood_outgoing)
        RETURNING epoch
        """,
        (token, run, seq),
    ).fetchall()
    if not found:
        return False
    for number, body in enumerate(appends, 1):
        connection.execute(
            "UPDATE makegood_facts SET body = ? WHERE run = ? AND seq = ?", (body, run, number)
        )
    connection.execute(
        "INSERT INTO makegood_facts (run, seq, epoch, token, at, body) VALUES (?, ?, ?, ?, ?, ?)",
        (run, seq + 1, found[0][0], token, now, last),
    )
    connection.execute("DELETE FROM makegood_inbox WHERE run = ?", (run,))
    connection.execute("UPDATE makegood_move SET cause = NULL, actor = NULL WHERE run = ?", (run,))
    return True
