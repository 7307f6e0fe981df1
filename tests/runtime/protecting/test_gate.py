"""How a gate counts: a window that slides, and no more at once than is said."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from makegood import Rate
from makegood.runtime.protecting.gate import Gate
from makegood.values.instants import Instant

SECOND = 1_000_000
T0 = Instant(1_700_000_000_000_000)


def test_a_gate_is_open_until_so_many_are_at_work() -> None:
    gate = Gate(at_once=2, rate=None)
    gate.enter(T0)
    gate.enter(T0)
    assert (gate.is_open(T0), gate.opens_at(T0)) == (False, None)

    gate.leave()

    assert gate.is_open(T0)


def test_the_next_one_may_begin_when_the_oldest_is_out_of_the_window() -> None:
    gate = Gate(at_once=None, rate=Rate(2))
    gate.enter(T0)
    gate.enter(Instant(T0 + 300_000))

    assert gate.opens_at(Instant(T0 + 400_000)) == T0 + SECOND


def test_a_clock_that_goes_back_shuts_no_gate_for_longer_than_the_window() -> None:
    gate = Gate(at_once=None, rate=Rate(1))
    gate.enter(T0)
    long_ago = Instant(T0 - 3_600 * SECOND)

    assert gate.opens_at(long_ago) == long_ago + SECOND


@given(
    limit=st.integers(1, 5),
    arrivals=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=60).map(sorted),
)
def test_no_window_has_more_than_the_limit(limit: int, arrivals: list[int]) -> None:
    gate = Gate(at_once=None, rate=Rate(limit, per=timedelta(seconds=1)))
    begun: list[Instant] = []
    now = T0
    for arrival in arrivals:
        now = Instant(max(now, T0 + arrival))
        opens = gate.opens_at(now)
        assert opens is not None
        now = opens
        gate.enter(now)
        begun.append(now)

    for first in begun:
        assert sum(first <= at < first + SECOND for at in begun) <= limit
