"""Who holds a key, and who waits for one? Knows rows, not what a key is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.mail import CLAIM_COLUMNS, Claimant, claimant_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.delivering import ChangeClaims
    from makegood.journal.postgres.connection import Connection

# The schema is a plain name, checked in `place`, and columns are ours; values are bound.
# ruff: noqa: S608

__all__ = ["change_claims", "claims_of", "find_claims"]


async def find_claims(
    connection: Connection, schema: str, keys: Sequence[str]
) -> tuple[Claimant, ...]:
    """Return who holds these keys and who waits for them, in the order in which they came."""
    found = await connection.fetch(
        f'SELECT {CLAIM_COLUMNS} FROM "{schema}".claim WHERE key = ANY ($1) ORDER BY n', list(keys)
    )
    return tuple(map(claimant_of, found))


async def change_claims(connection: Connection, schema: str, change: ChangeClaims) -> None:
    """Forget claims, remember others as they are now, and add new ones behind all."""
    if change.gone:
        await connection.execute(
            f"""
            DELETE FROM "{schema}".claim
             WHERE (key, run, id) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
            """,
            *_names_of(change.gone),
        )
    if change.changed:
        await connection.execute(
            f"""
            UPDATE "{schema}".claim SET is_holder = given.is_holder, body = given.body
              FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bytea[])
                   AS given (key, run, id, is_holder, body)
             WHERE (claim.key, claim.run, claim.id) = (given.key, given.run, given.id)
            """,
            *_names_of(change.changed),
            [each.is_holder for each in change.changed],
            [each.body for each in change.changed],
        )
    if change.coming:
        await connection.execute(
            f"""
            INSERT INTO "{schema}".claim (key, run, id, root, since, is_holder, body)
            SELECT key, run, id, root, since, is_holder, body
              FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[],
                          $6::boolean[], $7::bytea[]) WITH ORDINALITY
                   AS given (key, run, id, root, since, is_holder, body, place)
             ORDER BY place
            """,
            *_names_of(change.coming),
            [each.root for each in change.coming],
            [each.since for each in change.coming],
            [each.is_holder for each in change.coming],
            [each.body for each in change.coming],
        )


async def claims_of(connection: Connection, schema: str, limit: int) -> tuple[Claimant, ...]:
    """Return who holds a key and who waits for one, in the order in which they came."""
    found = await connection.fetch(
        f'SELECT {CLAIM_COLUMNS} FROM "{schema}".claim ORDER BY n LIMIT $1', limit
    )
    return tuple(map(claimant_of, found))


def _names_of(claims: Sequence[Claimant]) -> tuple[list[str], list[str], list[str]]:
    """Return by what claims are known, a column each."""
    return (
        [each.key for each in claims],
        [each.run for each in claims],
        [each.id for each in claims],
    )
