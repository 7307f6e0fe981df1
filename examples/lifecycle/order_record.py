"""An order, and the statuses that it goes through: the nouns of the example.

All amounts are whole minor units with a currency, and what the customer claims is never charged.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from makegood.payments import Money

__all__ = ["LOOKS_MAX", "Charge", "Line", "Order", "Status", "growing", "total_of"]

LOOKS_MAX = 12
"""How often something is looked up before a person is needed."""


def growing(looks: int) -> timedelta:
    """Return how long to wait before something is looked up again."""
    return timedelta(seconds=min(2**looks, 600))


class Status(Enum):
    """Where an order stands, as the shop calls it."""

    CREATED = "created"
    VALIDATED = "validated"
    PARTIAL_OFFERED = "partial offered"
    INVENTORY_RESERVED = "inventory reserved"
    PAYMENT_PROCESSING = "payment processing"
    PAYMENT_UNKNOWN = "payment unknown"
    PAYMENT_FAILED = "payment failed"
    PAYMENT_PROCESSED = "payment processed"
    SHIPPING = "shipping"
    FULFILLED = "fulfilled"
    DELIVERED = "delivered"
    RETURNING = "returning"
    CANCELLING = "cancelling"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    CLOSED = "closed"


@dataclass(frozen=True)
class Line:
    """Some of one article, each at the price that the customer was shown."""

    sku: str
    quantity: int
    price: Money


def total_of(lines: tuple[Line, ...]) -> Money:
    """Add lines up; there is at least one, and all are in one currency."""
    return Money(sum(line.quantity * line.price.minor for line in lines), lines[0].price.currency)


@dataclass(frozen=True)
class Charge:
    """An attempt to take the money, under a key of its own."""

    key: str
    amount: Money
    is_captured: bool = False


@dataclass(frozen=True)
class Order:
    """An order, and all that is known of it."""

    id: str
    customer: str
    lines: tuple[Line, ...]
    """What is wanted; later what was accepted, and at the end what is kept."""
    total: Money
    """As the customer claims it, and from the check of the order on as it is."""
    method: str
    address: str

    reasons: tuple[str, ...] = ()
    """Why it was rejected, or is cancelled."""
    hold: str | None = None
    """What is held for it in the warehouse."""
    offered: tuple[Line, ...] = ()
    """What of it is in stock, if that is not all."""
    generation: int = 1
    """Which charge this is, each with a method and a key of its own."""
    charge: Charge | None = None
    """The one that may have taken money, or may still."""
    refunded: Money | None = None
    parcel: str | None = None
    """By which reference the carrier knows it, once it may."""
    tracking: str | None = None
    delivered_at: datetime | None = None
    coming_back: tuple[Line, ...] = ()
    is_lost: bool = False
    looks: int = 0
    """How often somebody was asked about one thing, in one status."""
    stuck: tuple[str, ...] = ()
    """What could not be taken back."""
