"""What nothing is begun of: a workflow or an engine that is halted, until that is lifted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

import pytest

from makegood import Config, Declined, InvalidInput, sleep, workflow
from makegood.errors import NotPaused, StoreBusy
from makegood.journal.halting import EVERY_ENGINE, Halt, HaltKind, Lifting
from makegood.runtime.asking.halting import HaltPreview
from makegood.runtime.operator import Operator
from tests.runtime.asking.parked import EVE, in_doubt
from tests.runtime.outside import Gate
from tests.runtime.trips import book, book_finally, book_surely, hold
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

WORKFLOW, ENGINE = HaltKind.WORKFLOW, HaltKind.ENGINE
POLL = Config().poll_max


class Person(TypedDict):
    actor: str
    reason: str


ANN = Person(actor="ann", reason="the bank is down")
BOB = Person(actor="bob", reason="the bank is up")


@workflow
def book_late(trip: str) -> str:
    """Hold a seat an hour from now."""
    waited = sleep(timedelta(hours=1))
    return hold.after(waited)(trip)


async def quiet(*engines: Engine) -> None:
    """Let the engines do whatever they do without time passing."""
    for _ in range(50):
        await turn_of_the_loop()
    await until(lambda: all(engine.is_at_rest for engine in engines))


async def polled(world: World, *engines: Engine) -> None:
    """Let the longest time between two looks at the journal pass."""
    await quiet(*engines)
    world.clock.turn(POLL)
    await quiet(*engines)


async def status_of(run: Run[str]) -> str:
    return (await run.describe()).status


async def started_with_gate(world: World, engine: Engine) -> tuple[Run[str], Gate]:
    """Return a run whose first body stands between its effect and its answer."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    return run, gate


# What is halted ------------------------------------------------------------------------------


async def test_runs_of_a_halted_workflow_are_accepted_and_not_begun(stored: World) -> None:
    engine = await stored.engine(book, book_finally)
    operator = Operator(engine)
    await operator.halt(WORKFLOW, "book", **ANN)

    halted = await engine.start(book("Oslo"), key="trip-1")
    other = await engine.start(book_finally("Bergen"))
    await stored.finish(engine, other.outcome())

    assert stored.outside.calls == ["hold", "charge", "send"]
    assert engine.active == 0
    assert await status_of(halted) == "running"
    await operator.lift(WORKFLOW, "book", **BOB)
    assert await stored.finish(engine, halted.result()) == "send done"


async def test_what_is_at_work_is_recorded_and_then_nothing_new_begins(stored: World) -> None:
    engine = await stored.engine(book)
    operator = Operator(engine)
    run, gate = await started_with_gate(stored, engine)
    await operator.halt(WORKFLOW, "book", **ANN)
    await until(lambda: engine._worker._halted != ())
    assert engine.active == 1

    gate.open()
    await until(lambda: engine.active == 0)

    report = await run.describe()
    assert [node.path for node in report.nodes if node.state == "done"] == ["hold_seat"]
    assert stored.outside.calls == ["hold"]
    await operator.lift(WORKFLOW, "book", **BOB)
    assert await stored.finish(engine, run.result()) == "send done"
    assert stored.outside.calls == ["hold", "charge", "send"]


async def test_a_halt_that_is_lifted_while_a_body_is_at_work_leaves_the_run_where_it_is(
    world: World,
) -> None:
    engine = await world.engine(book)
    operator = Operator(engine)
    run, gate = await started_with_gate(world, engine)
    await operator.halt(WORKFLOW, "book", **ANN)
    await until(lambda: engine._worker._halted != ())

    await operator.lift(WORKFLOW, "book", **BOB)
    await until(lambda: engine._worker._halted == ())
    gate.open()

    assert await world.finish(engine, run.result()) == "send done"


async def test_a_run_that_only_waits_is_given_back_and_its_time_goes_on(world: World) -> None:
    engine = await world.engine(
        book_late, config=Config(shutdown_grace=AT_ONCE, release_after=None)
    )
    operator = Operator(engine)
    run = await engine.start(book_late("Oslo"))
    await quiet(engine)
    assert engine.active == 1

    await operator.halt(WORKFLOW, "book_late", **ANN)
    await until(lambda: engine.active == 0)
    world.clock.turn(timedelta(hours=2))
    await quiet(engine)

    assert world.outside.calls == []
    await operator.lift(WORKFLOW, "book_late", **BOB)
    begun = world.clock.now()
    assert await world.finish(engine, run.result()) == "hold done"
    assert world.clock.now() - begun < 60_000_000


