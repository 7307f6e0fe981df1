"""What is shown of messages? Questions for any database, and what their answers come to.

Each is a generator that yields questions and is sent the rows of each: a store answers them one
after the other, on whichever thread or connection it has.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from makegood.journal.lanes import asking
from makegood.journal.lanes.asking import Question
from makegood.journal.lanes.rows import (
    deliveries_of_rows,
    lag_of,
    lane_record_of,
    message_of_rows,
    messages_of_rows,
)
from makegood.journal.messages import Subscription

if TYPE_CHECKING:
    from makegood.journal.lanes.asking import Dialect
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

__all__ = [
    "Shown",
    "deliveries_shown",
    "lag_of_all",
    "lanes_shown",
    "message_shown",
    "messages_shown",
    "subscriptions_kept",
]

T = TypeVar("T")

# Any: a value of whatever type its column has.
Rows = list[tuple[Any, ...]]

Shown = Generator[Question, Rows, T]
"""What is shown, once its questions are answered."""


def subscriptions_kept(dialect: Dialect) -> Shown[tuple[Subscription, ...]]:
    """Return who wants what, sorted."""
    found = yield asking.subscriptions(dialect)
    return tuple(
        Subscription(recipient=recipient, type=name, since=since, seen_at=seen_at)
        for recipient, name, since, seen_at in found
    )


def deliveries_shown(dialect: Dialect, filter: DeliveryFilter) -> Shown[Deliveries]:
    """Return one page of deliveries with the newest first."""
    found = yield asking.deliveries(dialect, filter)
    return deliveries_of_rows(found, filter.limit)


def messages_shown(dialect: Dialect, filter: MessageFilter) -> Shown[Messages]:
    """Return one page of messages with the newest first."""
    found = yield asking.messages(dialect, filter)
    deliveries = (yield asking.deliveries_of(dialect, [row[0] for row in found])) if found else []
    return messages_of_rows(found, deliveries, filter.limit)


def message_shown(dialect: Dialect, seq: int) -> Shown[Kept | None]:
    """Return a message with its body, or None."""
    found = yield asking.message(dialect, seq)
    if not found:
        return None
    return message_of_rows(found[0], (yield asking.deliveries_of(dialect, [seq])))


def lanes_shown(
    dialect: Dialect, recipient: str, *, after: LaneId | None, limit: int
) -> Shown[tuple[Lane, ...]]:
    """Return lanes of a recipient, sorted by their names."""
    found = yield asking.lanes(dialect, recipient, after=after, limit=limit)
    return tuple(lane_record_of(values) for values in found)


def lag_of_all(dialect: Dialect) -> Shown[tuple[Lag, ...]]:
    """Return how far every recipient is behind."""
    found = yield asking.lag(dialect)
    return tuple(lag_of(values) for values in found)
