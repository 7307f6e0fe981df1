"""Children that are told to go back, and undone as one unit at their place."""

from __future__ import annotations

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import (
    Cause,
    ControlAnswer,
    EndStatus,
    ParkReason,
)
from makegood.decision.outgoing import TellChild
from makegood.decision.state import Phase
from makegood.values.ids import RunId
from makegood.values.verdict import (
    ItHappened,
    Kept,
    UndoneByHand,
)
from tests.decision.children.hearing import ended, failed, moved, refused, spoken, undone
from tests.decision.driver import CALLS, DECLINED, Run, snapshot
from tests.decision.plans import child, each_, plan_of, query, step


def test_a_child_at_work_is_told_to_go_back_and_awaited_before_anything_is_undone() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay"), step("tell", "pay")))
    run.end("pay")
    run.end("tell", outcome=DECLINED)

    assert spoken(run) == [TellChild(RunId("ship.1"), "cancel", run.now, None)]
    assert run.at_work == []

    run.hear(ended(run, "ship", EndStatus.CANCELLED, Cause.CANCELLED))

    assert run.at_work == ["pay undo"]
    assert run.play().state.status == "failed"


def test_a_child_is_told_to_go_back_once_however_long_it_takes() -> None:
    run = Run(plan_of(child("ship"), child("bill")))
    assert run.cancel() is ControlAnswer.ACCEPTED

    assert run.names(facts.ChildCancelled) == ["ship", "bill"]
    run.hear(ended(run, "ship", EndStatus.CANCELLED, Cause.CANCELLED))
    run.crash()
    run.hear(ended(run, "bill", EndStatus.CANCELLED, Cause.CANCELLED))

    assert run.names(facts.ChildCancelled) == ["ship", "bill"]
    assert run.state.status == "cancelled"


def test_a_child_that_may_not_have_heard_because_it_was_parked_is_told_again() -> None:
    """What is parked refuses to be cancelled, and would go forward when a person moves it on."""
    run = Run(plan_of(child("ship")))
    assert run.cancel() is ControlAnswer.ACCEPTED
    run.hear(moved(run, "ship", ParkReason.POISON))
    assert run.state.parked is ParkReason.CHILD_PARKED
    assert run.names(facts.ChildCancelled) == ["ship"]

    run.hear(moved(run, "ship"))

    assert run.names(facts.ChildCancelled) == ["ship", "ship"]
    assert spoken(run) == [TellChild(RunId("ship.1"), "cancel", run.now, None)]


def test_a_child_that_completes_although_it_was_cancelled_is_undone_at_its_place() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay")))
    run.end("pay")
    run.cancel()
    run.hear(ended(run, "ship"))

    [told] = spoken(run)
    assert isinstance(told, TellChild)
    assert (told.run, told.what) == ("ship.1", "undo")

    run.hear(undone(run, "ship"))
    assert run.play().undone == ["ship", "pay"]


def test_a_completed_child_is_undone_as_one_unit_in_the_reverse_order_of_completion() -> None:
    plan = plan_of(step("pay", undo=True), child("ship", "pay"), step("tell", "ship", undo=True))
    run = Run(plan)
    run.end("pay")
    run.hear(ended(run, "ship"))
    run.end("tell")
    run.undo()

    assert run.at_work == ["tell undo"]
    run.end("tell undo")
    assert run.at_work == []
    assert run.node("ship").phase is Phase.CHILD_UNDOING
    run.hear(undone(run, "ship"))
    assert run.at_work == ["pay undo"]
    run.play()

    assert run.undone == ["tell", "ship", "pay"]
    assert run.state.cause is Cause.REVERSED


def test_the_undo_of_a_step_that_called_a_run_comes_after_that_is_undone() -> None:
    plan = plan_of(step("pay", calls=True, undo=True))
    run = Run(plan, {"pay": [CALLS]})
    run.end("pay")
    run.hear(ended(run, "pay"))
    run.undo()

    assert run.at_work == []
    run.hear(undone(run, "pay"))
    assert run.at_work == ["pay undo"]
    assert spoken(run) == []
    run.end("pay undo")

    assert (run.state.status, run.undone) == ("cancelled", ["pay"])


