"""The order service: it takes orders, keeps where each stands, and says what is to be done next.

All that is said about one order is received in order and one after the other, each in one
transaction with the order's row, its history, and what is said because of it. So of a cancellation
and whatever comes at the same time one is first, and the other finds the order as it stands then.
"""

from __future__ import annotations

from typing import cast

import msgspec

from makegood import MessageInfo, Receptors, Transaction, injected
from makegood.commerce.orders import CustomerId, OrderId, Sku, UnknownOrder
from makegood.commerce.services.messages import (
    CreateOrder,
    OrderCreated,
    OrderRejected,
    ProductCreated,
    ReserveInventory,
    Wanted,
)
from makegood.commerce.services.ordering import Heard, Next, OrderState, Status, Undo, after
from makegood.payments import Money, PaymentDetails

__all__ = ["orders", "refusal"]


async def list_product(event: ProductCreated, *, transaction: Transaction = injected) -> None:
    """Keep the price of an article."""
    await transaction.execute(
        "INSERT INTO service_price (sku, price_minor, currency) VALUES (?, ?, ?) "
        "ON CONFLICT (sku) DO UPDATE SET "
        "price_minor = excluded.price_minor, currency = excluded.currency",
        event.sku,
        event.price.minor,
        event.price.currency,
    )


async def follow(
    message: CreateOrder | Heard,
    *,
    transaction: Transaction = injected,
    info: MessageInfo = injected,
) -> tuple[OrderCreated | Next, ...]:
    """Take an order, or what is heard about one, and say what is to be done next.

    Raises `UnknownOrder` for an order that was never created.
    """
    if isinstance(message, CreateOrder):
        return await _create(message, transaction, info)
    order = await _read(message.order_id, transaction)
    changed, said = after(order, message)
    if changed is not order:
        await _write(changed, transaction)
        await _note(order.id, order.status, changed.status, transaction, info)
    return said


orders = Receptors("orders").on(follow).on(list_product)


async def _create(
    command: CreateOrder, transaction: Transaction, info: MessageInfo
) -> tuple[OrderCreated | OrderRejected | ReserveInventory, ...]:
    prices = await _prices(command.lines, transaction)
    total = _total(command, prices)
    reason = refusal(command, prices)
    order = OrderState(
        id=command.order_id,
        customer=command.customer_id,
        lines=command.lines,
        total=total,
        payment=command.payment,
        address=command.address,
        status=Status.CREATED if reason is None else Status.REJECTED,
        reason=reason or "",
    )
    if not await _insert(order, transaction):
        # Somebody sends an order once more, under another id: the one that is here goes on.
        return ()
    await _note(order.id, None, order.status, transaction, info)
    if reason is not None:
        return (OrderRejected(order_id=order.id, customer_id=order.customer, reason=reason),)
    created = OrderCreated(
        order_id=order.id, customer_id=order.customer, lines=order.lines, total=total
    )
    return created, ReserveInventory(order_id=order.id, lines=order.lines)


def refusal(command: CreateOrder, prices: dict[Sku, Money]) -> str | None:
    """Say why the shop does not take an order, or None where it does."""
    if not command.lines:
        return "it asks for nothing"
    if any(line.quantity <= 0 for line in command.lines):
        return "it asks for less than one of an article"
    if len({line.sku for line in command.lines}) < len(command.lines):
        return "it has two lines of one article"
    unknown = sorted(line.sku for line in command.lines if line.sku not in prices)
    if unknown:
        return f"the shop does not have {', '.join(unknown)}"
    if not command.address.strip():
        return "it says not where to"
    if len({price.currency for price in prices.values()}) > 1:
        return "its articles have prices in several currencies"
    total = _total(command, prices)
    if total.minor <= 0:
        return "it comes to no money"
    if total != command.claimed_total:
        return f"it comes to {total}, and the customer was told {command.claimed_total}"
    return None


