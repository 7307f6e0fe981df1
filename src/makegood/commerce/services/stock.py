"""The stock service: it holds goods for orders, all of them or none, and lets go of them once.

The stock is changed by what is added or taken, and only where it stays above nothing; so two
orders never have the same copy, however many are served at once. What was released is never held
again, also where the wish to hold it was overtaken on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, cast

import msgspec

from makegood import Emit, Receptors, Transaction, injected
from makegood.commerce.orders import OrderId, Sku
from makegood.commerce.services.messages import (
    CreateProduct,
    InventoryRefused,
    InventoryReleased,
    InventoryReserved,
    InventoryRestocked,
    OrderClosed,
    ProductCreated,
    ReleaseInventory,
    ReservationExpired,
    ReserveInventory,
    RestockReturn,
    Short,
    Wanted,
)

__all__ = ["EndHold", "Stock", "stock"]

HELD_FOR = timedelta(minutes=15)
"""How long goods are held for an order that is not paid: longer than a payment may take."""


class EndHold(msgspec.Struct, frozen=True, kw_only=True):
    """The time of a hold is over: the stock service says so to itself, in due time."""

    message_name: ClassVar[str] = "commerce.stock.EndHold"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    hold: int


class Stock:
    """The receptors of the stock service, which hold goods for so long."""

    def __init__(self, held_for: timedelta) -> None:
        self._held_for = held_for

    async def add(
        self, command: CreateProduct, *, transaction: Transaction = injected
    ) -> ProductCreated:
        """Take an article into the range."""
        await transaction.execute(
            "INSERT INTO service_stock (sku, available, delivered) VALUES (?, ?, ?) "
            "ON CONFLICT (sku) DO UPDATE SET "
            "available = service_stock.available + excluded.available, "
            "delivered = service_stock.delivered + excluded.delivered",
            command.sku,
            command.initial_stock,
            command.initial_stock,
        )
        return ProductCreated(sku=command.sku, price=command.price)

    async def keep(
        self,
        message: ReserveInventory | ReleaseInventory | EndHold | OrderClosed | RestockReturn,
        *,
        transaction: Transaction = injected,
        emit: Emit[EndHold] = injected,
    ) -> (
        InventoryReserved
        | InventoryRefused
        | InventoryReleased
        | InventoryRestocked
        | ReservationExpired
        | None
    ):
        """Hold, let go, or give out what is held for an order."""
        order, before = message.order_id, await _status(message.order_id, transaction)
        status, holds = before or ("", 0)
        match message:
            case ReserveInventory():
                reserved = await _reserve(message, status, holds, transaction)
                if isinstance(reserved, InventoryReserved) and not reserved.is_firm:
                    emit(EndHold(order_id=order, hold=holds + 1), after=self._held_for)
                return reserved
            case ReleaseInventory():
                return await _release(order, status, holds, transaction)
            case EndHold(hold=hold):
                if (status, holds) != ("held", hold):
                    return None
                await _add(await _lines(order, transaction), transaction)
                await _set(order, "expired", holds, transaction)
                return ReservationExpired(order_id=order)
            case OrderClosed():
                if status == "released":
                    # It was overtaken by what has come back already.
                    return None
                assert status == "firm", "what is shipped is held for good until then"
                await _set(order, "shipped", holds, transaction)
                return None
            case RestockReturn():
                assert status in {"firm", "shipped"}, "what comes back was held for good"
                lines = await _lines(order, transaction)
                await _add(lines, transaction)
                await _set(order, "released", holds, transaction)
                return InventoryRestocked(order_id=order, lines=tuple(lines))


def stock(held_for: timedelta = HELD_FOR) -> Receptors:
    """Return the receptors of the stock service."""
    service = Stock(held_for)
    return Receptors("stock").on(service.keep).on(service.add)


async def _reserve(
    command: ReserveInventory, status: str, holds: int, transaction: Transaction
) -> InventoryReserved | InventoryRefused:
    order = command.order_id
    if status in {"held", "firm"}:
        await _set(order, "firm" if command.is_firm else status, holds, transaction)
        return InventoryReserved(order_id=order, is_firm=command.is_firm)
    if status not in {"", "expired"}:
        # It was overtaken by what has ended it.
        return InventoryRefused(order_id=order, short=())
    short = await _take(command.lines, transaction)
    if short:
        await _set(order, "refused", holds, transaction)
        return InventoryRefused(order_id=order, short=short)
    await _set(order, "firm" if command.is_firm else "held", holds + 1, transaction)
    if not status:
        for line in command.lines:
            await transaction.execute(
                "INSERT INTO service_reservation_line (order_id, sku, quantity) VALUES (?, ?, ?)",
                order,
                line.sku,
                line.quantity,
            )
    return InventoryReserved(order_id=order, is_firm=command.is_firm)


async def _release(
    order: OrderId, status: str, holds: int, transaction: Transaction
) -> InventoryReleased:
    lines = await _lines(order, transaction) if status in {"held", "firm"} else ()
    assert status != "shipped", "nothing that was shipped is released"
    await _add(lines, transaction)
    await _set(order, "released", holds, transaction)
    return InventoryReleased(order_id=order, lines=tuple(lines))


async def _take(lines: Sequence[Wanted], transaction: Transaction) -> tuple[Short, ...]:
    """Take all lines out of what is available, or none; return those of which there is too little.

    Everybody takes in the order of the articles' names: two orders for the same ones wait for each
    other, and never embrace.
    """
    taken: list[Wanted] = []
    short: list[Short] = []
    for line in sorted(lines, key=lambda line: line.sku):
        is_taken = await transaction.execute(
            "UPDATE service_stock SET available = available - ? WHERE sku = ? AND available >= ?",
            line.quantity,
            line.sku,
            line.quantity,
        )
        if is_taken:
            taken.append(line)
        else:
            there = await _available(line.sku, transaction)
            short.append(Short(sku=line.sku, wanted=line.quantity, available=there))
    if short:
        await _add(taken, transaction)
    return tuple(short)


async def _add(lines: Sequence[Wanted], transaction: Transaction) -> None:
    """Make lines available again, in the order in which everybody changes them."""
    for line in sorted(lines, key=lambda line: line.sku):
        await transaction.execute(
            "UPDATE service_stock SET available = available + ? WHERE sku = ?",
            line.quantity,
            line.sku,
        )


async def _available(sku: Sku, transaction: Transaction) -> int:
    rows = await transaction.fetch("SELECT available FROM service_stock WHERE sku = ?", sku)
    return cast("int", rows[0][0]) if rows else 0


async def _status(order: OrderId, transaction: Transaction) -> tuple[str, int] | None:
    rows = await transaction.fetch(
        "SELECT status, holds FROM service_reservation WHERE order_id = ?", order
    )
    return cast("tuple[str, int]", tuple(rows[0])) if rows else None


async def _set(order: OrderId, status: str, holds: int, transaction: Transaction) -> None:
    await transaction.execute(
        "INSERT INTO service_reservation (order_id, status, holds) VALUES (?, ?, ?) "
        "ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, holds = excluded.holds",
        order,
        status,
        holds,
    )


async def _lines(order: OrderId, transaction: Transaction) -> Sequence[Wanted]:
    rows = await transaction.fetch(
        "SELECT sku, quantity FROM service_reservation_line WHERE order_id = ?", order
    )
    return [Wanted(sku=sku, quantity=n) for sku, n in cast("list[tuple[Sku, int]]", rows)]
