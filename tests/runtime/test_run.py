"""What a handle on a run offers: how it ended, cancelling it, undoing it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Config,
    ControlAnswer,
    Declined,
    NotUndoable,
    OutcomeUnknown,
    PastPivot,
    RemoteError,
    Retry,
    RunCancelled,
    RunFailed,
    RunParked,
    Unavailable,
    UnknownRun,
    pure,
    query,
    step,
    workflow,
)
from makegood.testing import run as run_here
from tests.runtime.outside import Gate
from tests.runtime.trips import book, book_finally, book_surely
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Run
    from tests.runtime.world import World

FOREVER = [Unavailable("down")] * 10


# How it ended ---------------------------------------------------------------------------------


async def test_a_completed_run_gives_its_value_to_everyone_who_asks(stored: World) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.cause, outcome.rollback) == ("completed", None, "none")
    assert (outcome.value, outcome.error, outcome.errors) == ("send done", None, ())
    assert outcome.done == ["hold_seat", "charge_card", "send_ticket"]
    assert await stored.finish(engine, engine.run(run.id).result()) == "send done"
    assert await stored.finish(engine, run.result()) == "send done"


async def test_a_failed_run_raises_the_original_exception_as_its_cause(stored: World) -> None:
    """§4.6: in the same process it is the very object that was raised."""
    error = Declined("card expired")
    stored.outside.planned["charge"] = [error]
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    with pytest.raises(RunFailed) as raised:
        await stored.finish(engine, run.result())

    assert raised.value.__cause__ is error
    assert raised.value.errors == (error,)
    assert str(raised.value) == (
        f"run {run.id} of `book` failed (error): Declined: card expired; undone: `hold_seat`"
    )
    outcome = await run.outcome()
    assert (outcome.status, outcome.cause, outcome.rollback) == ("failed", "error", "undone")
    assert (outcome.done, outcome.undone, outcome.value) == ([], ["hold_seat"], None)


async def test_elsewhere_the_error_is_known_by_its_record(stored: World) -> None:
    """§4.6: class name, message and traceback text cross to another engine."""
    stored.outside.planned["charge"] = [Declined("card expired")]
    first = await stored.engine(book)
    run = await first.start(book("Oslo"))
    await stored.finish(first, run.outcome())
    await stored.close(first)

    second = await stored.engine(book)
    with pytest.raises(RunFailed, match="Declined: card expired; undone: `hold_seat`") as raised:
        await stored.finish(second, second.run(run.id).result())
    cause = raised.value.__cause__
    assert isinstance(cause, RemoteError)
    assert (cause.type_name, cause.message) == ("makegood.errors.Declined", "card expired")
    assert "outside.py" in cause.traceback


async def test_nothing_to_undo_is_said_too(world: World) -> None:
    world.outside.planned["hold"] = [ValueError("no such trip")]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    with pytest.raises(RunFailed, match="no such trip; there was nothing to undo"):
        await world.finish(engine, run.result())


async def test_a_parked_run_says_what_is_left_and_why(world: World) -> None:
    """G16: the undo that gave up stops no other, and is loud."""
    no_address, no_bank = ValueError("no such address"), ValueError("bank closed")
    world.outside.planned["send"] = [no_address]
    world.outside.planned["refund"] = [no_bank]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    with pytest.raises(RunParked) as raised:
        await world.finish(engine, run.result())

    assert raised.value.left == ("charge_card",)
    assert raised.value.errors == (no_address, no_bank)
    assert raised.value.__cause__ is no_address
    assert str(raised.value) == (
        f"run {run.id} of `book` is parked, undo gave up (`charge_card`): "
        "ValueError: no such address"
    )
    assert world.outside.happened == ["hold", "charge", "free"]


async def test_the_original_error_comes_first_and_undo_errors_as_they_happened() -> None:
    """R9: in the order of the rollback, which is not that of the plan."""
    originals = [Declined("card expired")]
    undos = {"a": ValueError("a is stuck"), "b": ValueError("b is stuck")}

    async def act(n: str) -> str:
        return n

    async def unact(n: str) -> None:
        raise undos[n]

    async def fail(one: str, two: str) -> str:
        raise originals[0]

    acting = step(act, undo=unact)

    @workflow
    def failing() -> str:
        one, two = acting.named("a")("a"), acting.named("b")("b")
        return step(fail, irreversible="test")(one, two)

    outcome = await run_here(failing())
    assert outcome.left == ["b", "a"]
    assert outcome.errors == (originals[0], undos["b"], undos["a"])


async def test_the_original_exception_is_kept_while_its_run_is_away(world: World) -> None:
    """§4.6: the run was given back in the middle of its rollback and taken up again here."""
    error = Declined("card expired")
    world.outside.planned["charge"] = [error]
    gate = Gate()
    world.outside.planned["free"] = [Unavailable("busy"), gate]
    config = Config(release_after=timedelta(0), shutdown_grace=timedelta(0))
    engine, journal = await world.watched(book, config=config)
    run = await engine.start(book("Oslo"))
    waiting = asyncio.ensure_future(run.outcome())
    await world.finish(engine, gate.reached.wait())
    world.clock.turn(timedelta(seconds=1))
    for _ in range(20):
        await turn_of_the_loop()
    gate.open()
    outcome = await waiting

    assert [append.release for append in journal.appends].count(True) == 2
    assert outcome.undone == ["hold_seat"]
    assert outcome.error is error


async def test_an_error_of_before_is_not_taken_for_the_one_that_counts(world: World) -> None:
    """The first attempt failed here, the last one in another process: that one is reported."""
    here, there = Unavailable("busy"), Unavailable("down")
    world.outside.planned["charge"] = [here, here, there]
    config = Config(release_after=timedelta(0), shutdown_grace=timedelta(0))
    first = await world.engine(book, config=config)
    run = await first.start(book("Oslo"))
    while first.active:
        await turn_of_the_loop()
    await first._worker.stop()
    second = await world.engine(book)
    outcome = await world.finish(second, run.outcome())

    assert outcome.status == "failed"
    assert isinstance(outcome.error, RemoteError)
    assert outcome.error.message == "down"


async def test_the_value_may_be_built_from_several_results(stored: World) -> None:
    async def count(n: int) -> int:
        return n

    one = query(count)

    @workflow
    def counting(n: int) -> dict[str, int]:
        return {"a": one.named("a")(n), "b": one.named("b")(n)}

    engine = await stored.engine(counting)
    run = await engine.start(counting(3))
    assert await stored.finish(engine, run.result()) == {"a": 3, "b": 3}
    client = await stored.engine(work=False)
    assert await client.run(run.id).result() == {"a": 3, "b": 3}


async def test_a_workflow_of_pure_values_ends_in_its_first_append(world: World) -> None:
    def double(n: int) -> int:
        return 2 * n

    @workflow
    def doubling(n: int) -> int:
        return pure(double)(n)

    engine, journal = await world.watched(doubling)
    run = await engine.start(doubling(3))
    assert await world.finish(engine, run.result()) == 6
    assert len(journal.appends) == 1


async def test_a_pure_that_raises_fails_the_run_with_its_own_exception(world: World) -> None:
    error = ZeroDivisionError("no share")

    def share(n: int) -> int:
        raise error

    @workflow
    def sharing(n: int) -> int:
        return pure(share)(n)

    engine = await world.engine(sharing)
    run = await engine.start(sharing(3))
    with pytest.raises(RunFailed, match="ZeroDivisionError: no share") as raised:
        await world.finish(engine, run.result())
    assert raised.value.__cause__ is error


async def test_a_pruned_run_is_not_waited_for(stored: World) -> None:
    """G33: the key stays taken, what the run did is gone, and asking ends at once."""
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"), key="trip-1")
    await stored.finish(engine, run.result())
    stored.clock.turn(timedelta(days=1))
    now = stored.clock.now()
    await engine._shell.journal.prune(ended_before=now, limit=10, now=now)
    again = await engine.start(book("Oslo"), key="trip-1")
    assert again.id == run.id
    with pytest.raises(UnknownRun, match="pruned"):
        await again.outcome()


# Describing -----------------------------------------------------------------------------------


async def test_a_description_says_where_every_node_stands(world: World) -> None:
    world.outside.planned["charge"] = [Unavailable("busy")]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"), key="trip-1")
    await _reaches(run, "waiting")
    report = await run.describe()

    assert (report.workflow, report.key, report.status) == ("book", "trip-1", "waiting")
    assert [(node.path, node.state, node.attempts) for node in report.nodes] == [
        ("hold_seat", "done", 1),
        ("charge_card", "retrying", 1),
        ("send_ticket", "idle", 0),
    ]
    assert str(report).splitlines() == [
        f"book {run.id}: waiting",
        "  hold_seat    step    done",
        "  charge_card  step    retrying, again at 00:00:01, Unavailable: busy",
        "  send_ticket  step    idle",
    ]


# Cancelling -----------------------------------------------------------------------------------


async def test_a_run_that_waits_is_cancelled_and_undone(stored: World) -> None:
    """G17: the answer is a fact, and says that it is going back."""
    stored.outside.planned["charge"] = list(FOREVER)
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, _reaches(run, "waiting"))

    assert await stored.finish(engine, run.cancel(actor="ann")) is ControlAnswer.ACCEPTED
    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.cause, outcome.undone) == (
        "cancelled",
        "cancelled",
        ["hold_seat"],
    )
    with pytest.raises(RunCancelled, match=r"cancelled \(cancelled\).*undone: `hold_seat`"):
        await stored.finish(engine, run.result())


async def test_a_step_at_work_is_awaited_and_undone_when_its_run_is_cancelled(
    world: World,
) -> None:
    """R1: an effect that is under way is never cut off, because then nobody would know."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    cancelling = asyncio.ensure_future(run.cancel())
    for _ in range(50):
        await turn_of_the_loop()
    gate.open()

    async def answer() -> ControlAnswer:
        return await cancelling

    assert await world.finish(engine, answer()) is ControlAnswer.ACCEPTED
    outcome = await world.finish(engine, run.outcome())
    assert outcome.undone == ["charge_card", "hold_seat"]
    assert world.outside.calls == ["hold", "charge", "refund", "free"]