async def test_what_goes_back_is_halted_too(world: World) -> None:
    engine = await world.engine(book)
    operator = Operator(engine)
    gate = Gate()
    gate.error = Declined("no money")
    world.outside.planned["charge"] = [gate]
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    await operator.halt(WORKFLOW, "book", **ANN)
    await until(lambda: engine._worker._halted != ())

    gate.open()
    await until(lambda: engine.active == 0)

    assert world.outside.calls == ["hold", "charge"]
    await operator.lift(WORKFLOW, "book", **BOB)
    outcome = await world.finish(engine, run.outcome())
    assert (outcome.status, world.outside.calls) == ("failed", ["hold", "charge", "free"])


async def test_a_request_to_a_halted_run_waits_until_the_halt_is_lifted(world: World) -> None:
    engine = await world.engine(book)
    operator = Operator(engine)
    await operator.halt(WORKFLOW, "book", **ANN)
    run = await engine.start(book("Oslo"))

    assert await world.finish(engine, operator.cancel(run.id, **EVE)) is None

    await operator.lift(WORKFLOW, "book", **BOB)
    outcome = await world.finish(engine, run.outcome())
    assert (outcome.status, world.outside.calls) == ("cancelled", [])


# Who sees it ------------------------------------------------------------------------------------


async def test_every_worker_sees_a_halt_within_its_poll(stored: World) -> None:
    first = await stored.engine(book)
    client = await stored.engine(work=False)
    run, gate = await started_with_gate(stored, first)

    await Operator(client).halt(WORKFLOW, "book", **ANN)
    await quiet()
    assert first._worker._halted == ()
    stored.clock.turn(POLL)
    await until(lambda: first._worker._halted != ())
    gate.open()
    await until(lambda: first.active == 0)
    late = await first.start(book("Bergen"))

    assert stored.outside.calls == ["hold"]
    await Operator(client).lift(WORKFLOW, "book", **BOB)
    for each in (run, late):
        assert await stored.finish(first, each.result()) == "send done"


async def test_two_workers_on_one_store_both_stop_and_both_go_on(world: World) -> None:
    engines = [await world.engine(book), await world.engine(book)]
    client = await world.engine(work=False)
    runs = [await each.start(book(str(number))) for number, each in enumerate(engines)]
    await quiet(*engines)
    for each in runs:
        await world.finish(engines[0], each.outcome())
    await Operator(client).halt(WORKFLOW, "book", **ANN)
    await polled(world, *engines)

    runs = [await each.start(book(f"{number}")) for number, each in enumerate(engines)]
    await polled(world, *engines)

    assert [await status_of(run) for run in runs] == ["running", "running"]
    assert [engine.active for engine in engines] == [0, 0]
    assert world.outside.calls.count("hold") == 2
    await Operator(client).lift(WORKFLOW, "book", **BOB)
    await polled(world, *engines)
    assert [await status_of(run) for run in runs] == ["completed", "completed"]


async def test_a_worker_that_comes_later_finds_what_is_halted(stored: World) -> None:
    client = await stored.engine(work=False)
    await Operator(client).halt(WORKFLOW, "book", **ANN)

    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await polled(stored, engine)

    assert (stored.outside.calls, await status_of(run)) == ([], "running")


async def test_a_worker_that_dies_under_a_halt_has_its_runs_taken_up_after_it(
    world: World,
) -> None:
    first = await world.engine(book)
    run, gate = await started_with_gate(world, first)
    client = await world.engine(work=False)
    await Operator(client).halt(WORKFLOW, "book", **ANN)
    await world.kill(first)
    second = await world.engine(book)
    world.clock.turn(timedelta(minutes=1))
    await quiet(second)
    assert (second.active, world.outside.calls) == (0, ["hold"])

    await Operator(client).lift(WORKFLOW, "book", **BOB)

    assert await world.finish(second, second.run(run.id).result()) == "send done"
    assert world.outside.happened == ["hold", "charge", "send"]
    gate.open()


async def test_an_engine_is_halted_by_its_name_and_all_engines_by_a_star(world: World) -> None:
    till = await world.engine(book, name="till-1")
    other = await world.engine(book, name="till-2")
    operator = Operator(till)
    await operator.halt(ENGINE, "till-1", **ANN)

    first = await till.start(book("Oslo"))
    await polled(world, till, other)
    assert (await status_of(first), till.active) == ("completed", 0)

    await operator.halt(ENGINE, EVERY_ENGINE, **ANN)
    await polled(world, till, other)
    second = await other.start(book("Oslo"))
    await polled(world, till, other)
    assert await status_of(second) == "running"

    await operator.lift(ENGINE, EVERY_ENGINE, **BOB)
    await polled(world, till, other)
    assert await status_of(second) == "completed"


