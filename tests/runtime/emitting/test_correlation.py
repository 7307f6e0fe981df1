"""What comes of one beginning has one correlation, through messages, runs and their children."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Call,
    Emit,
    Filter,
    InvalidInput,
    MessageOperator,
    Receptors,
    RunInfo,
    Schedule,
    TracedMessage,
    TracedRun,
    injected,
    step,
    workflow,
)
from makegood.runtime.clock import pause
from makegood.values.ids import receipt_key
from makegood.values.instants import after
from tests.runtime.emitting.test_emitting import sent
from tests.runtime.receiving.shop import Paid, Refused, Reserved, quiet

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World


async def collect(order_id: str, *, info: RunInfo = injected, emit: Emit[Paid] = injected) -> str:
    emit(Paid(order_id))
    return info.correlation


async def archive(correlation: str, *, emit: Emit[Refused] = injected) -> str:
    emit(Refused(correlation))
    return correlation


@workflow
def inner(order_id: str) -> str:
    return step(collect, irreversible="a test")(order_id)


@workflow
def outer(order_id: str) -> str:
    told = step(inner)(order_id)
    return step(archive, irreversible="a test")(told)


async def plan(event: Reserved) -> Call[str]:
    return outer(event.order_id)


async def hear(event: Paid) -> Refused:
    return Refused(event.order_id)


async def runs_by_name(engine: Engine) -> dict[str, str]:
    return {row.workflow: row.run for row in (await engine.list()).rows}


async def test_a_run_that_a_message_has_started_belongs_with_it(world: World) -> None:
    engine = await world.engine(outer, Receptors("shop").on(plan).on(hear))
    await engine.publish(
        Reserved("A-1"), id="evt-1", correlation="order-1", tenant="acme", subject="anna"
    )
    await quiet(engine)
    runs = await runs_by_name(engine)
    assert await world.finish(engine, engine.run(runs["outer"]).result()) == "order-1"
    await quiet(engine)
    _begun, paid, *others = [each.message for each in await sent(engine)]
    assert (paid.correlation, paid.causation) == ("order-1", runs["inner"])
    assert (paid.tenant, paid.subject) == ("acme", "anna")
    assert {each.causation for each in others} == {paid.id, runs["outer"]}
    assert {each.correlation for each in others} == {"order-1"}
    rows = (await engine.list(Filter(correlation="order-1"))).rows
    assert {(row.workflow, row.causation) for row in rows} == {
        ("inner", runs["outer"]),
        ("outer", "evt-1"),
    }


async def test_a_run_from_outside_is_the_beginning_of_what_comes_of_it(world: World) -> None:
    engine = await world.engine(outer)
    run = await engine.start(outer("A-1"))
    assert await world.finish(engine, run.result()) == run.id
    assert {each.message.correlation for each in await sent(engine)} == {run.id}
    row = (await engine.list(Filter(workflow="outer"))).rows[0]
    assert (row.correlation, row.causation) == (None, None)
    (child,) = (await engine.list(Filter(correlation=run.id))).rows
    assert (child.workflow, child.causation) == ("inner", run.id)


async def test_a_caller_may_say_what_a_run_belongs_to(world: World) -> None:
    engine = await world.engine(outer)
    run = await engine.start(outer("A-1"), correlation="request-9")
    assert await world.finish(engine, run.result()) == "request-9"
    assert {each.message.correlation for each in await sent(engine)} == {"request-9"}
    assert len((await engine.list(Filter(correlation="request-9"))).rows) == 2
    with pytest.raises(InvalidInput):
        await engine.start(outer("A-2"), correlation=" ")


async def test_a_run_that_a_schedule_has_started_names_the_slot(world: World) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=1)
    engine = await world.engine(outer, Schedule("once", lambda _slot: outer("A-1"), at=at))
    await world.finish(engine, pause(world.clock, after(world.clock.now(), timedelta(minutes=2))))
    (row,) = (await engine.list(Filter(workflow="outer"))).rows
    assert (row.correlation, row.causation) == (None, f"once@{at.isoformat()}")
    assert {each.message.correlation for each in await sent(engine)} == {row.run}
    assert len(await MessageOperator(engine).trace(row.run)) == 4


async def test_a_trace_shows_messages_and_runs_each_with_its_cause(world: World) -> None:
    engine = await world.engine(outer, Receptors("shop").on(plan).on(hear))
    await engine.publish(Reserved("A-1"), id="evt-1")
    await quiet(engine)
    runs = await runs_by_name(engine)
    await world.finish(engine, engine.run(runs["outer"]).result())
    await quiet(engine)
    operator = MessageOperator(engine)
    found = await operator.trace("evt-1")
    told = {
        (each.type if isinstance(each, TracedMessage) else each.workflow, each.causation)
        for each in found
    }
    paid = next(each for each in found if isinstance(each, TracedMessage) and "Paid" in each.type)
    assert told == {
        ("shop.Reserved", "evt-1"),
        ("outer", "evt-1"),
        ("inner", runs["outer"]),
        ("shop.Paid", runs["inner"]),
        ("shop.Refused", paid.id),
        ("shop.Refused", runs["outer"]),
    }
    assert found[0].id == "evt-1"
    assert await operator.trace(runs["inner"]) == found
    (outermost,) = [each for each in found if each.id == runs["outer"]]
    assert isinstance(outermost, TracedRun)
    assert (outermost.status, outermost.key) == (
        "completed",
        f"{receipt_key('shop/plan', '', 'makegood', 'evt-1')}.1",
    )


async def test_the_trace_of_a_run_from_outside_is_found_by_its_own_id(world: World) -> None:
    engine = await world.engine(outer)
    run = await engine.start(outer("A-1"))
    await world.finish(engine, run.result())
    operator = MessageOperator(engine)
    found = await operator.trace(run.id)
    assert (found[0].id, found[0].causation) == (run.id, run.id)
    assert [each.kind for each in found] == ["run", "run", "message", "message"]
    child = next(each for each in found if each.id != run.id)
    assert await operator.trace(child.id) == found
    assert await operator.trace("nothing") == ()
