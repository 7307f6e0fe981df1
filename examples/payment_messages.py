"""The messages of the payment worker: what it is told, what it tells itself, and what others hear.

When something happened stands in the envelope of its message, and needs no field.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from makegood.payments import Money

__all__ = [
    "InventoryReserved",
    "OrderCancelled",
    "PaymentFailed",
    "PaymentProcessed",
    "PaymentRefunded",
    "PaymentStatus",
    "ProcessPayment",
    "RefundPayment",
]


class PaymentStatus(StrEnum):
    """What has become of a payment, as it stands in the table."""

    PENDING = "pending"
    CAPTURED = "captured"
    FAILED = "failed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class OfOrder:
    """What is about an order: such messages are received in their order."""

    order_id: str

    @property
    def message_key(self) -> str:
        """The key by which they are kept in order."""
        return self.order_id


@dataclass(frozen=True)
class InventoryReserved(OfOrder):
    """The goods are held; the event carries all that the payment needs."""

    total: Money
    method: str = "pm_card_visa"


@dataclass(frozen=True)
class OrderCancelled(OfOrder):
    """The order is not wanted any more."""


@dataclass(frozen=True)
class ProcessPayment(OfOrder):
    """Take the money of a payment that stands in the table."""

    message_kind: ClassVar[str] = "command"

    payment_id: str
    amount: Money
    method: str


@dataclass(frozen=True)
class RefundPayment(OfOrder):
    """Give the money of a payment back."""

    message_kind: ClassVar[str] = "command"

    payment_id: str
    transaction_id: str
    amount: Money


@dataclass(frozen=True)
class PaymentProcessed(OfOrder):
    """The money is there."""

    payment_id: str
    transaction_id: str
    amount: Money
    status: PaymentStatus = PaymentStatus.CAPTURED


@dataclass(frozen=True)
class PaymentFailed(OfOrder):
    """There will be no money: whoever holds goods for it may let go of them."""

    payment_id: str
    error_code: str
    reason: str


@dataclass(frozen=True)
class PaymentRefunded(OfOrder):
    """The money is given back."""

    payment_id: str
    refund_id: str
    amount: Money
