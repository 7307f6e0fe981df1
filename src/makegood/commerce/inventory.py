"""Who may have which copies: stock is held for an order, and let go of when the order falls.

Every change is conditional on what is there and is one transaction with the step's own record,
so no copy is promised twice and nothing here is ever in doubt. Where many transactions are open at
once, each changes the articles in the order of their names, so that two orders for the same ones
wait for each other and never embrace. It knows nothing of money.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NewType, cast

import msgspec

from makegood import Transaction, injected, step, workflow
from makegood.commerce.orders import Order, OrderId, OrderRefused, Sku

__all__ = [
    "Consignment",
    "Delivery",
    "OutOfStock",
    "Reservation",
    "ReservationId",
    "receive_delivery",
    "release_inventory",
    "reserve_inventory",
    "reserved_copies",
    "stock_up",
]

ReservationId = NewType("ReservationId", str)


class OutOfStock(OrderRefused):
    """There are fewer copies of a title than the order wants."""


class Consignment(msgspec.Struct, frozen=True, kw_only=True):
    """Some copies of one article that come into the stock."""

    sku: Sku
    quantity: int
    blocked: bool = False
    """The warehouse will not ship them, and finds that out only when it is asked to."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What comes into the stock at once."""

    id: str
    consignments: tuple[Consignment, ...]


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Copies that are held for one order."""

    id: ReservationId
    order: OrderId


async def reserve_inventory(order: Order, *, transaction: Transaction = injected) -> Reservation:
    """Hold the copies that the order wants: all of them, or none and `OutOfStock`."""
    reservation = Reservation(id=ReservationId(f"reservation-{order.id}"), order=order.id)
    await transaction.execute(
        "INSERT INTO shop_reservation (id, order_id, status) VALUES (?, ?, 'held')",
        reservation.id,
        order.id,
    )
    for line in sorted(order.lines, key=lambda line: line.sku):
        held = await transaction.execute(
            "UPDATE shop_stock SET held = held + ? WHERE sku = ? AND on_hand - held >= ?",
            line.quantity,
            line.sku,
            line.quantity,
        )
        if not held:
            message = f"fewer than {line.quantity} of {line.sku} are left for {order.id}"
            raise OutOfStock(message)
        await transaction.execute(
            "INSERT INTO shop_reservation_line (reservation_id, sku, quantity) VALUES (?, ?, ?)",
            reservation.id,
            line.sku,
            line.quantity,
        )
    return reservation


async def release_inventory(
    reservation: Reservation, *, transaction: Transaction = injected
) -> None:
    """Let go of the copies that are held; a reservation that holds none is left as it is."""
    released = await transaction.execute(
        "UPDATE shop_reservation SET status = 'released' WHERE id = ? AND status = 'held'",
        reservation.id,
    )
    if released:
        for sku, quantity in await reserved_copies(reservation.id, transaction):
            await transaction.execute(
                "UPDATE shop_stock SET held = held - ? WHERE sku = ?", quantity, sku
            )


async def reserved_copies(
    reservation: ReservationId, transaction: Transaction
) -> Sequence[tuple[Sku, int]]:
    """Return what a reservation is or was for, in the order in which articles are changed."""
    rows = await transaction.fetch(
        "SELECT sku, quantity FROM shop_reservation_line WHERE reservation_id = ?", reservation
    )
    # Sorted here and not by the database, whose order of names depends on its locale.
    return sorted(cast("tuple[Sku, int]", row) for row in rows)


async def receive_delivery(delivery: Delivery, *, transaction: Transaction = injected) -> int:
    """Take a delivery into the stock and return how many copies it brought."""
    for item in sorted(delivery.consignments, key=lambda item: item.sku):
        await transaction.execute(
            "INSERT INTO shop_stock (sku, on_hand, blocked) VALUES (?, ?, ?) "
            "ON CONFLICT (sku) DO UPDATE SET on_hand = shop_stock.on_hand + excluded.on_hand, "
            "blocked = excluded.blocked",
            item.sku,
            item.quantity,
            int(item.blocked),
        )
        await transaction.execute(
            "INSERT INTO shop_delivery (delivery, sku, quantity) VALUES (?, ?, ?)",
            delivery.id,
            item.sku,
            item.quantity,
        )
    return sum(item.quantity for item in delivery.consignments)


receive = step(receive_delivery, irreversible="the copies are in the warehouse")


@workflow(strict=True)
def stock_up(delivery: Delivery) -> int:
    """Take a delivery into the stock, once for each key of the run."""
    return receive(delivery)