async def test_a_halt_may_end_by_itself(world: World) -> None:
    engine = await world.engine(book)
    await Operator(engine).halt(WORKFLOW, "book", **ANN, lasting=timedelta(minutes=5))
    run = await engine.start(book("Oslo"))
    world.clock.turn(timedelta(minutes=4))
    await quiet(engine)
    assert await status_of(run) == "running"

    world.clock.turn(timedelta(minutes=1))
    await quiet(engine)

    assert await status_of(run) == "completed"
    assert await Operator(engine).halts() == ()


async def test_a_run_is_given_back_although_the_store_is_busy_at_first(world: World) -> None:
    engine, journal = await world.watched(
        book_late, config=Config(shutdown_grace=AT_ONCE, release_after=None)
    )
    run = await engine.start(book_late("Oslo"))
    await quiet(engine)
    journal.release_errors.append(StoreBusy("another process holds it"))

    await Operator(engine).halt(WORKFLOW, "book_late", **ANN)
    await until(lambda: not journal.release_errors)
    assert engine.active == 1
    world.clock.turn(POLL)
    await until(lambda: engine.active == 0)

    await Operator(engine).lift(WORKFLOW, "book_late", **BOB)
    assert await world.finish(engine, run.result()) == "hold done"


# What an operator is told -------------------------------------------------------------------------


async def test_a_halt_says_who_wanted_it_and_who_lifted_it(stored: World) -> None:
    client = await stored.engine(work=False)
    operator = Operator(client)
    now = stored.clock.now()

    halted = await operator.halt(WORKFLOW, "book", **ANN)
    again = await operator.halt(WORKFLOW, "book", **BOB, lasting=timedelta(hours=1))
    standing = await operator.halts()
    lifted = await operator.lift(WORKFLOW, "book", **BOB)

    expected = Halt(kind=WORKFLOW, name="book", at=now, **ANN)
    assert (halted, again, standing) == (expected, expected, (expected,))
    assert lifted.lifted == Lifting(at=now, **BOB)
    assert await operator.halts() == ()


async def test_what_is_not_halted_cannot_be_lifted(world: World) -> None:
    operator = Operator(await world.engine(work=False))

    with pytest.raises(NotPaused) as raised:
        await operator.lift(WORKFLOW, "book", **BOB)

    assert str(raised.value) == (
        "the workflow 'book' is not paused, so there is nothing to resume; name one that is"
    )


@pytest.mark.parametrize(
    ("kind", "name", "lasting", "why"),
    [
        (WORKFLOW, " ", None, "the workflow has no name"),
        (WORKFLOW, "*", None, "only engines are halted all at once"),
        (ENGINE, "till", timedelta(0), "a halt of 0:00:00 halts nothing"),
    ],
)
async def test_a_halt_names_something_and_lasts_some_time(
    world: World, kind: HaltKind, name: str, lasting: timedelta | None, why: str
) -> None:
    operator = Operator(await world.engine(work=False))

    with pytest.raises(InvalidInput, match=why):
        await operator.halt(kind, name, **ANN, lasting=lasting)


async def test_a_preview_counts_the_runs_that_would_wait(world: World) -> None:
    engine = await world.engine(book, book_surely, book_late)
    operator = Operator(engine)
    done = await engine.start(book("Oslo"))
    await world.finish(engine, done.outcome())
    await in_doubt(world, engine)
    await engine.start(book_late("Oslo"))
    await engine.start(book_late("Bergen"))
    halted = await operator.halt(WORKFLOW, "book_late", **ANN)

    previews = [
        await operator.preview_halt(kind, name)
        for kind, name in (
            (WORKFLOW, "book_late"),
            (WORKFLOW, "book_surely"),
            (ENGINE, EVERY_ENGINE),
            (HaltKind.SERVICE, "Outside"),
        )
    ]

    assert previews == [
        HaltPreview(kind=WORKFLOW, name="book_late", stands=halted, unfinished=2),
        HaltPreview(kind=WORKFLOW, name="book_surely", stands=None, unfinished=0),
        HaltPreview(kind=ENGINE, name=EVERY_ENGINE, stands=None, unfinished=2),
        HaltPreview(kind=HaltKind.SERVICE, name="Outside", stands=None, unfinished=0),
    ]
