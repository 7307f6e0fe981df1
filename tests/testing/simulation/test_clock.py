"""A clock that is wrong: by how much, and what its timers make of it."""

from __future__ import annotations

import asyncio

import pytest

from makegood.testing.simulation import START, Simulation

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("offset", "parts_per_million", "shown"),
    [
        (0, 0, 10 * SECOND),
        (8 * SECOND, 0, 18 * SECOND),
        (-8 * SECOND, 0, 2 * SECOND),
        (0, 500_000, 15 * SECOND),
        (0, -500_000, 5 * SECOND),
    ],
)
def test_a_clock_shows_what_its_error_makes_of_the_time(
    offset: int, parts_per_million: int, shown: int
) -> None:
    simulation = Simulation(1)
    clock = simulation.clock(offset=offset, parts_per_million=parts_per_million)

    async def plot() -> int:
        await asyncio.sleep(10)
        return clock.now()

    assert simulation.run(plot()) == START + shown


@pytest.mark.parametrize("parts_per_million", [-300_001, -7, 0, 3, 999_983])
def test_a_timer_never_fires_before_its_clock_shows_the_time(parts_per_million: int) -> None:
    simulation = Simulation(1)
    clock = simulation.clock(parts_per_million=parts_per_million)
    early: list[int] = []

    async def plot() -> None:
        for wait in (1, 7, 999_999, 12_345_678):
            due = clock.now() + wait
            fired = asyncio.get_running_loop().create_future()
            clock.call_at(type(START)(due), lambda fired=fired: fired.set_result(None))
            await fired
            early.append(due - clock.now())

    simulation.run(plot())

    assert all(-3 <= micros <= 0 for micros in early), early


def test_a_clock_that_is_put_back_moves_no_timer() -> None:
    simulation = Simulation(1)
    clock = simulation.clock()

    async def plot() -> float:
        fired = asyncio.get_running_loop().create_future()
        clock.call_at(type(START)(clock.now() + 2 * SECOND), lambda: fired.set_result(None))
        clock.put(-3600 * SECOND)
        await fired
        assert clock.now() == START - 3598 * SECOND
        return simulation.loop.time()

    assert simulation.run(plot()) == 2.0


def test_a_clock_that_is_set_right_shows_the_true_time_from_then_on() -> None:
    simulation = Simulation(1)
    clock = simulation.clock(offset=8 * SECOND, parts_per_million=500_000)

    async def plot() -> tuple[int, int]:
        await asyncio.sleep(10)
        clock.set_right()
        shown = clock.now()
        await asyncio.sleep(10)
        return shown, clock.now()

    assert simulation.run(plot()) == (START + 10 * SECOND, START + 20 * SECOND)