def test_a_local_undo_of_a_step_that_called_a_run_is_an_append_of_its_own() -> None:
    run = Run(plan_of(step("pay", calls=True, undo_local=True)), {"pay": [CALLS]})
    run.end("pay")
    run.hear(ended(run, "pay"))
    run.undo()
    run.hear(undone(run, "pay"))

    assert run.undone == ["pay"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ControlAnswer.PAST_PIVOT, "the child ship.1 cannot be undone: past the pivot"),
        (None, "the child ship.1 cannot be undone: its history was pruned"),
    ],
)
def test_a_child_that_cannot_be_undone_is_left_to_a_person(
    answer: ControlAnswer | None, why: str
) -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay")))
    run.end("pay")
    run.hear(ended(run, "ship"))
    run.undo()
    run.hear(refused(run, "ship", answer))
    run.play()

    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    assert run.undone == ["pay"]
    failure = run.node("ship").undo_failure
    assert failure is not None
    assert failure.message == why
    assert run.settle("ship", Kept()) is ControlAnswer.ACCEPTED
    assert run.state.status == "cancelled"


def test_a_child_whose_undo_gives_up_is_left_until_a_person_has_settled_that_child() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay")))
    run.end("pay")
    run.hear(ended(run, "ship"))
    run.undo()
    run.hear(moved(run, "ship", ParkReason.UNDO_GAVE_UP))
    run.play()
    assert run.state.parked is ParkReason.UNDO_GAVE_UP

    run.hear(moved(run, "ship"))
    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    run.hear(undone(run, "ship"))

    assert (run.state.status, run.undone) == ("cancelled", ["pay", "ship"])
    assert run.names(facts.UndoLeft, facts.UndoDone) == ["ship", "pay", "ship"]


def test_a_child_that_moves_again_before_it_was_left_is_awaited_on() -> None:
    run = Run(plan_of(child("ship")))
    run.hear(ended(run, "ship"))
    run.undo()

    run.hear(moved(run, "ship", ParkReason.POISON), moved(run, "ship"))
    assert run.node("ship").phase is Phase.CHILD_UNDOING
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT), undone(run, "ship"))

    assert (run.state.status, run.undone) == ("cancelled", ["ship"])


def test_a_person_may_tell_a_child_again_that_could_not_be_undone() -> None:
    run = Run(plan_of(child("ship")))
    run.hear(ended(run, "ship"))
    run.undo()
    run.hear(refused(run, "ship", ControlAnswer.PARKED))
    assert run.retry("ship") is ControlAnswer.ACCEPTED
    assert run.node("ship").undo_attempt == 2

    run.hear(undone(run, "ship"))

    assert run.state.status == "cancelled"


def test_a_child_that_was_undone_meanwhile_is_not_told_again() -> None:
    run = Run(plan_of(child("ship"), child("bill")))
    run.hear(ended(run, "ship"))
    run.hear(ended(run, "bill"))
    run.undo()
    run.hear(refused(run, "bill", ControlAnswer.PARKED))
    run.hear(refused(run, "ship", ControlAnswer.PARKED))
    assert run.retry() is ControlAnswer.ACCEPTED
    assert [run.node("ship").phase, run.node("bill").phase] == [Phase.DONE, Phase.CHILD_UNDOING]

    run.hear(undone(run, "ship"))
    run.hear(undone(run, "bill"))

    assert (run.state.status, run.undone) == ("cancelled", ["bill", "ship"])
    assert run.names(facts.UndoStarted) == ["bill", "ship", "bill"]


def test_a_person_may_say_that_a_child_was_undone_by_hand() -> None:
    run = Run(plan_of(child("ship")))
    run.hear(ended(run, "ship"))
    run.undo()
    run.hear(refused(run, "ship", ControlAnswer.PARKED))

    assert run.settle("ship", UndoneByHand()) is ControlAnswer.ACCEPTED
    assert (run.state.status, run.undone) == ("cancelled", ["ship"])


def test_what_a_settled_child_says_later_changes_nothing() -> None:
    run = Run(plan_of(child("ship")))
    run.hear(ended(run, "ship"))
    run.undo()
    run.hear(refused(run, "ship", ControlAnswer.PARKED))
    run.settle("ship", Kept())
    before = snapshot(run.state)

    run.hear(undone(run, "ship"), moved(run, "ship", ParkReason.POISON), refused(run, "ship"))
    run.hear(ended(run, "ship"))

    assert snapshot(run.state) == before | {"fact_count": len(run.recorded)}


# A child that waits for a person ----------------------------------------------------------------


def test_a_run_whose_child_is_parked_is_parked_until_that_moves_again() -> None:
    run = Run(plan_of(child("ship"), step("tell", "ship")))
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT))

    assert run.state.parked is ParkReason.CHILD_PARKED
    assert run.settle("ship", ItHappened(Raw(b"1"))) is ControlAnswer.SETTLE_THE_CHILD
    assert run.retry("ship") is ControlAnswer.SETTLE_THE_CHILD

    run.hear(moved(run, "ship"))
    assert run.state.status == "waiting"
    run.hear(ended(run, "ship"))
    assert run.at_work == ["tell"]


