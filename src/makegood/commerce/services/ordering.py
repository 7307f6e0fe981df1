"""What next for an order when something is heard about it: one table, without a store or a clock.

    created --(reserved)--> charging --(processed)--> paid --(reserved firmly)--> shipping
       |                     |   ^                      |                         |      |
       | (refused)  (unknown)|   |(processed)           |                         |   (booked)
       v                     v   |                      |                         |      v
    rejected               in doubt                     |                         |    closed
       .                        |                       |                         |
       +--(cancelled)-----------+---> cancelling <------+-------(refused)---------+
                                           |
                                 cancelled, or refunded <--- returning <--(sent back)--- closed

An order that is being cancelled waits for the answers of those who take something back. They are
asked in reverse order: no money is given back while a parcel may be on its way, and no goods are
let go of while a charge is not settled. Whatever fits no line of the table is heard and changes
nothing: it came twice, or was overtaken.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from makegood import OutcomeUnknown
from makegood.commerce.orders import CustomerId, OrderId, OrderRefused
from makegood.commerce.services.messages import (
    CancelOrder,
    CancelShipment,
    ChargePayment,
    CreateShipment,
    InventoryRefused,
    InventoryReleased,
    InventoryReserved,
    InventoryRestocked,
    OrderCancelled,
    OrderClosed,
    OrderRejected,
    PaymentFailed,
    PaymentProcessed,
    PaymentRefunded,
    PaymentUnknown,
    PaymentVoided,
    RefundPayment,
    ReleaseInventory,
    ReservationExpired,
    ReserveInventory,
    RestockReturn,
    ReturnReceived,
    ShipmentCreated,
    ShipmentRefused,
    ShipmentStatusChanged,
    VoidPayment,
    Wanted,
)
from makegood.payments import Money, PaymentDetails

__all__ = [
    "FINAL",
    "AmountDiffers",
    "Heard",
    "Next",
    "NotShipped",
    "OrderState",
    "Status",
    "Undo",
    "after",
]


class AmountDiffers(OutcomeUnknown):
    """Another amount was taken than is known of the order: a person must look."""


class NotShipped(OrderRefused):
    """Something came back for an order that nothing was sent for: a person must look."""


class Status(StrEnum):
    """Where an order stands."""

    CREATED = "created"
    """Its goods are asked for."""
    CHARGING = "charging"
    """Its goods are held, and its money is asked for."""
    IN_DOUBT = "in doubt"
    """Nobody knows yet whether the money was taken."""
    PAID = "paid"
    """The money was taken; its goods are to be held for good."""
    SHIPPING = "shipping"
    """The carrier is asked."""
    CANCELLING = "cancelling"
    """What was done is being taken back."""
    CLOSED = "closed"
    """Paid, and with the carrier."""
    RETURNING = "returning"
    """What was sent came back; the money is being given back."""
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    """Nothing was ever taken."""
    REFUNDED = "refunded"
    """All that was taken was given back."""


FINAL = frozenset({Status.CLOSED, Status.REJECTED, Status.CANCELLED, Status.REFUNDED})


class Undo(StrEnum):
    """Whose answer an order that is being cancelled waits for."""

    SHIPMENT = "shipment"
    CHARGE = "charge"
    """Nobody knows whether money was taken: it is settled before the goods are let go of."""
    PAYMENT = "payment"
    STOCK = "stock"
    RESTOCK = "restock"


class OrderState(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands."""

    id: OrderId
    customer: CustomerId
    lines: tuple[Wanted, ...]
    total: Money
    payment: PaymentDetails
    address: str
    status: Status = Status.CREATED
    waits: frozenset[Undo] = frozenset()
    captured: int = 0
    """What was taken, in minor units of the total's currency."""
    refunded: int = 0
    reason: str = ""


Heard = (
    CancelOrder
    | InventoryReserved
    | InventoryRefused
    | InventoryReleased
    | ReservationExpired
    | PaymentProcessed
    | PaymentFailed
    | PaymentUnknown
    | PaymentVoided
    | PaymentRefunded
    | ShipmentCreated
    | ShipmentRefused
    | ShipmentStatusChanged
    | ReturnReceived
    | InventoryRestocked
)
"""What is heard about an order once it was created."""

