"""The goods of an order before it is paid: checked, held, offered in part, let go of.

What the other side has not even begun is asked again a little later, by `Again`, and meanwhile the
customer may cancel.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from order_companies import Warehouse
from order_messages import AcceptPartial, SendNotification, letter
from order_record import Order, Status, total_of

from makegood import Again, Emit, Goto, IdempotencyKey, Unavailable, injected
from makegood.payments import Money

__all__ = ["SOON", "accept", "release", "reserve", "validate"]

SOON = timedelta(seconds=10)


async def validate(
    order: Order, *, warehouse: Warehouse = injected, emit: Emit[SendNotification] = injected
) -> Goto[Literal[Status.VALIDATED, Status.REJECTED], Order] | Again[Order]:
    """Check everything, and let the prices be those of the shop."""
    try:
        prices = {line.sku: await warehouse.price(line.sku) for line in order.lines}
    except Unavailable:
        return Again(after=SOON)
    reasons = tuple(_wrong_with(order, prices))
    if reasons:
        emit(letter(order, f"it is rejected: {', '.join(reasons)}"))
        return Goto(Status.REJECTED, replace(order, reasons=reasons))
    emit(letter(order, "we have it"))
    return Goto(Status.VALIDATED)


def _wrong_with(order: Order, prices: dict[str, Money | None]) -> list[str]:
    wrong: list[str] = []
    if not order.lines:
        wrong.append("there are no lines")
    for line in order.lines:
        if line.quantity <= 0 or line.price.minor <= 0:
            wrong.append(f"{line.quantity} {line.sku} for {line.price} cannot be bought")
        if prices[line.sku] != line.price:
            wrong.append(f"{line.sku} costs {prices[line.sku]}, and not {line.price}")
    if len({line.price.currency for line in order.lines}) > 1:
        wrong.append("the lines are in several currencies")
    elif order.lines and order.total != total_of(order.lines):
        wrong.append(f"the lines add up to {total_of(order.lines)}, and not to {order.total}")
    wrong += ["there is no address"] * (not order.address)
    return wrong + ["there is no method of payment"] * (not order.method)


async def reserve(
    order: Order,
    *,
    warehouse: Warehouse = injected,
    key: IdempotencyKey = injected,
    emit: Emit[SendNotification] = injected,
) -> (
    Goto[Literal[Status.INVENTORY_RESERVED, Status.PARTIAL_OFFERED, Status.REJECTED], Order]
    | Again[Order]
):
    """Hold all lines at once, or what there is of them."""
    try:
        held = await warehouse.hold(key, order.lines)
    except Unavailable:
        return Again(after=SOON)
    if not held:
        emit(letter(order, "it is rejected: nothing of it is in stock"))
        return Goto(Status.REJECTED, replace(order, reasons=("nothing of it is in stock",)))
    order = replace(order, hold=key)
    if held == order.lines:
        return Goto(Status.INVENTORY_RESERVED, order)
    emit(letter(order, "a part of it is in stock: accept or decline that within a day"))
    return Goto(Status.PARTIAL_OFFERED, replace(order, offered=held))


async def release(order: Order, *, warehouse: Warehouse = injected) -> None:
    """Let go of what is held for the order."""
    if order.hold is not None:
        await warehouse.release(order.hold)


async def accept(
    order: Order, _accepted: AcceptPartial
) -> Goto[Literal[Status.INVENTORY_RESERVED], Order]:
    """Let the order be what is in stock, before anything is charged."""
    lines = order.offered
    order = replace(order, lines=lines, total=total_of(lines), offered=())
    return Goto(Status.INVENTORY_RESERVED, order)
