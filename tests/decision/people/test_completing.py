"""Steps whose results come from outside: awaited, answered, overtaken, doubled and too late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import ControlAnswer, ParkReason
from makegood.decision.people.preview import preview_cancel
from makegood.decision.state import Phase
from makegood.values.verdict import Failure, Proceed, Undecided
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    LATER,
    PERMANENT,
    TRANSIENT,
    WITHIN,
    Outcome,
    Run,
)
from tests.decision.plans import plan_of, step

PLAN = plan_of(step("pay", undo=True), step("ship", "pay"))


def awaiting(**script: list[Outcome]) -> Run:
    """Return a run that waits for somebody outside."""
    run = Run(PLAN, {"pay": [LATER], **script})
    run.end("pay")
    return run


def test_a_run_that_only_waits_for_somebody_outside_is_at_rest() -> None:
    run = awaiting()

    assert (run.state.status, run.waits, run.at_work) == ("waiting", WITHIN, [])


def test_an_answer_is_the_result_of_the_step() -> None:
    run = awaiting()

    assert run.tell("pay", b"7") is ControlAnswer.ACCEPTED
    assert run.state.results[0] == Raw(b"7")
    assert run.at_work == ["ship"]


def test_a_step_that_was_completed_from_outside_is_undone_like_any_other() -> None:
    run = awaiting(ship=[DECLINED])
    run.tell("pay")
    run.play()

    assert (run.state.status, run.undone) == ("failed", ["pay"])


def test_the_same_answer_is_known_and_another_one_is_refused() -> None:
    run = awaiting()
    run.tell("pay", b"7")

    assert run.tell("pay", b"7") is ControlAnswer.SAID_BEFORE
    assert run.tell("pay", b"8") is ControlAnswer.SAID_OTHERWISE
    assert run.tell("pay", PERMANENT) is ControlAnswer.SAID_OTHERWISE
    assert run.state.results[0] == Raw(b"7")


def test_an_answer_that_comes_again_after_the_end_is_still_known() -> None:
    run = awaiting()
    run.tell("pay", b"7")
    run.play()

    assert run.tell("pay", b"7") is ControlAnswer.SAID_BEFORE
    assert run.state.status == "completed"


def test_two_answers_that_are_taken_together_complete_the_step_once() -> None:
    run = awaiting()
    same = facts.CompletionGiven(post=1, node="pay", number=0, result=Raw(b"7"), at=run.now)
    other = facts.CompletionGiven(post=2, node="pay", number=0, result=Raw(b"8"), at=run.now)
    run.turn(same, other)

    assert run.state.answers == {1: ControlAnswer.ACCEPTED, 2: ControlAnswer.SAID_OTHERWISE}
    assert run.names(facts.NodeDone) == ["pay"]


def test_an_answer_that_overtakes_the_body_waits_for_its_end() -> None:
    run = Run(PLAN, {"pay": [LATER]})

    assert run.tell("pay", b"7") is None
    assert run.at_work == ["pay"]
    run.end("pay")
    assert run.state.answers == {1: ControlAnswer.ACCEPTED}
    assert run.state.results[0] == Raw(b"7")


def test_an_answer_that_overtakes_the_body_is_no_answer_where_that_gives_a_result() -> None:
    run = Run(PLAN)
    run.tell("pay", b"7")
    run.end("pay")

    assert run.state.answers == {1: ControlAnswer.NOT_AWAITED}
    assert run.state.results[0] == Raw(b"1")


def test_an_answer_in_the_turn_in_which_the_body_ends_is_taken() -> None:
    run = Run(PLAN, {"pay": [LATER]})

    assert run.tell("pay", b"7", "pay") is ControlAnswer.ACCEPTED


def test_an_answer_in_the_turn_in_which_it_falls_due_is_in_time() -> None:
    run = awaiting()
    run.now = run.state.timers[0]

    assert run.tell("pay", b"7") is ControlAnswer.ACCEPTED
    assert run.names(facts.NodeFailed) == []


@pytest.mark.parametrize(
    ("failure", "status"), [(DECLINED, "failed"), (PERMANENT, "failed"), (TRANSIENT, "waiting")]
)
def test_a_failure_from_outside_is_one_of_the_step(failure: Failure, status: str) -> None:
    run = awaiting()

    assert run.tell("pay", failure) is ControlAnswer.ACCEPTED
    assert run.state.status == status
    assert run.node("pay").failure == failure


def test_each_attempt_after_a_failure_from_outside_has_a_token_of_its_own() -> None:
    run = awaiting()
    run.tell("pay", TRANSIENT)
    run.pass_time()
    run.end("pay")

    assert run.tell("pay", TRANSIENT) is ControlAnswer.SAID_BEFORE
    assert run.node("pay").phase is Phase.AWAITING
    assert run.tell("pay", b"7", number=1) is ControlAnswer.ACCEPTED
    assert run.state.results[0] == Raw(b"7")


def test_nobody_who_answers_leaves_the_step_in_doubt_and_it_runs_again() -> None:
    run = Run(PLAN, {"pay": [LATER, DONE]})
    run.end("pay")
    run.pass_time()

    assert run.node("pay").doubt
    run.play()
    assert run.state.status == "completed"
    assert [fact.attempt for fact in run.recorded if isinstance(fact, facts.NodeStarted)][:2] == [
        1,
        2,
    ]


def test_nobody_who_answers_and_a_key_that_has_died_park_the_run() -> None:
    plan = plan_of(step("pay", undo=True, key_valid_for=timedelta(minutes=5)))
    run = Run(plan, {"pay": [LATER]}).play()

    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.tell("pay", b"7") is ControlAnswer.ACCEPTED
    assert run.state.status == "completed"


def test_what_nobody_has_answered_is_asked_about_where_there_is_a_compensate() -> None:
    plan = plan_of(step("pay", undo=True, compensate=True))
    run = Run(plan, {"pay": [LATER], "pay ask": [Undecided(), Proceed(None)]})
    run.end("pay")
    run.pass_time()

    assert run.at_work == ["pay ask"]
    assert run.tell("pay", b"7") is None
    run.end("pay ask")
    assert run.state.answers == {1: ControlAnswer.ACCEPTED}
    assert run.state.status == "completed"


def test_an_answer_settles_the_doubt_that_a_dead_worker_has_left() -> None:
    run = Run(PLAN, {"pay": [IN_DOUBT]})
    run.end("pay")
    assert run.node("pay").phase is Phase.RETRYING

    assert run.tell("pay", b"7") is ControlAnswer.ACCEPTED
    assert (run.node("pay").doubt, run.at_work) == (False, ["ship"])


def test_no_answer_is_waited_for_longer_than_all_attempts_may_take() -> None:
    plan = plan_of(step("pay", timeout_total=timedelta(minutes=9)))
    run = Run(plan, {"pay": [LATER]})
    run.end("pay")

    assert run.waits == timedelta(minutes=9)


def test_a_worker_that_dies_loses_no_wait_and_makes_it_no_longer() -> None:
    run = awaiting()
    run.crash(down=timedelta(minutes=20))

    assert (run.waits, run.state.todo) == (WITHIN - timedelta(minutes=20), [])
    assert run.tell("pay") is ControlAnswer.ACCEPTED


def test_a_run_that_goes_back_waits_for_the_answer_and_undoes_the_step() -> None:
    run = awaiting()
    run.cancel()

    assert (run.state.status, run.at_work) == ("undoing", [])
    run.tell("pay", b"7")
    run.play()
    assert (run.state.status, run.undone) == ("cancelled", ["pay"])


def test_a_run_that_goes_back_has_nothing_to_undo_when_the_answer_is_a_failure() -> None:
    run = awaiting()
    run.cancel()
    run.tell("pay", DECLINED)
    run.play()

    assert (run.state.status, run.undone) == ("cancelled", [])


def test_a_preview_takes_the_answer_to_be_a_result() -> None:
    run = awaiting()

    preview = preview_cancel(run.plan, run.recorded, run.now)

    assert preview.awaits == ("pay",)
    assert [each.node for each in preview.undos] == ["pay"]


def test_the_pivot_is_open_while_somebody_outside_is_to_say_how_it_ended() -> None:
    run = Run(plan_of(step("pay", pivot=True), step("ship")), {"pay": [LATER], "ship": [DECLINED]})
    run.end("pay", "ship")

    assert run.state.rolling_back is None
    run.tell("pay")
    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_what_does_not_wait_for_anybody_is_refused() -> None:
    run = Run(plan_of(step("pay"), step("ship", "pay")), {"pay": [DECLINED]})

    assert run.tell("ship") is ControlAnswer.NOT_AWAITED
    assert run.tell("nobody") is ControlAnswer.UNKNOWN_NODE
    run.play()
    assert run.tell("pay") is ControlAnswer.NOT_AWAITED


def test_a_result_that_is_none_of_the_step_is_refused() -> None:
    run = awaiting()

    assert run.tell("pay", b"7", misfit="it is a number") is ControlAnswer.NOT_A_RESULT
    assert run.node("pay").phase is Phase.AWAITING


def test_an_answer_that_waits_for_the_body_holds_nothing_else_up() -> None:
    run = Run(plan_of(step("pay"), step("look"), step("ship", "look")))
    run.tell("pay")
    run.end("look")

    assert run.at_work == ["pay", "ship"]
