"""What is on its way, what is kept, and who waits? Knows rows, not what a message means."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

from makegood.journal.delivering import (
    Change,
    ChangeClaims,
    CountKept,
    FindClaims,
    Found,
    Look,
    Posts,
    as_told,
    delivery,
    driven,
    noting_news,
)
from makegood.journal.mail import (
    LETTER_COLUMNS,
    LETTERS_LOOKED_AT_MAX,
    WAITER_COLUMNS,
    Delivered,
    KeptLetter,
    Undelivered,
    Waiter,
    kept_letter_of,
    read_outgoing,
    waiter_of,
    write_outgoing,
)
from makegood.journal.sqlite.keeping.claims import change_claims, find_claims
from makegood.journal.sqlite.posting import put

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.journal.application.connection import Connection
    from makegood.journal.delivering import Asked
    from makegood.journal.mail import Letter
    from makegood.journal.protocol import Append
    from makegood.values.ids import RunId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

# Columns are ours; values are bound.
# ruff: noqa: S608

__all__ = [
    "deliver_oldest",
    "erase_letters",
    "forget_letters",
    "has_outgoing",
    "letters_of",
    "remember",
    "send_letter",
    "undelivered_of",
    "waiters_of",
]


def remember(connection: Connection, append: Append) -> None:
    """Put what an append has for others on its way, in its transaction."""
    for entry in append.outgoing:
        connection.execute(
            "INSERT INTO makegood_outgoing (sender, at, body) VALUES (?, ?, ?)",
            (append.run, append.at, write_outgoing(entry)),
        )


def has_outgoing(connection: Connection) -> bool:
    """Say whether anything is on its way."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM makegood_outgoing)").get)


def deliver_oldest(connection: Connection, *, limit: int, now: Instant) -> Delivered:
    """Post the oldest of what is on its way, and forget it."""
    taken = _oldest(connection, limit)
    delivering = delivery([waiting for _, waiting in taken], now)
    posted = driven(delivering, lambda asked: _give(connection, asked))
    if taken:
        connection.execute("DELETE FROM makegood_outgoing WHERE n <= ?", (taken[-1][0],))
    return Delivered(count=len(taken), posted=posted, has_more=has_outgoing(connection))


def send_letter(connection: Connection, letter: Letter, *, now: Instant) -> KeptLetter | None:
    """Deliver a letter from outside and return it as it is kept; None where it is refused."""
    waiting = Undelivered(sender=None, at=now, entry=letter)
    news: list[str] = []
    delivering = noting_news(delivery([waiting], now), letter, news)
    driven(delivering, lambda asked: _give(connection, asked))
    return as_told(next(iter(_letters(connection, "WHERE id = ?", letter.id)), None), news)


def erase_letters(connection: Connection, *, subject: str, now: Instant) -> int:
    """Take what is about a subject out of the letters; return how many there were."""
    connection.execute(
        """
        UPDATE makegood_letter
           SET body = x'', subject = NULL,
               until = CASE WHEN taken_by IS NULL THEN min(until, ?) ELSE until END
         WHERE subject = ?
        """,
        (now, subject),
    )
    return connection.changes()


def letters_of(connection: Connection, limit: int) -> tuple[KeptLetter, ...]:
    """Return what was sent and is remembered, the oldest first."""
    return tuple(_letters(connection, "ORDER BY at, id LIMIT ?", limit))


def waiters_of(connection: Connection, limit: int) -> tuple[Waiter, ...]:
    """Return who waits for a message, the longest first."""
    return tuple(_waiters(connection, "ORDER BY since, run, node LIMIT ?", limit))


def forget_letters(connection: Connection, *, before: Instant, limit: int) -> None:
    """Forget letters whose time was over before a moment."""
    connection.execute(
        """
        DELETE FROM makegood_letter
         WHERE id IN (SELECT id FROM makegood_letter WHERE until < ? ORDER BY until, id LIMIT ?)
        """,
        (before, limit),
    )


def undelivered_of(connection: Connection, limit: int) -> tuple[Undelivered, ...]:
    """Return what is on its way, the oldest first."""
    return tuple(waiting for _, waiting in _oldest(connection, limit))


def _oldest(connection: Connection, limit: int) -> list[tuple[int, Undelivered]]:
    found = connection.execute(
        """
        SELECT n, sender, at, body, subject
          FROM makegood_outgoing LEFT JOIN makegood_run ON id = sender ORDER BY n LIMIT ?
        """,
        (limit,),
    ).fetchall()
    return [
        (n, Undelivered(sender=sender, at=at, entry=read_outgoing(body), subject=subject))
        for n, sender, at, body, subject in cast(
            "list[tuple[int, RunId, Instant, bytes, str | None]]", found
        )
    ]


def _give(connection: Connection, asked: Asked) -> object:
    """Give a delivery what it asks for."""
    match asked:
        case Posts(posts=posts):
            return [put(connection, post) for post in posts]
        case Look():
            return _found(connection, asked)
        case CountKept():
            return _count_kept(connection, asked)
        case Change():
            _change(connection, asked)
            return None
        case FindClaims(keys=keys):
            return find_claims(connection, keys)
        case ChangeClaims():
            change_claims(connection, asked)
            return None
        case _:
            assert_never(asked)


def _found(connection: Connection, look: Look) -> Found:
    letters: list[KeptLetter] = []
    waiters: list[Waiter] = []
    for address in look.addresses:
        waiters += _waiters(connection, "WHERE message = ? AND key = ?", *address)
        letters += _letters(
            connection,
            """WHERE message = ? AND key = ? AND taken_by IS NULL AND until > ?
               ORDER BY at, id LIMIT ?""",
            *(*address, look.now, LETTERS_LOOKED_AT_MAX),
        )
    for id in look.ids:
        letters += _letters(connection, "WHERE id = ?", id)
    return Found(waiters, letters)


def _count_kept(connection: Connection, asked: CountKept) -> int:
    count = connection.execute(
        """
        SELECT count(*) FROM (SELECT 1 FROM makegood_letter
                               WHERE message = ? AND key = ? AND taken_by IS NULL AND until > ?
                               LIMIT ?)
        """,
        (*asked.address, asked.now, asked.up_to),
    ).get
    return cast("int", count)


def _change(connection: Connection, change: Change) -> None:
    for letter in change.letters:
        connection.execute(
            f"INSERT OR REPLACE INTO makegood_letter ({LETTER_COLUMNS}) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(letter.id, letter.message, letter.key, letter.body),
                *(letter.at, letter.until, letter.taken_by, letter.subject),
            ),
        )
    for address in change.gone:
        connection.execute("DELETE FROM makegood_waiter WHERE message = ? AND key = ?", address)
    for waiter in change.coming:
        connection.execute(
            f"INSERT INTO makegood_waiter ({WAITER_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (waiter.message, waiter.key, waiter.run, waiter.node, waiter.since),
        )


def _letters(connection: Connection, which: str, *values: Sql) -> Iterable[KeptLetter]:
    found = connection.execute(f"SELECT {LETTER_COLUMNS} FROM makegood_letter {which}", values)
    return map(kept_letter_of, found.fetchall())


def _waiters(connection: Connection, which: str, *values: Sql) -> Iterable[Waiter]:
    found = connection.execute(f"SELECT {WAITER_COLUMNS} FROM makegood_waiter {which}", values)
    return map(waiter_of, found.fetchall())
