"""What do people do with messages? Sends them again, puts them away, forgets and erases them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from makegood.journal.lanes import asking
from makegood.journal.lanes.choosing import other_owner
from makegood.journal.lanes.rows import moved_of_rows
from makegood.journal.lanes.showing import subscriptions_kept
from makegood.journal.messages import DeliveryId, Erased, LaneId, Moved, Pruned
from makegood.journal.sqlite.lanes.showing import DIALECT, shown_in
from makegood.journal.sqlite.lanes.taking import put_in_line, stand_behind
from makegood.values.limits import LAG_COUNTED_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.lanes.asking import About
    from makegood.journal.messages import DeliveryFilter, Order, Subscription
    from makegood.values.instants import Instant

__all__ = [
    "discard_letters",
    "erase_messages",
    "own_types",
    "prune_messages",
    "resend_letters",
    "subscribe_to",
    "unsubscribe_from",
]


_WENT_TO = (
    """SELECT rows.recipient, message.tenant, message.key FROM makegood_message AS message
         JOIN makegood_model_row AS rows ON (rows.key, rows.tenant) = (message.key, message.tenant)
        WHERE message.seq = ?""",
    """SELECT source.recipient, message.tenant, source.key FROM makegood_message AS message
        CROSS JOIN makegood_edition AS edition
         JOIN makegood_model_source AS source
           ON (source.recipient, source.seq) = (edition.recipient, message.seq)
        WHERE message.seq = ?""",
)
"""To which rows of read models a message went: those of its key, and those said for it."""


def subscribe_to(
    connection: Connection, subscriptions: Sequence[Subscription], now: Instant
) -> None:
    """Let recipients be given every message of their types from now on."""
    for each in subscriptions:
        connection.execute(
            """
            INSERT INTO makegood_subscription (type, recipient, since, seen_at)
            VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO UPDATE SET seen_at = ?3
            """,
            (each.type, each.recipient, now),
        )


def own_types(
    connection: Connection,
    subscriptions: Sequence[Subscription],
    beside: tuple[str, ...],
    now: Instant,
) -> Subscription | None:
    """Subscribe to types to which nobody else has; return who has already."""
    there = shown_in(connection, subscriptions_kept(DIALECT))
    other = other_owner(subscriptions, there, beside)
    if other is None:
        subscribe_to(connection, subscriptions, now)
    return other


def unsubscribe_from(connection: Connection, recipient: str, types: Sequence[str]) -> int:
    """End subscriptions of a recipient; return how many there were."""
    found = connection.execute(
        """
        DELETE FROM makegood_subscription
         WHERE recipient = ? AND type IN (SELECT value FROM json_each(?)) RETURNING type
        """,
        (recipient, msgspec.json.encode(tuple(types)).decode()),
    ).fetchall()
    return len(found)


def resend_letters(
    connection: Connection, chosen: DeliveryFilter, order: Order, *, dry_run: bool
) -> Moved:
    """Make dead letters due again where their numbers place them."""
    moved = _meant(connection, chosen)
    for id in () if dry_run else moved.ids:
        lane: str = connection.execute(
            """
            UPDATE makegood_delivery
               SET state = 'due', attempts = 0, sending = sending + 1, due_at = ?3, blocks = 0,
                   actor = ?4, because = ?5, ordered_at = ?3
             WHERE seq = ?1 AND recipient = ?2 RETURNING lane
            """,
            (id.seq, id.recipient, order.at, order.actor, order.reason),
        ).get
        put_in_line(connection, id.seq, LaneId(id.recipient, lane), order.at)
        stand_behind(connection, id.seq, LaneId(id.recipient, lane), order.at)
    return moved


def discard_letters(
    connection: Connection, chosen: DeliveryFilter, order: Order, *, dry_run: bool
) -> Moved:
    """Put dead letters away."""
    moved = _meant(connection, chosen)
    for id in () if dry_run else moved.ids:
        _put_away(connection, id, order)
    return moved


def prune_messages(
    connection: Connection,
    *,
    before: Instant,
    dead_before: Instant,
    limit: int,
    after: int,
    dry_run: bool,
) -> Pruned:
    """Forget old messages that nobody is to be given, among those behind a number."""
    looked_at = cast(
        "list[tuple[int, int]]",
        connection.execute(
            """SELECT seq, stored_at < ? FROM makegood_message
                WHERE seq > ? ORDER BY seq LIMIT ?""",
            (before, after, limit),
        ).fetchall(),
    )
    old = _numbers(seq for seq, is_old in looked_at if is_old)
    found = connection.execute(
        """
        SELECT value FROM json_each(?)
         WHERE NOT EXISTS (SELECT 1 FROM makegood_delivery AS delivery
                            WHERE delivery.seq = value
                              AND (state IN ('due', 'later')
                                   OR (recipient >= 'model:' AND recipient < 'model;')
                                   OR (state = 'dead' AND (blocks OR failed_at >= ?))))
        """,
        (old, dead_before),
    ).fetchall()
    over = [cast("int", seq) for (seq,) in found]
    for table in () if dry_run else ("makegood_message", "makegood_delivery"):
        connection.execute(
            f"DELETE FROM {table} WHERE seq IN (SELECT value FROM json_each(?))",  # noqa: S608
            (_numbers(over),),
        )
    goes_on = len(looked_at) == limit and any(is_old for _, is_old in looked_at)
    return Pruned(count=len(over), next=looked_at[-1][0] if goes_on else None)


def erase_messages(connection: Connection, about: About, *, limit: int, order: Order) -> Erased:
    """Take what was written into messages out of those that are meant."""
    sql, values = asking.erasable(DIALECT, about, limit)
    found = cast("list[tuple[int]]", connection.execute(sql, values).fetchall())
    sql, values = asking.unerasable(DIALECT, about, LAG_COUNTED_MAX)
    waiting: int = connection.execute(sql, values).get
    for (seq,) in found:
        for went_to in _WENT_TO:
            connection.execute(
                f"""
                UPDATE makegood_model_row SET body = NULL, revision = revision + 1, torn = 1
                 WHERE (recipient, tenant, key) IN ({went_to})
                """,  # noqa: S608 - the question is one of two
                (seq,),
            )
        connection.execute(
            """UPDATE makegood_message
                  SET body = x'', headers = NULL, subject = NULL, erased_at = ? WHERE seq = ?""",
            (order.at, seq),
        )
        dead = connection.execute(
            "SELECT recipient FROM makegood_delivery WHERE seq = ? AND state = 'dead'", (seq,)
        ).fetchall()
        for (recipient,) in dead:
            _put_away(connection, DeliveryId(seq, cast("str", recipient)), order)
        connection.execute("UPDATE makegood_delivery SET error = '' WHERE seq = ?", (seq,))
    return Erased(count=len(found), waiting=waiting)


def _meant(connection: Connection, chosen: DeliveryFilter) -> Moved:
    sql, values = asking.dead_letters(DIALECT, chosen)
    return moved_of_rows(connection.execute(sql, values).fetchall(), chosen.limit)


def _put_away(connection: Connection, id: DeliveryId, order: Order) -> None:
    lane: str = connection.execute(
        """
        UPDATE makegood_delivery
           SET state = 'discarded', blocks = 0, actor = ?, because = ?, ordered_at = ?
         WHERE seq = ? AND recipient = ? RETURNING lane
        """,
        (order.actor, order.reason, order.at, id.seq, id.recipient),
    ).get
    stand_behind(connection, id.seq, LaneId(id.recipient, lane), order.at)


def _numbers(seqs: Iterable[int]) -> str:
    return msgspec.json.encode(list(seqs)).decode()