Next = (
    OrderRejected
    | OrderCancelled
    | OrderClosed
    | ReserveInventory
    | ReleaseInventory
    | RestockReturn
    | ChargePayment
    | VoidPayment
    | RefundPayment
    | CreateShipment
    | CancelShipment
)
"""What is said because of it."""

Turn = tuple[OrderState, tuple[Next, ...]]


def after(order: OrderState, heard: Heard) -> Turn:
    """Return the order as it stands then, and what is to be said; the same order for nothing new.

    Raises `AmountDiffers` where something else was taken than the order comes to, and `NotShipped`
    for goods that come back and were never sent.
    """
    if isinstance(heard, ReturnReceived):
        return _send_back(order)
    match order.status:
        case Status.CREATED:
            return _created(order, heard)
        case Status.CHARGING | Status.IN_DOUBT:
            return _charging(order, heard)
        case Status.PAID:
            return _paid(order, heard)
        case Status.SHIPPING:
            return _shipping(order, heard)
        case Status.CANCELLING:
            return _cancelling(order, heard)
        case Status.RETURNING:
            return _returning(order, heard)
        case Status.CANCELLED | Status.REJECTED if isinstance(heard, PaymentProcessed):
            return _expected(order), ()
        case _:
            return order, ()


def _created(order: OrderState, heard: Heard) -> Turn:
    match heard:
        case InventoryReserved():
            charge = ChargePayment(
                order_id=order.id,
                customer_id=order.customer,
                amount=order.total,
                payment=order.payment,
            )
            return replace(order, status=Status.CHARGING), (charge,)
        case InventoryRefused(short=short):
            reason = ", ".join(f"{each.available} of {each.wanted} {each.sku}" for each in short)
            reason = f"out of stock: there are {reason}"
            rejected = OrderRejected(order_id=order.id, customer_id=order.customer, reason=reason)
            return replace(order, status=Status.REJECTED, reason=reason), (rejected,)
        case CancelOrder(reason=reason):
            return _cancel(order, reason, Undo.STOCK)
        case _:
            return order, ()


def _charging(order: OrderState, heard: Heard) -> Turn:
    match heard:
        case PaymentProcessed(amount=amount):
            paid = replace(order, status=Status.PAID, captured=_taken(order, amount))
            firmly = ReserveInventory(order_id=order.id, lines=order.lines, is_firm=True)
            return paid, (firmly,)
        case PaymentFailed(reason=reason):
            return _cancel(order, f"the payment was declined: {reason}", Undo.STOCK)
        case PaymentUnknown():
            return replace(order, status=Status.IN_DOUBT), ()
        case CancelOrder(reason=reason):
            return _cancel(order, reason, Undo.CHARGE)
        case ReservationExpired():
            return _cancel(order, "it was not paid in time", Undo.CHARGE)
        case _:
            return order, ()


def _paid(order: OrderState, heard: Heard) -> Turn:
    match heard:
        case InventoryReserved(is_firm=True):
            create = CreateShipment(
                order_id=order.id, customer_id=order.customer, address=order.address
            )
            return replace(order, status=Status.SHIPPING), (create,)
        case InventoryRefused():
            return _cancel(order, "its goods were gone when it was paid", *_MONEY_AND_GOODS)
        case CancelOrder(reason=reason):
            return _cancel(order, reason, *_MONEY_AND_GOODS)
        case _:
            return order, ()


def _shipping(order: OrderState, heard: Heard) -> Turn:
    match heard:
        case ShipmentCreated():
            return _close(order)
        case ShipmentRefused(reason=reason):
            return _cancel(order, f"the carrier refused it: {reason}", *_MONEY_AND_GOODS)
        case CancelOrder(reason=reason):
            return _cancel(order, reason, Undo.SHIPMENT)
        case _:
            return order, ()


