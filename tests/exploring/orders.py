"""Lifecycles to explore, small enough to know beforehand what could come of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal

from makegood import (
    Again,
    CancelRun,
    Failed,
    FailRun,
    Failure,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Next,
    PauseRun,
    Rearm,
    Stay,
    Succeeded,
    Transaction,
    Verdict,
    injected,
    step,
    workflow,
)

DAY = timedelta(days=1)


class Status(Enum):
    NEW = 1
    PAYING = 2
    PAID = 3
    SHIPPED = 4
    DROPPED = 5


@dataclass(frozen=True)
class Order:
    id: str
    due: datetime | None = None


@dataclass(frozen=True)
class Paid:
    cents: int


@dataclass(frozen=True)
class Stopped:
    why: str


@dataclass(frozen=True)
class Never:
    number: int

    def __post_init__(self) -> None:
        message = f"{self.number} is not the right number"
        raise ValueError(message)


class Bank: ...


async def reserve(
    order: Order, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.PAYING], Order]:
    raise AssertionError(order, bank, key)


async def release(order: Order, *, key: IdempotencyKey = injected) -> None:
    raise AssertionError(order, key)


async def find(failure: Failure, order: Order) -> Verdict[Goto[Literal[Status.PAYING], Order]]:
    raise AssertionError(failure, order)


async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.PAID], Order] | Stay[Order]:
    raise AssertionError(order, paid)


async def never(order: Order, never: Never) -> Goto[Literal[Status.PAID], Order]:
    raise AssertionError(order, never)


async def stop(order: Order, stopped: Stopped) -> CancelRun[Order]:
    raise AssertionError(order, stopped)


async def remind(order: Order) -> Goto[Literal[Status.DROPPED], Order] | Rearm[Order]:
    raise AssertionError(order)


async def remind_for_ever(order: Order) -> Rearm[Order]:
    raise AssertionError(order)


async def ship(order: Order, *, bank: Bank = injected) -> Goto[Literal[Status.SHIPPED], Order]:
    raise AssertionError(order, bank)


async def poll(order: Order) -> Again[Order]:
    raise AssertionError(order)


async def anything(order: Order) -> Next[Status, Order]:
    raise AssertionError(order)


async def ask(order: Order) -> PauseRun[Order] | FailRun[Order] | Goto[Status, Order]:
    raise AssertionError(order)


async def keep(
    order: Order, *, transaction: Transaction = injected
) -> Goto[Literal[Status.SHIPPED], Order]:
    raise AssertionError(order, transaction)


async def send(order_id: str) -> str:
    raise AssertionError(order_id)


@workflow
def shipping(order_id: str) -> str:
    return step(send, irreversible="it is gone")(order_id)


async def shipped(
    order: Order, ended: Succeeded[str] | Failed
) -> Goto[Literal[Status.SHIPPED, Status.DROPPED], Order]:
    raise AssertionError(order, ended)


# Any: the options are those of a lifecycle.
def made(**options: Any) -> Lifecycle[Order, Status]:
    """Return a lifecycle without handlers."""
    return Lifecycle("order", Order, Status, key=lambda order: order.id, **options)


begun = made().on(Status.NEW, reserve, to={Status.PAYING}, undo=release, compensate=find)
waiting = begun.hear(Status.PAYING, Paid, settle, to={Status.PAID}).hear(
    Status.PAYING, Stopped, stop
)
orders = (
    waiting.expire(Status.PAYING, remind, after=DAY, to={Status.DROPPED})
    .on(Status.PAID, ship, to={Status.SHIPPED}, irreversible="it is gone", key_valid_for=DAY)
    .workflow()
)
"""Reserves, waits for its money, ships."""

unhurried = (
    waiting.expire(Status.PAYING, remind_for_ever, after=DAY)
    .expire(Status.PAYING, remind, at=lambda order: order.due, to={Status.DROPPED})
    .call(
        Status.PAID,
        lambda order: shipping(order.id),
        shipped,
        to={Status.SHIPPED, Status.DROPPED},
    )
    .workflow()
)
"""Gives up only where the record says when; and has a workflow ship."""


def short(*, keeps: bool = False) -> Lifecycle[Order, Status]:
    """Return a lifecycle whose statuses are all left at once."""
    last = keep if keeps else ask
    return (
        made(start=Status.NEW)
        .on(Status.NEW, anything, to={Status.PAYING, Status.DROPPED})
        .on(Status.PAYING, poll)
        .expire(Status.PAYING, anything, after=DAY, to={Status.PAID, Status.DROPPED}, name="on")
        .on(Status.PAID, last, to={Status.SHIPPED})
    )
