"""What is shown of messages on the server? Asks what `lanes.asking` asks of every database."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from makegood.journal.lanes import asking
from makegood.journal.lanes.rows import (
    deliveries_of_rows,
    lag_of,
    lane_record_of,
    message_of_rows,
    messages_of_rows,
)
from makegood.journal.messages import Subscription

if TYPE_CHECKING:
    from typing import Any

    from makegood.journal.lanes.asking import Dialect, Question
    from makegood.journal.messages import (
        Deliveries,
        DeliveryFilter,
        Kept,
        Lag,
        Lane,
        LaneId,
        MessageFilter,
        Messages,
    )
    from makegood.journal.postgres.connection import Connection, Row

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = [
    "deliveries_shown",
    "dialect_of",
    "lag_of_all",
    "lanes_shown",
    "message_shown",
    "messages_shown",
    "subscriptions_kept",
]


@cache
def dialect_of(schema: str) -> Dialect:
    """Return how tables are named in a schema, and values bound."""
    return asking.Dialect(f'"{schema}".', _bound)


async def subscriptions_kept(connection: Connection, schema: str) -> tuple[Subscription, ...]:
    """Return who wants what, sorted."""
    found = await connection.fetch(
        f"""SELECT recipient, type, since, seen_at FROM "{schema}".subscription
             ORDER BY recipient, type"""
    )
    return tuple(
        Subscription(recipient=recipient, type=name, since=since, seen_at=seen_at)
        for recipient, name, since, seen_at in found
    )


async def deliveries_shown(
    connection: Connection, schema: str, filter: DeliveryFilter
) -> Deliveries:
    """Return one page of deliveries with the newest first."""
    found = await _rows(connection, asking.deliveries(dialect_of(schema), filter))
    return deliveries_of_rows(found, filter.limit)


async def messages_shown(connection: Connection, schema: str, filter: MessageFilter) -> Messages:
    """Return one page of messages with the newest first."""
    found = await _rows(connection, asking.messages(dialect_of(schema), filter))
    return messages_of_rows(found, await _deliveries_of(connection, schema, found), filter.limit)


async def message_shown(connection: Connection, schema: str, seq: int) -> Kept | None:
    """Return a message with its body, or None."""
    found = await _rows(connection, asking.message(dialect_of(schema), seq))
    if not found:
        return None
    return message_of_rows(found[0], await _deliveries_of(connection, schema, found))


async def lanes_shown(
    connection: Connection, schema: str, recipient: str, *, after: LaneId | None, limit: int
) -> tuple[Lane, ...]:
    """Return lanes of a recipient, sorted by their names."""
    question = asking.lanes(dialect_of(schema), recipient, after=after, limit=limit)
    return tuple(lane_record_of(values) for values in await _rows(connection, question))


async def lag_of_all(connection: Connection, schema: str) -> tuple[Lag, ...]:
    """Return how far every recipient is behind."""
    found = await _rows(connection, asking.lag(dialect_of(schema)))
    return tuple(lag_of(values) for values in found)


async def _deliveries_of(
    connection: Connection, schema: str, messages: list[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    if not messages:
        return []
    seqs = [values[0] for values in messages]
    return await _rows(connection, asking.deliveries_of(dialect_of(schema), seqs))


# Any: a value of whatever type its column has.
async def _rows(connection: Connection, question: Question) -> list[tuple[Any, ...]]:
    found: list[Row] = await connection.fetch(question.sql, *question.values)
    return [tuple(row) for row in found]


def _bound(number: int) -> str:
    return f"${number}"
