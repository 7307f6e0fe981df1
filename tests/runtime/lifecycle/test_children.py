"""Lifecycles that call workflows, and workflows of which a lifecycle is a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from makegood import (
    Declined,
    Failed,
    Goto,
    IdempotencyKey,
    Lifecycle,
    Operator,
    Succeeded,
    injected,
    step,
    workflow,
)
from tests.runtime.lifecycle.shop import Order, Packed, Paid, orders
from tests.runtime.outside import Gate, Outside
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World


class Stage(Enum):
    NEW = 1
    SHIPPING = 2
    SENT = 3
    SHELVED = 4


@dataclass(frozen=True)
class Parcel:
    id: str
    number: str = ""


@dataclass(frozen=True)
class Fetched:
    by: str


async def weigh(
    _parcel: Parcel, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Stage.SHIPPING], Parcel]:
    await outside.do("weigh", key)
    return Goto(Stage.SHIPPING)


async def unweigh(
    _parcel: Parcel, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("unweigh", key)


async def book(parcel: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do(f"book {parcel}", key)


async def unbook(
    booked: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo {booked}", key)


@workflow
def carry(parcel: str) -> str:
    """Book a carrier."""
    return step(book, undo=unbook)(parcel)


async def carried(
    parcel: Parcel, ended: Succeeded[str] | Failed
) -> Goto[Literal[Stage.SENT, Stage.SHELVED], Parcel]:
    if isinstance(ended, Failed):
        return Goto(Stage.SHELVED, replace(parcel, number=ended.failure.message))
    return Goto(Stage.SENT, replace(parcel, number=ended.value))


async def fetch(_parcel: Parcel, _fetched: Fetched) -> Goto[Literal[Stage.NEW], Parcel]:
    return Goto(Stage.NEW)


parcels = (
    Lifecycle("parcel", Parcel, Stage, key=lambda parcel: parcel.id, start=Stage.NEW)
    .on(Stage.NEW, weigh, to={Stage.SHIPPING}, undo=unweigh)
    .call(
        Stage.SHIPPING,
        lambda parcel: carry(parcel.id),
        carried,
        to={Stage.SENT, Stage.SHELVED},
    )
    .hear(Stage.SHELVED, Fetched, fetch, to={Stage.NEW})
    .workflow()
)


async def thank(
    order: Order, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(f"thank {order.id}", key)


@workflow
def sell(order: Order) -> str:
    """Let an order go its way to its end, and say thank you."""
    return step(thank, irreversible="a word")(step(orders, name="order")(order))


async def begun(world: World) -> tuple[Engine, Run[Parcel]]:
    engine = await world.engine(parcels, carry)
    return engine, await engine.start(parcels(Parcel("p-1")))


async def test_a_status_starts_a_workflow_and_goes_on_with_what_that_gives(
    stored: World,
) -> None:
    engine, run = await begun(stored)

    assert await stored.finish(engine, run.result()) == Parcel("p-1", "book p-1 done")

    assert stored.outside.happened == ["weigh", "book p-1"]
    rows = {row.workflow: row for row in (await engine.list()).rows}
    assert (rows["carry"].status, rows["parcel"].stage) == ("completed", "SENT")


async def test_a_workflow_that_fails_is_told_to_the_handler_and_undoes_nothing_else(
    stored: World,
) -> None:
    stored.outside.planned["book p-1"] = [Declined("no van")]
    engine, run = await begun(stored)

    await stored.finish(engine, run.await_status(Stage.SHELVED))
    first = await run.record()
    await engine.send(Fetched("eve"), key="p-1")

    assert first.record.number == "no van"
    assert (await stored.finish(engine, run.result())).number == "book p-1 done"
    # The second time is another visit, so that everything has another key.
    assert [len(set(stored.outside.keys[name])) for name in ("weigh", "book p-1")] == [2, 2]
    assert "unweigh" not in stored.outside.calls


async def test_a_called_workflow_is_undone_as_one_unit_in_its_place(stored: World) -> None:
    engine, run = await begun(stored)
    await stored.finish(engine, run.result())

    outcome = await stored.finish(engine, run.undo(actor="eve", reason="wrong door"))

    assert (outcome.status, outcome.cause) == ("cancelled", "reversed")
    assert stored.outside.happened[2:] == ["undo book p-1 done", "unweigh"]


async def test_a_cancel_reaches_the_workflow_that_is_at_work(stored: World) -> None:
    gate = Gate()
    stored.outside.planned["book p-1"] = [gate]
    engine, run = await begun(stored)
    await stored.finish(engine, gate.reached.wait())

    assert await stored.finish(engine, run.cancel()) == "accepted"
    gate.open()

    assert (await stored.finish(engine, run.outcome())).status == "cancelled"
    assert stored.outside.happened == ["weigh", "book p-1", "undo book p-1 done", "unweigh"]


async def test_a_lifecycle_is_a_step_of_a_workflow_and_hears_by_its_own_key(
    stored: World,
) -> None:
    engine = await stored.engine(sell)
    run = await engine.start(sell(Order("o-1")))
    await stored.finish(engine, until_waiting(engine))
    for message in (Paid(7), Packed("p")):
        await engine.send(message, key="o-1")

    assert await stored.finish(engine, run.result()) == "thank o-1 done"
    [child] = [row for row in (await engine.list()).rows if row.workflow == "order"]
    assert (child.key, child.stage) == ("o-1", "SHIPPED")


async def until_waiting(engine: Engine) -> None:
    while not (await Operator(engine).messages()).waiting:
        await turn_of_the_loop()


async def test_a_lifecycle_that_is_a_step_is_undone_as_one_unit(stored: World) -> None:
    stored.outside.planned["thank o-1"] = [Declined("no voice")]
    engine = await stored.engine(sell)
    run = await engine.start(sell(Order("o-1")))
    await stored.finish(engine, until_waiting(engine))
    for message in (Paid(7), Packed("p")):
        await engine.send(message, key="o-1")

    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.undone) == ("failed", ["order"])
    assert stored.outside.happened == ["price", "settle 7", "unprice 7"]
    [child] = [row for row in (await engine.list()).rows if row.workflow == "order"]
    assert (child.status, child.cause) == ("cancelled", "reversed")


async def test_a_cancelled_workflow_has_the_lifecycle_go_back_wherever_it_stands(
    stored: World,
) -> None:
    engine = await stored.engine(sell)
    run = await engine.start(sell(Order("o-1")))
    await stored.finish(engine, until_waiting(engine))

    await stored.finish(engine, run.cancel())

    assert (await stored.finish(engine, run.outcome())).status == "cancelled"
    assert stored.outside.happened == ["price", "unprice 7"]
    again = await engine.start(sell(Order("o-1")))
    assert (await stored.finish(engine, until_stage(engine, "PAYING"))) is None
    assert again.id != run.id


async def until_stage(engine: Engine, stage: str) -> None:
    while not any((row.stage, row.ended_at) == (stage, None) for row in (await engine.list()).rows):
        await turn_of_the_loop()


async def test_two_workflows_that_want_one_record_at_a_time_do_not_share_it(
    stored: World,
) -> None:
    engine = await stored.engine(sell)
    first = await engine.start(sell(Order("o-1")))
    await stored.finish(engine, until_waiting(engine))

    second = await engine.start(sell(Order("o-1")))
    outcome: Any = await stored.finish(engine, second.outcome())

    assert outcome.status == "failed"
    assert "belongs to another run" in str(outcome.error)
    stored.clock.turn(timedelta(0))
    assert (await first.describe()).status == "waiting"
