"""The count of endings: every order ends in one of four ways."""

from __future__ import annotations

import pytest

from makegood.cli.demo.tally import Ending, Tally, ending_of


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
    tally = Tally(3)
    for _ in range(3):
        tally.begin()
    tally.end(Ending.COMPLETED, None)
    tally.end(Ending.REFUSED, "OutOfStock")
    assert (tally.in_flight, tally.ended) == (1, 2)
    assert tally.reasons == {(Ending.REFUSED, "OutOfStock"): 1}
