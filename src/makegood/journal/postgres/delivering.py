"""How does what a run says reach another run? One delivers at a time, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.journal.delivering import (
    Change,
    ChangeClaims,
    CountKept,
    FindClaims,
    Look,
    Posts,
    Put,
    as_told,
    delivery,
    noting_news,
)
from makegood.journal.mail import (
    Delivered,
    KeptLetter,
    Letter,
    Undelivered,
    read_outgoing,
    write_outgoing,
)
from makegood.journal.postgres.connection import in_transaction
from makegood.journal.postgres.keeping.claims import change_claims, find_claims
from makegood.journal.postgres.keeping.letters import (
    change_letters,
    count_kept,
    find_letters,
    letter_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.journal.delivering import Asked, Delivery
    from makegood.journal.mail import Post
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.protocol import Append
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

    MakesPosts = Callable[[Connection, Sequence[Post]], Awaitable[Sequence[Put]]]

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["deliver_oldest", "delivery_lock_of", "remember", "send_letter", "undelivered_of"]


async def remember(connection: Connection, schema: str, appends: Sequence[Append]) -> None:
    """Put what these appends have for others on its way, in their transaction."""
    rows = [
        (append.run, append.at, write_outgoing(entry))
        for append in appends
        for entry in append.outgoing
    ]
    if not rows:
        return
    await connection.execute(
        f"""
        INSERT INTO "{schema}".outgoing (sender, at, body)
        SELECT sender, at, body
          FROM unnest($1::text[], $2::bigint[], $3::bytea[]) WITH ORDINALITY
               AS given (sender, at, body, place)
         ORDER BY place
        """,
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def deliver_oldest(
    connection: Connection, schema: str, *, post: MakesPosts, limit: int, now: Instant
) -> Delivered:
    """Post the oldest of what is on its way, and forget it; nobody waits for one who does."""
    if not await connection.fetchval(f'SELECT EXISTS (SELECT FROM "{schema}".outgoing)'):
        return Delivered()

    async def deliver(connection: Connection) -> Delivered:
        if not await connection.fetchval(f"SELECT {delivery_lock_of(schema, is_awaited=False)}"):
            return Delivered(has_more=True)
        taken = await _oldest(connection, schema, limit)
        delivering = delivery([waiting for _, waiting in taken], now)
        posted = await _driven(connection, schema, delivering, post)
        numbers = [number for number, _ in taken]
        await connection.execute(f'DELETE FROM "{schema}".outgoing WHERE n = ANY ($1)', numbers)
        return Delivered(count=len(taken), posted=posted, has_more=len(taken) == limit)

    return await in_transaction(connection, deliver)


async def send_letter(
    connection: Connection, schema: str, *, post: MakesPosts, letter: Letter, now: Instant
) -> KeptLetter | None:
    """Deliver a letter from outside and return it as it is kept; None where it is refused."""

    async def deliver(connection: Connection) -> KeptLetter | None:
        await connection.execute(f"SELECT {delivery_lock_of(schema, is_awaited=True)}")
        waiting = Undelivered(sender=None, at=now, entry=letter)
        news: list[str] = []
        delivering = noting_news(delivery([waiting], now), letter, news)
        await _driven(connection, schema, delivering, post)
        return as_told(await letter_of(connection, schema, letter.id), news)

    return await in_transaction(connection, deliver)


async def _driven(
    connection: Connection, schema: str, delivering: Delivery, post: MakesPosts
) -> tuple[RunId, ...]:
    """Carry out a delivery; return the runs that were posted to."""
    try:
        asked = next(delivering)
        while True:
            asked = delivering.send(await _given(connection, schema, asked, post))
    except StopIteration as end:
        posted: tuple[RunId, ...] = end.value
        return posted


async def _given(connection: Connection, schema: str, asked: Asked, post: MakesPosts) -> object:
    match asked:
        case Posts(posts=posts):
            return await post(connection, posts)
        case Look():
            return await find_letters(connection, schema, asked)
        case CountKept():
            return await count_kept(connection, schema, asked)
        case Change():
            await change_letters(connection, schema, asked)
            return None
        case FindClaims(keys=keys):
            return await find_claims(connection, schema, keys)
        case ChangeClaims():
            await change_claims(connection, schema, asked)
            return None
        case _:
            assert_never(asked)


async def undelivered_of(
    connection: Connection, schema: str, limit: int
) -> tuple[Undelivered, ...]:
    """Return what is on its way, the oldest first."""
    return tuple(waiting for _, waiting in await _oldest(connection, schema, limit))


async def _oldest(connection: Connection, schema: str, limit: int) -> list[tuple[int, Undelivered]]:
    rows = await connection.fetch(
        f"""
        SELECT n, sender, at, body, subject
          FROM "{schema}".outgoing LEFT JOIN "{schema}".run ON id = sender ORDER BY n LIMIT $1
        """,
        limit,
    )
    return [
        (n, Undelivered(sender=sender, at=at, entry=read_outgoing(body), subject=subject))
        for n, sender, at, body, subject in rows
    ]


def delivery_lock_of(schema: str, *, is_awaited: bool) -> str:
    """Return the call that takes the right to deliver until the transaction ends.

    It is waited for, or taken only if it is free.
    """
    how = "pg_advisory_xact_lock" if is_awaited else "pg_try_advisory_xact_lock"
    return f"{how}(hashtextextended('makegood delivers ' || '{schema}', 0))"
