"""Calling users' functions: how long they may, how they end, and what their end means."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import timedelta
from itertools import pairwise

import pytest

from makegood import (
    Config,
    Declined,
    FailureKind,
    OutcomeUnknown,
    Retry,
    StepTimeout,
    Transaction,
    Unavailable,
    injected,
    query,
    step,
    workflow,
)
from makegood.testing import TurnableClock, run
from tests.runtime.world import World, turn_of_the_loop, until

SECOND = timedelta(seconds=1)
ONCE = Retry(attempts=1)


class Diary:
    """What the bodies of these tests have written down."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.entered = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def hang(self) -> None:
        self.entered.set()
        await self.goes_on.wait()


async def time_passes(world: World, diary: Diary, by: timedelta) -> None:
    """Wait until a body is at work, then let time pass."""
    await diary.entered.wait()
    diary.entered.clear()
    world.clock.turn(by)


# How it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unavailable("busy"), FailureKind.TRANSIENT),
        (ValueError("wrong"), FailureKind.PERMANENT),
        (Declined("no"), FailureKind.DECLINED),
        (OutcomeUnknown("no answer"), FailureKind.IN_DOUBT),
        (TimeoutError("slow"), FailureKind.IN_DOUBT),
        (asyncio.CancelledError(), FailureKind.IN_DOUBT),
        (BaseExceptionGroup("several", [ValueError()]), FailureKind.PERMANENT),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_every_way_to_raise_is_an_outcome(error: BaseException, kind: FailureKind) -> None:
    """F69: whatever a body raises, its run does not hang."""

    async def act(n: int) -> int:
        raise error

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=ONCE)(n)

    outcome = await run(acting(1))
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert outcome.status == ("parked" if kind is FailureKind.IN_DOUBT else "failed")


async def test_a_failure_that_only_pytest_knows_ends_the_run_too() -> None:
    """What a test's fake raises to fail the test is no `Exception`."""

    async def act(n: int) -> int:
        pytest.fail("must not be called")

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test")(n)

    outcome = await run(acting(1))
    assert outcome.status == "failed"
    assert isinstance(outcome.error, pytest.fail.Exception)


async def test_a_retry_waits_as_long_as_the_other_side_asks() -> None:
    clock, at = TurnableClock(), []

    async def act(n: int) -> int:
        at.append(clock.now())
        if len(at) == 1:
            raise Unavailable(retry_after=timedelta(seconds=7))
        if len(at) == 2:
            raise Unavailable(retry_after=timedelta(hours=7))
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=Retry(attempts=3))(n)

    assert (await run(acting(1), clock=clock)).value == 1
    assert [late - early for early, late in pairwise(at)] == [7e6, 60e6]


# How long it may ------------------------------------------------------------------------------


async def test_a_timeout_really_cancels_and_the_finally_runs(world: World) -> None:
    """G4: the body is stopped in the middle, and what it did is in doubt."""
    diary = Diary()

    async def act(n: int) -> int:
        try:
            await diary.hang()
        finally:
            diary.lines.append("cleaned up")
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=ONCE, timeout=SECOND)(n)

    engine = await world.engine(acting)
    started = await engine.start(acting(1))
    await time_passes(world, diary, SECOND)
    outcome = await world.finish(engine, started.outcome())

    assert diary.lines == ["cleaned up"]
    assert (outcome.status, outcome.reason) == ("parked", "in doubt")
    assert str(outcome.error) == "`act` was cancelled: it took longer than its timeout"


async def test_a_query_that_takes_too_long_is_tried_again_and_never_in_doubt(
    world: World,
) -> None:
    """What only asks has nothing to doubt: a timeout is a plain failure."""
    diary = Diary()

    async def ask(n: int) -> int:
        await diary.hang()
        return n

    @workflow
    def asking(n: int) -> int:
        return query(ask, retry=Retry(attempts=2), timeout=SECOND)(n)

    engine = await world.engine(asking)
    started = await engine.start(asking(1))
    await time_passes(world, diary, SECOND)
    await world.finish(engine, diary.entered.wait())
    world.clock.turn(SECOND)
    outcome = await world.finish(engine, started.outcome())

    assert outcome.status == "failed"
    assert isinstance(outcome.error, StepTimeout)


