"""What a person may say about a parked run, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason, Rollback
from makegood.decision.state import Phase
from makegood.values.instants import after
from makegood.values.verdict import ItDidNotHappen, ItHappened, Kept, UndoneByHand
from tests.decision.driver import DECLINED, IN_DOUBT, PERMANENT, UNRECORDED, Run
from tests.decision.people.parked import (
    SHOP,
    in_doubt,
    in_doubt_while_going_back,
    left,
    pay_left,
    poisoned,
    unrecorded,
    used_up,
)
from tests.decision.plans import DAY, HOUR, plan_of, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.values.verdict import Settlement

IT_HAPPENED = ItHappened(Raw(b"7"))
IT_DID_NOT = ItDidNotHappen()
BY_HAND = UndoneByHand()
KEPT = Kept()


def fresh() -> Run:
    return Run(SHOP)


def completed() -> Run:
    return Run(SHOP).play()


def failed() -> Run:
    return Run(SHOP, {"pay": [DECLINED]}).play()


# What may be settled as what ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "node", "settlement", "phase"),
    [
        (in_doubt, "pay", IT_HAPPENED, Phase.DONE),
        (in_doubt, "pay", IT_DID_NOT, Phase.GAVE_UP),
        (in_doubt_while_going_back, "pay", IT_HAPPENED, Phase.UNDOING),
        (in_doubt_while_going_back, "pay", IT_DID_NOT, Phase.GAVE_UP),
        (unrecorded, "pay", IT_HAPPENED, Phase.DONE),
        (unrecorded, "pay", IT_DID_NOT, Phase.GAVE_UP),
        (pay_left, "pay", BY_HAND, Phase.UNDONE),
        (pay_left, "pay", KEPT, Phase.KEPT),
        (used_up, "ship", IT_HAPPENED, Phase.DONE),
    ],
)
def test_what_waits_for_a_person_is_settled_as_fits_it(
    make: Callable[[], Run], node: str, settlement: Settlement, phase: Phase
) -> None:
    run = make()

    assert run.settle(node, settlement) is ControlAnswer.ACCEPTED

    assert run.node(node).phase is phase
    assert run.state.parked is None
    assert run.state.requests == []
    assert [fact.settlement for fact in run.state.settled] == [settlement]


@pytest.mark.parametrize(
    ("make", "node", "settlement"),
    [
        (in_doubt, "pay", BY_HAND),
        (in_doubt, "pay", KEPT),
        (unrecorded, "pay", BY_HAND),
        (unrecorded, "pay", KEPT),
        (pay_left, "pay", IT_HAPPENED),
        (pay_left, "pay", IT_DID_NOT),
        (used_up, "ship", IT_DID_NOT),
        (used_up, "ship", BY_HAND),
        (used_up, "ship", KEPT),
    ],
)
def test_a_settlement_that_does_not_fit_is_refused(
    make: Callable[[], Run], node: str, settlement: Settlement
) -> None:
    run = make()
    reason, phase = run.state.parked, run.node(node).phase

    assert run.settle(node, settlement) is ControlAnswer.DOES_NOT_FIT

    assert (run.state.parked, run.node(node).phase) == (reason, phase)
    assert run.state.settled == []


@pytest.mark.parametrize(
    ("make", "node", "answer"),
    [
        (in_doubt, "pray", ControlAnswer.UNKNOWN_NODE),
        (in_doubt, "reserve", ControlAnswer.NOT_WAITED_FOR),
        (in_doubt, "ship", ControlAnswer.NOT_WAITED_FOR),
        (in_doubt_while_going_back, "mail", ControlAnswer.NOT_WAITED_FOR),
        (pay_left, "ship", ControlAnswer.NOT_WAITED_FOR),
        (pay_left, "reserve", ControlAnswer.NOT_WAITED_FOR),
        (poisoned, "pay", ControlAnswer.NOT_WAITED_FOR),
        (fresh, "reserve", ControlAnswer.NOT_PARKED),
        (completed, "pay", ControlAnswer.TOO_LATE),
        (failed, "pay", ControlAnswer.TOO_LATE),
    ],
)
def test_what_the_run_does_not_wait_for_is_neither_settled_nor_tried_again(
    make: Callable[[], Run], node: str, answer: ControlAnswer
) -> None:
    run = make()
    status = run.state.status

    assert run.settle(node, IT_HAPPENED) is answer
    assert run.retry(node) is answer
    assert run.state.status == status


def test_a_result_of_another_type_is_refused_and_the_run_stays_parked() -> None:
    run = in_doubt()

    answer = run.settle("pay", IT_HAPPENED, misfit="Expected `str`, got `int`")

    assert answer is ControlAnswer.NOT_A_RESULT
    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.settle("pay", IT_HAPPENED) is ControlAnswer.ACCEPTED


# What follows from a settlement -------------------------------------------------------------------


def test_what_did_happen_has_the_result_given_and_the_run_goes_on() -> None:
    run = in_doubt()

    run.settle("pay", IT_HAPPENED)

    assert bytes(run.state.results[1] or b"") == b"7"
    assert run.at_work == ["ship"]
    assert run.play().state.ended is EndStatus.COMPLETED


def test_a_settlement_says_who_and_why_and_is_one_append_with_what_follows() -> None:
    run = in_doubt()

    run.settle("pay", IT_HAPPENED)

    assert run.history[-1] == (
        facts.SettleRequested(1, "pay", IT_HAPPENED, "eve", "asked the bank", run.now),
        facts.ControlAnswered(1, ControlAnswer.ACCEPTED),
        facts.Unparked(run.now),
        facts.NodeSettled("pay", IT_HAPPENED, "eve", "asked the bank", run.now),
        facts.NodeStarted("ship", 1, run.now),
    )


@pytest.mark.parametrize("make", [in_doubt, unrecorded])
def test_what_did_not_happen_is_a_definite_failure(make: Callable[[], Run]) -> None:
    run = make()

    run.settle("pay", IT_DID_NOT)
    run.play()

    assert run.undone == ["reserve"]
    assert (run.state.ended, run.state.cause) == (EndStatus.FAILED, Cause.ERROR)
    assert not run.node("pay").doubt


def test_what_did_happen_while_the_run_goes_back_is_undone_before_all_that_was_done_before() -> (
    None
):
    run = in_doubt_while_going_back()
    assert run.undone == []

    run.settle("pay", IT_HAPPENED)

    assert run.play().undone == ["pay", "reserve"]
    assert run.state.ended is EndStatus.FAILED


def test_an_optional_effect_that_did_not_happen_is_skipped() -> None:
    run = Run(plan_of(step("mail", optional=True), step("b", "mail")), {"mail": [UNRECORDED]})
    run.play()

    run.settle("mail", IT_DID_NOT)

    assert run.names(facts.NodeSkipped) == ["mail"]
    assert run.play().state.ended is EndStatus.COMPLETED


def test_nothing_is_undone_while_another_step_is_in_doubt() -> None:
    """§4.3: the run parks again for what else is in doubt."""
    plan = plan_of(
        step("a", undo=True),
        step("b", "a", undo=True, attempts=1, key_valid_for=None),
        step("c", "a", undo=True, attempts=1, key_valid_for=None),
    )
    run = Run(plan, {"b": [IN_DOUBT], "c": [IN_DOUBT]}).play()

    run.settle("b", IT_DID_NOT)

    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.undone == []
    run.settle("c", IT_HAPPENED)
    assert run.play().undone == ["c", "a"]


def test_two_settlements_of_one_turn_are_both_taken() -> None:
    plan = plan_of(
        step("a", undo=True, attempts=1, key_valid_for=None),
        step("b", undo=True, attempts=1, key_valid_for=None),
    )
    run = Run(plan, {"a": [IN_DOUBT], "b": [IN_DOUBT]}).play()
    settle = facts.SettleRequested

    run.turn(
        settle(1, "a", IT_DID_NOT, "eve", "", run.now),
        settle(2, "b", IT_HAPPENED, "bob", "", run.now),
    )

    assert run.state.answers == {1: ControlAnswer.ACCEPTED, 2: ControlAnswer.ACCEPTED}
    assert run.names(facts.NodeSettled) == ["a", "b"]
    assert run.play().undone == ["b"]


def test_of_two_settlements_of_one_node_the_first_stands() -> None:
    run = in_doubt()
    settle = facts.SettleRequested

    run.turn(
        settle(1, "pay", IT_DID_NOT, "eve", "", run.now),
        settle(2, "pay", IT_HAPPENED, "bob", "", run.now),
    )

    assert run.state.answers == {1: ControlAnswer.ACCEPTED, 2: ControlAnswer.NOT_PARKED}


def test_a_pivot_that_did_happen_is_passed() -> None:
    plan = plan_of(step("hold", undo=True), step("pay", "hold", pivot=True, key_valid_for=None))
    run = Run(plan, {"pay": [IN_DOUBT]}).play()

    run.settle("pay", IT_HAPPENED)

    assert run.state.ended is EndStatus.COMPLETED
    assert run.undo() is ControlAnswer.PAST_PIVOT


def test_a_deadline_goes_on_while_a_run_is_parked() -> None:
    run = Run(SHOP, {"pay": [IN_DOUBT]}, deadline=HOUR).play()
    run.now = after(run.now, DAY)

    run.settle("pay", IT_HAPPENED)

    assert run.play().undone == ["pay", "reserve"]
    assert run.state.cause is Cause.DEADLINE


def test_a_parked_run_goes_back_only_after_it_is_settled() -> None:
    run = in_doubt()
    assert run.cancel() is ControlAnswer.PARKED
    assert run.undo() is ControlAnswer.PARKED

    run.settle("pay", IT_HAPPENED)

    assert run.cancel() is ControlAnswer.ACCEPTED
    assert run.play().undone == ["ship", "pay", "reserve"]


# What is left of a rollback -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settlement", "undone", "kept"),
    [(BY_HAND, ["reserve", "pay"], []), (KEPT, ["reserve"], ["pay"])],
)
def test_a_run_ends_when_the_last_that_was_left_is_settled(
    settlement: Settlement, undone: list[str], kept: list[str]
) -> None:
    run = left("pay")

    run.settle("pay", settlement)

    assert run.undone == undone
    assert [node.path for node in run.plan.nodes if run.node(node.path).phase is Phase.KEPT] == kept
    assert run.recorded[-1] == facts.RunEnded(
        EndStatus.FAILED, Cause.ERROR, Rollback.UNDONE, run.now
    )


def test_a_run_parks_again_for_what_else_is_left() -> None:
    run = left("pay", "reserve")

    run.settle("pay", BY_HAND)
    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    run.settle("reserve", KEPT)

    assert run.state.ended is EndStatus.FAILED
    assert [fact.node for fact in run.state.settled] == ["pay", "reserve"]


def test_a_run_of_which_all_is_kept_has_undone_nothing() -> None:
    run = Run(
        plan_of(step("pay", undo=True), step("ship", "pay")),
        {"ship": [DECLINED], "pay undo": [PERMANENT]},
    ).play()

    run.settle("pay", KEPT)

    assert run.state.rollback is Rollback.NONE
    assert run.node("pay").phase is Phase.KEPT