def _cancelling(order: OrderState, heard: Heard) -> Turn:
    match heard:
        case ShipmentStatusChanged(status="too late") if Undo.SHIPMENT in order.waits:
            return _close(replace(order, reason=""))
        case ShipmentRefused() | ShipmentStatusChanged() if Undo.SHIPMENT in order.waits:
            return _cancel(order, order.reason, *_MONEY_AND_GOODS)
        case PaymentProcessed(amount=amount) if Undo.CHARGE in order.waits:
            return replace(order, captured=_taken(order, amount)), ()
        case PaymentProcessed():
            return _expected(order), ()
        case PaymentFailed() | PaymentVoided() if order.waits & _MONEY:
            return _settled(_uncharged(order))
        case PaymentRefunded(captured=captured, refunded=refunded) if order.waits & _MONEY:
            return _settled(replace(order, captured=captured.minor, refunded=refunded.minor))
        case InventoryReleased() if Undo.STOCK in order.waits:
            return _ended(replace(order, waits=order.waits - {Undo.STOCK}))
        case _:
            return order, ()


def _send_back(order: OrderState) -> Turn:
    if order.status is not Status.CLOSED:
        message = f"something came back for {order.id}, which is {order.status}"
        raise NotShipped(message)
    undos = (Undo.PAYMENT, Undo.RESTOCK)
    returning = replace(
        order, status=Status.RETURNING, waits=frozenset(undos), reason="it was sent back"
    )
    return returning, tuple(_asked(order, undo) for undo in undos)


def _returning(order: OrderState, heard: Heard) -> Turn:
    match heard:
        case PaymentRefunded(captured=captured, refunded=refunded):
            waits = order.waits - {Undo.PAYMENT}
            order = replace(order, captured=captured.minor, refunded=refunded.minor, waits=waits)
        case InventoryRestocked():
            order = replace(order, waits=order.waits - {Undo.RESTOCK})
        case _:
            return order, ()
    return (order if order.waits else replace(order, status=Status.REFUNDED)), ()


_MONEY = frozenset({Undo.CHARGE, Undo.PAYMENT})

_MONEY_AND_GOODS = (Undo.PAYMENT, Undo.STOCK)
"""What is to be taken back of an order that was paid and is not on its way."""


def _cancel(order: OrderState, reason: str, *undos: Undo) -> Turn:
    """Ask those who are to take something back, and wait for their answers."""
    cancelling = replace(order, status=Status.CANCELLING, waits=frozenset(undos), reason=reason)
    return cancelling, tuple(_asked(order, undo) for undo in undos)


def _asked(order: OrderState, undo: Undo) -> Next:
    match undo:
        case Undo.SHIPMENT:
            return CancelShipment(order_id=order.id)
        case Undo.CHARGE:
            return VoidPayment(order_id=order.id, customer_id=order.customer)
        case Undo.PAYMENT:
            return RefundPayment(order_id=order.id, customer_id=order.customer)
        case Undo.STOCK:
            return ReleaseInventory(order_id=order.id)
        case Undo.RESTOCK:
            return RestockReturn(order_id=order.id)


def _settled(order: OrderState) -> Turn:
    """Go on where nothing of the customer's money is left with us."""
    if Undo.CHARGE in order.waits:
        return _cancel(order, order.reason, Undo.STOCK)
    return _ended(replace(order, waits=order.waits - {Undo.PAYMENT}))


def _ended(order: OrderState) -> Turn:
    """End an order for which everything was taken back."""
    if order.waits:
        return order, ()
    status = Status.REFUNDED if order.captured else Status.CANCELLED
    told = OrderCancelled(
        order_id=order.id,
        customer_id=order.customer,
        reason=order.reason,
        refunded=Money(order.refunded, order.total.currency),
    )
    return replace(order, status=status), (told,)


def _close(order: OrderState) -> Turn:
    closed = OrderClosed(order_id=order.id, customer_id=order.customer, total=order.total)
    return replace(order, status=Status.CLOSED, waits=frozenset()), (closed,)


def _taken(order: OrderState, amount: Money) -> int:
    """Return what was taken, which must be what the order comes to."""
    if amount != order.total:
        message = f"{order.id} comes to {order.total}, and {amount} was taken; ask the gateway"
        raise AmountDiffers(message)
    return amount.minor


def _expected(order: OrderState) -> OrderState:
    """Return an order of which it is known that money was taken."""
    if not order.captured:
        message = f"money was taken for {order.id} after its charge was void; ask the gateway"
        raise AmountDiffers(message)
    return order


def _uncharged(order: OrderState) -> OrderState:
    """Return an order of which nobody has said that money was taken."""
    if order.captured:
        message = f"{order.captured} was taken for {order.id}, and was not; ask the gateway"
        raise AmountDiffers(message)
    return order
