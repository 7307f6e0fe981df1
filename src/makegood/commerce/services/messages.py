"""What the five services say to each other: commands, which have one owner, and events.

What is said about an order has the order as its key, so that it is received in order. That is said
where an order begins; whatever comes of a message takes over its key. Letters go by the customer,
and products by themselves.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from makegood.commerce.orders import CustomerId, OrderId, Sku
from makegood.payments import Money, PaymentDetails

__all__ = [
    "CancelOrder",
    "CancelShipment",
    "ChargePayment",
    "CreateOrder",
    "CreateProduct",
    "CreateShipment",
    "InventoryRefused",
    "InventoryReleased",
    "InventoryReserved",
    "InventoryRestocked",
    "NotificationFailed",
    "NotificationSent",
    "OrderCancelled",
    "OrderClosed",
    "OrderCreated",
    "OrderRejected",
    "PaymentFailed",
    "PaymentProcessed",
    "PaymentRefunded",
    "PaymentUnknown",
    "PaymentVoided",
    "ProductCreated",
    "RefundPayment",
    "ReleaseInventory",
    "ReservationExpired",
    "ReserveInventory",
    "RestockReturn",
    "ReturnReceived",
    "SendNotification",
    "ShipmentCreated",
    "ShipmentRefused",
    "ShipmentStatusChanged",
    "Short",
    "VoidPayment",
    "Wanted",
]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """So many of one article."""

    sku: Sku
    quantity: int


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """An article of which there is less than was wanted."""

    sku: Sku
    wanted: int
    available: int


# Orders ---------------------------------------------------------------------------------------


class CreateOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A customer wants something. The total is the customer's claim: the shop adds up itself."""

    message_name: ClassVar[str] = "commerce.CreateOrder"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    customer_id: CustomerId
    lines: tuple[Wanted, ...]
    claimed_total: Money
    payment: PaymentDetails
    address: str

    @property
    def message_key(self) -> str:
        """The order."""
        return self.order_id


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The customer does not want it any more."""

    message_name: ClassVar[str] = "commerce.CancelOrder"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    reason: str

    @property
    def message_key(self) -> str:
        """The order."""
        return self.order_id


class OrderCreated(msgspec.Struct, frozen=True, kw_only=True):
    """The shop takes the order, at the total that it has computed."""

    message_name: ClassVar[str] = "commerce.OrderCreated"

    order_id: OrderId
    customer_id: CustomerId
    lines: tuple[Wanted, ...]
    total: Money


class OrderRejected(msgspec.Struct, frozen=True, kw_only=True):
    """The shop does not take the order: nothing is held, nothing was charged."""

    message_name: ClassVar[str] = "commerce.OrderRejected"

    order_id: OrderId
    customer_id: CustomerId
    reason: str


class OrderCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was done for the order is taken back."""

    message_name: ClassVar[str] = "commerce.OrderCancelled"

    order_id: OrderId
    customer_id: CustomerId
    reason: str
    refunded: Money


class OrderClosed(msgspec.Struct, frozen=True, kw_only=True):
    """The order is paid, and its parcel is with the carrier."""

    message_name: ClassVar[str] = "commerce.OrderClosed"

    order_id: OrderId
    customer_id: CustomerId
    total: Money


# Stock ----------------------------------------------------------------------------------------


class CreateProduct(msgspec.Struct, frozen=True, kw_only=True):
    """An article comes into the range, with what there is of it."""

    message_name: ClassVar[str] = "commerce.CreateProduct"
    message_kind: ClassVar[str] = "command"

    sku: Sku
    price: Money
    initial_stock: int

    @property
    def message_key(self) -> str:
        """The article."""
        return self.sku


class ProductCreated(msgspec.Struct, frozen=True, kw_only=True):
    """An article can be ordered."""

    message_name: ClassVar[str] = "commerce.ProductCreated"

    sku: Sku
    price: Money


class ReserveInventory(msgspec.Struct, frozen=True, kw_only=True):
    """Hold all of it, or none.

    What is held is let go of after a time, unless it is `is_firm`: then it is held until it is
    released or shipped, and is taken again where its time was over.
    """

    message_name: ClassVar[str] = "commerce.ReserveInventory"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    lines: tuple[Wanted, ...]
    is_firm: bool = False


class ReleaseInventory(msgspec.Struct, frozen=True, kw_only=True):
    """Let go of what is held for the order, and hold nothing for it any more."""

    message_name: ClassVar[str] = "commerce.ReleaseInventory"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId


class InventoryReserved(msgspec.Struct, frozen=True, kw_only=True):
    """All of it is held."""

    message_name: ClassVar[str] = "commerce.InventoryReserved"

    order_id: OrderId
    is_firm: bool = False


class InventoryRefused(msgspec.Struct, frozen=True, kw_only=True):
    """None of it is held; `short` says of what there is too little."""

    message_name: ClassVar[str] = "commerce.InventoryRefused"

    order_id: OrderId
    short: tuple[Short, ...]


