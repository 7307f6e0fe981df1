"""What is shown of messages, of their deliveries and of the lanes in which these stand."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from makegood.journal.lanes.stored import DeliveryId, LaneId
from makegood.values.envelope import Envelope
from makegood.values.ids import WorkerId
from makegood.values.instants import Instant

__all__ = [
    "Deliveries",
    "Delivery",
    "DeliveryFilter",
    "DeliveryState",
    "Erased",
    "Kept",
    "Lag",
    "Lane",
    "MessageFilter",
    "Messages",
    "Moved",
    "Order",
    "Pruned",
]


class DeliveryState(StrEnum):
    """How far a delivery is."""

    LATER = "later"
    """Its message is not to be handled before its time, and has no place in its lane yet."""
    DUE = "due"
    """It stands in its lane, or is being handled."""
    DONE = "done"
    DEAD = "dead"
    """It was given up, and a person may send it again or discard it."""
    DISCARDED = "discarded"


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who wants something done with deliveries, why and when."""

    actor: str
    reason: str
    at: Instant


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message for one recipient, as it is remembered."""

    id: DeliveryId
    lane: str
    state: DeliveryState
    attempts: int
    sending: int
    due_at: Instant
    """When it is, or was, to be handled: its last attempt's, or when it was stored."""
    reason: str | None = None
    """Why it is dead."""
    error: bytes = b""
    """What went wrong at the last attempt, as JSON."""
    fault: str = ""
    failed_at: Instant | None = None
    done_at: Instant | None = None
    order: Order | None = None
    """The last time that a person did something with it."""
    stored_at: Instant
    message: Envelope
    """Without its body, which `message` gives."""


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries are meant; every field given must hold."""

    recipient: str | None = None
    states: frozenset[DeliveryState] = frozenset()
    type: str | None = None
    lane: str | None = None
    reason: str | None = None
    fault: str | None = None
    failed_before: Instant | None = None
    failed_after: Instant | None = None
    """Those that failed then are meant too."""
    ids: frozenset[DeliveryId] = frozenset()
    """These and no others; empty: whichever."""
    after: DeliveryId | None = None
    """The last one of the page before; the newest are listed first."""
    limit: int = 50


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """One page of deliveries, and where the next one begins; None when this is the last."""

    rows: tuple[Delivery, ...]
    next: DeliveryId | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is remembered, and what became of it."""

    seq: int
    stored_at: Instant
    message: Envelope
    deliveries: tuple[Delivery, ...]
    erased_at: Instant | None = None


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages are shown, without their bodies; every field given must hold."""

    correlation: str | None = None
    key: str | None = None
    tenant: str | None = None
    type: str | None = None
    source: str | None = None
    id: str | None = None
    unheard: bool = False
    """Show only messages that nobody subscribed to when they were stored."""
    after: int | None = None
    """The last message of the page before; the newest are listed first."""
    limit: int = 50


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """One page of messages, and where the next one begins; None when this is the last."""

    rows: tuple[Kept, ...]
    next: int | None


class Lane(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A lane, as it is remembered while something is due in it."""

    id: LaneId
    due_at: Instant | None
    """When a worker that does not hold it may take it; None: a dead letter blocks it."""
    owner: WorkerId | None
    epoch: int
    claims: int
    blocked_by: int | None = None
    """The message that was given up and that everything else here waits for."""


class Lag(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far a recipient is behind."""

    recipient: str
    waiting: int
    """How many deliveries are due, counted up to `LAG_COUNTED_MAX`."""
    oldest_at: Instant | None
    """When the oldest of them was stored, among as many lanes as that; None: none is due."""
    dead: int
    """How many dead letters it has, counted likewise."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters that were sent again or discarded, or would be."""

    ids: tuple[DeliveryId, ...]
    """The oldest first."""
    has_more: bool = False
    """There are more of those that were meant: ask again."""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What a prune of messages came to."""

    count: int
    next: int | None
    """Where the next one goes on; None when there is nothing more to look at."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure of messages came to."""

    count: int
    """How many messages were erased."""
    waiting: int
    """How many could not be, for they are still to be handled: ask again later."""
