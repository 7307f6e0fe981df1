"""A handler of a lifecycle emits in the append that records its move, and so does its undo."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest

from makegood import (
    Emit,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Rearm,
    Retry,
    RunCancelled,
    RunParked,
    Unavailable,
    injected,
)
from makegood.values.ids import effect_key, message_id
from tests.runtime.emitting.test_emitting import sent
from tests.runtime.outside import Outside
from tests.runtime.receiving.shop import Charge, Paid, Refused, quiet

if TYPE_CHECKING:
    from tests.runtime.world import World


class Status(Enum):
    NEW = 1
    PAYING = 2
    PAID = 3


@dataclass(frozen=True)
class Order:
    id: str
    reminders: int = 0


async def price(
    order: Order, *, outside: Outside = injected, emit: Emit[Paid] = injected
) -> Goto[Literal[Status.PAYING], Order]:
    emit(Paid(f"{order.id} is to be paid"))
    await outside.do("price", IdempotencyKey("price"))
    return Goto(Status.PAYING)


async def unprice(order: Order, *, emit: Emit[Refused] = injected) -> None:
    emit(Refused(order.id))


async def remind(
    order: Order, *, emit: Emit[Paid] = injected
) -> Goto[Literal[Status.PAID], Order] | Rearm[Order]:
    emit(Paid(f"reminder {order.reminders}"))
    if order.reminders:
        return Goto(Status.PAID)
    return Rearm(replace(order, reminders=1))


orders = (
    Lifecycle("order", Order, Status, key=lambda order: order.id)
    .on(
        Status.NEW,
        price,
        to={Status.PAYING},
        undo=unprice,
        retry=Retry(attempts=2, delay=timedelta(seconds=1), jitter=False),
    )
    .expire(Status.PAYING, remind, after=timedelta(seconds=5), to={Status.PAID})
    .workflow()
)


async def test_every_move_sends_its_messages_once(world: World) -> None:
    world.outside.planned["price"] = [Unavailable("down")]
    engine = await world.engine(orders)
    run = await engine.start(orders(Order("o-1")))
    await world.finish(engine, run.result())
    found = [each.message for each in await sent(engine)]
    assert [each.key for each in found] == ["o-1"] * 3
    keys = [
        effect_key("order", run.id, path, "do", generation=0)
        for path in ("order[0]/price", "order[1]/remind", "order[2]/remind")
    ]
    assert [each.id for each in found] == [message_id(key, 1) for key in keys]


async def test_the_undo_of_a_move_sends_too(world: World) -> None:
    engine = await world.engine(orders)
    run = await engine.start(orders(Order("o-1")))
    await quiet(engine)
    await world.finish(engine, run.cancel(reason="changed my mind"))
    with pytest.raises(RunCancelled):
        await world.finish(engine, run.result())
    assert [each.message.type for each in await sent(engine)] == ["shop.Paid", "shop.Refused"]


class Answer(Enum):
    ASKED = 1
    GIVEN = 2


async def confuse(
    _order: Order, *, emit: Emit[Paid] = injected
) -> Goto[Literal[Answer.GIVEN], Order]:
    emit(Paid("good"))
    wrong: Any = Refused("o-1")
    emit(wrong)
    return Goto(Answer.GIVEN)


confused = (
    Lifecycle("confused", Order, Answer, key=lambda order: order.id)
    .on(Answer.ASKED, confuse, to={Answer.GIVEN})
    .workflow()
)


class Demand(Enum):
    ASKED = 1
    MADE = 2


async def demand(
    order: Order, *, emit: Emit[Charge] = injected
) -> Goto[Literal[Demand.MADE], Order]:
    emit(Charge(order.id))
    return Goto(Demand.MADE)


demands = (
    Lifecycle("demand", Order, Demand, key=lambda order: order.id)
    .on(Demand.ASKED, demand, to={Demand.MADE})
    .workflow()
)


async def test_who_waits_for_a_status_learns_that_a_command_has_no_owner(world: World) -> None:
    engine = await world.engine(demands)
    run = await engine.start(demands(Order("o-1")))

    awaited = await world.finish(engine, run.await_status(Demand.MADE))

    assert (awaited.what, awaited.reason) == ("failed", "error")
    assert awaited.error is not None
    assert "no receptor owns the command `shop.Charge`" in awaited.error


async def test_what_is_not_declared_parks_the_record_and_nothing_goes_out(world: World) -> None:
    engine = await world.engine(confused)
    run = await engine.start(confused(Order("o-1")))
    with pytest.raises(RunParked) as raised:
        await world.finish(engine, run.result())
    assert "which its Emit[…] does not name" in str(raised.value.errors[0])
    assert await sent(engine) == []
