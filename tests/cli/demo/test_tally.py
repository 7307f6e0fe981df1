"""The count of endings: every order ends in one of four ways, and in one only."""

from __future__ import annotations

import pytest

from makegood.cli.demo.tally import Began, Ended, Ending, Killed, Opened, Tally, ending_of


def heard(tally: Tally, *news: Opened | Began | Ended | Killed) -> Tally:
    for one in news:
        tally.hear(one)
    return tally


@pytest.mark.parametrize(
    ("status", "rollback", "ending"),
    [
        ("completed", None, Ending.COMPLETED),
        ("failed", "undone", Ending.UNDONE),
        ("cancelled", "undone", Ending.UNDONE),
        ("failed", "none", Ending.REFUSED),
        ("parked", None, Ending.PARKED),
    ],
)
def test_each_way_a_run_ends_is_one_of_the_four(
    status: str, rollback: str | None, ending: Ending
) -> None:
    assert ending_of(status=status, rollback=rollback) is ending


def test_orders_are_in_flight_until_they_end() -> None:
    tally = heard(Tally(3), Opened(), *map(Began, "abc"))
    heard(tally, Ended("a", Ending.COMPLETED), Ended("b", Ending.REFUSED, "OutOfStock"))
    assert (tally.in_flight, tally.ended) == (1, 2)
    assert tally.reasons == {(Ending.REFUSED, "OutOfStock"): 1}


def test_what_is_told_again_after_a_crash_is_counted_once() -> None:
    refused = Ended("b", Ending.REFUSED, "OutOfStock")
    tally = heard(Tally(2, crashes=1), Began("a"), Began("b"), refused, Killed())
    heard(tally, Opened(), Began("b"), refused, Began("a"), Ended("a", Ending.COMPLETED))
    assert (tally.in_flight, tally.ended, tally.changed) == (0, 2, set())
    assert tally.endings == {Ending.COMPLETED: 1, Ending.REFUSED: 1}
    assert tally.reasons == {(Ending.REFUSED, "OutOfStock"): 1}


@pytest.mark.parametrize(
    "again", [Ended("a", Ending.UNDONE), Ended("a", Ending.COMPLETED, "OutOfStock")]
)
def test_an_ending_that_a_crash_changed_is_remembered(again: Ended) -> None:
    tally = heard(Tally(1, crashes=1), Began("a"), Ended("a", Ending.COMPLETED), Killed(), again)
    assert tally.changed == {"a"}
    assert tally.endings == {Ending.COMPLETED: 1}


def test_kills_are_counted_and_those_that_struck_work_too() -> None:
    tally = heard(Tally(2, crashes=3), Killed(), Began("a"), Killed())
    heard(tally, Ended("a", Ending.COMPLETED), Killed())
    assert (tally.kills, tally.kills_at_work) == (3, 1)


def test_what_the_store_had_seen_before_is_what_it_says_when_it_opens_first() -> None:
    tally = heard(Tally(1, crashes=1), Opened(2), Began("a"), Killed(), Opened(3))
    assert tally.crashes_before == 2
