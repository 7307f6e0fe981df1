"""Which messages are kept, and who waits for one? Knows rows, not what a message means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.delivering import Change, CountKept, Found, Look
from makegood.journal.mail import (
    LETTER_COLUMNS,
    LETTERS_LOOKED_AT_MAX,
    WAITER_COLUMNS,
    KeptLetter,
    Waiter,
    kept_letter_of,
    waiter_of,
)

if TYPE_CHECKING:
    from makegood.journal.postgres.connection import Connection
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`, and columns are ours; values are bound.
# ruff: noqa: S608

__all__ = [
    "change_letters",
    "count_kept",
    "erase_letters",
    "find_letters",
    "forget_letters",
    "letter_of",
    "letters_of",
    "waiters_of",
]


async def find_letters(connection: Connection, schema: str, look: Look) -> Found:
    """Return who waits at these addresses, what is kept for them, and letters by their ids."""
    addresses = [[*column] for column in zip(*look.addresses, strict=True)]
    waiters = await connection.fetch(
        f"""
        SELECT {WAITER_COLUMNS} FROM "{schema}".waiter
         WHERE (message, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
        """,
        *addresses,
    )
    letters = await connection.fetch(
        f"""
        SELECT kept.* FROM unnest($1::text[], $2::text[]) AS given (message, key),
               LATERAL (SELECT {LETTER_COLUMNS} FROM "{schema}".letter
                         WHERE letter.message = given.message AND letter.key = given.key
                           AND taken_by IS NULL AND until > $3
                         ORDER BY at, id LIMIT $4) AS kept
         UNION
        SELECT {LETTER_COLUMNS} FROM "{schema}".letter WHERE id = ANY ($5)
        """,
        *addresses,
        look.now,
        LETTERS_LOOKED_AT_MAX,
        list(look.ids),
    )
    return Found([*map(waiter_of, waiters)], [*map(kept_letter_of, letters)])


async def change_letters(connection: Connection, schema: str, change: Change) -> None:
    """Remember letters as they are now, and who waits from now on and who does not."""
    if change.letters:
        await connection.execute(
            f"""
            INSERT INTO "{schema}".letter ({LETTER_COLUMNS})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[],
                                 $6::bigint[], $7::text[], $8::text[])
                ON CONFLICT (id) DO UPDATE
               SET message = excluded.message, key = excluded.key, body = excluded.body,
                   at = excluded.at, until = excluded.until, taken_by = excluded.taken_by,
                   subject = excluded.subject
            """,
            [letter.id for letter in change.letters],
            [letter.message for letter in change.letters],
            [letter.key for letter in change.letters],
            [letter.body for letter in change.letters],
            [letter.at for letter in change.letters],
            [letter.until for letter in change.letters],
            [letter.taken_by for letter in change.letters],
            [letter.subject for letter in change.letters],
        )
    if change.gone:
        await connection.execute(
            f"""
            DELETE FROM "{schema}".waiter
             WHERE (message, key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
            """,
            *([*column] for column in zip(*change.gone, strict=True)),
        )
    if change.coming:
        await connection.execute(
            f"""
            INSERT INTO "{schema}".waiter ({WAITER_COLUMNS})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
            """,
            [waiter.message for waiter in change.coming],
            [waiter.key for waiter in change.coming],
            [waiter.run for waiter in change.coming],
            [waiter.node for waiter in change.coming],
            [waiter.since for waiter in change.coming],
        )


async def count_kept(connection: Connection, schema: str, asked: CountKept) -> int:
    """Count what is kept at an address for somebody who does not wait yet, up to a number."""
    count: int = await connection.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM "{schema}".letter
                               WHERE message = $1 AND key = $2 AND taken_by IS NULL AND until > $3
                               LIMIT $4) AS kept
        """,
        *asked.address,
        asked.now,
        asked.up_to,
    )
    return count


async def erase_letters(connection: Connection, schema: str, *, subject: str, now: Instant) -> int:
    """Take what is about a subject out of the letters; return how many there were."""
    erased = await connection.fetch(
        f"""
        UPDATE "{schema}".letter
           SET body = '', subject = NULL,
               until = CASE WHEN taken_by IS NULL THEN least(until, $1) ELSE until END
         WHERE subject = $2
        RETURNING 1
        """,
        now,
        subject,
    )
    return len(erased)


async def letter_of(connection: Connection, schema: str, id: str) -> KeptLetter | None:
    """Return a letter, if it is there."""
    found = await connection.fetchrow(
        f'SELECT {LETTER_COLUMNS} FROM "{schema}".letter WHERE id = $1', id
    )
    return None if found is None else kept_letter_of(found)


async def letters_of(connection: Connection, schema: str, limit: int) -> tuple[KeptLetter, ...]:
    """Return what was sent and is remembered, the oldest first."""
    found = await connection.fetch(
        f'SELECT {LETTER_COLUMNS} FROM "{schema}".letter ORDER BY at, id LIMIT $1', limit
    )
    return tuple(map(kept_letter_of, found))


async def waiters_of(connection: Connection, schema: str, limit: int) -> tuple[Waiter, ...]:
    """Return who waits for a message, the longest first."""
    found = await connection.fetch(
        f'SELECT {WAITER_COLUMNS} FROM "{schema}".waiter ORDER BY since, run, node LIMIT $1', limit
    )
    return tuple(map(waiter_of, found))


async def forget_letters(
    connection: Connection, schema: str, *, before: Instant, limit: int
) -> None:
    """Forget letters whose time was over before a moment."""
    await connection.execute(
        f"""
        DELETE FROM "{schema}".letter
         WHERE id IN (SELECT id FROM "{schema}".letter WHERE until < $1
                       ORDER BY until, id LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        before,
        limit,
    )
