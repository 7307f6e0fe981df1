"""Who holds which run? Knows leases and wake times; nothing of what a run does."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from makegood.journal.claiming import claimed_at_once, deal
from makegood.journal.protocol import Leased, Leases
from makegood.journal.sqlite.rows import DUE_AT_ONCE, HELD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant

__all__ = ["claim_due", "free_held", "give_back"]


def claim_due(
    connection: Connection,
    worker: WorkerId,
    *,
    room: Mapping[str, int],
    limit: int,
    now: Instant,
) -> Leases:
    """Claim runs that are due, dealt out among plans, and name held runs that were posted to."""
    rung = connection.execute(
        """
        SELECT DISTINCT inbox.run FROM makegood_inbox AS inbox
          JOIN makegood_run AS run ON run.id = inbox.run
         WHERE run.owner = ? ORDER BY inbox.run
        """,
        (worker,),
    ).fetchall()

    def due_of(fingerprint: str, skipped: int, count: int) -> list[tuple[RunId, int]]:
        found = connection.execute(
            """
            SELECT id, claims FROM makegood_run
             WHERE fingerprint = ? AND wake_at IS NOT NULL AND wake_at <= ?
             ORDER BY wake_at, id LIMIT ? OFFSET ?
            """,
            (fingerprint, now, count, skipped),
        ).fetchall()
        return cast("list[tuple[RunId, int]]", found)

    due = deal(due_of, room=room, limit=limit)
    taken = [run for run, _ in due[: claimed_at_once([claims for _, claims in due])]]
    claimed = connection.execute(
        """
        UPDATE makegood_run
           SET epoch = epoch + 1, claims = claims + 1, owner = ?, wake_at = ?
         WHERE id IN (SELECT value FROM json_each(?))
        RETURNING id, epoch, fingerprint, claims
        """,
        (worker, HELD, msgspec.json.encode(taken).decode()),
    ).fetchall()
    return Leases(
        claimed=tuple(
            Leased(run=run, epoch=epoch, fingerprint=fingerprint, claims=claims)
            for run, epoch, fingerprint, claims in cast(
                "list[tuple[RunId, int, str, int]]", claimed
            )
        ),
        rung=tuple(cast("RunId", run) for (run,) in rung),
    )


def give_back(
    connection: Connection, worker: WorkerId, runs: Sequence[RunId], now: Instant
) -> None:
    """Give held runs back, due at once, as if they had not been claimed."""
    connection.execute(
        """
        UPDATE makegood_run SET owner = NULL, wake_at = ?, claims = max(claims - 1, 0)
         WHERE owner = ? AND id IN (SELECT value FROM json_each(?))
        """,
        (now, worker, msgspec.json.encode(tuple(runs)).decode()),
    )


def free_held(connection: Connection) -> None:
    """Make every held run due: its holder was the process that owned the file, and is dead."""
    connection.execute(
        "UPDATE makegood_run SET owner = NULL, wake_at = ? WHERE wake_at = ?", (DUE_AT_ONCE, HELD)
    )
