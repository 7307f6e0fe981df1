"""A small lifecycle of an order, and its handlers, for the tests of how lifecycles are declared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal, Protocol

from makegood.definition.lifecycle.builder import Lifecycle
from makegood.definition.step import step
from makegood.definition.workflow import Call, workflow
from makegood.values.injectable import injected
from makegood.values.outcomes import Again, Goto, Next, Rearm, Stay
from makegood.values.rounds import Failed, Succeeded


class Status(Enum):
    """Stored by name: what they stand for may be anything."""

    NEW = 1
    PAYING = 2
    SHIPPING = 3
    SHIPPED = 4
    DROPPED = 5


@dataclass(frozen=True)
class Order:
    """An order that goes from status to status."""

    id: str
    total: int = 0
    due: datetime | None = None


@dataclass(frozen=True)
class Paid:
    """The money is there."""

    amount: int


@dataclass(frozen=True)
class Parcel:
    """What was sent."""

    number: str


class Bank(Protocol):
    """Holds money."""

    async def hold(self, amount: int) -> None: ...


async def hold_money(
    order: Order, *, bank: Bank = injected
) -> Goto[Literal[Status.PAYING, Status.DROPPED], Order]:
    """Hold the money."""
    await bank.hold(order.total)
    return Goto(Status.PAYING, replace(order, total=order.total + 1))


async def release_money(order: Order, *, bank: Bank = injected) -> None:
    """Let the money go."""
    await bank.hold(-order.total)


async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.SHIPPING], Order] | Stay[Order]:
    """Take the money."""
    return Stay() if paid.amount < order.total else Goto(Status.SHIPPING)


async def remind(order: Order) -> Rearm[Order] | Again[Order]:
    """Write to the customer."""
    return Again(order, after=timedelta(hours=1)) if order.total else Rearm()


async def drop(order: Order) -> Next[Status, Order]:
    """Forget about it."""
    return Goto(Status.DROPPED, order)


async def send_parcel(order_id: str) -> Parcel:
    """Send it."""
    return Parcel(order_id)


@workflow
def ship(order_id: str) -> Parcel:
    """Ship an order."""
    return step(send_parcel, irreversible="it is on its way")(order_id)


def shipping(order: Order) -> Call[Parcel]:
    """Say what is started when an order is to be shipped."""
    return ship(order.id)


async def shipped(
    order: Order, parcel: Succeeded[Parcel] | Failed
) -> Goto[Literal[Status.SHIPPED, Status.DROPPED], Order]:
    """Look at how the shipping has ended."""
    return Goto(Status.SHIPPED if isinstance(parcel, Succeeded) else Status.DROPPED, order)


def declared() -> Lifecycle[Order, Status]:
    """Return the whole lifecycle."""
    return (
        Lifecycle("order", Order, Status, key=lambda order: f"order-{order.id}")
        .on(Status.NEW, hold_money, to={Status.PAYING, Status.DROPPED}, undo=release_money)
        .hear(Status.PAYING, Paid, settle, to={Status.SHIPPING})
        .expire(Status.PAYING, remind, after=timedelta(days=1))
        .expire(Status.PAYING, drop, at=lambda order: order.due, to={Status.DROPPED})
        .call(
            Status.SHIPPING,
            shipping,
            shipped,
            to={Status.SHIPPED, Status.DROPPED},
            timeout_total=timedelta(days=3),
        )
    )