async def test_a_completion_that_waits_beside_a_cancel_wins(world: World) -> None:
    """G17, F77: both are folded in one turn, and the caller learns that it was too late."""
    gate = Gate()
    world.outside.planned["send"] = [gate]
    engine, _journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, gate.reached.wait())
    gate.open()
    answer = await world.finish(engine, run.cancel())

    assert answer is ControlAnswer.TOO_LATE
    assert (await run.outcome()).status == "completed"


async def test_every_later_cancel_has_its_answer(stored: World) -> None:
    """F78: twice, while going back, and after the end."""
    gate = Gate()
    stored.outside.planned["charge"] = list(FOREVER)
    stored.outside.planned["free"] = [gate]
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, _reaches(run, "waiting"))
    assert await stored.finish(engine, run.cancel()) is ControlAnswer.ACCEPTED
    await stored.finish(engine, gate.reached.wait())
    assert await stored.finish(engine, run.cancel()) is ControlAnswer.ALREADY_UNDOING
    gate.open()
    await stored.finish(engine, run.outcome())
    assert await stored.finish(engine, run.cancel()) is ControlAnswer.TOO_LATE


async def test_a_parked_run_cannot_be_cancelled(world: World) -> None:
    world.outside.planned["charge"] = [OutcomeUnknown()]
    engine = await world.engine(book_surely)
    run = await engine.start(book_surely("Oslo"))
    assert (await world.finish(engine, run.outcome())).status == "parked"
    with pytest.raises(NotUndoable, match="is parked"):
        await world.finish(engine, run.cancel())


