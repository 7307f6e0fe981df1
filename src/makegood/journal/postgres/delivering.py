"""How does what a run says reach another run? One delivers at a time, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.mail import (
    Delivered,
    Undelivered,
    delivery,
    read_outgoing,
    write_outgoing,
)
from makegood.journal.postgres.connection import in_transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.journal.mail import Exists, Post
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.protocol import Append
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["deliver_oldest", "delivery_lock_of", "remember", "undelivered_of"]


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
    connection: Connection,
    schema: str,
    *,
    post: Callable[[Connection, Sequence[Post]], Awaitable[Sequence[int | Exists | None]]],
    limit: int,
    now: Instant,
) -> Delivered:
    """Post the oldest of what is on its way, and forget it; nobody waits for one who does."""
    if not await connection.fetchval(f'SELECT EXISTS (SELECT FROM "{schema}".outgoing)'):
        return Delivered()

    async def deliver(connection: Connection) -> Delivered:
        if not await connection.fetchval(f"SELECT {delivery_lock_of(schema)}"):
            return Delivered(has_more=True)
        taken = await _oldest(connection, schema, limit)
        posting = delivery([waiting for _, waiting in taken], now)
        posted: tuple[RunId, ...] = ()
        try:
            posts = next(posting)
            while True:
                posts = posting.send(await post(connection, posts))
        except StopIteration as end:
            posted = end.value
        numbers = [number for number, _ in taken]
        await connection.execute(f'DELETE FROM "{schema}".outgoing WHERE n = ANY ($1)', numbers)
        return Delivered(count=len(taken), posted=posted, has_more=len(taken) == limit)

    return await in_transaction(connection, deliver)


async def undelivered_of(
    connection: Connection, schema: str, limit: int
) -> tuple[Undelivered, ...]:
    """Return what is on its way, the oldest first."""
    return tuple(waiting for _, waiting in await _oldest(connection, schema, limit))


async def _oldest(connection: Connection, schema: str, limit: int) -> list[tuple[int, Undelivered]]:
    rows = await connection.fetch(
        f'SELECT n, sender, at, body FROM "{schema}".outgoing ORDER BY n LIMIT $1', limit
    )
    return [
        (n, Undelivered(sender=sender, at=at, entry=read_outgoing(body)))
        for n, sender, at, body in rows
    ]


def delivery_lock_of(schema: str) -> str:
    """Return the call that takes the right to deliver until the transaction ends, if it is free."""
    return f"pg_try_advisory_xact_lock(hashtextextended('makegood delivers ' || '{schema}', 0))"
