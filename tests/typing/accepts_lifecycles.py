"""What both type checkers accept of a lifecycle: its record, its statuses and their handlers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Literal, assert_type

from makegood import (
    Again,
    Awaited,
    CancelRun,
    Engine,
    Failed,
    FailRun,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Next,
    PauseRun,
    Rearm,
    Retry,
    Run,
    Standing,
    Stay,
    Succeeded,
    Workflow,
    injected,
    query,
    testing,
    workflow,
)


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    total: int


async def find_order(order_id: str) -> Order:
    return Order(order_id, 1)


@workflow
def look(order_id: str) -> Order:
    return query(find_order)(order_id)


class Stage(Enum):
    NEW = "new"
    PAYING = "paying"
    SHIPPING = "shipping"
    SHIPPED = "shipped"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Settled:
    cents: int


async def open_order(
    order: Order, *, key: IdempotencyKey = injected
) -> Goto[Literal[Stage.PAYING, Stage.DROPPED], Order]:
    if key:
        return Goto(Stage.DROPPED)
    return Goto(Stage.PAYING, order)


async def close_order(order: Order, *, key: IdempotencyKey = injected) -> None:
    """Take back what was opened."""


async def settle_order(order: Order, settled: Settled) -> Next[Stage, Order]:
    if settled.cents < order.total:
        return Stay(order)
    return Goto(Stage.SHIPPING)


async def give_up(order: Order) -> Rearm[Order] | Again[Order] | PauseRun[Order]:
    if order.total:
        return Again(order, after=timedelta(minutes=1))
    return Rearm() if order.id else PauseRun("nobody knows it", order)


async def ship_order(
    order: Order, ended: Succeeded[Order] | Failed
) -> Goto[Stage, Order] | FailRun[Order] | CancelRun[Order]:
    if isinstance(ended, Failed):
        return FailRun(ValueError(ended.node))
    return Goto(Stage.SHIPPED, ended.value)


orders = (
    Lifecycle("order", Order, Stage, key=lambda order: order.id, terminal={Stage.SHIPPED})
    .on(Stage.NEW, open_order, to={Stage.PAYING, Stage.DROPPED}, undo=close_order)
    .hear({Stage.PAYING}, Settled, settle_order, to={Stage.SHIPPING}, retry=Retry(attempts=2))
    .expire(Stage.PAYING, give_up, after=timedelta(days=1), timeout=timedelta(seconds=1))
    .call(Stage.SHIPPING, lambda order: look(order.id), ship_order, to={Stage.SHIPPED})
)
assert_type(orders, Lifecycle[Order, Stage])
assert_type(orders.workflow(), Workflow[[Order], Order])


async def watched(run: Run[Order]) -> None:
    assert_type(await run.record(), Standing[Order])
    awaited = await run.await_status(Stage.SHIPPED, Stage.DROPPED, within=timedelta(days=1))
    assert_type(awaited, Awaited[Stage])
    assert_type(awaited.reached, Stage | None)


async def found(engine: Engine) -> None:
    assert_type(await engine.find(orders.workflow(), "o-1"), Run[Order])


async def take_through() -> None:
    async with testing.lifecycle(orders, Order("o-1", 0), status=Stage.PAYING) as order:
        assert_type(order, testing.Passage[Order, Stage])
        assert_type(order.status, Stage)
        assert_type(order.record, Order)
    async with testing.lifecycle(orders.workflow(), Order("o-1", 0)) as other:
        assert_type(other, testing.Passage[Order, Enum])
