"""Who holds a key, and who waits for one? Knows rows, not what a key is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.mail import CLAIM_COLUMNS, Claimant, claimant_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.delivering import ChangeClaims
    from makegood.values.injectable import Sql

# Columns are ours; values are bound.
# ruff: noqa: S608

__all__ = ["change_claims", "claims_of", "find_claims"]


def find_claims(connection: Connection, keys: Sequence[str]) -> list[Claimant]:
    """Return who holds these keys and who waits for them, in the order in which they came."""
    found: list[Claimant] = []
    for key in keys:
        found += _claims(connection, "WHERE key = ? ORDER BY n", key)
    return found


def change_claims(connection: Connection, change: ChangeClaims) -> None:
    """Forget claims, remember others as they are now, and add new ones behind all."""
    for each in change.gone:
        connection.execute(
            "DELETE FROM makegood_claim WHERE key = ? AND run = ? AND id = ?",
            (each.key, each.run, each.id),
        )
    for each in change.changed:
        connection.execute(
            """UPDATE makegood_claim SET is_holder = ?, body = ?
                WHERE key = ? AND run = ? AND id = ?""",
            (int(each.is_holder), each.body, each.key, each.run, each.id),
        )
    for each in change.coming:
        connection.execute(
            f"INSERT INTO makegood_claim ({CLAIM_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(each.key, each.run, each.id, each.root),
                *(each.since, int(each.is_holder), each.body),
            ),
        )


def claims_of(connection: Connection, limit: int) -> tuple[Claimant, ...]:
    """Return who holds a key and who waits for one, in the order in which they came."""
    return tuple(_claims(connection, "ORDER BY n LIMIT ?", limit))


def _claims(connection: Connection, which: str, *values: Sql) -> Iterable[Claimant]:
    found = connection.execute(f"SELECT {CLAIM_COLUMNS} FROM makegood_claim {which}", values)
    return map(claimant_of, found.fetchall())
