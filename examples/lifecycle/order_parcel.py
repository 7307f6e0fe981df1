"""The parcel of an order: asked for, looked up until the carrier has answered, or called back."""

from dataclasses import replace
from typing import Literal

from order_carrier import Carrier
from order_companies import State, Warehouse
from order_messages import CancelOrder, CarrierReported, SendNotification, letter
from order_record import LOOKS_MAX, Order, Status, growing, total_of
from order_stock import SOON

from makegood import (
    Again,
    Declined,
    Emit,
    Goto,
    IdempotencyKey,
    OutcomeUnknown,
    PauseRun,
    Rearm,
    Stay,
    Unavailable,
    injected,
)

__all__ = [
    "TOO_LATE",
    "call_back",
    "chase",
    "follow",
    "hear_carrier",
    "recall",
    "send_parcel",
    "too_late",
]

TOO_LATE = "it is on its way, and cannot be cancelled any more; send it back"


async def send_parcel(
    order: Order,
    *,
    warehouse: Warehouse = injected,
    carrier: Carrier = injected,
    key: IdempotencyKey = injected,
) -> Goto[Literal[Status.SHIPPING, Status.CANCELLING], Order] | Again[Order]:
    """Ask the carrier for a parcel with what is paid and held."""
    charge, hold = order.charge, order.hold
    assert charge is not None, "nothing is shipped without a charge"
    assert charge.is_captured, "nothing is shipped before the money is taken"
    assert charge.amount == total_of(order.lines), "what is shipped is what was paid"
    assert hold is not None, "nothing is shipped that was not held"
    if not await warehouse.keep(hold, order.lines):
        return Goto(Status.CANCELLING, replace(order, reasons=("what was held for it is gone",)))
    try:
        await carrier.send(key, order.address)
    except Unavailable:
        return Again(after=SOON)
    except OutcomeUnknown:
        pass  # The next status looks it up by its reference, and begins with that anyway.
    return Goto(Status.SHIPPING, replace(order, parcel=key, looks=0))


async def call_back(order: Order, *, carrier: Carrier = injected) -> None:
    """Have the parcel not sent; `Declined` says that it is on its way."""
    if order.parcel is not None:
        await carrier.call_back(order.parcel)


async def follow(
    order: Order,
    *,
    warehouse: Warehouse = injected,
    carrier: Carrier = injected,
    emit: Emit[SendNotification] = injected,
) -> Goto[Literal[Status.FULFILLED, Status.CANCELLING], Order] | Again[Order] | PauseRun[Order]:
    """Look up whether the carrier has accepted the parcel."""
    assert order.parcel is not None, "a parcel was asked for"
    assert order.hold is not None, "what is shipped is held"
    found = await carrier.find(order.parcel)
    if found is None or found.state is State.PENDING:
        order = replace(order, looks=order.looks + 1)
        if order.looks > LOOKS_MAX:
            return PauseRun("the carrier says nothing of the parcel", replace(order, looks=0))
        return Again(order, after=growing(order.looks))
    if found.state is State.REFUSED:
        reasons = ("the carrier refuses the parcel",)
        return Goto(Status.CANCELLING, replace(order, reasons=reasons))
    await warehouse.hand_over(order.hold)
    emit(letter(order, f"it is on its way: {found.tracking}"))
    return Goto(Status.FULFILLED, replace(order, tracking=found.tracking, hold=None, looks=0))


async def hear_carrier(
    order: Order, report: CarrierReported, *, emit: Emit[SendNotification] = injected
) -> Goto[Literal[Status.DELIVERED, Status.RETURNING], Order]:
    """Take note that the parcel has come to its end: at the customer's, or nowhere."""
    if report.is_lost:
        emit(letter(order, "the parcel is lost, and you are given your money back"))
        return Goto(Status.RETURNING, replace(order, coming_back=order.lines, is_lost=True))
    emit(letter(order, "it is delivered"))
    return Goto(Status.DELIVERED, replace(order, delivered_at=report.at))


async def chase(order: Order) -> PauseRun[Order] | Rearm[Order]:
    """Have a person ask where a parcel is of which nothing was heard for long."""
    if order.looks:
        return Rearm(replace(order, looks=0))
    return PauseRun("nothing was heard of the parcel for long", replace(order, looks=1))


async def recall(
    order: Order,
    asked: CancelOrder,
    *,
    carrier: Carrier = injected,
    emit: Emit[SendNotification] = injected,
) -> Goto[Literal[Status.CANCELLING], Order] | Stay[Order]:
    """Cancel an order that is with the carrier, if the carrier confirms that nothing is sent."""
    try:
        await call_back(order, carrier=carrier)
    except Declined:
        emit(letter(order, TOO_LATE))
        return Stay()
    reasons = (asked.reason,)
    return Goto(Status.CANCELLING, replace(order, reasons=reasons, parcel=None, looks=0))


async def too_late(
    order: Order, _asked: CancelOrder, *, emit: Emit[SendNotification] = injected
) -> Stay[Order]:
    """Leave an order as it is that is on its way, or at the customer's."""
    emit(letter(order, TOO_LATE))
    return Stay()
