"""Runs that a person holds up, goes on with, and steers: from the handle and from the operator."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

import msgspec
import pytest

from makegood import Config, ControlAnswer, ControlPreview, Filter, InvalidInput, each, workflow
from makegood.decision import facts
from makegood.decision.facts import Cause
from makegood.errors import ControlRefused
from makegood.journal.upkeep import forgotten
from makegood.runtime.operator import Operator
from tests.runtime.asking.parked import EVE, in_doubt
from tests.runtime.outside import Gate
from tests.runtime.trips import book, book_surely, charge, hold, send
from tests.runtime.world import AT_ONCE, until

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

ACCEPTED = ControlAnswer.ACCEPTED


class Person(TypedDict):
    actor: str
    reason: str


ANN = Person(actor="ann", reason="a look at the books")


def json(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


@workflow
def book_all(trips: list[str]) -> list[str]:
    """Book several trips."""
    return each(trips, lambda trip: send(charge(hold(trip))), name="trips")


async def at_the_gate(world: World, engine: Engine) -> tuple[Run[str], Gate]:
    """Return a run whose first body stands between its effect and its answer."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    run = await engine.start(book("Oslo"), key="trip-1")
    await gate.reached.wait()
    return run, gate


async def paused_before_charging(world: World, engine: Engine) -> Run[str]:
    """Return a run that holds a seat, and was paused before it was charged for."""
    run, gate = await at_the_gate(world, engine)
    await world.finish(engine, run.pause(**ANN))
    gate.open()
    await until(lambda: engine.active == 0)
    return run


async def test_a_paused_run_records_what_ends_leaves_memory_and_goes_on(stored: World) -> None:
    engine = await stored.engine(book)

    run = await paused_before_charging(stored, engine)

    (row,) = (await engine.list(Filter(statuses=frozenset({"paused"})))).rows
    assert (row.run, row.owner, row.wake_at) == (run.id, None, None)
    assert stored.outside.calls == ["hold"]
    await stored.finish(engine, run.resume(**ANN))
    assert await stored.finish(engine, run.result()) == "send done"
    assert stored.outside.calls == ["hold", "charge", "send"]


async def test_a_worker_that_dies_leaves_a_paused_run_paused(world: World) -> None:
    first = await world.engine(book)
    run, gate = await at_the_gate(world, first)
    await world.finish(first, run.pause(**ANN))
    await world.kill(first)
    second = await world.engine(book)
    world.clock.turn(timedelta(minutes=1))
    again = second.run(run.id)
    await until(lambda: second.active == 0 and second.is_at_rest)

    assert (await again.describe()).status == "paused"
    assert world.outside.calls == ["hold"]
    await world.finish(second, again.resume(**ANN))
    assert await world.finish(second, again.result()) == "send done"
    assert world.outside.happened == ["hold", "charge", "send"]
    gate.open()


async def test_an_engine_that_closes_leaves_a_paused_run_paused(stored: World) -> None:
    first = await stored.engine(book)
    run, gate = await at_the_gate(stored, first)
    await stored.finish(first, run.pause(**ANN))
    await stored.close(first)
    gate.open()

    second = await stored.engine(book)
    again = second.run(run.id)
    await stored.finish(second, again.resume(**ANN))

    assert await stored.finish(second, again.result()) == "send done"


async def test_a_cancel_of_a_paused_run_takes_back_what_it_did(stored: World) -> None:
    engine = await stored.engine(book)
    run = await paused_before_charging(stored, engine)

    assert await stored.finish(engine, run.cancel(**ANN)) is ACCEPTED

    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.cause) == ("cancelled", "cancelled")
    assert stored.outside.calls == ["hold", "free"]


async def test_what_cannot_be_paused_or_resumed_says_why(world: World) -> None:
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, run.outcome())

    with pytest.raises(ControlRefused) as pausing:
        await world.finish(engine, run.pause())
    with pytest.raises(ControlRefused) as resuming:
        await world.finish(engine, run.resume())

    assert pausing.value.answer == ControlAnswer.TOO_LATE
    assert (
        str(pausing.value)
        == f"run {run.id} cannot be paused: the run has ended; its description says how"
    )
    assert resuming.value.answer == ControlAnswer.NOT_PAUSED
    assert str(resuming.value) == (
        f"run {run.id} cannot be resumed: it is not paused; a workflow or an engine that is halted "
        "is resumed by lifting its halt"
    )


