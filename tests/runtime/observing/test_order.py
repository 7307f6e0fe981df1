"""When is who called? The order that docs/reference/observing.md promises, line by line."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Declined, Unavailable, pure, query, step, workflow
from makegood.decision import facts
from makegood.runtime.telemetry import OBSERVER_SLOW_MAX, OBSERVER_TIME_MAX
from tests.runtime.trips import book

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood import Event, Invocation
    from tests.runtime.world import World

DIARY: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DIARY.clear()


class Carrying:
    """A carrier that writes down when it is asked."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def capture(self) -> str | None:
        DIARY.append(f"{self.name} captures")
        return self.name

    def restore(self, carried: str, /) -> None:
        DIARY.append(f"{self.name} restores")


class Wrapping:
    """An interceptor that writes down when it comes, and when it goes."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(
        self, invocation: Invocation, proceed: Callable[[], Awaitable[object]], /
    ) -> object:
        DIARY.append(f"{self.name} enters {invocation.direction} {invocation.path}")
        try:
            return await proceed()
        finally:
            DIARY.append(f"{self.name} leaves")


class Watching:
    """An observer that writes down what it is shown."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, event: Event, /) -> None:
        tag = event.fact.__struct_config__.tag
        DIARY.append(f"{self.name} sees {event.position} {tag}")


async def look(n: int) -> int:
    DIARY.append("look")
    return n


def double(n: int) -> int:
    DIARY.append("double")
    return 2 * n


async def act(n: int) -> int:
    DIARY.append("act")
    return n


async def unact(n: int) -> None:
    DIARY.append("unact")


async def refuse(n: int) -> None:
    DIARY.append("refuse")
    message = "no"
    raise Declined(message)


@workflow
def acting(n: int) -> None:
    doubled = pure(double)(query(look)(n))
    acted = step(act, undo=unact)(doubled)
    step(refuse, irreversible="test")(acted)


async def test_everybody_is_called_in_the_order_that_is_promised(world: World) -> None:
    engine = await world.engine(
        acting,
        carriers=[Carrying("carrier 1"), Carrying("carrier 2")],
        interceptors=[Wrapping("outer"), Wrapping("inner")],
        observers=[Watching("first"), Watching("second")],
    )
    await world.finish(engine, (await engine.start(acting(1))).outcome())

    def called(direction: str, path: str, function: str) -> list[str]:
        """Return what surrounds a call of a function, whatever it is for."""
        return [
            "carrier 1 restores",
            "carrier 2 restores",
            f"outer enters {direction} {path}",
            f"inner enters {direction} {path}",
            function,
            "inner leaves",
            "outer leaves",
        ]

    def seen(*events: str) -> list[str]:
        return [f"{who} sees {event}" for event in events for who in ("first", "second")]

    assert [
        "carrier 1 captures",
        "carrier 2 captures",
        *seen("1 run_started", "2 node_started"),
        *called("do", "look", "look"),
        # What is computed is computed within the turn, and nobody is told before it is durable.
        "double",
        *seen("3 node_done", "4 node_done", "5 node_started"),
        *called("do", "act", "act"),
        *seen("6 node_done", "7 node_started"),
        *called("do", "refuse", "refuse"),
        *seen("8 node_failed", "9 node_gave_up", "10 rollback_began", "11 undo_started"),
        *called("undo", "act", "unact"),
        *seen("12 undo_done", "13 run_ended"),
    ] == DIARY


async def test_an_interceptor_that_does_not_proceed_gives_the_result_itself(world: World) -> None:
    async def remembered(of: Invocation, proceed: Callable[[], Awaitable[object]], /) -> object:
        return "from memory" if of.path == "charge_card" else await proceed()

    engine = await world.engine(book, interceptors=[remembered])
    run = await engine.start(book("Oslo"))
    assert await world.finish(engine, run.result()) == "send done"
    assert world.outside.calls == ["hold", "send"]


async def test_an_interceptors_error_is_classified_like_the_functions(world: World) -> None:
    """O3: it is retried where the function's would be, and undone where it would be."""
    tried: list[int] = []

    async def limited(of: Invocation, proceed: Callable[[], Awaitable[object]], /) -> object:
        if of.path == "charge_card":
            tried.append(of.attempt)
            if of.attempt == 1:
                raise Unavailable
            message = "over the limit"
            raise Declined(message)
        return await proceed()

    engine = await world.engine(book, interceptors=[limited])
    outcome = await world.finish(engine, (await engine.start(book("Oslo"))).outcome())
    assert (tried, outcome.status, outcome.undone) == ([1, 2], "failed", ["hold_seat"])
    assert world.outside.calls == ["hold", "free"]


# Observers that are slow -----------------------------------------------------------------------


class Dawdling:
    """An observer that takes its time, as the world's clock sees it."""

    def __init__(self, world: World, *takes: timedelta) -> None:
        self.world = world
        self.takes = list(takes)
        self.seen: list[int] = []

    def __call__(self, event: Event, /) -> None:
        self.seen.append(event.position)
        self.world.clock.turn(self.takes.pop(0) if self.takes else timedelta(0))


TOO_LONG = OBSERVER_TIME_MAX + timedelta(microseconds=1)
JUST_SO = OBSERVER_TIME_MAX


async def test_an_observer_that_is_always_slow_is_called_no_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """O2: it is dropped from the path, loudly; the run and the others go on."""
    slow = Dawdling(world, *[TOO_LONG] * 100)
    seen: list[int] = []
    engine = await world.engine(book, observers=[slow, lambda event: seen.append(event.position)])
    for _ in range(2):
        run = await engine.start(book("Oslo"))
        assert await world.finish(engine, run.result()) == "send done"

    assert slow.seen == [*range(1, 9), 1, 2]
    assert len(slow.seen) == OBSERVER_SLOW_MAX
    assert seen == [*range(1, 9), *range(1, 9)]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "for 10 events in a row and is called no more" in record.getMessage()


async def test_one_that_is_slow_now_and_then_stays(world: World) -> None:
    slow = Dawdling(world, *[*[TOO_LONG] * (OBSERVER_SLOW_MAX - 1), JUST_SO] * 3)
    engine = await world.engine(book, observers=[slow])
    for _ in range(4):
        await world.finish(engine, (await engine.start(book("Oslo"))).result())
    assert slow.seen == [*range(1, 9)] * 4


async def test_the_events_of_a_run_are_its_facts_each_at_its_position(world: World) -> None:
    """O1: run start, step start, step stop, run stop, and nothing that is not on record."""
    seen: list[tuple[int, type]] = []
    engine, journal = await world.watched(
        book, observers=[lambda event: seen.append((event.position, type(event.fact)))]
    )
    await world.finish(engine, (await engine.start(book("Oslo"))).result())
    assert seen == list(enumerate(map(type, journal.durable), start=1))
    assert [kind for _position, kind in seen[:3]] == [
        facts.RunStarted,
        facts.NodeStarted,
        facts.NodeDone,
    ]
    assert seen[-1][1] is facts.RunEnded
