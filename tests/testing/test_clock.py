"""A clock that stands still until it is turned."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from makegood.runtime.clock import pause
from makegood.testing import TurnableClock
from makegood.values.instants import after, as_instant
from tests.runtime.world import turn_of_the_loop

SECOND = timedelta(seconds=1)


def test_it_stands_where_it_was_set() -> None:
    start = datetime(2030, 2, 3, 4, 5, 6, tzinfo=UTC)
    clock = TurnableClock(start)
    assert clock.now() == clock.now() == as_instant(start)
    assert repr(clock) == "<TurnableClock at 2030-02-03 04:05:06.000000>"


def test_timers_ring_in_order_and_see_their_own_time() -> None:
    clock = TurnableClock()
    start = clock.now()
    rung: list[tuple[str, int]] = []
    for name, seconds in (("late", 3), ("early", 1), ("same", 3), ("never", 5)):
        clock.call_at(
            after(start, seconds * SECOND),
            lambda name=name: rung.append((name, clock.now() - start)),
        )
    clock.turn(4 * SECOND)
    assert rung == [("early", 1_000_000), ("late", 3_000_000), ("same", 3_000_000)]
    assert clock.now() - start == 4_000_000


def test_a_timer_that_sets_a_timer_is_followed() -> None:
    clock = TurnableClock()
    rung: list[int] = []

    def again() -> None:
        rung.append(len(rung))
        clock.call_at(after(clock.now(), SECOND), again)

    clock.call_at(after(clock.now(), SECOND), again)
    clock.turn(5 * SECOND)
    assert rung == [0, 1, 2, 3, 4]


def test_a_cancelled_timer_does_not_ring_and_is_not_waited_for() -> None:
    clock = TurnableClock()
    rung: list[str] = []
    timer = clock.call_at(after(clock.now(), SECOND), lambda: rung.append("rung"))
    timer.cancel()
    assert clock.next_due is None
    assert not clock.turn_to_next()
    clock.turn(SECOND)
    assert rung == []


def test_it_goes_to_the_next_timer_and_says_whether_there_was_one() -> None:
    clock = TurnableClock()
    start = clock.now()
    clock.call_at(after(start, SECOND), lambda: None)
    assert clock.turn_to_next()
    assert clock.now() == after(start, SECOND)
    assert not clock.turn_to_next()


def test_it_never_goes_back() -> None:
    clock = TurnableClock()
    start = clock.now()
    clock.turn_to(after(start, -SECOND))
    assert clock.now() == start


async def test_what_is_due_already_rings_at_once() -> None:
    """As a real clock does: nobody need turn it for what has passed."""
    clock = TurnableClock()
    rung: list[str] = []
    clock.call_at(clock.now(), lambda: rung.append("now"))
    clock.call_at(after(clock.now(), -SECOND), lambda: rung.append("before")).cancel()
    assert rung == []
    await turn_of_the_loop()
    assert rung == ["now"]


async def test_a_pause_ends_when_it_is_turned_far_enough() -> None:
    clock = TurnableClock()
    paused = asyncio.ensure_future(pause(clock, after(clock.now(), SECOND)))
    await turn_of_the_loop()
    clock.turn(SECOND / 2)
    await turn_of_the_loop()
    assert not paused.done()
    clock.turn(SECOND / 2)
    await paused


async def test_a_pause_that_is_given_up_leaves_no_timer() -> None:
    clock = TurnableClock()
    paused = asyncio.ensure_future(pause(clock, after(clock.now(), SECOND)))
    await turn_of_the_loop()
    paused.cancel()
    await asyncio.wait([paused])
    assert clock.next_due is None
