"""What the campaign's processes do for each order: place it, and sometimes think better of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from makegood import (
    Call,
    Engine,
    NotUndoable,
    Outcome,
    Retry,
    Run,
    StoreBusy,
    StoreFull,
    query,
    step,
    workflow,
)
from makegood.commerce import CustomerId, OrderId, Shipment, place_order
from makegood.commerce.inventory import release_inventory, reserve_inventory
from makegood.commerce.orders import validate_order
from makegood.commerce.shipping import fulfil_order, recall_shipment
from makegood.payments import (
    PaymentDetails,
    authorize_payment,
    capture_payment,
    find_authorization,
    find_capture,
    refund_payment,
    void_authorization,
)
from tests.chaos.shift import Ended, Started, Told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.commerce.cdnow import Purchase

R = TypeVar("R")

__all__ = ["HURRY", "hurried_order", "see_to", "start"]

HURRY = timedelta(seconds=1)
"""How long a hurried order's steps wait for the gateway."""

CANCELLED_EACH = 7
UNDONE_EACH = 5
"""One order in so many is cancelled right away, and one undone when it has completed."""

AGAIN_SECONDS = 0.2
"""After how long something is tried again for which the store had no room or no answer."""

PATIENT = Retry(attempts=20, delay=timedelta(milliseconds=100), delay_max=timedelta(seconds=2))

hurried_authorize = step(
    authorize_payment,
    undo=void_authorization,
    undo_retry=PATIENT,
    undo_timeout=HURRY,
    compensate=find_authorization,
    compensate_retry=PATIENT,
    compensate_timeout=HURRY,
    retry=PATIENT,
    timeout=HURRY,
)
hurried_capture = step(
    capture_payment,
    undo=refund_payment,
    undo_retry=PATIENT,
    undo_timeout=HURRY,
    compensate=find_capture,
    compensate_retry=PATIENT,
    compensate_timeout=HURRY,
    retry=PATIENT,
    timeout=HURRY,
)


@workflow(strict=True)
def hurried_order(order_id: OrderId, payment: PaymentDetails) -> Shipment:
    """Place an order with little patience for the gateway, and write no letter."""
    order = query(validate_order)(order_id)
    reservation = step(reserve_inventory, undo=release_inventory)(order)
    authorization = hurried_authorize.after(reservation)(order.total, payment, order.id)
    captured = hurried_capture(authorization)
    return step(fulfil_order, undo=recall_shipment).after(captured)(order, reservation)


async def see_to(
    engine: Engine,
    purchase: Purchase,
    tell: Callable[[Told], None],
    *,
    is_hurried: bool = False,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Place an order and say when that is acknowledged; cancel or undo some of them."""
    order = OrderId(f"order-{purchase.line}")
    details = PaymentDetails(token=f"tok_{purchase.customer}")
    if is_hurried:
        call = hurried_order(order, details)
    else:
        call = place_order(order, details, CustomerId(purchase.customer))
    run = await start(engine, call, key=order, pause=pause)
    tell(Started(order, run.id))
    if purchase.line % CANCELLED_EACH == 0:
        await _asked(run.cancel, pause)
    outcome = await _outcome_of(run, pause)
    if purchase.line % UNDONE_EACH == 0 and outcome.is_completed:
        await _asked(run.undo, pause)
        outcome = await _outcome_of(run, pause)
    tell(Ended(order, outcome.status, outcome.rollback))  # type: ignore[arg-type]


async def start(
    engine: Engine,
    call: Call[R],
    *,
    key: str,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Run[R]:
    """Start a run, again and again while the store has no room for it or is held."""
    while True:
        try:
            return await engine.start(call, key=key)
        except (StoreBusy, StoreFull):
            await pause(AGAIN_SECONDS)


async def _outcome_of(run: Run[R], pause: Callable[[float], Awaitable[object]]) -> Outcome[R]:
    """Wait for the end of a run, again and again while the store does not answer."""
    while True:
        try:
            return await run.outcome()
        except StoreBusy:
            await pause(AGAIN_SECONDS)


async def _asked(
    ask: Callable[[], Awaitable[object]], pause: Callable[[float], Awaitable[object]]
) -> None:
    """Ask for something that may have been asked before a crash, or come too late."""
    while True:
        try:
            await ask()
        except NotUndoable:
            return
        except (StoreBusy, StoreFull):
            await pause(AGAIN_SECONDS)
        else:
            return