class InventoryReleased(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is held for the order, nor will be; `lines` is what was."""

    message_name: ClassVar[str] = "commerce.InventoryReleased"

    order_id: OrderId
    lines: tuple[Wanted, ...]


class RestockReturn(msgspec.Struct, frozen=True, kw_only=True):
    """Take back into the stock what was shipped for the order and came back."""

    message_name: ClassVar[str] = "commerce.RestockReturn"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId


class InventoryRestocked(msgspec.Struct, frozen=True, kw_only=True):
    """What came back is in the stock."""

    message_name: ClassVar[str] = "commerce.InventoryRestocked"

    order_id: OrderId
    lines: tuple[Wanted, ...]


class ReservationExpired(msgspec.Struct, frozen=True, kw_only=True):
    """What was held for the order was let go of, because its time was over."""

    message_name: ClassVar[str] = "commerce.ReservationExpired"

    order_id: OrderId


# Payments -------------------------------------------------------------------------------------


class ChargePayment(msgspec.Struct, frozen=True, kw_only=True):
    """Take the money."""

    message_name: ClassVar[str] = "commerce.ChargePayment"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    customer_id: CustomerId
    amount: Money
    payment: PaymentDetails


class VoidPayment(msgspec.Struct, frozen=True, kw_only=True):
    """Have nothing of the customer's money, whatever has become of the charge."""

    message_name: ClassVar[str] = "commerce.VoidPayment"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    customer_id: CustomerId


class RefundPayment(msgspec.Struct, frozen=True, kw_only=True):
    """Give back all that was taken."""

    message_name: ClassVar[str] = "commerce.RefundPayment"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    customer_id: CustomerId


class PaymentProcessed(msgspec.Struct, frozen=True, kw_only=True):
    """The money was taken: so much of it."""

    message_name: ClassVar[str] = "commerce.PaymentProcessed"

    order_id: OrderId
    amount: Money


class PaymentFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The charge was declined for good: nothing was taken."""

    message_name: ClassVar[str] = "commerce.PaymentFailed"

    order_id: OrderId
    customer_id: CustomerId
    reason: str


class PaymentUnknown(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody knows yet whether money was taken; it is looked up under the key."""

    message_name: ClassVar[str] = "commerce.PaymentUnknown"

    order_id: OrderId
    key: str


class PaymentVoided(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing was taken, nor will be."""

    message_name: ClassVar[str] = "commerce.PaymentVoided"

    order_id: OrderId


class PaymentRefunded(msgspec.Struct, frozen=True, kw_only=True):
    """All that was taken was given back, and nothing will be taken any more."""

    message_name: ClassVar[str] = "commerce.PaymentRefunded"

    order_id: OrderId
    customer_id: CustomerId
    captured: Money
    refunded: Money


# Shipping -------------------------------------------------------------------------------------


class CreateShipment(msgspec.Struct, frozen=True, kw_only=True):
    """Hand the goods to the carrier."""

    message_name: ClassVar[str] = "commerce.CreateShipment"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    customer_id: CustomerId
    address: str


class CancelShipment(msgspec.Struct, frozen=True, kw_only=True):
    """Stop the parcel, if it can still be stopped."""

    message_name: ClassVar[str] = "commerce.CancelShipment"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId


class ShipmentCreated(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier has the parcel."""

    message_name: ClassVar[str] = "commerce.ShipmentCreated"

    order_id: OrderId
    customer_id: CustomerId
    shipment_id: str
    tracking: str


class ShipmentRefused(msgspec.Struct, frozen=True, kw_only=True):
    """The carrier does not take it: no parcel is on its way, nor will be."""

    message_name: ClassVar[str] = "commerce.ShipmentRefused"

    order_id: OrderId
    reason: str


class ShipmentStatusChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `CancelShipment`: no parcel is or will be on its way, or it is too late."""

    message_name: ClassVar[str] = "commerce.ShipmentStatusChanged"

    order_id: OrderId
    status: Literal["cancelled", "too late"]


class ReturnReceived(msgspec.Struct, frozen=True, kw_only=True):
    """All that was sent to the customer has come back."""

    message_name: ClassVar[str] = "commerce.ReturnReceived"

    order_id: OrderId

    @property
    def message_key(self) -> str:
        """The order."""
        return self.order_id


# Notifications --------------------------------------------------------------------------------


class SendNotification(msgspec.Struct, frozen=True, kw_only=True):
    """Write to the customer, once about each kind of thing that happens to an order."""

    message_name: ClassVar[str] = "commerce.SendNotification"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    customer_id: CustomerId
    kind: str
    subject: str

    @property
    def message_key(self) -> str:
        """The customer."""
        return self.customer_id


class NotificationSent(msgspec.Struct, frozen=True, kw_only=True):
    """The letter is on its way."""

    message_name: ClassVar[str] = "commerce.NotificationSent"

    order_id: OrderId
    customer_id: CustomerId
    kind: str


class NotificationFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The letter could not be sent; nothing else hangs on it."""

    message_name: ClassVar[str] = "commerce.NotificationFailed"

    order_id: OrderId
    customer_id: CustomerId
    kind: str
    reason: str