def test_a_parked_child_that_ends_moves_its_parent_on_whichever_way() -> None:
    run = Run(plan_of(child("ship"), child("bill")))
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT), moved(run, "bill", ParkReason.POISON))
    run.hear(ended(run, "ship"))

    assert run.state.parked is ParkReason.CHILD_PARKED
    run.hear(failed(run, "bill"))
    run.hear(undone(run, "ship"))

    assert (run.state.status, run.undone) == ("failed", ["ship"])


def test_nothing_is_undone_while_a_child_is_parked() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay"), query("look", "pay")))
    run.end("pay")
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT))
    run.end("look", outcome=DECLINED)

    assert run.state.parked is ParkReason.CHILD_PARKED
    assert run.at_work == []
    run.hear(moved(run, "ship"))
    assert run.names(facts.ChildCancelled) == ["ship"]
    run.hear(failed(run, "ship"))
    assert run.play().undone == ["pay"]


def test_doubt_of_its_own_is_told_before_a_parked_child() -> None:
    run = Run(plan_of(child("ship"), step("pay", key_valid_for=None)))
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT))
    run.crash()

    assert run.state.parked is ParkReason.IN_DOUBT
    run.hear(ended(run, "ship"))
    assert run.state.parked is ParkReason.IN_DOUBT


def test_a_child_that_is_the_pivot_is_awaited_before_either_way_is_taken() -> None:
    plan = plan_of(child("ship", pivot=True), step("tell", undo=True))
    run = Run(plan)
    run.end("tell", outcome=DECLINED)
    assert run.state.rolling_back is None

    run.hear(ended(run, "ship"))

    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_a_child_that_failed_past_the_pivot_is_called_anew_when_a_person_says_so() -> None:
    run = Run(plan_of(step("pay", pivot=True), child("ship", "pay")))
    run.end("pay")
    run.hear(failed(run, "ship"))
    assert run.state.parked is ParkReason.FORWARD_USED_UP

    assert run.retry("ship") is ControlAnswer.ACCEPTED

    assert run.node("ship").child == "ship.2"
    run.hear(ended(run, "ship"))
    assert run.state.status == "completed"


# Rounds that go back by themselves ----------------------------------------------------------------


def test_a_child_of_a_round_that_fails_by_itself_is_told_to_go_back_and_no_other() -> None:
    block = (child("pack"), step("weigh", attempts=1))
    run = Run(plan_of(each_("lines", block=block, keeps=True)))
    run.end("lines[0]/weigh", outcome=DECLINED)

    assert run.names(facts.ChildCancelled) == ["lines[0]/pack"]
    assert run.names(facts.RoundGaveUp) == []

    run.hear(ended(run, "lines[0]/pack", EndStatus.CANCELLED, Cause.CANCELLED))
    assert run.names(facts.RoundGaveUp) == ["lines"]
    run.end("lines[1]/weigh")
    run.hear(ended(run, "lines[1]/pack"))
    assert run.play().state.status == "completed"


def test_a_completed_child_of_a_round_that_fails_by_itself_is_undone_within_it() -> None:
    block = (child("pack"), step("weigh", "pack", attempts=1))
    run = Run(plan_of(each_("lines", block=block, keeps=True)))
    run.hear(ended(run, "lines[0]/pack"))
    run.end("lines[0]/weigh", outcome=DECLINED)

    assert run.node("lines[0]/pack").phase is Phase.CHILD_UNDOING
    assert run.names(facts.RoundGaveUp) == []

    run.hear(undone(run, "lines[0]/pack"))
    assert run.names(facts.RoundGaveUp) == ["lines"]
    run.hear(ended(run, "lines[1]/pack"))
    assert run.play().state.status == "completed"
    assert run.undone == ["lines[0]/pack"]


def test_a_parked_child_of_a_round_that_fails_by_itself_holds_the_round() -> None:
    block = (child("pack"), step("weigh", attempts=1))
    run = Run(plan_of(each_("lines", block=block, keeps=True, at_once=1)))
    run.hear(moved(run, "lines[0]/pack", ParkReason.IN_DOUBT))
    run.end("lines[0]/weigh", outcome=DECLINED)

    assert run.state.parked is ParkReason.CHILD_PARKED
    run.hear(failed(run, "lines[0]/pack"))

    assert run.names(facts.RoundGaveUp) == ["lines"]
