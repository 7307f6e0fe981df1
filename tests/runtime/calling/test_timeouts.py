"""Timeouts never ring early, ring soon enough, and cost nothing when they are taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from makegood.runtime.calling.timeouts import Timeouts
from makegood.testing import TurnableClock
from makegood.values.instants import after

if TYPE_CHECKING:
    from makegood.runtime.calling.body import Body
    from makegood.values.instants import Instant

MILLISECOND = timedelta(milliseconds=1)
BUCKET = timedelta(milliseconds=100)


class Timed:
    """As much of a job as a timeout knows."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.timer = None
        self.bucket = None


class Bench:
    """Timeouts on a clock that stands where a bucket does not begin."""

    def __init__(self) -> None:
        self.clock = TurnableClock()
        self.clock.turn(timedelta(milliseconds=37))
        self.rung: list[tuple[Body, Instant]] = []
        self.timeouts = Timeouts(self.clock, lambda job: self.rung.append((job, self.clock.now())))

    def set(self, within: timedelta, number: int = 0) -> tuple[Body, Instant]:
        job = cast("Body", Timed(number))
        until = after(self.clock.now(), within)
        self.timeouts.set(job, until, self.clock.now())
        return job, until


@pytest.mark.parametrize("seconds", [0.001, 1, 4.999, 5, 5.05, 30, 86_400])
def test_a_timeout_rings_once_and_never_early(seconds: float) -> None:
    bench = Bench()
    job, until = bench.set(timedelta(seconds=seconds))
    bench.clock.turn_to(after(until, -timedelta(microseconds=1)))
    assert bench.rung == []

    bench.clock.turn_to(after(until, BUCKET))
    bench.clock.turn(timedelta(days=2))
    ((rung, at),) = bench.rung
    assert rung is job
    assert until <= at <= after(until, BUCKET)


def test_a_short_timeout_is_exact() -> None:
    bench = Bench()
    _job, until = bench.set(timedelta(milliseconds=250))
    bench.clock.turn(timedelta(seconds=1))
    assert [at for _job, at in bench.rung] == [until]


def test_timeouts_ring_in_the_order_of_their_time() -> None:
    bench = Bench()
    seconds = [30, 8, 300, 1, 12, 8]
    jobs = {bench.set(timedelta(seconds=wait), n)[0]: wait for n, wait in enumerate(seconds)}
    bench.clock.turn(timedelta(minutes=10))
    assert [jobs[job] for job, _at in bench.rung] == sorted(seconds)
    assert [job.number for job, _at in bench.rung] == [3, 1, 5, 4, 0, 2]


@pytest.mark.parametrize("seconds", [1, 30])
def test_a_timeout_that_was_taken_back_does_not_ring(seconds: int) -> None:
    bench = Bench()
    job, _until = bench.set(timedelta(seconds=seconds))
    bench.timeouts.clear(job)
    bench.timeouts.clear(job)
    bench.clock.turn(timedelta(minutes=1))
    assert bench.rung == []


def test_thousands_of_long_timeouts_share_one_timer() -> None:
    bench = Bench()
    jobs = [bench.set(timedelta(seconds=30))[0] for _ in range(1_000)]
    for job in jobs[1:]:
        bench.timeouts.clear(job)
    assert len(bench.clock._timers) == 1
    bench.clock.turn(timedelta(minutes=1))
    assert [job for job, _at in bench.rung] == [jobs[0]]
    assert bench.clock.next_due is None


def test_nothing_rings_once_they_are_closed() -> None:
    bench = Bench()
    bench.set(timedelta(seconds=30))
    bench.timeouts.close()
    bench.clock.turn(timedelta(minutes=1))
    assert bench.rung == []
