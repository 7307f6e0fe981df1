"""Several processes on one loop: what the seed decides, and what death and pauses mean."""

from __future__ import annotations

import asyncio
import gc
import warnings
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from makegood.testing.simulation import Lane, SimulatedLoop, Stalled, current_lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    loop = SimulatedLoop(Random(1))
    yield loop
    loop.close()


def told_by(seed: int) -> list[str]:
    """Let three lanes tell three things each, and return in which order they did."""
    loop = SimulatedLoop(Random(seed))
    told: list[str] = []

    async def tell(name: str) -> None:
        for number in range(3):
            told.append(f"{name}{number}")
            await asyncio.sleep(0)

    async def plot() -> None:
        contexts = [Lane(name).context() for name in "abc"]
        tasks = [
            loop.create_task(tell(name), context=context)
            for name, context in zip("abc", contexts, strict=True)
        ]
        await asyncio.gather(*tasks)

    loop.run_world(plot())
    loop.close()
    return told


def test_the_seed_says_which_lane_goes_next_and_a_lane_keeps_its_order() -> None:
    orders = {tuple(told_by(seed)) for seed in range(20)}

    assert told_by(7) == told_by(7)
    assert len(orders) > 5
    for order in orders:
        for name in "abc":
            assert [line for line in order if line[0] == name] == [f"{name}{n}" for n in range(3)]


def test_time_passes_only_when_nobody_has_anything_to_do(loop: SimulatedLoop) -> None:
    async def plot() -> list[int]:
        seen = [loop.micros]
        await asyncio.sleep(3600)
        seen.append(loop.micros)
        await asyncio.sleep(0)
        return [*seen, loop.micros]

    assert loop.run_world(plot()) == [0, 3_600_000_000, 3_600_000_000]


def test_what_a_lane_creates_belongs_to_it(loop: SimulatedLoop) -> None:
    lane = Lane("a")
    seen: list[Lane] = []

    async def inner() -> None:
        seen.append(current_lane())
        asyncio.get_running_loop().call_later(1, lambda: seen.append(current_lane()))

    async def outer() -> None:
        await asyncio.create_task(inner())

    async def plot() -> None:
        await loop.create_task(outer(), context=lane.context())
        await asyncio.sleep(2)

    loop.run_world(plot())

    assert seen == [lane, lane]


def test_nothing_of_a_dead_lane_ever_runs_again(loop: SimulatedLoop) -> None:
    lane = Lane("a")
    ran: list[str] = []

    async def live() -> None:
        loop.call_later(2, lambda: ran.append("timer"))
        try:
            await asyncio.sleep(2)
            ran.append("body")
        finally:
            ran.append("finally")

    async def plot() -> None:
        loop.create_task(live(), context=lane.context())
        await asyncio.sleep(1)
        lane.die()
        loop.halt(lane)
        await asyncio.sleep(5)

    loop.run_world(plot())
    assert ran == []

    lane.bury()
    assert ran == ["finally"]


def test_a_paused_lane_does_later_what_it_had_to_do(loop: SimulatedLoop) -> None:
    lane = Lane("a")
    ran: list[float] = []

    async def live() -> None:
        await asyncio.sleep(1)
        ran.append(loop.time())

    async def plot() -> None:
        loop.create_task(live(), context=lane.context())
        await asyncio.sleep(0.5)
        lane.is_paused = True
        loop.halt(lane)
        await asyncio.sleep(10)
        assert ran == []
        lane.is_paused = False
        loop.go_on(lane)
        await asyncio.sleep(0.1)

    loop.run_world(plot())

    assert ran == [10.5]


def test_a_world_in_which_nothing_can_happen_any_more_says_so(loop: SimulatedLoop) -> None:
    async def plot() -> None:
        await loop.create_future()

    with pytest.raises(Stalled, match=r"nothing will ever happen after 0\.000000 s"):
        loop.run_world(plot())


def test_what_an_async_generator_awaits_is_taken_apart_before_the_loop_closes(
    loop: SimulatedLoop,
) -> None:
    told: list[str] = []

    async def ask() -> int:
        try:
            return await loop.create_future()
        finally:
            try:
                await loop.create_future()
            finally:
                told.append("let go")

    async def answers() -> AsyncIterator[int]:
        yield await ask()

    async def listen() -> None:
        async for answer in answers():
            assert answer

    async def plot() -> Lane:
        lane = Lane("shop")
        loop.create_task(listen(), context=lane.context())
        await asyncio.sleep(1)
        return lane

    lane = loop.run_world(plot())
    lane.die()
    loop.bury_generators()
    assert told == ["let go"]
    lane.bury()
    assert told == ["let go"]


def test_async_generators_are_taken_apart_in_the_order_in_which_they_began(
    loop: SimulatedLoop,
) -> None:
    let_go: list[int] = []

    async def ask(number: int) -> int:
        try:
            return await loop.create_future()
        finally:
            let_go.append(number)

    async def answers(number: int) -> AsyncIterator[int]:
        yield await ask(number)

    async def listen(number: int) -> None:
        async for answer in answers(number):
            assert answer

    async def plot() -> list[asyncio.Task[None]]:
        tasks = [loop.create_task(listen(number)) for number in range(40)]
        await asyncio.sleep(1)
        return tasks

    tasks = loop.run_world(plot())
    loop.bury_generators()
    loop.outside.bury()

    assert (len(tasks), let_go) == (40, [*range(40)])


def test_what_a_dead_lane_never_began_is_taken_apart_without_a_warning(
    loop: SimulatedLoop,
) -> None:
    lane = Lane("a")
    begun: list[str] = []

    async def inner() -> None:
        begun.append("inner")

    async def outer(work: Coroutine[Any, Any, None]) -> None:
        begun.append("outer")
        await work

    async def plot() -> None:
        loop.create_task(outer(inner()), context=lane.context())
        lane.die()
        await asyncio.sleep(1)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        loop.run_world(plot())
        lane.bury()
        gc.collect()

    assert (begun, warned) == ([], [])
