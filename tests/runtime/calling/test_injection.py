"""What a step is told about itself, and by what it is wrapped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Attempt,
    Deadline,
    Event,
    Failure,
    IdempotencyKey,
    Invocation,
    OutcomeUnknown,
    Proceed,
    Retry,
    RunInfo,
    Unavailable,
    Verdict,
    injected,
    query,
    step,
    workflow,
)
from makegood.decision import facts
from makegood.testing import AfterEffect, TurnableClock, run
from tests.runtime.trips import book

if TYPE_CHECKING:
    from tests.runtime.world import World

STEADY = Retry(attempts=3, delay=timedelta(seconds=1), factor=1, jitter=False)


async def test_a_step_is_told_its_attempt_its_deadline_and_its_run() -> None:
    told: list[tuple[int, datetime, RunInfo]] = []

    async def act(
        n: int,
        *,
        attempt: Attempt = injected,
        deadline: Deadline = injected,
        info: RunInfo = injected,
    ) -> int:
        told.append((attempt, deadline, info))
        if attempt < 3:
            raise Unavailable
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test", retry=STEADY)(n)

    start = datetime(2026, 1, 1, tzinfo=UTC)
    outcome = await run(acting(1), key="order-7", clock=TurnableClock(start))

    assert [attempt for attempt, _deadline, _info in told] == [1, 2, 3]
    assert [deadline - start for _attempt, deadline, _info in told] == [
        timedelta(seconds=30),
        timedelta(seconds=31),
        timedelta(seconds=32),
    ]
    (info,) = {info for _attempt, _deadline, info in told}
    assert (info.id, info.workflow, info.key, info.path) == (
        outcome.run,
        "acting",
        "order-7",
        "act",
    )
    assert info.worker


async def test_every_attempt_and_its_compensate_have_one_key_and_the_undo_another() -> None:
    """G3: the key is of the effect, not of the attempt."""
    keys: dict[str, list[str]] = {"act": [], "find": [], "unact": []}

    async def act(n: int, *, key: IdempotencyKey = injected) -> int:
        keys["act"].append(key)
        if len(keys["act"]) < 3:
            raise Unavailable
        raise OutcomeUnknown

    async def find(failure: Failure, *, key: IdempotencyKey = injected) -> Verdict[int]:
        keys["find"].append(key)
        return Proceed(1)

    async def unact(done: int, *, key: IdempotencyKey = injected) -> None:
        keys["unact"].append(key)
        if len(keys["unact"]) < 2:
            raise Unavailable

    async def fail(n: int) -> int:
        message = "no"
        raise ValueError(message)

    @workflow
    def acting(n: int) -> int:
        acted = step(act, undo=unact, undo_retry=STEADY, compensate=find, retry=STEADY)(n)
        return step(fail, irreversible="test")(acted)

    outcome = await run(acting(1))

    assert outcome.undone == ["act"]
    assert [len(given) for given in keys.values()] == [3, 1, 2]
    (done,) = {*keys["act"], *keys["find"]}
    (undone,) = {*keys["unact"]}
    assert done != undone
    assert len(done) == len(undone) == 36


async def test_keys_come_from_the_callers_key_and_not_from_the_run() -> None:
    """G3, G29: a restored backup gives the same keys; without a key each run has its own."""
    given: list[str] = []

    async def act(n: int, *, key: IdempotencyKey = injected) -> int:
        given.append(key)
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test")(n)

    for key in ("order-7", "order-7", "order-8", None, None):
        await run(acting(1), key=key)

    assert given[0] == given[1]
    assert len(set(given)) == 4


# Interceptors ---------------------------------------------------------------------------------


class Wrapping:
    """Writes down what it wraps, from outside and from inside."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary

    async def __call__(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        what = f"{self.name} {invocation.direction} {invocation.path} {invocation.attempt}"
        self.diary.append(f"> {what}")
        result = await proceed()
        self.diary.append(f"< {what}")
        return result


async def test_interceptors_wrap_in_the_order_in_which_they_are_given(world: World) -> None:
    diary: list[str] = []

    async def act(n: int) -> int:
        diary.append("act")
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test")(n)

    wrappings = [Wrapping("outer", diary), Wrapping("inner", diary)]
    engine = await world.engine(acting, interceptors=wrappings)
    await world.finish(engine, (await engine.start(acting(1))).result())

    assert diary == ["> outer do act 1", "> inner do act 1", "act", "< inner do act 1",
                     "< outer do act 1"]  # fmt: skip


async def test_interceptors_wrap_undos_and_see_every_attempt(world: World) -> None:
    diary: list[str] = []
    world.outside.planned["charge"] = [Unavailable(), ValueError("no such card")]
    engine = await world.engine(book, interceptors=[Wrapping("i", diary)])
    await world.finish(engine, (await engine.start(book("Oslo"))).outcome())

    assert [line for line in diary if line.startswith(">")] == [
        "> i do hold_seat 1",
        "> i do charge_card 1",
        "> i do charge_card 2",
        "> i undo hold_seat 1",
    ]


async def test_an_interceptors_error_is_the_steps(world: World) -> None:
    async def guard(invocation: Invocation, proceed: Callable[[], Awaitable[object]], /) -> object:
        if invocation.path == "charge_card":
            message = "not today"
            raise PermissionError(message)
        return await proceed()

    engine = await world.engine(book, interceptors=[guard])
    outcome = await world.finish(engine, (await engine.start(book("Oslo"))).outcome())

    assert isinstance(outcome.error, PermissionError)
    assert world.outside.calls == ["hold", "free"]


# Observers ------------------------------------------------------------------------------------


async def test_observers_see_every_fact_in_order_once_it_is_durable(world: World) -> None:
    seen: list[facts.Fact] = []
    lag: list[int] = []

    def watch(event: Event) -> None:
        seen.append(event.fact)
        lag.append(len(journal.durable) - len(seen))

    engine, journal = await world.watched(book, observers=[watch])
    await world.finish(engine, (await engine.start(book("Oslo"))).result())

    assert seen == journal.durable
    assert min(lag) >= 0
    assert isinstance(seen[0], facts.RunStarted)
    assert isinstance(seen[-1], facts.RunEnded)


async def test_an_observer_that_raises_changes_nothing_and_is_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def broken(event: Event) -> None:
        message = "no disk for the log"
        raise OSError(message)

    engine = await world.engine(book, observers=[broken, lambda event: seen.append(event.run)])
    started = await engine.start(book("Oslo"))
    assert await world.finish(engine, started.result()) == "send done"

    assert set(seen) == {started.id}
    assert engine._shell.telemetry.observer_errors == len(seen)
    assert "no disk for the log" in caplog.text

    undone = (await world.finish(engine, started.undo())).undone
    assert undone == ["send_ticket", "charge_card", "hold_seat"]


async def test_a_lost_reply_is_scripted_like_any_error() -> None:
    calls: list[str] = []

    async def act(n: int, *, key: IdempotencyKey = injected) -> int:
        calls.append(key)
        return n

    @workflow
    def acting(n: int) -> int:
        return step(act, irreversible="test")(n)

    outcome = await run(acting(1), fail={"act": [AfterEffect(OutcomeUnknown()), None]})
    assert outcome.value == 1
    assert len(calls) == 2
    assert len(set(calls)) == 1


async def test_a_query_may_be_told_the_same_as_a_step(world: World) -> None:
    async def ask(n: int, *, attempt: Attempt = injected, info: RunInfo = injected) -> str:
        return f"{info.path} {attempt}"

    @workflow
    def asking(n: int) -> str:
        return query(ask)(n)

    engine = await world.engine(asking)
    assert await world.finish(engine, (await engine.start(asking(1))).result()) == "ask 1"
