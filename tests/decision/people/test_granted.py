"""What a parked run waits for, tried again because a person asked for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.values.instants import after
from makegood.values.verdict import (
    Abort,
    ItDidNotHappen,
    ItHappened,
    RetryFresh,
    RetryNow,
    Undecided,
    UndoneByHand,
)
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    PROCEED,
    TRANSIENT,
    UNRECORDED,
    Run,
)
from tests.decision.people.parked import (
    SHOP,
    in_doubt_while_going_back,
    left,
    poisoned,
    unrecorded,
    used_up,
)
from tests.decision.plans import DAY, FLAG, HOUR, expect, local, plan_of, pure, query, step

IT_HAPPENED = ItHappened(Raw(b"7"))
IT_DID_NOT = ItDidNotHappen()
BY_HAND = UndoneByHand()


# What is in doubt ---------------------------------------------------------------------------------


def asked() -> Run:
    """`pay` is in doubt, and its compensate has not known for as long as its policy allows."""
    plan = plan_of(
        step("reserve", undo=True),
        step("pay", "reserve", undo=True, compensate=True, attempts=2, ask_attempts=2),
    )
    script = {"pay": [IN_DOUBT, DONE], "pay ask": [Undecided(), Undecided(), RetryNow(), PROCEED]}
    run = Run(plan, script).play()
    assert run.names(facts.CompensateStarted) == ["pay", "pay"]
    assert run.state.parked is ParkReason.IN_DOUBT
    return run


@pytest.mark.parametrize("node", ["pay", None])
def test_a_compensate_is_asked_again_with_its_whole_policy(node: str | None) -> None:
    run = asked()

    assert run.retry(node) is ControlAnswer.ACCEPTED

    assert run.at_work == ["pay ask"]
    assert run.recorded[-1] == facts.CompensateStarted("pay", 1, run.now)
    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_compensate_that_still_does_not_know_is_asked_as_often_as_the_first_time() -> None:
    run = asked()
    run.script = {"pay ask": [Undecided()]}

    run.retry()
    run.play()

    assert run.names(facts.CompensateStarted) == ["pay"] * 4
    assert run.state.parked is ParkReason.IN_DOUBT


def test_a_compensate_is_asked_however_old_the_key_is() -> None:
    run = asked()
    run.wait(10 * DAY)

    assert run.retry() is ControlAnswer.ACCEPTED
    assert run.at_work == ["pay ask"]


def test_what_a_person_had_retried_has_all_its_attempts_again() -> None:
    plan = plan_of(step("pay", compensate=True, attempts=2))
    run = Run(plan, {"pay": [IN_DOUBT], "pay ask": [RetryNow()]}).play()
    assert run.names(facts.NodeStarted) == ["pay"] * 2

    run.retry()
    run.play()

    assert run.names(facts.NodeStarted) == ["pay"] * 4
    assert [fact.attempt for fact in run.recorded if isinstance(fact, facts.NodeStarted)] == [
        1,
        2,
        3,
        4,
    ]
    assert run.state.parked is ParkReason.IN_DOUBT


def doubtful(**policy: timedelta) -> Run:
    """`pay` is in doubt after two attempts; nobody can be asked, but the key is known a day."""
    plan = plan_of(
        step("reserve", undo=True),
        step("pay", "reserve", undo=True, attempts=2, timeout_total=policy.get("timeout_total")),
    )
    run = Run(plan, {"pay": [IN_DOUBT, IN_DOUBT, IN_DOUBT, DONE]}).play()
    assert run.state.parked is ParkReason.IN_DOUBT
    return run


def test_what_nobody_can_be_asked_about_is_run_again_while_its_key_is_known() -> None:
    run = doubtful()
    run.wait(23 * HOUR)

    assert run.retry("pay") is ControlAnswer.ACCEPTED

    assert run.recorded[-1] == facts.NodeStarted("pay", 3, run.now)
    assert run.node("pay").doubt
    assert run.play().state.ended is EndStatus.COMPLETED
    assert run.names(facts.NodeStarted).count("pay") == 4


def test_what_nobody_can_be_asked_about_is_not_run_again_when_its_key_is_dead() -> None:
    run = doubtful()
    run.wait(DAY)

    assert run.retry("pay") is ControlAnswer.KEY_EXPIRED
    assert run.retry() is ControlAnswer.KEY_EXPIRED
    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.settle("pay", IT_HAPPENED) is ControlAnswer.ACCEPTED


def test_a_key_that_dies_between_two_granted_attempts_is_not_used_again() -> None:
    run = doubtful()
    run.script = {"pay": [IN_DOUBT]}
    run.wait(DAY - timedelta(seconds=4))

    run.retry()
    run.play()

    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.names(facts.NodeStarted).count("pay") == 4
    run.wait(timedelta(seconds=5))
    assert run.retry() is ControlAnswer.KEY_EXPIRED


def test_the_time_of_all_attempts_is_counted_anew() -> None:
    run = doubtful(timeout_total=timedelta(seconds=10))
    run.wait(HOUR)

    run.retry()

    assert run.at_work == ["pay"]
    (body,) = run.work
    assert getattr(body, "until", None) == run.now + 10_000_000


def test_what_is_in_doubt_is_tried_again_also_while_the_run_goes_back() -> None:
    run = in_doubt_while_going_back()
    assert run.retry() is ControlAnswer.KEY_EXPIRED

    plan = plan_of(step("a", undo=True), step("pay", undo=True, attempts=1), step("c"))
    run = Run(plan, {"pay": [IN_DOUBT, DONE], "c": [DECLINED]})
    run.end("a", "pay", "c")
    assert run.state.parked is ParkReason.IN_DOUBT

    assert run.retry() is ControlAnswer.ACCEPTED
    assert run.play().undone == ["pay", "a"]


@pytest.mark.parametrize("node", ["pay", None])
def test_an_unrecorded_effect_is_never_run_again(node: str | None) -> None:
    run = unrecorded()

    assert run.retry(node) is ControlAnswer.ONLY_SETTLED
    assert run.state.parked is ParkReason.UNRECORDED
    assert run.work == []


def test_of_all_that_a_run_waits_for_what_can_be_is_tried_again() -> None:
    plan = plan_of(step("a", attempts=1), step("b", attempts=1))
    run = Run(plan, {"a": [IN_DOUBT, DONE], "b": [UNRECORDED]}).play()

    assert run.retry() is ControlAnswer.ACCEPTED
    run.play()

    assert run.names(facts.NodeDone) == ["a"]
    assert run.state.parked is ParkReason.UNRECORDED


# Undos --------------------------------------------------------------------------------------------


def test_an_undo_that_gave_up_is_undone_again() -> None:
    run = left("pay")

    assert run.retry("pay") is ControlAnswer.ACCEPTED

    assert run.recorded[-1] == facts.UndoStarted("pay", 2, run.now)
    assert run.play().undone == ["reserve", "pay"]
    assert run.state.ended is EndStatus.FAILED


def test_several_that_are_left_are_undone_again_in_reverse_order_one_at_a_time() -> None:
    run = left("pay", "reserve")

    run.retry()

    assert run.at_work == ["pay undo"]
    run.end("pay undo")
    assert run.at_work == ["reserve undo"]
    assert run.play().undone == ["pay", "reserve"]


def test_the_order_of_what_is_left_is_that_of_completion_whatever_was_tried_again_before() -> None:
    run = left("pay", "reserve")
    run.script = {"pay undo": [PERMANENT]}
    run.retry("pay")
    run.play()
    run.script = {}

    run.retry()

    assert run.play().undone == ["pay", "reserve"]


def test_what_is_left_is_undone_again_only_when_all_others_are() -> None:
    run = Run(SHOP, {"ship": [DECLINED], "pay undo": [PERMANENT, DONE]})
    for body in ("reserve", "pay", "ship", "pay undo"):
        run.end(body)
    assert run.at_work == ["reserve undo"]

    assert run.retry("pay") is None
    assert run.retry() is None
    run.end("reserve undo")

    assert run.state.answers == {1: ControlAnswer.ACCEPTED, 2: ControlAnswer.NOT_PARKED}
    assert run.play().undone == ["reserve", "pay"]


def test_an_undo_has_all_its_attempts_again() -> None:
    plan = plan_of(step("pay", undo=True, undo_attempts=2), step("ship", "pay"))
    run = Run(plan, {"ship": [DECLINED], "pay undo": [TRANSIENT]}).play()

    run.retry()
    run.play()

    attempts = [fact.attempt for fact in run.recorded if isinstance(fact, facts.UndoStarted)]
    assert attempts == [1, 2, 3, 4]
    assert run.state.parked is ParkReason.UNDO_GAVE_UP


def test_a_local_undo_that_gave_up_is_run_again() -> None:
    plan = plan_of(local("book", undo_local=True), step("ship", "book"))
    run = Run(plan, {"ship": [DECLINED], "book undo": [PERMANENT, DONE]}).play()
    assert run.state.parked is ParkReason.UNDO_GAVE_UP

    assert run.retry() is ControlAnswer.ACCEPTED
    assert run.undone == ["book"]
    assert run.state.ended is EndStatus.FAILED


@pytest.mark.parametrize("node", ["pay", None])
def test_an_undo_in_doubt_is_not_repeated_when_its_key_is_dead(node: str | None) -> None:
    plan = plan_of(step("pay", undo=True, undo_attempts=1), step("ship", "pay"))
    run = Run(plan, {"ship": [DECLINED], "pay undo": [IN_DOUBT, DONE]}).play()
    run.wait(DAY)

    assert run.retry(node) is ControlAnswer.KEY_EXPIRED
    assert run.settle("pay", BY_HAND) is ControlAnswer.ACCEPTED
    assert run.state.ended is EndStatus.FAILED


def test_an_undo_whose_key_dies_while_others_are_undone_is_left_again() -> None:
    plan = plan_of(
        step("a", undo=True, undo_attempts=1),
        step("b", "a", undo=True, undo_attempts=1),
        step("c", "b"),
    )
    run = Run(plan, {"c": [DECLINED], "a undo": [IN_DOUBT], "b undo": [PERMANENT, DONE]}).play()
    run.retry()
    assert run.at_work == ["b undo"]

    run.now = after(run.now, DAY)
    run.end("b undo")

    assert run.undone == ["b"]
    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    assert run.names(facts.UndoStarted).count("a") == 1


# Past the pivot -----------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["ship", None])
def test_what_gave_up_past_the_pivot_is_run_again(node: str | None) -> None:
    run = used_up()

    assert run.retry(node) is ControlAnswer.ACCEPTED

    assert run.recorded[-1] == facts.NodeStarted("ship", 2, run.now)
    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_key_that_was_given_up_on_proof_is_not_used_again() -> None:
    plan = plan_of(step("pay", pivot=True), step("ship", "pay", compensate=True, attempts=1))
    run = Run(plan, {"ship": [IN_DOUBT, DONE], "ship ask": [RetryFresh("none there")]}).play()
    assert run.state.parked is ParkReason.FORWARD_USED_UP

    run.retry()

    assert run.node("ship").generation == 1
    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_step_that_was_aborted_past_the_pivot_is_run_again_under_its_key() -> None:
    plan = plan_of(step("pay", pivot=True), step("ship", "pay", compensate=True, attempts=1))
    run = Run(plan, {"ship": [IN_DOUBT, DONE], "ship ask": [Abort()]}).play()

    run.retry()

    assert run.node("ship").generation == 0
    assert run.play().state.ended is EndStatus.COMPLETED


@pytest.mark.parametrize(
    "sketch",
    [
        query("look", "pay", attempts=1),
        local("look", "pay", attempts=1),
        pure("look", "pay"),
        expect("look", "pay"),
    ],
    ids=["query", "local", "pure", "expect"],
)
def test_whatever_gave_up_past_the_pivot_is_tried_again(sketch: object) -> None:
    plan = plan_of(step("pay", pivot=True), sketch)  # type: ignore[arg-type] # all are sketches
    run = Run(plan, {"look": [PERMANENT, DONE]}).play()
    assert run.state.parked is ParkReason.FORWARD_USED_UP

    run.retry("look")

    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_guard_that_could_not_be_told_past_the_pivot_is_evaluated_again() -> None:
    plan = plan_of(step("pay", pivot=True), step("ship", "pay", guard=True))
    run = Run(plan, {"ship guard": [PERMANENT, "skip"]}).play()
    assert run.state.parked is ParkReason.FORWARD_USED_UP

    run.retry()

    assert run.names(facts.NodeSkipped) == ["ship"]
    assert run.state.ended is EndStatus.COMPLETED


def test_what_gave_up_past_the_pivot_may_have_been_done_by_hand() -> None:
    run = used_up()

    run.settle("ship", IT_HAPPENED)

    assert run.at_work == ["mail"]
    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_step_in_doubt_past_the_pivot_that_did_not_happen_is_then_run_again() -> None:
    plan = plan_of(
        step("pay", pivot=True), step("ship", "pay", attempts=1, key_valid_for=timedelta(minutes=1))
    )
    run = Run(plan, {"ship": [IN_DOUBT, DONE]}).play()
    run.wait(HOUR)
    assert run.retry() is ControlAnswer.KEY_EXPIRED

    run.settle("ship", IT_DID_NOT)
    assert run.state.parked is ParkReason.FORWARD_USED_UP
    run.retry()

    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_value_that_could_not_be_built_past_the_pivot_is_built_again() -> None:
    built = plan_of(step("pay", pivot=True), returns=FLAG)
    run = Run(built, {"result": [PERMANENT, DONE]}).play()
    assert run.state.parked is ParkReason.FORWARD_USED_UP

    assert run.retry("pay") is ControlAnswer.NOT_WAITED_FOR
    assert run.retry() is ControlAnswer.ACCEPTED

    assert run.state.ended is EndStatus.COMPLETED


# Poison -------------------------------------------------------------------------------------------


def test_a_poisoned_run_is_claimed_as_often_again() -> None:
    run = poisoned()
    assert run.state.parked is ParkReason.POISON

    assert run.retry() is ControlAnswer.ACCEPTED

    assert run.state.parked is None
    assert run.at_work == ["pay"]
    assert run.play().state.ended is EndStatus.COMPLETED


def test_what_was_asked_and_could_not_be_read_finds_the_run_as_it_was() -> None:
    """It stood before the retry in the inbox: the run was parked because of it alone."""
    run = poisoned()
    cancel = facts.CancelRequested(1, "ada", "too far", run.now)
    retries = [
        facts.RetryRequested(post, None, "eve", "repaired", run.now, (1,)) for post in (2, 3)
    ]

    run.turn(cancel, *retries)

    assert run.state.answers == dict.fromkeys((1, 2, 3), ControlAnswer.ACCEPTED)
    assert run.state.rolling_back is Cause.CANCELLED


def test_a_node_of_a_poisoned_run_cannot_be_tried_again_by_itself() -> None:
    run = poisoned()

    assert run.retry("pay") is ControlAnswer.NOT_WAITED_FOR
    assert run.state.parked is ParkReason.POISON


def test_a_run_that_is_not_parked_has_nothing_to_be_tried_again() -> None:
    run = Run(SHOP)

    assert run.retry() is ControlAnswer.NOT_PARKED
    assert run.play().state.ended is EndStatus.COMPLETED
    assert run.retry() is ControlAnswer.TOO_LATE
