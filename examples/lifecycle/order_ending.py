"""How an order ends that is not wanted any more, or cannot be fulfilled: all of it is made good.

Each thing is taken back by a call of its own, under a key of its own, and on record before the next
one begins. What cannot be taken back keeps nothing else waiting, but what depends on it.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from order_carrier import Carrier
from order_companies import Bank, State, Warehouse
from order_messages import CancelOrder, DeclinePartial, SendNotification, letter
from order_parcel import call_back
from order_record import Order, Status, growing
from order_stock import release

from makegood import (
    Again,
    Attempt,
    Declined,
    Emit,
    Goto,
    IdempotencyKey,
    PauseRun,
    Stay,
    Unavailable,
    injected,
)

__all__ = [
    "ATTEMPTS",
    "cancel",
    "decline",
    "give_up",
    "is_cancelling",
    "make_good",
]

ATTEMPTS = 5
NOW = timedelta(0)


async def cancel(order: Order, asked: CancelOrder) -> Goto[Literal[Status.CANCELLING], Order]:
    """Cancel an order that is not with the carrier yet."""
    return Goto(Status.CANCELLING, replace(order, reasons=(asked.reason,), looks=0))


async def decline(order: Order, _no: DeclinePartial) -> Goto[Literal[Status.CANCELLING], Order]:
    """Let go of a part that nobody wants."""
    return Goto(Status.CANCELLING, replace(order, reasons=("all or nothing",), looks=0))


async def give_up(order: Order) -> Goto[Literal[Status.CANCELLING], Order]:
    """Cancel an order whose customer says nothing."""
    return Goto(Status.CANCELLING, replace(order, reasons=("nobody answered",), looks=0))


async def is_cancelling(_order: Order, _asked: CancelOrder) -> Stay[Order]:
    """Leave an order as it is that is being cancelled."""
    return Stay()


async def make_good(
    order: Order,
    *,
    bank: Bank = injected,
    warehouse: Warehouse = injected,
    carrier: Carrier = injected,
    key: IdempotencyKey = injected,
    attempt: Attempt = injected,
    emit: Emit[SendNotification] = injected,
) -> Goto[Literal[Status.CANCELLED, Status.REFUNDED], Order] | Again[Order] | PauseRun[Order]:
    """Take back the next thing that is to be taken back, or end where there is none."""
    what = _next(order)
    if what is None and order.stuck:
        reason = f"this could not be taken back: {', '.join(order.stuck)}"
        return PauseRun(reason, replace(order, stuck=()))
    if what is None:
        back = "" if order.refunded is None else ", and you are given your money back"
        emit(letter(order, f"it is cancelled: {', '.join(order.reasons)}{back}"))
        return Goto(Status.CANCELLED if order.refunded is None else Status.REFUNDED)
    try:
        match what:
            case "the charge":
                return await _settle(order, bank)
            case "the parcel":
                await call_back(order, carrier=carrier)
                order = replace(order, parcel=None)
            case "the money":
                order = await _refund(order, bank, key)
            case _:
                await release(order, warehouse=warehouse)
                order = replace(order, hold=None)
    except (Declined, Unavailable) as no:
        if isinstance(no, Unavailable) and attempt < ATTEMPTS:
            raise
        order = replace(order, stuck=(*order.stuck, what))
    return Again(order, after=NOW)


def _next(order: Order) -> str | None:
    """Return what is to be taken back now; nothing moves while a charge or a parcel is open."""
    charge = order.charge
    if charge is not None and not charge.is_captured:
        return None if "the charge" in order.stuck else "the charge"
    if order.parcel is not None:
        return None if "the parcel" in order.stuck else "the parcel"
    if charge is not None and order.refunded is None and "the money" not in order.stuck:
        return "the money"
    if order.hold is not None and "the goods" not in order.stuck:
        return "the goods"
    return None


async def _settle(order: Order, bank: Bank) -> Again[Order]:
    """Call the charge off, or know that it has taken the money."""
    live = order.charge
    assert live is not None, "a charge is open"
    found = await bank.void(live.key, live.amount)
    if found.state is State.PENDING:
        return Again(replace(order, looks=order.looks + 1), after=growing(order.looks))
    taken = replace(live, amount=found.amount, is_captured=True)
    charge = taken if found.state is State.DONE else None
    return Again(replace(order, charge=charge), after=NOW)


async def _refund(order: Order, bank: Bank, key: str) -> Order:
    charge = order.charge
    assert charge is not None, "money was taken"
    await bank.refund(charge.key, charge.amount, key=key)
    return replace(order, refunded=charge.amount)
