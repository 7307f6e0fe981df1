"""A run that is held up by a person: nothing begins, what ends is recorded, and it goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood.decision import facts
from makegood.decision.facts import Cause, ControlAnswer
from tests.decision.driver import DECLINED, IN_DOUBT, TRANSIENT, Run
from tests.decision.people.test_control import (
    completed,
    failed,
    fresh,
    parked,
    past_the_pivot,
    undoing,
    waiting,
)
from tests.decision.plans import each_, plan_of, pure, query, sleep_, step, switch_

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
ACCEPTED = ControlAnswer.ACCEPTED


def paused() -> Run:
    run = fresh()
    assert run.pause() is ACCEPTED
    return run


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (fresh, ACCEPTED),
        (waiting, ACCEPTED),
        (undoing, ACCEPTED),
        (past_the_pivot, ACCEPTED),
        (paused, ControlAnswer.ALREADY_PAUSED),
        (parked, ControlAnswer.PARKED),
        (completed, ControlAnswer.TOO_LATE),
        (failed, ControlAnswer.TOO_LATE),
    ],
)
def test_pause_is_answered_by_where_the_run_stands(
    make: Callable[[], Run], answer: ControlAnswer
) -> None:
    run = make()

    assert run.pause() is answer
    assert (run.state.status == "paused") == (answer in {ACCEPTED, ControlAnswer.ALREADY_PAUSED})


@pytest.mark.parametrize("make", [fresh, waiting, undoing, parked, completed, failed])
def test_what_is_not_paused_cannot_be_resumed(make: Callable[[], Run]) -> None:
    assert make().resume() is ControlAnswer.NOT_PAUSED


def test_what_is_at_work_ends_and_nothing_follows_before_the_resume() -> None:
    run = paused()

    run.end("reserve")

    assert (run.state.status, run.at_work, run.waits) == ("paused", [], None)
    assert run.node("reserve").phase.name == "DONE"
    assert run.resume() is ACCEPTED
    assert run.at_work == ["ship"]
    assert run.play().state.status == "completed"


def test_a_pause_is_asked_and_resumed_by_somebody_for_a_reason() -> None:
    run = fresh()
    run.pause()
    run.resume()

    said = [each for each in run.recorded if isinstance(each, facts.Paused | facts.Resumed)]
    assert said == [
        facts.Paused("eve", "why not", run.now),
        facts.Resumed("eve", "why not", run.now),
    ]


def test_a_completion_in_the_turn_of_the_pause_comes_first() -> None:
    run = fresh()
    run.end("reserve")

    assert run.pause("ship") is ControlAnswer.TOO_LATE
    assert run.state.status == "completed"


@pytest.mark.parametrize("outcome", [TRANSIENT, DECLINED, IN_DOUBT])
def test_a_failure_in_a_pause_is_decided_about_after_it(outcome: facts.Failure) -> None:
    run = paused()

    run.end("reserve", outcome=outcome)

    assert run.names(facts.RetryScheduled, facts.NodeGaveUp, facts.NodeStarted) == ["reserve"]
    assert run.state.rolling_back is None
    run.resume()
    assert run.play().state.status == ("failed" if outcome is DECLINED else "completed")


def test_a_retry_waits_for_the_resume_however_long_it_is_due() -> None:
    run = waiting()
    run.pause()

    run.wait(HOUR)

    assert (run.at_work, run.waits) == ([], None)
    run.resume()
    assert run.at_work == ["reserve"]


def test_a_sleep_that_is_over_is_found_at_the_resume() -> None:
    run = Run(plan_of(sleep_("nap"), step("ship", "nap")))
    run.pause()

    run.wait(HOUR)

    assert run.names(facts.NodeDone) == []
    run.resume()
    assert (run.names(facts.NodeDone), run.at_work) == (["nap"], ["ship"])


def test_a_rollback_is_paused_between_two_undos() -> None:
    run = undoing()

    run.pause()
    run.end("reserve undo")

    assert (run.state.status, run.state.ended) == ("paused", None)
    run.resume()
    assert (run.state.status, run.undone) == ("failed", ["reserve"])


def test_the_deadline_goes_on_and_is_found_to_have_passed_at_the_resume() -> None:
    plan = plan_of(step("reserve", undo=True), step("ship", "reserve"))
    run = Run(plan, deadline=HOUR)
    run.end("reserve")
    run.pause()
    run.end("ship", outcome=TRANSIENT)

    run.wait(HOUR * 2)

    assert run.names(facts.UndoStarted) == []
    assert not any(isinstance(each, facts.DeadlinePassed) for each in run.recorded)
    run.resume()
    assert run.state.rolling_back is Cause.DEADLINE
    assert run.play().undone == ["reserve"]


def test_what_has_arrived_when_it_is_resumed_after_its_deadline_is_completed() -> None:
    run = Run(plan_of(step("ship")), deadline=HOUR)
    run.pause()
    run.end("ship")
    run.wait(HOUR * 2)

    run.resume()

    assert run.state.status == "completed"


def test_a_cancel_resumes_the_run_so_that_it_can_go_back() -> None:
    run = paused()
    run.end("reserve")

    assert run.cancel() is ACCEPTED

    assert run.state.status == "undoing"
    assert run.play().undone == ["reserve"]


def test_a_cancel_that_is_refused_leaves_the_run_paused() -> None:
    run = past_the_pivot()
    run.pause()

    assert run.cancel() is ControlAnswer.PAST_PIVOT
    assert run.state.status == "paused"


def test_a_cancel_that_waits_for_the_pivot_resumes_the_run() -> None:
    plan = plan_of(step("hold", undo=True), step("pay", "hold", pivot=True), step("ship", "pay"))
    run = Run(plan)
    run.end("hold")
    run.pause()
    run.end("pay", outcome=IN_DOUBT)

    assert run.cancel() is None

    assert run.state.status == "waiting"
    assert run.play().state.answers == {1: ACCEPTED, 2: ControlAnswer.PAST_PIVOT}
    assert run.state.status == "completed"


def test_a_paused_run_can_be_neither_undone_nor_settled_nor_retried() -> None:
    run = paused()

    assert run.undo() is ControlAnswer.NOT_COMPLETED
    assert run.retry() is ControlAnswer.NOT_PARKED
    assert run.state.status == "paused"


def test_a_worker_that_dies_in_a_pause_leaves_it_paused() -> None:
    run = paused()

    run.crash()

    assert (run.state.status, run.at_work) == ("paused", [])
    assert run.resume() is ACCEPTED
    assert run.play().state.status == "completed"


def test_many_claims_in_a_pause_are_no_poison() -> None:
    run = paused()

    for _ in range(9):
        run.crash()

    assert run.state.status == "paused"
    run.resume()
    assert run.play().state.status == "completed"


def test_branches_rounds_and_values_wait_too() -> None:
    plan = plan_of(
        query("look"),
        pure("count", "look"),
        switch_("way", "look", cases={"a": (step("fly"),)}),
        each_("lines", "look", block=(step("pack"),)),
    )
    run = Run(plan, {"way case": ["a"]})
    run.pause()
    run.end("look")

    assert run.names(facts.NodeDone) == ["look"]
    run.resume()
    assert run.play().state.status == "completed"
