"""What a step records during its body: durable before the body goes on, and there for its undo."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from makegood import (
    Abort,
    Attempt,
    Config,
    Declined,
    Failure,
    InvalidInput,
    OutcomeUnknown,
    Proceed,
    Record,
    Retry,
    RetryFresh,
    RetryNow,
    Unavailable,
    Verdict,
    injected,
    step,
    testing,
    workflow,
)
from makegood.decision import facts
from makegood.decision.facts import read_facts
from makegood.journal.protocol import Fenced
from makegood.values.limits import RECORDS_MAX
from tests.runtime.outside import Gate
from tests.runtime.world import turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

ONCE = Retry(attempts=1)
TWICE = Retry(attempts=2, delay=timedelta(seconds=1), jitter=False)
AGAIN_SOON = Retry(attempts=2, delay=timedelta(milliseconds=20), jitter=False)


class Hold(msgspec.Struct, frozen=True):
    id: str


async def fail(done: str) -> str:
    raise Declined("no van")


last = step(fail, irreversible="test")


async def recorded_in(engine: Engine, run: Run[str]) -> list[facts.Recorded]:
    """Return what the journal holds of what was recorded."""
    history = await engine._shell.journal.read(run.id)
    return [
        fact
        for append in history.appends
        for fact in read_facts(append)
        if isinstance(fact, facts.Recorded)
    ]


async def test_the_undo_is_given_what_was_recorded_last(stored: World) -> None:
    given: list[tuple[str, Hold]] = []

    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        await record(Hold("draft"))
        await record(Hold("final"))
        return order

    async def free(done: str, *, recorded: Hold = injected) -> None:
        given.append((done, recorded))

    @workflow
    def ordering(order: str) -> str:
        return last(step(reserve, undo=free)(order))

    engine = await stored.engine(ordering)
    run = await engine.start(ordering("CD"))
    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.undone) == ("failed", ["reserve"])
    assert given == [("CD", Hold("final"))]


async def test_a_body_goes_on_only_when_its_value_is_durable(world: World) -> None:
    """G1: a body that has recorded may rely on it, whatever happens next."""
    gate = Gate()
    went_on: list[bool] = []

    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        await gate.pass_through()
        await record(Hold("h-1"))
        went_on.append(journal.is_durable(facts.Recorded, "reserve"))
        return order

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, irreversible="test")(order)

    engine, journal = await world.watched(ordering)
    run = await engine.start(ordering("CD"))
    await gate.reached.wait()
    journal.flows.clear()
    gate.open()
    appends = len(journal.appends)
    await until(lambda: len(journal.appends) > appends)
    for _ in range(20):
        await turn_of_the_loop()
    assert went_on == [], "the store has not answered"
    journal.flows.set()
    await world.finish(engine, run.result())

    assert went_on == [True]


async def test_a_compensate_is_given_what_was_recorded_and_nothing_before(stored: World) -> None:
    given: list[Hold | None] = []

    async def reserve(
        order: str, *, attempt: Attempt = injected, record: Record[Hold] = injected
    ) -> str:
        if attempt == 1:
            raise OutcomeUnknown
        await record(Hold("h-1"))
        raise OutcomeUnknown

    async def find(failure: Failure, *, recorded: Hold | None = injected) -> Verdict[str]:
        given.append(recorded)
        return RetryNow() if recorded is None else Proceed(recorded.id)

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, irreversible="test", compensate=find, retry=TWICE)(order)

    engine = await stored.engine(ordering)
    run = await engine.start(ordering("CD"))

    assert await stored.finish(engine, run.result()) == "h-1"
    assert given == [None, Hold("h-1")]


async def test_a_step_that_fails_after_it_recorded_is_compensated_and_not_undone() -> None:
    """A failed step is never undone: what it recorded goes to its compensate."""
    given: list[str] = []

    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        await record(Hold("h-1"))
        raise Declined("no room")

    async def find(failure: Failure, *, recorded: Hold | None = injected) -> Verdict[str]:
        given.append(f"compensate {recorded}")
        return Abort()

    async def free(done: str, *, recorded: Hold = injected) -> None:
        given.append("undo")

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, undo=free, compensate=find)(order)

    outcome = await testing.run(ordering("CD"))

    assert (outcome.status, outcome.undone) == ("failed", [])
    assert given == [f"compensate {Hold('h-1')}"]


async def test_what_was_recorded_outlives_the_worker(stored: World) -> None:
    """The next attempt runs elsewhere; its compensate knows what the first one held."""
    gate = Gate()
    given: list[Hold | None] = []

    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        await record(Hold("h-1"))
        await gate.pass_through()
        return order

    async def find(failure: Failure, *, recorded: Hold | None = injected) -> Verdict[str]:
        given.append(recorded)
        return Proceed("found")

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, irreversible="test", compensate=find)(order)

    first = await stored.engine(ordering)
    run = await first.start(ordering("CD"))
    await gate.reached.wait()
    await stored.kill(first)
    stored.clock.turn(timedelta(minutes=1))
    second = await stored.engine(ordering)

    assert await stored.finish(second, second.run(run.id).result()) == "found"
    assert given == [Hold("h-1")]


async def test_an_undo_goes_on_from_what_it_recorded_itself(stored: World) -> None:
    steps: list[str] = []

    async def reserve(order: str, *, record: Record[list[str]] = injected) -> str:
        await record(["shelf", "box"])
        return order

    async def free(
        done: str,
        *,
        recorded: list[str] = injected,
        record: Record[list[str]] = injected,
    ) -> None:
        left = [*recorded]
        while left:
            steps.append(left.pop())
            await record(left)
            if left:
                raise Unavailable

    @workflow
    def ordering(order: str) -> str:
        return last(step(reserve, undo=free, undo_retry=TWICE)(order))

    engine = await stored.engine(ordering)
    run = await engine.start(ordering("CD"))
    outcome = await stored.finish(engine, run.outcome())

    assert outcome.undone == ["reserve"]
    assert steps == ["box", "shelf"]
    assert [fact.value for fact in await recorded_in(engine, run)] == [
        Raw(b'["shelf","box"]'),
        Raw(b'["shelf"]'),
        Raw(b"[]"),
    ]


async def test_under_a_new_key_what_was_recorded_before_counts_no_more() -> None:
    given: list[Hold | None] = []

    async def reserve(
        order: str, *, attempt: Attempt = injected, record: Record[Hold] = injected
    ) -> str:
        if attempt == 1:
            await record(Hold("h-1"))
            raise OutcomeUnknown
        return order

    async def find(failure: Failure) -> Verdict[str]:
        return RetryFresh("the other side bars the old key")

    async def free(done: str, *, recorded: Hold | None = injected) -> None:
        given.append(recorded)

    @workflow
    def ordering(order: str) -> str:
        return last(step(reserve, undo=free, compensate=find, retry=TWICE)(order))

    outcome = await testing.run(ordering("CD"))

    assert outcome.undone == ["reserve"]
    assert given == [None]


async def test_an_undo_that_must_have_what_nobody_recorded_leaves_it_to_a_person() -> None:
    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        return order

    async def free(done: str, *, recorded: Hold = injected) -> None: ...

    @workflow
    def ordering(order: str) -> str:
        return last(step(reserve, undo=free)(order))

    outcome = await testing.run(ordering("CD"))

    assert (outcome.status, outcome.reason) == ("parked", "undo gave up")
    _declined, misfit = outcome.errors
    assert isinstance(misfit, InvalidInput)
    assert str(misfit) == (
        "`recorded: Hold` of `reserve` cannot be given: nothing was recorded; annotate it as "
        "`Hold | None`"
    )


async def test_a_value_of_another_type_leaves_the_step_in_doubt() -> None:
    """The effect it is about may have happened, and its undo would not know of it."""

    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        await record("h-1")  # type: ignore[arg-type] # it is the mistake
        return order

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, irreversible="test", retry=ONCE)(order)

    outcome = await testing.run(ordering("CD"))

    assert (outcome.status, outcome.reason) == ("parked", "in doubt")
    assert isinstance(outcome.error, OutcomeUnknown)
    assert str(outcome.error).startswith(
        "`reserve` cannot record a value: 'h-1' is not carried as Hold"
    )


async def test_one_attempt_records_so_many_values_and_no_more() -> None:
    counted: list[int] = []

    async def count(n: int, *, record: Record[int] = injected) -> int:
        for number in range(n):
            await record(number)
            counted.append(number)
        return n

    @workflow
    def counting(n: int) -> int:
        return step(count, irreversible="test", retry=ONCE)(n)

    outcome = await testing.run(counting(RECORDS_MAX))
    assert outcome.value == RECORDS_MAX

    counted.clear()
    outcome = await testing.run(counting(RECORDS_MAX + 1))
    assert outcome.reason == "in doubt"
    assert len(counted) == RECORDS_MAX
    assert str(outcome.error) == ("`count` has recorded 1,000 values, the most of one attempt")


async def test_a_worker_that_lost_the_run_records_nothing(world: World) -> None:
    """The body stands still in its record, and is cancelled there."""
    ends: list[str] = []
    gate = Gate()

    async def reserve(order: str, *, record: Record[Hold] = injected) -> str:
        await gate.pass_through()
        try:
            await record(Hold("late"))
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        ends.append("recorded")
        return order

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, irreversible="test")(order)

    engine, journal = await world.watched(ordering)
    run = await engine.start(ordering("CD"))
    await gate.reached.wait()
    journal.answers.append(Fenced())
    gate.open()
    await until(lambda: bool(ends))

    assert ends == ["cancelled"]
    assert await recorded_in(engine, run) == []


async def test_a_body_that_ignores_its_timeout_records_nothing_any_more(world: World) -> None:
    said: list[str] = []
    begun, told, deaf_until = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def reserve(
        order: str, *, attempt: Attempt = injected, record: Record[Hold] = injected
    ) -> str:
        if attempt == 2:
            deaf_until.set()
            await record(Hold("second"))
            return order
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            await deaf_until.wait()
            try:
                await record(Hold("first"))
            except OutcomeUnknown as error:
                said.append(str(error))
        return order

    async def free(done: str, *, recorded: Hold = injected) -> None:
        said.append(recorded.id)

    @workflow
    def ordering(order: str) -> str:
        reserved = step(reserve, undo=free, retry=AGAIN_SOON, timeout=timedelta(milliseconds=20))
        return last(reserved(order))

    engine = await world.engine(ordering)
    run = await engine.start(ordering("CD"))
    await begun.wait()
    world.clock.turn(timedelta(milliseconds=20))
    await told.wait()
    world.clock.turn(Config().cancel_grace)
    outcome = await world.finish(engine, run.outcome())

    assert outcome.undone == ["reserve"]
    assert said == ["`reserve` cannot record a value: its attempt is over", "second"]


async def test_a_record_is_no_progress_of_a_run_that_kills_its_workers(world: World) -> None:
    """G12: claims without progress park the run, however much each of them has recorded."""
    gates = [Gate() for _ in range(9)]
    begun: list[int] = []

    async def reserve(order: str, *, record: Record[int] = injected) -> str:
        number = len(begun)
        begun.append(number)
        await record(number)
        await gates[number].pass_through()
        return order

    @workflow
    def ordering(order: str) -> str:
        return step(reserve, irreversible="test")(order)

    async def has_moved_on() -> None:
        while not gates[deaths].reached.is_set():
            if (await engine.run(run.id).describe()).status == "parked":
                return
            await turn_of_the_loop()

    deaths = 0
    engine = await world.engine(ordering)
    run = await engine.start(ordering("CD"))
    await world.finish(engine, has_moved_on())
    while gates[deaths].reached.is_set():
        await world.kill(engine)
        deaths += 1
        world.clock.turn(timedelta(minutes=1))
        engine = await world.engine(ordering)
        await world.finish(engine, has_moved_on())
    outcome = await world.finish(engine, engine.run(run.id).outcome())

    assert (outcome.status, outcome.reason) == ("parked", "poison")
    assert deaths == len(begun) == 6
    assert [bytes(fact.value) for fact in await recorded_in(engine, run)] == [
        b"0",
        b"1",
        b"2",
        b"3",
        b"4",
        b"5",
    ]