@pytest.mark.parametrize(
    ("fails", "answer", "status"),
    [(False, PastPivot, "completed"), (True, ControlAnswer.ALREADY_UNDOING, "failed")],
)
async def test_the_answer_waits_while_the_pivot_is_at_work(
    world: World, *, fails: bool, answer: object, status: str
) -> None:
    """G15, G17: its outcome decides whether there is a way back."""
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine = await world.engine(book_finally)
    run = await engine.start(book_finally("Oslo"))
    await gate.reached.wait()
    cancelling = asyncio.ensure_future(run.cancel())
    for _ in range(50):
        await turn_of_the_loop()
    assert not cancelling.done()
    if fails:
        # The gate's waiter is told that the bank said no instead.
        gate.error = Declined("card expired")
    gate.open()

    async def answered() -> object:
        try:
            return await cancelling
        except PastPivot as error:
            return type(error)

    assert await world.finish(engine, answered()) is answer
    assert (await world.finish(engine, run.outcome())).status == status


async def test_a_cancel_survives_the_engine_that_took_it(stored: World) -> None:
    """G1, G9: it is on record, whoever answers."""
    gate = Gate()
    stored.outside.planned["charge"] = [gate]
    first = await stored.engine(book)
    run = await first.start(book("Oslo"))
    await stored.finish(first, gate.reached.wait())
    client = await stored.engine(work=False)
    cancelling = asyncio.ensure_future(client.run(run.id).cancel())
    for _ in range(50):
        await turn_of_the_loop()
    await stored.kill(first)
    stored.clock.turn(timedelta(minutes=1))

    second = await stored.engine(book)

    async def answer() -> ControlAnswer:
        return await cancelling

    assert await stored.finish(second, answer()) is ControlAnswer.ACCEPTED
    outcome = await stored.finish(second, second.run(run.id).outcome())
    assert outcome.status == "cancelled"
    assert stored.outside.happened == ["hold", "charge", "refund", "free"]


