"""An order that is paid and shipped: the lifecycle of the tests in this folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Literal

from makegood import Goto, IdempotencyKey, Lifecycle, Rearm, Stay, injected
from tests.runtime.outside import Outside

__all__ = ["DAY", "Order", "Packed", "Paid", "Status", "orders"]

DAY = timedelta(days=1)


class Status(Enum):
    NEW = 1
    PAYING = 2
    PAID = 3
    SHIPPED = 4
    LOST = 5


@dataclass(frozen=True)
class Order:
    id: str
    total: int = 0
    reminders: int = 0


@dataclass(frozen=True)
class Paid:
    cents: int


@dataclass(frozen=True)
class Packed:
    parcel: str


async def price(
    order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.PAYING], Order]:
    await outside.do("price", key)
    return Goto(Status.PAYING, replace(order, total=7))


async def unprice(
    order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"unprice {order.total}", key)


async def settle(
    order: Order,
    paid: Paid,
    *,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
) -> Goto[Literal[Status.PAID], Order] | Stay[Order]:
    await outside.do(f"settle {paid.cents}", key)
    return Goto(Status.PAID) if paid.cents == order.total else Stay()


async def remind(order: Order) -> Goto[Literal[Status.LOST], Order] | Rearm[Order]:
    if order.reminders == 2:
        return Goto(Status.LOST)
    return Rearm(replace(order, reminders=order.reminders + 1))


async def ship(_order: Order, _packed: Packed) -> Goto[Literal[Status.SHIPPED], Order]:
    return Goto(Status.SHIPPED)


lifecycle = (
    Lifecycle("order", Order, Status, key=lambda order: order.id)
    .on(Status.NEW, price, to={Status.PAYING}, undo=unprice)
    .hear(Status.PAYING, Paid, settle, to={Status.PAID})
    .expire(Status.PAYING, remind, after=DAY, to={Status.LOST})
    .hear(Status.PAID, Packed, ship, to={Status.SHIPPED})
)
orders = lifecycle.workflow()
