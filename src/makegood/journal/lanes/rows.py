"""How do messages, deliveries and lanes come out of a database? Knows columns, and no store."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
from msgspec.structs import replace

from makegood.journal.messages import (
    Deliveries,
    Delivery,
    DeliveryId,
    DeliveryState,
    Kept,
    Lag,
    Lane,
    LaneId,
    Messages,
    Moved,
    Order,
)
from makegood.values.envelope import Envelope
from makegood.values.limits import PAGE_MESSAGES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

    # Any: a value of whatever type its column has.
    Values = Sequence[Any]

__all__ = [
    "DELIVERY",
    "ENVELOPE",
    "LANE",
    "deliveries_of_rows",
    "envelope_of",
    "lag_of",
    "lane_record_of",
    "message_of_rows",
    "messages_of_rows",
    "moved_of_rows",
    "page_size",
]

ENVELOPE = (
    "message.id, message.source, message.type, message.version, message.key, message.tenant, "
    "message.subject, message.correlation, message.causation, message.traceparent, "
    "message.headers, message.at, message.not_before, message.body"
)
"""The columns that `envelope_of` takes, in its order."""

DELIVERY = (
    "delivery.seq, delivery.recipient, delivery.lane, delivery.state, delivery.attempts, "
    "delivery.sending, delivery.due_at, delivery.reason, delivery.error, delivery.fault, "
    "delivery.failed_at, delivery.done_at, delivery.actor, delivery.because, delivery.ordered_at"
)
"""The columns of a delivery, in its order."""

LANE = (
    "lane.recipient, lane.lane, lane.due_at, lane.owner, lane.epoch, lane.claims, lane.blocked_by"
)
"""The columns that `lane_record_of` takes, in its order."""

_DELIVERY_COUNT = 15


def page_size(limit: int) -> int:
    """Return how many a page holds; one more is asked for to know whether there are more."""
    return min(limit, PAGE_MESSAGES_MAX)


_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...])


def envelope_of(values: Values) -> Envelope:
    """Return the envelope of its columns."""
    headers = values[10]
    return Envelope(
        id=values[0],
        source=values[1],
        type=values[2],
        version=values[3],
        key=values[4],
        tenant=values[5],
        subject=values[6],
        correlation=values[7],
        causation=values[8],
        traceparent=values[9],
        headers=() if headers is None else _headers.decode(headers),
        at=values[11],
        not_before=values[12],
        body=values[13],
    )


def deliveries_of_rows(found: Sequence[Values], limit: int) -> Deliveries:
    """Return the page of the rows that `asking.deliveries` asks for."""
    size = page_size(limit)
    rows = tuple(
        _delivery(values, values[_DELIVERY_COUNT], _bodiless(values[_DELIVERY_COUNT + 1 :]))
        for values in found[:size]
    )
    return Deliveries(rows=rows, next=rows[-1].id if len(found) > size else None)


def messages_of_rows(found: Sequence[Values], deliveries: Sequence[Values], limit: int) -> Messages:
    """Return the page of the rows that `asking.messages` and `deliveries_of` ask for."""
    size = page_size(limit)
    rows = tuple(message_of_rows(values, deliveries, whole=False) for values in found[:size])
    return Messages(rows=rows, next=rows[-1].seq if len(found) > size else None)


def message_of_rows(values: Values, deliveries: Iterable[Values], *, whole: bool = True) -> Kept:
    """Return the message of one such row and of its deliveries among these."""
    seq, stored_at, erased_at = values[:3]
    envelope = envelope_of(values[3:])
    bodiless = replace(envelope, body=b"")
    return Kept(
        seq=seq,
        stored_at=stored_at,
        message=envelope if whole else bodiless,
        deliveries=tuple(
            _delivery(each, stored_at, bodiless) for each in deliveries if each[0] == seq
        ),
        erased_at=erased_at,
    )


def lane_record_of(values: Values) -> Lane:
    """Return the lane of its columns."""
    recipient, lane, due_at, owner, epoch, claims, blocked_by = values
    return Lane(
        id=LaneId(recipient, lane),
        due_at=due_at,
        owner=cast("WorkerId | None", owner),
        epoch=epoch,
        claims=claims,
        blocked_by=blocked_by,
    )


def lag_of(values: Values) -> Lag:
    """Return how far a recipient is behind, as the statement of `asking` says it."""
    recipient, waiting, oldest_at, dead = values
    return Lag(recipient=recipient, waiting=waiting, oldest_at=oldest_at, dead=dead)


def moved_of_rows(found: Sequence[Values], limit: int) -> Moved:
    """Return what is meant by the rows that `asking.dead_letters` asks for."""
    size = page_size(limit)
    ids = tuple(DeliveryId(seq, recipient) for seq, recipient in found[:size])
    return Moved(ids=ids, has_more=len(found) > size)


def _bodiless(values: Values) -> Envelope:
    return replace(envelope_of(values), body=b"")


def _delivery(values: Values, stored_at: Instant, message: Envelope) -> Delivery:
    seq, recipient, lane, state, attempts, sending, due_at, reason, error, fault = values[:10]
    failed_at, done_at, actor, because, ordered_at = values[10:_DELIVERY_COUNT]
    return Delivery(
        id=DeliveryId(seq, recipient),
        lane=lane,
        state=DeliveryState(state),
        attempts=attempts,
        sending=sending,
        due_at=due_at,
        reason=reason,
        error=error.encode(),
        fault=fault,
        failed_at=failed_at,
        done_at=done_at,
        order=None if actor is None else Order(actor=actor, reason=because, at=ordered_at),
        stored_at=stored_at,
        message=message,
    )
