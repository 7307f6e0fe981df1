"""Whoever writes for a run that another one holds is named."""

from __future__ import annotations

import pytest

from tests.chaos.postgres.witness import Note, problems_of_notes, takeovers_of


def claim(user: str, epoch: int, run: str = "run") -> Note:
    return Note("claim", run, epoch, f"{user}.1", user)


def facts(user: str, epoch: int, run: str = "run") -> Note:
    return Note("facts", run, epoch, None, user)


def shipment(user: str) -> Note:
    return Note("shop_shipment", "run", None, None, user)


TAKEN_OVER = [claim("one", 1), facts("one", 1), claim("two", 2), facts("two", 2), shipment("two")]


def test_a_run_that_is_taken_over_and_written_by_its_new_holder_has_no_problem() -> None:
    other = [claim("one", 1, "other run"), facts("one", 1, "other run")]
    assert [*problems_of_notes([*TAKEN_OVER, *other])] == []
    assert [*takeovers_of([*TAKEN_OVER, *other])] == [(TAKEN_OVER[0], TAKEN_OVER[2])]


@pytest.mark.parametrize(
    ("late", "problem"),
    [
        (facts("one", 1), "one wrote facts of run run, which two held"),
        (facts("one", 2), "one wrote facts of run run, which two held"),
        (shipment("one"), "one wrote shop_shipment of run run, which two held"),
        (facts("two", 1), "under epoch 1 after it was claimed under 2"),
    ],
)
def test_what_a_zombie_writes_after_a_takeover_is_named(late: Note, problem: str) -> None:
    (named,) = problems_of_notes([*TAKEN_OVER, late])
    assert problem in named


def test_what_is_written_for_a_run_that_nobody_holds_is_named() -> None:
    (named,) = problems_of_notes([facts("one", 1)])
    assert named == "one wrote facts of run run, which nobody held"
