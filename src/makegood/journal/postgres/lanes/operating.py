"""What do people do with messages? Sends them again, puts them away, forgets and erases them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from makegood.journal.lanes import asking
from makegood.journal.lanes.choosing import other_owner
from makegood.journal.lanes.rows import moved_of_rows
from makegood.journal.lanes.showing import subscriptions_kept
from makegood.journal.messages import DeliveryId, Erased, Moved, Pruned
from makegood.journal.postgres.lanes.showing import dialect_of, shown_on
from makegood.values.limits import LAG_COUNTED_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.lanes.asking import About
    from makegood.journal.messages import DeliveryFilter, Order, Subscription
    from makegood.journal.postgres.connection import Connection
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = [
    "erase_messages",
    "move_letters",
    "own_types",
    "prunable_messages",
    "prune_messages",
    "subscribe_to",
    "unsubscribe_from",
]


async def subscribe_to(
    connection: Connection, schema: str, subscriptions: Sequence[Subscription], now: Instant
) -> None:
    """Let recipients be given every message of their types from now on."""
    wanted = sorted({(each.type, each.recipient) for each in subscriptions})
    await connection.execute(
        f"""
        INSERT INTO "{schema}".subscription (type, recipient, since, seen_at)
        SELECT type, recipient, $3, $3
          FROM unnest($1::text[], $2::text[]) AS given (type, recipient)
            ON CONFLICT (type, recipient) DO UPDATE SET seen_at = excluded.seen_at
        """,
        [name for name, _ in wanted],
        [recipient for _, recipient in wanted],
        now,
    )


async def own_types(
    connection: Connection,
    schema: str,
    subscriptions: Sequence[Subscription],
    beside: tuple[str, ...],
    now: Instant,
) -> Subscription | None:
    """Subscribe to types to which nobody else has, in a transaction; return who has already."""
    # Whoever subscribes at the same moment waits; whoever publishes does not.
    await connection.execute(f'LOCK TABLE "{schema}".subscription IN SHARE ROW EXCLUSIVE MODE')
    there = await shown_on(connection, subscriptions_kept(dialect_of(schema)))
    other = other_owner(subscriptions, there, beside)
    if other is None:
        await subscribe_to(connection, schema, subscriptions, now)
    return other


async def unsubscribe_from(
    connection: Connection, schema: str, recipient: str, types: Sequence[str]
) -> int:
    """End subscriptions of a recipient; return how many there were."""
    found = await connection.fetch(
        f"""
        DELETE FROM "{schema}".subscription WHERE recipient = $1 AND type = ANY ($2)
        RETURNING type
        """,
        recipient,
        list(types),
    )
    return len(found)


async def move_letters(
    connection: Connection, schema: str, chosen: DeliveryFilter, order: Order | None, *, again: bool
) -> Moved:
    """Send dead letters again, or put them away; without an order only say which are meant."""
    question = asking.dead_letters(dialect_of(schema), chosen)
    found = await connection.fetch(question.sql, *question.values)
    meant = moved_of_rows([tuple(row) for row in found], chosen.limit)
    if order is None or not meant.ids:
        return meant
    moved = await connection.fetch(
        f'SELECT * FROM "{schema}".move_letters($1, $2, $3, $4, $5, $6)',
        [each.seq for each in meant.ids],
        [each.recipient for each in meant.ids],
        again,
        *(order.actor, order.reason, order.at),
    )
    ids = tuple(DeliveryId(seq, recipient) for seq, recipient in moved)
    return Moved(ids=ids, has_more=meant.has_more)


async def prune_messages(
    connection: Connection,
    schema: str,
    *,
    before: Instant,
    dead_before: Instant,
    limit: int,
    after: int,
) -> Pruned:
    """Forget old messages that nobody is to be given, among those behind a number."""
    row = await connection.fetchrow(
        f'SELECT forgotten, next FROM "{schema}".prune_messages($1, $2, $3, $4)',
        *(before, dead_before, limit, after),
    )
    assert row is not None, "a function gives one row"
    return Pruned(count=row[0], next=row[1])


async def prunable_messages(
    connection: Connection,
    schema: str,
    *,
    before: Instant,
    dead_before: Instant,
    limit: int,
    after: int,
) -> Pruned:
    """Say what `prune_messages` would come to."""
    row = await connection.fetchrow(
        f"""
        SELECT count(*) FILTER (WHERE is_old AND NOT is_needed),
               CASE WHEN count(*) = $3 AND bool_or(is_old) THEN max(seq) END
          FROM (SELECT seq, stored_at < $1 AS is_old,
                       EXISTS (SELECT FROM "{schema}".delivery
                                WHERE delivery.seq = message.seq
                                  AND (state IN ('due', 'later')
                                       OR state = 'dead' AND (blocks OR failed_at >= $2))
                       ) AS is_needed
                  FROM "{schema}".message WHERE seq > $4 ORDER BY seq LIMIT $3) AS each
        """,
        *(before, dead_before, limit, after),
    )
    assert row is not None, "an aggregate gives one row"
    return Pruned(count=row[0], next=row[1])


async def erase_messages(
    connection: Connection, schema: str, about: About, *, limit: int, order: Order
) -> Erased:
    """Take what was written into messages out of those that are meant."""
    dialect = dialect_of(schema)
    sql, values = asking.erasable(dialect, about, limit)
    seqs = [seq for (seq,) in await connection.fetch(sql, *values)]
    sql, values = asking.unerasable(dialect, about, LAG_COUNTED_MAX)
    waiting = cast("int", await connection.fetchval(sql, *values))
    erased = await connection.fetchval(
        f'SELECT "{schema}".erase_messages($1, $2, $3, $4)',
        *(seqs, order.actor, order.reason, order.at),
    )
    return Erased(count=erased, waiting=waiting)
