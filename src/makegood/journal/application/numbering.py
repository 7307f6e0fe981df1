"""Which migrations of the application's own tables are still to be applied? Knows no store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import StoreRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from makegood.journal.protocol import Migration

__all__ = ["ENGINE", "name_of", "terminated", "to_apply"]

ENGINE = "makegood"
"""Who owns the engine's own scripts, as people are told."""


def name_of(owner: str, number: int) -> str:
    """Return how people are told of a migration."""
    return f"{owner} {number}"


def to_apply(
    migrations: Sequence[Migration], applied: Collection[tuple[str, int]]
) -> list[Migration]:
    """Return the migrations that were not applied yet, in order.

    Raises `StoreRefused` when they have gaps, or when the store has newer ones.
    """
    newest: dict[str, int] = {}
    missing: list[Migration] = []
    for migration in migrations:
        before = newest.get(migration.owner, 0)
        if migration.number != before + 1:
            message = (
                f"the migrations of {migration.owner!r} go from {before} to {migration.number}; "
                "number them 1, 2, 3 without gaps"
            )
            raise StoreRefused(message)
        newest[migration.owner] = migration.number
        if (migration.owner, migration.number) not in applied:
            missing.append(migration)
    for owner, number in applied:
        if owner in newest and number > newest[owner]:
            message = (
                f"the tables of {owner!r} are at {number} and this program knows only "
                f"{newest[owner]}; start the newer program"
            )
            raise StoreRefused(message)
    return missing


def terminated(statements: str) -> str:
    """Return statements that others may follow, as a script for people has them."""
    text = statements.strip()
    return text if text.endswith(";") else f"{text};"