async def test_a_paused_run_waits_for_a_person_and_is_not_forgotten(world: World) -> None:
    engine = await world.engine(book, config=Config(shutdown_grace=AT_ONCE, release_after=None))
    run = await paused_before_charging(world, engine)

    stuck = await Operator(engine).stuck()

    assert [row.run for row in stuck.paused] == [run.id]
    assert (stuck.unwoken, stuck.parked, await forgotten(engine._shell.journal)) == ((), (), ())


# Skipping and giving results ------------------------------------------------------------------


async def test_a_result_that_a_person_gives_is_used_and_undone(stored: World) -> None:
    engine = await stored.engine(book)
    run = await paused_before_charging(stored, engine)
    operator = Operator(engine)

    given = operator.set_result(run.id, "charge_card", json("by hand"), **EVE)
    assert await stored.finish(engine, given) is ACCEPTED
    await stored.finish(engine, run.resume(**ANN))
    assert await stored.finish(engine, run.result()) == "send done"
    await stored.finish(engine, run.undo(**ANN))

    assert stored.outside.calls == ["hold", "send", "recall", "refund", "free"]
    recorded = (await operator.history(run.id)).facts
    (granted,) = [fact for fact in recorded if isinstance(fact, facts.ResultGranted)]
    assert (granted.node, granted.actor, granted.reason) == ("charge_card", "eve", "asked the bank")


@pytest.mark.parametrize(
    ("value", "why"),
    [(b"7", "Expected `str`, got `int`"), (b"{", "no JSON"), (b'"' + b"x" * 10**6 + b'"', "bytes")],
    ids=["another type", "no JSON", "too large"],
)
async def test_a_result_is_one_of_the_node(world: World, value: bytes, why: str) -> None:
    engine = await world.engine(book)
    run = await paused_before_charging(world, engine)

    with pytest.raises(InvalidInput, match=why):
        await Operator(engine).set_result(run.id, "charge_card", msgspec.Raw(value), **EVE)


async def test_a_worker_looks_at_a_result_that_the_asker_cannot_judge(stored: World) -> None:
    engine = await stored.engine(book)
    client = await stored.engine(work=False)
    run = await paused_before_charging(stored, engine)

    given = Operator(client).set_result(run.id, "charge_card", json(7), **EVE)

    with pytest.raises(ControlRefused, match="the result given is not of the type") as refused:
        await stored.finish(engine, given)
    assert refused.value.answer == ControlAnswer.NOT_A_RESULT


async def test_a_result_in_a_round_is_one_of_the_node_too(world: World) -> None:
    engine = await world.engine(book_all)
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    run = await engine.start(book_all(["Oslo"]))
    await gate.reached.wait()
    operator = Operator(engine)

    with pytest.raises(InvalidInput, match="Expected `str`"):
        await operator.set_result(run.id, "trips[0]/charge_card", json(7), **EVE)
    given = operator.set_result(run.id, "trips[0]/charge_card", json("by hand"), **EVE)
    assert await world.finish(engine, given) is ACCEPTED
    gate.open()

    assert await world.finish(engine, run.result()) == ["send done"]
    assert world.outside.calls == ["hold", "send"]


async def test_what_others_need_is_not_skipped(world: World) -> None:
    engine = await world.engine(book)
    run = await paused_before_charging(world, engine)
    operator = Operator(engine)

    asked = operator.skip(run.id, "charge_card", **EVE)

    with pytest.raises(ControlRefused) as refused:
        await world.finish(engine, asked)
    assert refused.value.answer == ControlAnswer.NEEDED
    assert str(refused.value) == (
        f"`charge_card` of run {run.id} cannot be skipped: others need what it gives and cannot do "
        "with None; give it a result instead"
    )


async def test_what_is_in_doubt_is_neither_skipped_nor_given_a_result(stored: World) -> None:
    engine = await stored.engine(book_surely)
    run = await in_doubt(stored, engine)
    operator = Operator(engine)

    skipped = operator.skip(run.id, "charge_unkeyed", **EVE)
    given = operator.set_result(run.id, "charge_unkeyed", json("by hand"), **EVE)

    for asked, what in ((skipped, "be skipped"), (given, "be given a result")):
        with pytest.raises(ControlRefused) as refused:
            await stored.finish(engine, asked)
        assert str(refused.value) == (
            f"`charge_unkeyed` of run {run.id} cannot {what}: it may have happened; settle it first"
        )


# Foreseen ---------------------------------------------------------------------------------------