def _total(command: CreateOrder, prices: dict[Sku, Money]) -> Money:
    """Return what an order comes to, as far as its articles have prices."""
    currency = next((price.currency for price in prices.values()), command.claimed_total.currency)
    known = (line for line in command.lines if line.sku in prices)
    return Money(sum(prices[line.sku].minor * line.quantity for line in known), currency)


# The tables -----------------------------------------------------------------------------------


async def _prices(lines: tuple[Wanted, ...], transaction: Transaction) -> dict[Sku, Money]:
    found: dict[Sku, Money] = {}
    for line in lines:
        rows = await transaction.fetch(
            "SELECT price_minor, currency FROM service_price WHERE sku = ?", line.sku
        )
        for minor, currency in cast("list[tuple[int, str]]", rows):
            found[line.sku] = Money(minor, currency)
    return found


async def _insert(order: OrderState, transaction: Transaction) -> bool:
    """Write a new order; False where there is one of that id."""
    written = await transaction.execute(
        "INSERT INTO service_order (id, customer_id, status, total_minor, currency, token, address,"
        " waits, captured_minor, refunded_minor, reason) VALUES (?, ?, ?, ?, ?, ?, ?, '', 0, 0, ?) "
        "ON CONFLICT (id) DO NOTHING",
        order.id,
        order.customer,
        order.status.value,
        order.total.minor,
        order.total.currency,
        order.payment.token,
        order.address,
        order.reason,
    )
    if not written:
        return False
    for number, line in enumerate(order.lines, start=1):
        await transaction.execute(
            "INSERT INTO service_order_line (order_id, line, sku, quantity) VALUES (?, ?, ?, ?)",
            order.id,
            number,
            line.sku,
            line.quantity,
        )
    return True


async def _read(order_id: OrderId, transaction: Transaction) -> OrderState:
    rows = await transaction.fetch(
        "SELECT customer_id, status, total_minor, currency, token, address, waits, "
        "captured_minor, refunded_minor, reason FROM service_order WHERE id = ?",
        order_id,
    )
    if not rows:
        message = f"there is no order {order_id}"
        raise UnknownOrder(message)
    row = msgspec.convert(rows[0], type=_Row)
    lines = await transaction.fetch(
        "SELECT sku, quantity FROM service_order_line WHERE order_id = ? ORDER BY line", order_id
    )
    return OrderState(
        id=order_id,
        customer=CustomerId(row.customer),
        lines=tuple(
            Wanted(sku=sku, quantity=quantity)
            for sku, quantity in cast("list[tuple[Sku, int]]", lines)
        ),
        total=Money(row.total_minor, row.currency),
        payment=PaymentDetails(token=row.token),
        address=row.address,
        status=row.status,
        waits=frozenset(map(Undo, row.waits.split())),
        captured=row.captured,
        refunded=row.refunded,
        reason=row.reason,
    )


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """An order's row, as it is asked for."""

    customer: str
    status: Status
    total_minor: int
    currency: str
    token: str
    address: str
    waits: str
    captured: int
    refunded: int
    reason: str


async def _write(order: OrderState, transaction: Transaction) -> None:
    await transaction.execute(
        "UPDATE service_order SET status = ?, waits = ?, captured_minor = ?, refunded_minor = ?, "
        "reason = ? WHERE id = ?",
        order.status.value,
        " ".join(sorted(order.waits)),
        order.captured,
        order.refunded,
        order.reason,
        order.id,
    )


async def _note(
    order_id: OrderId,
    before: Status | None,
    status: Status,
    transaction: Transaction,
    info: MessageInfo,
) -> None:
    """Write into the order's history what has changed it."""
    await transaction.execute(
        "INSERT INTO service_order_history (order_id, step, from_status, to_status, cause, message)"
        " SELECT ?, coalesce(max(step), 0) + 1, ?, ?, ?, ? FROM service_order_history "
        "WHERE order_id = ?",
        order_id,
        "" if before is None else before.value,
        status.value,
        info.type,
        info.id,
        order_id,
    )
