"""What is stored of messages, and under which names."""

from __future__ import annotations

import msgspec

from makegood.values.instants import Instant

__all__ = [
    "DeliveryId",
    "Duplicate",
    "LaneId",
    "Malformed",
    "Receipt",
    "Stored",
    "Subscription",
]


class Malformed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came in and is no message: it is stored as it came, as a dead letter."""

    id: str
    """Names it at its source, as that of a message would; a hash of the body will do."""
    source: str
    body: bytes
    at: Instant
    recipient: str
    """To whom the dead letter belongs."""
    reason: str
    error: bytes = b""
    """What was wrong, as JSON."""
    tenant: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Stored(msgspec.Struct, frozen=True, gc=False):
    """The message is durable under this number; these recipients will be given it."""

    seq: int
    recipients: tuple[str, ...] = ()
    """In the order of their names; empty where nobody subscribes to its type."""


class Duplicate(msgspec.Struct, frozen=True, gc=False):
    """A message with this id came from this source before, under this number: nothing is new."""

    seq: int


Receipt = Stored | Duplicate
"""What became of a message that was published."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """That a recipient wants every message of a type."""

    recipient: str
    type: str
    since: Instant = Instant(0)
    """When it subscribed first."""
    seen_at: Instant = Instant(0)
    """When somebody who serves the recipient has said so last."""


class LaneId(msgspec.Struct, frozen=True, gc=False, order=True):
    """Which lane: whose, and what `lanes.naming.lane_of` makes of the key."""

    recipient: str
    lane: str


class DeliveryId(msgspec.Struct, frozen=True, gc=False, order=True):
    """Which delivery: of which message, and for whom."""

    seq: int
    recipient: str