async def test_previews_say_what_requests_would_come_to_and_change_nothing(stored: World) -> None:
    engine = await stored.engine(book)
    run, gate = await at_the_gate(stored, engine)
    client = Operator(await stored.engine(work=False))
    before = (await client.history(run.id)).row

    pause = await client.preview_pause(run.id)
    resume = await client.preview_resume(run.id)
    skip = await client.preview_skip(run.id, "charge_card")
    given = await client.preview_set_result(run.id, "charge_card", json("by hand"))

    assert pause == ControlPreview(answer=ACCEPTED, at_work=("hold_seat",), status="paused")
    assert resume == ControlPreview(
        answer=ControlAnswer.NOT_PAUSED, at_work=("hold_seat",), status="running"
    )
    assert skip == ControlPreview(
        answer=ControlAnswer.NEEDED,
        at_work=("hold_seat",),
        needed_by=("send_ticket",),
        status="running",
    )
    assert given == ControlPreview(answer=ACCEPTED, at_work=("hold_seat",), status="running")
    assert (await client.history(run.id)).row == before
    gate.open()
    assert await stored.finish(engine, run.result()) == "send done"


async def test_a_preview_of_a_resume_names_what_begins(world: World) -> None:
    engine = await world.engine(book)
    run = await paused_before_charging(world, engine)

    foreseen = await Operator(engine).preview_resume(run.id)

    assert foreseen == ControlPreview(answer=ACCEPTED, begins=("charge_card",), status="running")
    assert foreseen.is_possible


@workflow(deadline=timedelta(minutes=5))
def book_in_time(trip: str) -> str:
    """Book within five minutes."""
    return send(charge(hold(trip)))


async def test_a_preview_of_a_resume_after_the_deadline_says_that_the_run_goes_back(
    world: World,
) -> None:
    engine = await world.engine(book_in_time)
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    run = await engine.start(book_in_time("Oslo"))
    await gate.reached.wait()
    await world.finish(engine, run.pause(**ANN))
    gate.open()
    await until(lambda: engine.active == 0)
    world.clock.turn(timedelta(minutes=6))

    foreseen = await Operator(engine).preview_resume(run.id)

    assert foreseen == ControlPreview(
        answer=ACCEPTED, begins=("hold_seat",), goes_back=Cause.DEADLINE, status="undoing"
    )
    await world.finish(engine, run.resume(**ANN))
    outcome = await world.finish(engine, run.outcome())
    assert (outcome.status, outcome.cause) == ("failed", "deadline")


# Retrying from a node ----------------------------------------------------------------------------


async def charged_and_paused(world: World, engine: Engine) -> Run[str]:
    """Return a paused run that has held a seat and charged for it."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    run = await engine.start(book("Oslo"), key="trip-1")
    await gate.reached.wait()
    await world.finish(engine, run.pause(**ANN))
    gate.open()
    await until(lambda: engine.active == 0)
    return run


async def test_what_is_done_is_undone_and_done_again_under_new_keys(stored: World) -> None:
    engine = await stored.engine(book)
    run = await charged_and_paused(stored, engine)
    operator = Operator(engine)

    asked = operator.retry_from(run.id, "charge_card", **EVE)
    assert await stored.finish(engine, asked) is ACCEPTED
    await stored.finish(engine, run.resume(**ANN))
    assert await stored.finish(engine, run.result()) == "send done"
    await stored.finish(engine, run.undo(**ANN))

    calls = ["hold", "charge", "refund", "charge", "send", "recall", "refund", "free"]
    assert stored.outside.calls == calls
    # Whoever was asked for the same under the same key would have done it once.
    assert stored.outside.happened == calls


async def test_a_preview_of_a_retry_from_a_node_says_what_is_undone_and_done_again(
    world: World,
) -> None:
    engine = await world.engine(book)
    run = await charged_and_paused(world, engine)
    operator = Operator(engine)

    foreseen = await operator.preview_retry_from(run.id, "hold_seat")

    assert foreseen == ControlPreview(
        answer=ACCEPTED,
        undoes=("charge_card", "hold_seat"),
        again=("hold_seat", "charge_card", "send_ticket"),
        status="paused",
    )


async def test_a_worker_that_dies_on_the_way_back_is_gone_on_from(world: World) -> None:
    first = await world.engine(book)
    run = await charged_and_paused(world, first)
    gate = Gate()
    world.outside.planned["refund"] = [gate]
    asked = Operator(first).retry_from(run.id, "hold_seat", **EVE)
    assert await world.finish(first, asked) is ACCEPTED
    await world.finish(first, run.resume(**ANN))
    await gate.reached.wait()

    await world.kill(first)
    second = await world.engine(book)
    world.clock.turn(timedelta(minutes=1))

    assert await world.finish(second, second.run(run.id).result()) == "send done"
    happened = ["hold", "charge", "refund", "free", "hold", "charge", "send"]
    assert world.outside.happened == happened
    gate.open()