# Undoing --------------------------------------------------------------------------------------


async def test_a_completed_run_is_undone_once_in_reverse_order(stored: World) -> None:
    """R14, G13: and the second time it is refused."""
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, run.result())
    outcome = await stored.finish(engine, run.undo(actor="ann", reason="changed her mind"))

    assert (outcome.status, outcome.cause, outcome.rollback) == ("cancelled", "reversed", "undone")
    assert outcome.undone == ["send_ticket", "charge_card", "hold_seat"]
    assert stored.outside.calls == ["hold", "charge", "send", "recall", "refund", "free"]
    with pytest.raises(NotUndoable, match="only a completed run can be undone"):
        await stored.finish(engine, run.undo())
    with pytest.raises(RunCancelled, match="reversed"):
        await stored.finish(engine, run.result())


async def test_an_undo_goes_on_in_a_new_engine(stored: World) -> None:
    """F7: it was asked for once, and is carried out whoever is there."""
    gate = Gate()
    first = await stored.engine(book)
    run = await first.start(book("Oslo"), key="trip-1")
    await stored.finish(first, run.result())
    stored.outside.planned["refund"] = [gate]
    undoing = asyncio.ensure_future(run.undo())
    await stored.finish(first, gate.reached.wait())
    undoing.cancel()
    await stored.kill(first)
    stored.clock.turn(timedelta(minutes=1))

    second = await stored.engine(book)
    outcome = await stored.finish(second, second.run(run.id).outcome())
    assert outcome.undone == ["send_ticket", "charge_card", "hold_seat"]
    assert stored.outside.happened == ["hold", "charge", "send", "recall", "refund", "free"]


async def test_a_run_past_its_pivot_is_not_undone(world: World) -> None:
    """G15: not even when a person asks."""
    engine = await world.engine(book_finally)
    run = await engine.start(book_finally("Oslo"))
    await world.finish(engine, run.result())
    with pytest.raises(PastPivot, match=f"run {run.id} cannot be undone: it has passed its pivot"):
        await world.finish(engine, run.undo())
    assert world.outside.calls == ["hold", "charge", "send"]


async def test_only_a_completed_run_is_undone(world: World) -> None:
    world.outside.planned["charge"] = list(FOREVER)
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    await _reaches(run, "waiting")
    with pytest.raises(NotUndoable, match="only a completed run can be undone"):
        await world.finish(engine, run.undo())


async def test_a_run_with_its_deadline_behind_it_goes_back(world: World) -> None:
    """§4.7: enforced when it is due, also between two attempts."""

    async def hold(n: int) -> int:
        return n

    async def free(n: int) -> None:
        return None

    async def wait(n: int) -> int:
        raise Unavailable

    patient = Retry(attempts=100, delay=timedelta(minutes=1), factor=1, jitter=False)

    @workflow(deadline=timedelta(minutes=10))
    def waiting(n: int) -> int:
        return step(wait, irreversible="test", retry=patient)(step(hold, undo=free)(n))

    engine = await world.engine(waiting)
    began = world.clock.now()
    run = await engine.start(waiting(1))
    outcome = await world.finish(engine, run.outcome())

    assert (outcome.status, outcome.cause, outcome.undone) == ("failed", "deadline", ["hold"])
    assert timedelta(minutes=10) <= timedelta(microseconds=world.clock.now() - began)
    assert timedelta(microseconds=world.clock.now() - began) < timedelta(minutes=10, seconds=2)


async def _reaches(run: Run[object], status: str) -> None:
    while (await run.describe()).status != status:
        await turn_of_the_loop()