async def test_a_body_that_ends_well_in_spite_of_its_timeout_is_believed(world: World) -> None:
    """F72: its answer is definite, however late."""
    diary = Diary()

    async def act(n: int) -> int:
        try:
            await diary.hang()
        except asyncio.CancelledError:
            diary.lines.append("shielded the rest")
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", timeout=SECOND)(n)

    engine = await world.engine(acting)
    started = await engine.start(acting(7))
    await time_passes(world, diary, SECOND)

    assert await world.finish(engine, started.result()) == 7
    assert diary.lines == ["shielded the rest"]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ConnectionError("connection closed"), FailureKind.IN_DOUBT),
        (RuntimeError("cannot reuse"), FailureKind.IN_DOUBT),
        (Declined("card expired"), FailureKind.DECLINED),
        (Unavailable("never sent"), FailureKind.TRANSIENT),
    ],
    ids=repr,
)
async def test_an_error_that_a_cancellation_set_off_says_nothing_definite(
    world: World, raised: Exception, kind: FailureKind
) -> None:
    """G4: libraries turn a cancellation into errors of their own; the effect may have happened."""
    diary = Diary()

    async def act(n: int) -> int:
        try:
            await diary.hang()
        except asyncio.CancelledError:
            raise raised from None
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=ONCE, timeout=SECOND)(n)

    engine = await world.engine(acting)
    started = await engine.start(acting(1))
    await time_passes(world, diary, SECOND)
    outcome = await world.finish(engine, started.outcome())

    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert outcome.error is raised or outcome.error.__cause__ is raised


async def test_a_body_that_ignores_its_cancellation_is_given_up_on(world: World) -> None:
    """F18: it is in doubt when the grace is over, and its late answer is dropped."""
    diary = Diary()

    async def act(n: int) -> int:
        for _ in range(2):
            try:
                await diary.hang()
            except asyncio.CancelledError:
                diary.lines.append("ignored")
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=ONCE, timeout=SECOND)(n)

    config = Config(cancel_grace=timedelta(seconds=5), shutdown_grace=timedelta(0))
    engine = await world.engine(acting, config=config)
    started = await engine.start(acting(1))
    await time_passes(world, diary, SECOND)
    await diary.entered.wait()
    assert (await started.describe()).nodes[0].state == "running"
    world.clock.turn(timedelta(seconds=5))
    outcome = await world.finish(engine, started.outcome())
    assert (outcome.status, outcome.left) == ("parked", ["act"])

    diary.goes_on.set()
    await until(lambda: engine._shell.performer.at_work == 0)
    assert (await started.outcome()).status == "parked"


async def test_a_body_that_never_came_to_run_has_an_outcome_all_the_same(world: World) -> None:
    """Its time was up before its task ran at all: the slot is free and the run goes on."""

    async def act(n: int) -> int:
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=ONCE, timeout=SECOND)(n)

    config = Config(steps_at_once_max=1, shutdown_grace=timedelta(0))
    engine = await world.engine(acting, config=config)
    started = await engine.start(acting(1))
    world.clock.turn(SECOND)
    outcome = await world.finish(engine, started.outcome())

    assert outcome.reason == "in doubt"
    assert engine._shell.performer.at_work == 0


async def test_more_bodies_than_slots_wait_without_losing_their_time(world: World) -> None:
    """G31: one at a time, and the time in the queue is not the body's."""
    diary = Diary()
    at_once: list[int] = []
    at_work = 0

    async def act(n: int) -> int:
        nonlocal at_work
        at_work += 1
        at_once.append(at_work)
        try:
            await diary.hang()
        finally:
            at_work -= 1
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", timeout=timedelta(seconds=10))(n)

    config = Config(steps_at_once_max=1, shutdown_grace=timedelta(0))
    engine = await world.engine(acting, config=config)
    runs = [await engine.start(acting(n)) for n in range(3)]
    await time_passes(world, diary, timedelta(seconds=9))
    diary.goes_on.set()
    values = [await world.finish(engine, started.result()) for started in runs]

    assert values == [0, 1, 2]
    assert at_once == [1, 1, 1]


async def test_time_in_the_queue_does_not_count_as_the_bodys(world: World) -> None:
    """G4: otherwise an engine under load would put everything that waits in doubt at once."""
    diaries = [Diary(), Diary()]

    async def act(n: int) -> int:
        await diaries[n].hang()
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=ONCE, timeout=timedelta(seconds=10))(n)

    config = Config(steps_at_once_max=1, shutdown_grace=timedelta(0))
    engine = await world.engine(acting, config=config)
    runs = [await engine.start(acting(n)) for n in range(2)]
    await time_passes(world, diaries[0], timedelta(seconds=9))
    diaries[0].goes_on.set()
    await time_passes(world, diaries[1], timedelta(seconds=9))
    diaries[1].goes_on.set()

    assert [await world.finish(engine, started.result()) for started in runs] == [0, 1]


