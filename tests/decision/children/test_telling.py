"""What a child tells the run that called it, and what is stored of children."""

from __future__ import annotations

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import (
    Cause,
    ControlAnswer,
    EndStatus,
    Parent,
    ParkReason,
    read_facts,
    write_facts,
)
from makegood.decision.outgoing import TellParent
from makegood.decision.people.failures import Failed, failures_in
from makegood.values.ids import RunId
from makegood.values.verdict import (
    Failure,
    FailureKind,
    ItHappened,
)
from tests.decision.children.hearing import ERROR, ME, failed, moved, spoken
from tests.decision.driver import DECLINED, IN_DOUBT, PERMANENT, Run, snapshot
from tests.decision.plans import child, plan_of, step

PARENT = Parent(RunId("caller"), "ship")


def told(run: Run) -> list[object]:
    return [each.told for each in spoken(run) if isinstance(each, TellParent)]


def test_a_child_tells_its_parent_its_value_when_it_completes() -> None:
    run = Run(plan_of(step("pay")), parent=PARENT)
    run.end("pay")

    assert run.names(facts.NodeDone) == ["pay"]
    assert told(run) == [
        facts.ChildEnded(
            node="ship", run=ME, status=EndStatus.COMPLETED, result=Raw(b"3"), at=run.now
        )
    ]


def test_a_child_tells_its_parent_what_failed_the_first_failure_first() -> None:
    plan = plan_of(child("inner"), step("pay", undo=True, attempts=1), step("tell", "pay"))
    run = Run(plan, {"tell": [PERMANENT]}, parent=PARENT)
    run.end("pay")
    run.end("tell")
    run.hear(failed(run, "inner", ERROR, DECLINED))
    run.play()

    definite = Failure(kind=FailureKind.PERMANENT, type="bank.Refused", message="no")
    assert told(run) == [
        facts.ChildEnded(
            node="ship",
            run=ME,
            status=EndStatus.FAILED,
            cause=Cause.ERROR,
            failures=(PERMANENT, definite, DECLINED),
            at=run.now,
        )
    ]


def test_a_child_tells_its_parent_when_it_is_parked_and_when_it_moves_again() -> None:
    run = Run(plan_of(step("pay", key_valid_for=None)), parent=PARENT)
    run.crash()
    assert told(run) == [
        facts.ChildMoved(node="ship", run=ME, reason=ParkReason.IN_DOUBT, at=run.now)
    ]

    run.settle("pay", ItHappened(Raw(b"1")))

    assert [type(each) for each in told(run)] == [facts.ChildMoved, facts.ChildEnded]


def test_a_child_is_undone_for_its_parent_and_for_nobody_else() -> None:
    run = Run(plan_of(step("pay", undo=True)), parent=PARENT)
    run.end("pay")

    assert run.undo() is ControlAnswer.IS_A_CHILD
    run.turn(facts.UndoRequested(9, "caller", "it goes back", run.now, is_parents=True))
    run.end("pay undo")

    assert told(run) == [
        facts.ChildEnded(
            node="ship", run=ME, status=EndStatus.CANCELLED, cause=Cause.REVERSED, at=run.now
        )
    ]


def test_a_child_that_is_past_its_pivot_says_so_to_its_parent() -> None:
    run = Run(plan_of(step("pay", pivot=True)), parent=PARENT)
    run.end("pay")
    run.turn(facts.UndoRequested(9, "caller", "it goes back", run.now, is_parents=True))

    assert told(run) == [
        facts.ChildRefused(node="ship", run=ME, answer=ControlAnswer.PAST_PIVOT, at=run.now)
    ]


def test_a_run_that_nobody_called_says_nothing() -> None:
    run = Run(plan_of(step("pay")))
    run.end("pay")

    assert spoken(run) == []


# The facts --------------------------------------------------------------------------------------


def test_the_facts_of_children_are_written_and_read_as_they_are() -> None:
    run = Run(plan_of(child("ship"), step("pay")), parent=PARENT)
    run.hear(moved(run, "ship", ParkReason.IN_DOUBT), moved(run, "ship"))
    run.end("pay", outcome=DECLINED)
    run.hear(failed(run, "ship"))

    assert read_facts(write_facts(run.recorded)) == tuple(run.recorded)
    assert snapshot(fold(run.plan, run.recorded)) == snapshot(run.state)


def test_what_a_child_failed_with_is_its_value_first_and_its_undos_last() -> None:
    plan = plan_of(step("pay", undo=True, undo_attempts=1))
    script = {"result": [PERMANENT], "pay undo": [DECLINED]}
    run = Run(plan, script, parent=PARENT).play()
    assert run.state.parked is ParkReason.UNDO_GAVE_UP

    assert failures_in(run.state) == [
        Failed("", "do", PERMANENT),
        Failed("pay", "undo", DECLINED),
    ]


def test_what_is_in_doubt_has_no_undo_that_failed() -> None:
    run = Run(plan_of(step("pay", key_valid_for=None)), {"pay": [IN_DOUBT]}).play()

    assert failures_in(run.state) == [Failed("pay", "do", IN_DOUBT)]
