"""What comes back of an order: its money is given back, and what is not lost is sold again."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from order_companies import Bank, Warehouse
from order_messages import ReturnReceived, SendNotification, letter
from order_record import Line, Order, Status, total_of

from makegood import Emit, Goto, IdempotencyKey, Stay, injected

__all__ = ["RETURN_WINDOW", "bring_back", "close", "take_back", "window_of"]

RETURN_WINDOW = timedelta(days=14)


def window_of(order: Order) -> datetime | None:
    """Return until when goods may come back."""
    return None if order.delivered_at is None else order.delivered_at + RETURN_WINDOW


async def close(_order: Order) -> Goto[Literal[Status.CLOSED], Order]:
    """Close what nobody can send back any more."""
    return Goto(Status.CLOSED)


async def bring_back(
    order: Order, came: ReturnReceived
) -> Goto[Literal[Status.RETURNING], Order] | Stay[Order]:
    """Take note of what came back, if it is of this order."""
    if not came.lines or _kept(order.lines, came.lines) is None:
        return Stay()
    return Goto(Status.RETURNING, replace(order, coming_back=came.lines))


async def take_back(
    order: Order,
    *,
    bank: Bank = injected,
    warehouse: Warehouse = injected,
    key: IdempotencyKey = injected,
    emit: Emit[SendNotification] = injected,
) -> Goto[Literal[Status.DELIVERED, Status.REFUNDED], Order]:
    """Give the money of these lines back, and put them into the stock unless they are lost."""
    charge, lines = order.charge, order.coming_back
    kept = _kept(order.lines, lines)
    assert charge is not None, "what comes back was paid"
    assert kept is not None, "only what was sent comes back"
    back = total_of(lines)
    refunded = back if order.refunded is None else order.refunded + back
    assert refunded <= charge.amount, "no more is given back than was taken"
    await bank.refund(charge.key, back, key=f"{key}-refund")
    if not order.is_lost:
        await warehouse.restock(lines, key=f"{key}-restock")
    what = "is lost" if order.is_lost else "came back"
    emit(letter(order, f"what {what} is paid back to you"))
    order = replace(order, lines=kept, refunded=refunded, coming_back=())
    return Goto(Status.DELIVERED if kept else Status.REFUNDED, order)


def _kept(lines: tuple[Line, ...], back: tuple[Line, ...]) -> tuple[Line, ...] | None:
    """Return what is left of some lines without others; None where these are not among them."""
    left = {(line.sku, line.price): line.quantity for line in lines}
    for line in back:
        of = (line.sku, line.price)
        left[of] = left.get(of, 0) - line.quantity
        if line.quantity <= 0 or left[of] < 0:
            return None
    return tuple(Line(sku, many, price) for (sku, price), many in left.items() if many)