async def test_an_undo_that_reaches_outside_is_in_doubt_when_it_times_out(world: World) -> None:
    """G16: an undo of a local step may be a call to the outside, with doubts of its own."""
    diary = Diary()

    async def act(n: int, *, transaction: Transaction = injected) -> int:
        return n

    async def unact(n: int) -> None:
        await diary.hang()

    async def fail(n: int) -> None:
        message = "no"
        raise ValueError(message)

    @workflow
    def acting(n: int) -> None:
        return step(fail, irreversible="test")(step(act, undo=unact, undo_retry=ONCE)(n))

    engine = await world.engine(acting)
    started = await engine.start(acting(1))
    await time_passes(world, diary, timedelta(seconds=31))
    outcome = await world.finish(engine, started.outcome())

    assert (outcome.status, outcome.reason) == ("parked", "undo gave up")
    assert [type(error) for error in outcome.errors] == [ValueError, OutcomeUnknown]


# What it sees ---------------------------------------------------------------------------------

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


async def test_a_body_sees_the_engines_context_and_no_other_bodys() -> None:
    """P5: what one step sets is gone for the next, of this run and of every other."""
    seen: list[str] = []

    async def first(n: int) -> int:
        seen.append(tenant.get())
        tenant.set(f"run {n}")
        return n

    async def then(n: int) -> int:
        seen.append(tenant.get())
        return n

    @workflow
    def acting(n: int) -> int:
        return step(then, irreversible="test")(step(first, irreversible="test")(n))

    tenant.set("engine")
    async with World() as world:
        config = Config(steps_at_once_max=1)
        engine = await world.engine(acting, config=config)
        runs = [await engine.start(acting(n)) for n in range(3)]
        for started in runs:
            await world.finish(engine, started.result())

    assert seen == ["engine"] * 6


async def test_what_is_passed_on_is_never_shared() -> None:
    """F70: a step that changes its input changes it for nobody else, nor does the caller."""
    seen: list[list[int]] = []

    async def make(numbers: list[int]) -> list[int]:
        numbers.append(1)
        return numbers

    async def spoil(numbers: list[int]) -> list[int]:
        seen.append(list(numbers))
        numbers.clear()
        return numbers

    @workflow
    def spoiler(numbers: list[int]) -> tuple[list[int], list[int], list[int]]:
        made = step(make, irreversible="test")(numbers)
        one = step(spoil, irreversible="test").named("one")(made)
        two = step(spoil, irreversible="test").named("two").after(one)(made)
        return made, one, two

    mine = [0]
    outcome = await run(spoiler(mine))

    assert outcome.value == ([0, 1], [], [])
    assert seen == [[0, 1], [0, 1]]
    assert mine == [0]


async def test_a_part_that_is_not_there_fails_its_step_and_is_named() -> None:
    async def make(n: int) -> dict[str, int]:
        return {"cost": n}

    async def pay(amount: int) -> int:
        return amount

    @workflow
    def paying(n: int) -> int:
        made = step(make, irreversible="test")(n)
        return step(pay, irreversible="test")(made["price"])

    outcome = await run(paying(1))
    assert outcome.status == "failed"
    message = str(outcome.error)
    assert "pay" in message
    assert "amount" in message
    assert "price" in message


async def test_a_stopped_query_is_awaited_when_the_engine_closes(world: World) -> None:
    """R3: nothing that was begun is left behind, wanted or not."""
    diary, at_its_end = Diary(), Diary()

    async def ask(n: int) -> int:
        try:
            await diary.hang()
        finally:
            await at_its_end.hang()
        return n

    async def fail(n: int) -> int:
        await diary.entered.wait()
        message = "no"
        raise ValueError(message)

    @workflow
    def acting(n: int) -> tuple[int, int]:
        return query(ask)(n), step(fail, irreversible="test")(n)

    engine = await world.engine(acting)
    started = await engine.start(acting(1))
    outcome = await world.finish(engine, started.outcome())
    closing = asyncio.ensure_future(world.close(engine))
    for _ in range(100):
        await turn_of_the_loop()
    assert not closing.done()
    at_its_end.goes_on.set()
    await closing

    assert outcome.status == "failed"
