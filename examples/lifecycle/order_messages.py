"""What an order is told, each under the number of the order, and what a customer is told."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from order_record import Line, Order

from makegood import LifecycleEvent

__all__ = [
    "AcceptPartial",
    "CancelOrder",
    "CarrierReported",
    "ChooseMethod",
    "DeclinePartial",
    "OrderEvent",
    "PaymentReported",
    "ReturnReceived",
    "SendNotification",
    "letter",
]


@dataclass(frozen=True)
class CancelOrder:
    """The customer does not want it any more."""

    reason: str


@dataclass(frozen=True)
class AcceptPartial:
    """The customer takes what is in stock."""


@dataclass(frozen=True)
class DeclinePartial:
    """The customer takes all or nothing."""


@dataclass(frozen=True)
class ChooseMethod:
    """The customer pays in another way; None: in no other way."""

    method: str | None


@dataclass(frozen=True)
class PaymentReported:
    """The bank says that it knows more of a charge, which is then asked for and not believed."""

    charge: str


@dataclass(frozen=True)
class CarrierReported:
    """The carrier says what has become of the parcel."""

    at: datetime
    is_lost: bool = False
    """It is lost, or goes back to the sender, in which case it has to be restocked by hand."""


@dataclass(frozen=True)
class ReturnReceived:
    """These came back from the customer."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class SendNotification:
    """Tell a customer something about an order."""

    message_kind: ClassVar[str] = "command"

    customer: str
    order: str
    text: str

    @property
    def message_key(self) -> str:
        """Letters to one customer go out in their order."""
        return self.customer


@dataclass(frozen=True, kw_only=True)
class OrderEvent(LifecycleEvent):
    """What happens to orders."""


def letter(order: Order, text: str) -> SendNotification:
    """Return the command to tell the customer something about the order."""
    return SendNotification(order.customer, order.id, text)
