"""What is shown of messages in the file? Asks what `lanes.asking` asks of every database."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

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
    from makegood.journal.application.connection import Connection
    from makegood.journal.lanes.asking import Question
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
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

__all__ = [
    "DIALECT",
    "deliveries_shown",
    "lag_of_all",
    "lanes_shown",
    "message_shown",
    "messages_shown",
    "subscriptions_kept",
]


def _bound(_number: int) -> str:
    return "?"


DIALECT = asking.Dialect("makegood_", _bound)
"""How tables are named here, and values bound."""


def subscriptions_kept(connection: Connection) -> tuple[Subscription, ...]:
    """Return who wants what, sorted."""
    found = connection.execute(
        """SELECT recipient, type, since, seen_at FROM makegood_subscription
            ORDER BY recipient, type"""
    ).fetchall()
    return tuple(
        Subscription(recipient=recipient, type=name, since=since, seen_at=seen_at)
        for recipient, name, since, seen_at in cast(
            "list[tuple[str, str, Instant, Instant]]", found
        )
    )


def deliveries_shown(connection: Connection, filter: DeliveryFilter) -> Deliveries:
    """Return one page of deliveries with the newest first."""
    return deliveries_of_rows(_rows(connection, asking.deliveries(DIALECT, filter)), filter.limit)


def messages_shown(connection: Connection, filter: MessageFilter) -> Messages:
    """Return one page of messages with the newest first."""
    found = _rows(connection, asking.messages(DIALECT, filter))
    return messages_of_rows(found, _deliveries_of(connection, found), filter.limit)


def message_shown(connection: Connection, seq: int) -> Kept | None:
    """Return a message with its body, or None."""
    found = _rows(connection, asking.message(DIALECT, seq))
    return message_of_rows(found[0], _deliveries_of(connection, found)) if found else None


def lanes_shown(
    connection: Connection, recipient: str, *, after: LaneId | None, limit: int
) -> tuple[Lane, ...]:
    """Return lanes of a recipient, sorted by their names."""
    found = _rows(connection, asking.lanes(DIALECT, recipient, after=after, limit=limit))
    return tuple(lane_record_of(values) for values in found)


def lag_of_all(connection: Connection) -> tuple[Lag, ...]:
    """Return how far every recipient is behind."""
    return tuple(lag_of(values) for values in _rows(connection, asking.lag(DIALECT)))


def _deliveries_of(
    connection: Connection, messages: list[tuple[Sql, ...]]
) -> list[tuple[Sql, ...]]:
    if not messages:
        return []
    seqs = [cast("int", values[0]) for values in messages]
    return _rows(connection, asking.deliveries_of(DIALECT, seqs))


def _rows(connection: Connection, question: Question) -> list[tuple[Sql, ...]]:
    return connection.execute(question.sql, question.values).fetchall()
