"""What leaves the warehouse: held copies become a shipment, and come back when it is recalled.

The shop's warehouse is its own tables, so shipping is a local step: the shipment, the stock and
the step's record are one commit, and no shipment is ever in doubt. A shop whose warehouse is
another company's would call that company instead, and record the shipment with `Writes`.
"""

from __future__ import annotations

from typing import NewType

import msgspec

from makegood import MakegoodError, Transaction, injected
from makegood.commerce.inventory import Reservation, ReservationId, reserved_copies
from makegood.commerce.orders import Order, OrderId
from makegood.payments import Money

__all__ = ["Shipment", "ShipmentId", "ShipmentRefused", "fulfil_order", "recall_shipment"]

ShipmentId = NewType("ShipmentId", str)


class ShipmentRefused(MakegoodError):
    """The warehouse does not ship the order."""


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """An order on its way to the customer."""

    id: ShipmentId
    order: OrderId
    reservation: ReservationId
    value: Money


async def fulfil_order(
    order: Order, reservation: Reservation, *, transaction: Transaction = injected
) -> Shipment:
    """Ship the copies that are held for the order, or refuse to and leave them held."""
    blocked = await transaction.fetch(
        "SELECT sku FROM shop_reservation_line JOIN shop_stock USING (sku) "
        "WHERE reservation_id = ? AND blocked = 1 ORDER BY sku LIMIT 1",
        reservation.id,
    )
    if blocked:
        [(sku,)] = blocked
        message = f"the warehouse has blocked {sku!s}, which {order.id} wants"
        raise ShipmentRefused(message)
    committed = await transaction.execute(
        "UPDATE shop_reservation SET status = 'committed' WHERE id = ? AND status = 'held'",
        reservation.id,
    )
    if not committed:
        message = f"nothing is held for {order.id} any more; reserve the copies again"
        raise ShipmentRefused(message)
    for sku, quantity in await reserved_copies(reservation.id, transaction):
        await transaction.execute(
            "UPDATE shop_stock SET on_hand = on_hand - ?, held = held - ? WHERE sku = ?",
            quantity,
            quantity,
            sku,
        )
    shipment = Shipment(
        id=ShipmentId(f"shipment-{order.id}"),
        order=order.id,
        reservation=reservation.id,
        value=order.total,
    )
    await transaction.execute(
        "INSERT INTO shop_shipment (id, order_id, reservation_id, value_minor, currency, status) "
        "VALUES (?, ?, ?, ?, ?, 'shipped')",
        shipment.id,
        shipment.order,
        shipment.reservation,
        shipment.value.minor,
        shipment.value.currency,
    )
    return shipment


async def recall_shipment(shipment: Shipment, *, transaction: Transaction = injected) -> None:
    """Take the copies back into the stock; a shipment that was recalled is left as it is."""
    recalled = await transaction.execute(
        "UPDATE shop_shipment SET status = 'recalled' WHERE id = ? AND status = 'shipped'",
        shipment.id,
    )
    if recalled:
        await transaction.execute(
            "UPDATE shop_reservation SET status = 'returned' WHERE id = ?", shipment.reservation
        )
        for sku, quantity in await reserved_copies(shipment.reservation, transaction):
            await transaction.execute(
                "UPDATE shop_stock SET on_hand = on_hand + ? WHERE sku = ?", quantity, sku
            )
