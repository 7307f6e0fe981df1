"""The pivot: before it both ways are open, during it neither, after it only the way forward."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Unpack

import pytest

from makegood.decision import facts
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.decision.state import Phase
from makegood.values.verdict import Abort, Failure, RetryFresh, RetryNow, Undecided
from tests.decision.driver import (
    DECLINED,
    IN_DOUBT,
    PERMANENT,
    PROCEED,
    SKIP,
    TRANSIENT,
    UNRECORDED,
    Run,
)
from tests.decision.plans import Policy, plan_of, query, step

if TYPE_CHECKING:
    from tests.decision.driver import Outcome

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def run_of(deadline: timedelta | None = None, **policy: Unpack[Policy]) -> Run:
    """Return a run whose pivot `pay` and whose sibling `pack` are in flight."""
    policy["pivot"] = True
    plan = plan_of(
        step("hold", undo=True),
        step("pay", "hold", **policy),
        step("pack", "hold"),
        query("look", "hold"),
        step("ship", "pay", "pack", "look"),
    )
    run = Run(plan, deadline=deadline)
    run.end("hold")
    return run


def test_while_the_pivot_is_in_flight_a_failure_waits_for_it() -> None:
    run = run_of()

    run.end("pack", outcome=DECLINED)

    assert run.state.rolling_back is None
    assert run.at_work == ["pay", "look"]


def test_a_pivot_that_fails_lets_the_run_turn_back() -> None:
    run = run_of()
    run.end("pack", outcome=DECLINED)

    run.end("pay", outcome=TRANSIENT)

    assert run.node("pay").phase is Phase.GAVE_UP, "nothing definite is retried any more"
    assert run.play().undone == ["hold"]


def test_a_pivot_that_succeeds_ends_the_way_back() -> None:
    run = run_of()
    run.end("pack", outcome=DECLINED)

    run.play()

    assert run.undone == []
    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_past_the_pivot_what_does_not_need_the_failed_step_goes_on() -> None:
    plan = plan_of(
        step("pay", pivot=True), step("pack", "pay"), step("mail", "pay"), step("post", "mail")
    )
    run = Run(plan, {"pack": [DECLINED]})
    run.end("pay")
    run.end("pack")

    run.play()

    assert run.node("post").phase is Phase.DONE
    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_past_the_pivot_a_failure_retries_forward_and_then_parks() -> None:
    run = Run(plan_of(step("pay", pivot=True), step("ship", "pay")), {"ship": [TRANSIENT]}).play()

    assert run.node("ship").attempt == 3
    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_past_the_pivot_a_doubt_parks_as_doubt() -> None:
    run = Run(plan_of(step("pay", pivot=True), step("ship", "pay")), {"ship": [IN_DOUBT]}).play()

    assert run.state.parked is ParkReason.IN_DOUBT


# Between the pivot's attempts ---------------------------------------------------------------------


def test_a_pivot_that_definitely_did_not_happen_is_not_tried_again_in_a_failed_run() -> None:
    run = run_of()
    run.end("pay", outcome=TRANSIENT)
    assert run.node("pay").phase is Phase.RETRYING

    run.end("pack", outcome=DECLINED)

    assert run.state.rolling_back is Cause.ERROR
    assert run.node("pay").phase is Phase.STOPPED
    assert run.play().undone == ["hold"]


def test_a_pivot_in_doubt_is_open_between_its_attempts() -> None:
    run = run_of()
    run.end("pay", outcome=IN_DOUBT)

    run.end("pack", outcome=DECLINED)

    assert run.state.rolling_back is None
    assert run.node("pay").phase is Phase.RETRYING


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (PROCEED, "parked"),
        (Abort(), "failed"),
        (RetryFresh("looked it up"), "failed"),
        (PERMANENT, "parked"),
        (Undecided(), "parked"),
        (RetryNow(), "parked"),
    ],
)
def test_a_pivot_in_doubt_decides_the_direction_by_what_it_is_found_to_be(
    answer: Outcome, status: str
) -> None:
    run = run_of(compensate=True)
    run.script = {"pack": [DECLINED], "pay": [IN_DOUBT], "pay ask": [answer]}

    run.play()

    assert run.state.status == status
    assert run.undone == (["hold"] if status == "failed" else [])


@pytest.mark.parametrize("outcome", [UNRECORDED, IN_DOUBT])
def test_a_pivot_that_nobody_can_settle_parks_a_failed_run_undecided(outcome: Failure) -> None:
    run = run_of(attempts=1)
    run.end("pack", outcome=DECLINED)

    run.end("pay", outcome=outcome)
    run.play()

    assert run.state.status == "parked"
    assert run.state.rolling_back is None
    assert run.undone == []


def test_a_sibling_is_retried_only_once_the_open_pivot_has_succeeded() -> None:
    run = run_of(deadline=SECOND)
    run.end("pack", outcome=TRANSIENT)
    run.wait(MINUTE)
    assert run.state.deadline_passed
    assert "pack" not in run.at_work

    run.end("pay")

    assert "pack" in run.at_work
    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_query_interrupted_under_an_open_pivot_is_asked_again() -> None:
    run = run_of(deadline=SECOND, compensate=True)
    run.wait(MINUTE)

    run.crash()

    assert run.at_work == ["pay ask", "pack", "look"]
    run.script = {"pay ask": [PROCEED]}
    assert run.play().state.ended is EndStatus.COMPLETED


# Deadline and controls ------------------------------------------------------------------------


def test_a_deadline_that_passes_while_the_pivot_is_open_is_forgotten_when_it_succeeds() -> None:
    run = run_of(deadline=SECOND)

    run.wait(MINUTE)
    assert run.state.deadline_passed
    assert run.state.rolling_back is None
    run.end("pay")

    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_deadline_that_passes_while_the_pivot_is_open_is_the_cause_when_it_fails() -> None:
    run = run_of(deadline=SECOND)
    run.wait(MINUTE)

    run.end("pay", outcome=IN_DOUBT)
    run.pass_time()
    run.end("pay", outcome=DECLINED)

    assert run.play().state.cause is Cause.ERROR


def test_a_deadline_after_the_pivot_does_not_matter_any_more() -> None:
    run = run_of(deadline=SECOND)
    run.end("pay")
    assert run.waits is None

    run.wait(MINUTE)

    assert not run.state.deadline_passed
    assert run.play().state.ended is EndStatus.COMPLETED


def test_cancel_waits_for_an_open_pivot_and_is_refused_when_it_succeeds() -> None:
    run = Run(plan_of(step("pay", pivot=True), step("pack"), step("post", "pack")))

    assert run.cancel() is None
    run.end("pack")
    assert run.at_work == ["pay"], "nothing new starts meanwhile"
    run.end("pay")
    assert run.at_work == ["post"]

    assert run.state.answers == {1: ControlAnswer.PAST_PIVOT}
    assert run.play().state.ended is EndStatus.COMPLETED


def test_cancel_waits_for_an_open_pivot_and_is_told_when_the_run_failed_first() -> None:
    run = run_of()
    run.cancel()

    run.end("pay", outcome=DECLINED)

    assert run.state.answers == {1: ControlAnswer.ALREADY_UNDOING}
    assert run.state.rolling_back is Cause.ERROR


def test_cancel_waits_for_a_pivot_in_doubt_and_wins_when_nothing_happened() -> None:
    run = run_of(compensate=True)
    run.cancel()
    run.end("pay", outcome=IN_DOUBT)
    assert run.state.answers == {}

    run.end("pay ask", outcome=RetryFresh("looked it up"))

    assert run.state.answers == {1: ControlAnswer.ACCEPTED}
    assert run.play().undone == ["hold"]


def test_cancel_before_the_pivot_is_accepted() -> None:
    run = Run(plan_of(step("hold", undo=True), step("pay", "hold", pivot=True)))

    assert run.cancel() is ControlAnswer.ACCEPTED


def test_an_undo_request_is_answered_while_the_cancel_before_it_waits() -> None:
    run = run_of()

    assert run.cancel() is None
    assert run.undo() is ControlAnswer.NOT_COMPLETED


def test_a_pivot_that_was_skipped_binds_nobody() -> None:
    plan = plan_of(step("hold", undo=True), step("pay", pivot=True, guard=True))
    run = Run(plan, {"pay guard": [SKIP]}).play()

    assert run.undo() is ControlAnswer.ACCEPTED
    assert run.play().undone == ["hold"]


def test_nothing_is_undone_past_the_pivot() -> None:
    plan = plan_of(step("pay", pivot=True, undo=True), step("ship", "pay", undo=True, attempts=1))

    run = Run(plan, {"ship": [DECLINED]}).play()

    assert run.state.rolling_back is None
    assert run.names(facts.UndoStarted) == []
