"""What people ask for, and what they are answered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood.decision import facts
from makegood.decision.decide import CLAIMS_MAX
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, Rollback
from tests.decision.driver import DECLINED, IN_DOUBT, PERMANENT, TRANSIENT, Run
from tests.decision.plans import plan_of, step

if TYPE_CHECKING:
    from collections.abc import Callable

SHOP = plan_of(step("reserve", undo=True), step("ship", "reserve", undo=True, attempts=1))


def fresh() -> Run:
    return Run(SHOP)


def waiting() -> Run:
    run = Run(plan_of(step("reserve", undo=True)))
    run.end("reserve", outcome=TRANSIENT)
    assert run.state.status == "waiting"
    return run


def completed() -> Run:
    return Run(SHOP).play()


def failed() -> Run:
    return Run(SHOP, {"ship": [DECLINED]}).play()


def cancelled() -> Run:
    run = Run(SHOP)
    run.cancel()
    return run.play()


def undone() -> Run:
    run = completed()
    run.undo()
    return run.play()


def undoing() -> Run:
    run = Run(SHOP)
    run.end("reserve")
    run.end("ship", outcome=DECLINED)
    assert run.state.status == "undoing"
    return run


def parked() -> Run:
    return Run(SHOP, {"ship": [IN_DOUBT]}).play()


def parked_while_undoing() -> Run:
    return Run(SHOP, {"ship": [DECLINED], "reserve undo": [PERMANENT]}).play()


def completed_past_the_pivot() -> Run:
    return Run(plan_of(step("pay", pivot=True))).play()


def past_the_pivot() -> Run:
    run = Run(plan_of(step("pay", pivot=True), step("ship", "pay")))
    run.end("pay")
    return run


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (fresh, ControlAnswer.ACCEPTED),
        (waiting, ControlAnswer.ACCEPTED),
        (undoing, ControlAnswer.ALREADY_UNDOING),
        (parked, ControlAnswer.PARKED),
        (parked_while_undoing, ControlAnswer.PARKED),
        (completed, ControlAnswer.TOO_LATE),
        (failed, ControlAnswer.TOO_LATE),
        (cancelled, ControlAnswer.TOO_LATE),
        (undone, ControlAnswer.TOO_LATE),
        (completed_past_the_pivot, ControlAnswer.TOO_LATE),
        (past_the_pivot, ControlAnswer.PAST_PIVOT),
    ],
)
def test_cancel_is_answered_by_where_the_run_stands(
    make: Callable[[], Run], answer: ControlAnswer
) -> None:
    run = make()

    assert run.cancel() is answer
    assert run.state.requests == []


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (completed, ControlAnswer.ACCEPTED),
        (fresh, ControlAnswer.NOT_COMPLETED),
        (waiting, ControlAnswer.NOT_COMPLETED),
        (undoing, ControlAnswer.ALREADY_UNDOING),
        (parked, ControlAnswer.PARKED),
        (parked_while_undoing, ControlAnswer.PARKED),
        (failed, ControlAnswer.NOT_COMPLETED),
        (cancelled, ControlAnswer.NOT_COMPLETED),
        (undone, ControlAnswer.NOT_COMPLETED),
        (completed_past_the_pivot, ControlAnswer.PAST_PIVOT),
        (past_the_pivot, ControlAnswer.NOT_COMPLETED),
    ],
)
def test_undo_is_answered_by_where_the_run_stands(
    make: Callable[[], Run], answer: ControlAnswer
) -> None:
    run = make()

    assert run.undo() is answer
    assert run.state.requests == []


@pytest.mark.parametrize("make", [failed, cancelled, undone, parked, completed_past_the_pivot])
def test_a_refused_request_changes_nothing_but_the_answers(make: Callable[[], Run]) -> None:
    run = make()
    before = run.state.status, run.state.cause, run.state.rollback, run.undone

    run.cancel()
    run.undo()

    assert (run.state.status, run.state.cause, run.state.rollback, run.undone) == before
    assert run.work == []


def test_a_cancelled_run_is_rolled_back() -> None:
    run = Run(SHOP)
    run.end("reserve")

    run.cancel()
    run.play()

    assert run.undone == ["ship", "reserve"]
    assert run.state.ended is EndStatus.CANCELLED
    assert run.state.cause is Cause.CANCELLED


def test_a_run_cancelled_before_anything_was_done_has_nothing_to_undo() -> None:
    run = waiting()

    run.cancel()

    assert run.state.ended is EndStatus.CANCELLED
    assert run.state.rollback is Rollback.NONE


def test_a_completion_beats_a_cancel_of_the_same_turn() -> None:
    run = Run(SHOP)
    run.end("reserve")

    answer = run.cancel("ship")

    assert answer is ControlAnswer.TOO_LATE
    assert run.state.ended is EndStatus.COMPLETED


def test_a_failure_beats_a_cancel_of_the_same_turn() -> None:
    run = Run(plan_of(step("pay")), {"pay": [DECLINED]})

    answer = run.cancel("pay")

    assert answer in {ControlAnswer.ALREADY_UNDOING, ControlAnswer.TOO_LATE}
    assert run.state.cause is Cause.ERROR


def test_an_undo_asked_for_in_the_turn_of_the_completion_is_carried_out() -> None:
    run = Run(SHOP)
    run.end("reserve")

    answer = run.undo("ship")

    assert answer is ControlAnswer.ACCEPTED
    assert run.play().state.cause is Cause.REVERSED


def test_of_two_cancels_one_is_accepted() -> None:
    run = Run(SHOP)
    cancel = facts.CancelRequested

    run.turn(cancel(1, "eve", "", run.now), cancel(2, "bob", "", run.now))

    assert run.state.answers == {1: ControlAnswer.ACCEPTED, 2: ControlAnswer.ALREADY_UNDOING}


def test_a_completed_run_is_undone_once_and_says_that_it_was_reversed() -> None:
    run = completed()

    run.undo()
    assert run.state.status == "undoing"
    run.play()

    assert run.undone == ["ship", "reserve"]
    assert (run.state.ended, run.state.cause, run.state.rollback) == (
        EndStatus.CANCELLED,
        Cause.REVERSED,
        Rollback.UNDONE,
    )


def test_a_settled_run_wakes_for_nothing() -> None:
    run = Run(SHOP, deadline=timedelta(hours=1)).play()

    assert run.waits is None
    assert parked().waits is None


def test_requests_that_were_answered_do_not_add_up_to_poison() -> None:
    """Each request to an ended run has it claimed once more; the last one undoes it."""
    run = completed()
    for _ in range(CLAIMS_MAX + 1):
        run.turn(facts.Claimed(run.state.claims + 1, run.now))
        assert run.cancel() is ControlAnswer.TOO_LATE

    run.turn(facts.Claimed(run.state.claims + 1, run.now))

    assert run.undo() is ControlAnswer.ACCEPTED
    assert run.play().undone == ["ship", "reserve"]
