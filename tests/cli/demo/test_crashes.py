"""When the shop's process is killed: at moments that the seed draws, while there is work left."""

from __future__ import annotations

import itertools

import pytest

from makegood import InvalidInput
from makegood.cli.demo import demo
from makegood.cli.demo.crashes import moments

TABLE = [(5_000, 10), (300, 3), (7, 7), (1, 1), (1, 50), (20, 50), (69_659, 1_000)]


@pytest.mark.parametrize(("orders", "crashes"), TABLE)
def test_every_kill_comes_before_all_that_may_be_placed_has_ended(
    orders: int, crashes: int
) -> None:
    found = moments(orders, crashes, seed=1)
    assert len(found) == crashes
    for moment in found:
        assert 0 <= moment.ended < moment.placed <= orders
        assert 0 <= moment.open_seconds <= 0.2


@pytest.mark.parametrize(("orders", "crashes"), [row for row in TABLE if row[0] > row[1]])
def test_orders_are_left_for_the_process_that_finishes(orders: int, crashes: int) -> None:
    placed = [moment.placed for moment in moments(orders, crashes, seed=1)]
    assert placed == sorted(placed)
    assert placed[-1] < orders


def test_the_kills_are_spread_over_the_work_and_some_strike_early() -> None:
    found = moments(5_000, 40, seed=1)
    late = [moment for moment in found if moment.ended]
    assert 0 < len(found) - len(late) < len(found) / 2
    for first, second in itertools.pairwise(late):
        assert first.ended < second.ended


def test_a_run_never_finds_its_process_dead_three_times_without_time_to_get_on() -> None:
    found = moments(20, 50, seed=1)
    for several in zip(found, found[1:], found[2:], strict=False):
        assert max(moment.open_seconds for moment in several) >= 0.1


def test_the_seed_draws_the_moments() -> None:
    assert moments(500, 9, seed=1) == moments(500, 9, seed=1)
    assert moments(500, 9, seed=1) != moments(500, 9, seed=2)


@pytest.mark.parametrize("crashes", [-1, 1_001])
def test_a_number_of_crashes_out_of_bounds_is_refused_with_the_bounds(crashes: int) -> None:
    with pytest.raises(InvalidInput, match=f"--crashes is {crashes}; .* from 0 to 1,000"):
        demo(crashes=crashes)
