"""Orders over HTTP: place one, look at it, cancel it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from makegood import Engine, Filter, Operator, UnknownRun
from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.place_order import place_order
from makegood.extension import Answer, Ask, HttpRoute
from makegood.payments import PaymentDetails

__all__ = ["ROUTES", "OrderView", "Placing"]

_ACCEPTED = 202
_ANSWERED_WITHIN = timedelta(seconds=5)


class Placing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which order is placed, and who pays with what."""

    order_id: OrderId
    payment: PaymentDetails
    customer_id: CustomerId


class OrderView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an order stands."""

    order_id: str
    run: str
    status: str
    """`running`, `completed`, `failed`, `cancelled`, `parked`, as of its run."""
    cause: str | None = None
    reason: str | None = None


class Cancelling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an order is cancelled."""

    reason: str


async def _place(engine: Engine, ask: Ask) -> Answer:
    wanted: Placing = ask.value
    call = place_order(wanted.order_id, wanted.payment, wanted.customer_id)
    # The order's number is the key: placed again with the same card it is the same order.
    await engine.start(call, key=wanted.order_id, subject=wanted.customer_id)
    seen = await _found(engine, wanted.order_id)
    return Answer(
        value=seen,
        status=_ACCEPTED,
        headers={"location": f"/commerce/orders/{wanted.order_id}"},
    )


async def _show(engine: Engine, ask: Ask) -> Answer:
    return Answer(value=await _found(engine, ask.path["order_id"]))


async def _cancel(engine: Engine, ask: Ask) -> Answer:
    seen = await _found(engine, ask.path["order_id"])
    wanted: Cancelling = ask.value
    answer = await Operator(engine).cancel(
        seen.run, actor=f"key {ask.actor}", reason=wanted.reason, wait=_ANSWERED_WITHIN
    )
    return Answer(value={"answer": answer}, status=_ACCEPTED if answer is None else 200)


async def _found(engine: Engine, order_id: str) -> OrderView:
    page = await engine.list(Filter(workflow=place_order.name, key=order_id, limit=1))
    if not page.rows:
        message = f"there is no order {order_id!r}"
        raise UnknownRun(message)
    row = page.rows[0]
    return OrderView(
        order_id=order_id, run=row.run, status=row.status, cause=row.cause, reason=row.reason
    )


ROUTES: tuple[HttpRoute, ...] = (
    HttpRoute(
        method="POST",
        path="/orders",
        scope="orders:write",
        handle=_place,
        takes=Placing,
        gives=OrderView,
        summary="Place an order; placed again with the same input it is the same order.",
    ),
    HttpRoute(
        method="GET",
        path="/orders/{order_id}",
        scope="orders:read",
        handle=_show,
        gives=OrderView,
        summary="Show where an order stands.",
    ),
    HttpRoute(
        method="POST",
        path="/orders/{order_id}/cancel",
        scope="orders:write",
        handle=_cancel,
        takes=Cancelling,
        gives=dict[str, Any],
        summary="Cancel an order; once its goods are gone that is refused.",
    ),
)
"""What commerce adds to the HTTP service, below `/commerce`."""
