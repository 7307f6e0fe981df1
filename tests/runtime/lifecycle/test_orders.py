"""A lifecycle carried out end to end, in memory and on a SQLite file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Literal

import pytest

from makegood import (
    Engine,
    Goto,
    KeyConflict,
    Lifecycle,
    Rearm,
    Run,
    RunCancelled,
    RunParked,
    Stay,
)

pytestmark = pytest.mark.anyio


class Status(Enum):
    NEW = 1
    PAYING = 2
    PAID = 3
    LOST = 4


@dataclass(frozen=True)
class Order:
    id: str
    total: int = 0
    reminders: int = 0


@dataclass(frozen=True)
class Paid:
    cents: int


class Shop:
    """What handlers have done outside."""

    def __init__(self) -> None:
        self.log: list[str] = []


SHOP = Shop()


async def price(order: Order) -> Goto[Literal[Status.PAYING], Order]:
    SHOP.log.append(f"price {order.id}")
    return Goto(Status.PAYING, replace(order, total=7))


async def unprice(order: Order) -> None:
    SHOP.log.append(f"unprice {order.id} {order.total}")


async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.PAID], Order] | Stay[Order]:
    SHOP.log.append(f"settle {paid.cents}")
    return Goto(Status.PAID) if paid.cents == order.total else Stay()


async def remind(order: Order) -> Goto[Literal[Status.LOST], Order] | Rearm[Order]:
    if order.reminders:
        return Goto(Status.LOST)
    return Rearm(replace(order, reminders=order.reminders + 1))


async def forget(order: Order) -> Goto[Literal[Status.PAID], Order]:
    return None  # type: ignore[return-value] # the mistake


orders = (
    Lifecycle("order", Order, Status, key=lambda order: order.id)
    .on(Status.NEW, price, to={Status.PAYING}, undo=unprice)
    .hear(Status.PAYING, Paid, settle, to={Status.PAID})
    .expire(Status.PAYING, remind, after=timedelta(days=1), to={Status.LOST})
    .workflow()
)


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    SHOP.log.clear()
    is_memory = request.param == "memory"
    return "memory://" if is_memory else f"sqlite:///{tmp_path / 'orders.journal'}"


async def listening(run: Run[Order]) -> None:
    """Wait until the run waits for something to come."""
    async for event in run.events():
        if type(event.fact).__name__ == "Listened":
            return


async def test_a_message_moves_an_order_on_to_its_end(journal: str) -> None:
    async with Engine(journal) as engine:
        engine.serve(orders)
        run = await engine.start(orders(Order("o-1")))
        await listening(run)

        await engine.send(Paid(7), key="o-1", id="event-1")

        assert await run.result() == Order("o-1", total=7)
    assert SHOP.log == ["price o-1", "settle 7"]


async def test_messages_that_came_too_early_or_twice_are_handled_once_in_their_order(
    journal: str,
) -> None:
    async with Engine(journal) as engine:
        engine.serve(orders)
        await engine.send(Paid(3), key="o-1", id="event-1")
        await engine.send(Paid(3), key="o-1", id="event-1")
        run = await engine.start(orders(Order("o-1")))
        await engine.send(Paid(7), key="o-1", id="event-2")

        assert (await run.result()).total == 7
    assert SHOP.log == ["price o-1", "settle 3", "settle 7"]


async def test_a_cancel_undoes_what_was_done_with_the_record_as_it_was_left(journal: str) -> None:
    async with Engine(journal) as engine:
        engine.serve(orders)
        run = await engine.start(orders(Order("o-1")))
        await listening(run)

        await run.cancel(reason="changed my mind")

        with pytest.raises(RunCancelled):
            await run.result()
    assert SHOP.log == ["price o-1", "unprice o-1 7"]


async def test_one_unfinished_run_has_a_key_which_is_free_again_at_its_end(journal: str) -> None:
    async with Engine(journal) as engine:
        engine.serve(orders)
        first = await engine.start(orders(Order("o-1")))
        same = await engine.start(orders(Order("o-1")))
        with pytest.raises(KeyConflict):
            await engine.start(orders(Order("o-1", total=9)))
        await listening(first)
        await engine.send(Paid(7), key="o-1")
        await first.result()

        second = await engine.start(orders(Order("o-1", total=9)))

        assert (same.id, second.id == first.id) == (first.id, False)


async def test_a_handler_that_forgets_to_return_parks_its_run_alone(journal: str) -> None:
    forgetful = (
        Lifecycle("forgetful", Order, Status, key=lambda order: order.id, start=Status.PAYING)
        .on(Status.PAYING, forget, to={Status.PAID})
        .hear(Status.PAID, Paid, lose, to={Status.NEW, Status.LOST})
        .workflow()
    )
    async with Engine(journal) as engine:
        engine.serve(forgetful)
        run = await engine.start(forgetful(Order("o-1")))

        with pytest.raises(RunParked) as caught:
            await run.result()

    assert "`forget` returned None; return Goto(…)" in str(caught.value.__cause__)


async def lose(_order: Order, _paid: Paid) -> Goto[Status, Order]:
    return Goto(Status.LOST)


async def test_a_run_goes_on_where_it_stood_when_another_engine_takes_it(tmp_path: Path) -> None:
    SHOP.log.clear()
    journal = f"sqlite:///{tmp_path / 'orders.journal'}"
    async with Engine(journal) as engine:
        engine.serve(orders)
        run = await engine.start(orders(Order("o-1")))
        await listening(run)

    async with Engine(journal) as engine:
        engine.serve(orders)
        await engine.send(Paid(7), key="o-1")
        assert await engine.run(run.id).result() == Order("o-1", total=7)
        [row] = (await engine.list()).rows

    assert SHOP.log == ["price o-1", "settle 7"]
    assert (row.status, row.stage) == ("completed", "PAID")
