"""Children that are called, awaited, and give what they come to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import (
    Cause,
    EndStatus,
    Parent,
)
from makegood.decision.outgoing import StartChild
from makegood.decision.state import Phase
from makegood.values.ids import RunId
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    RetryNow,
)
from tests.decision.children.hearing import ERROR, ME, ended, failed, refused, spoken
from tests.decision.driver import CALLS, PERMANENT, Run
from tests.decision.plans import child, each_, plan_of, step, switch_


def test_a_child_is_called_when_its_turn_comes_and_gives_its_result() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay"), step("tell", "ship")))
    run.end("pay")

    assert run.node("ship").phase is Phase.IN_CHILD
    assert run.state.status == "waiting"
    assert run.at_work == []

    run.hear(ended(run, "ship"))

    assert run.at_work == ["tell"]
    assert run.state.results[1] == Raw(b"8")
    assert run.play().state.status == "completed"


def test_what_calls_a_child_says_so_in_the_append_in_which_that_is_recorded() -> None:
    run = Run(plan_of(child("ship")), deadline=timedelta(hours=1))

    [start] = spoken(run)

    assert isinstance(start, StartChild)
    assert start == StartChild(
        RunId("ship.1"),
        facts.RunStarted(
            workflow="inner",
            fingerprint="1" * 16,
            key="key of ship.1",
            inputs={"amount": Raw(b"7")},
            deadline=None,
            at=run.now,
            parent=Parent(ME, "ship"),
            depth=1,
            root=ME,
        ),
        "2" * 16,
        facts.ChildRefused(node="ship", run=RunId("ship.1"), at=run.now),
    )


def test_children_begin_beside_steps_and_after_whatever_is_computed() -> None:
    run = Run(plan_of(child("ship"), step("pay"), child("bill")))

    assert run.names(facts.NodeStarted, facts.ChildStarted) == ["pay", "ship", "bill"]
    assert [each.run for each in spoken(run)] == ["ship.1", "bill.1"]  # type: ignore[attr-defined]


def test_a_child_that_fails_fails_the_run_with_its_failures_in_their_order() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay")))
    run.end("pay")

    run.hear(failed(run, "ship", ERROR, PERMANENT))
    run.play()

    assert (run.state.status, run.undone) == ("failed", ["pay"])
    node = run.node("ship")
    assert node.failure == Failure(kind=FailureKind.PERMANENT, type="bank.Refused", message="no")
    assert node.child_failures == (PERMANENT,)


@pytest.mark.parametrize(
    ("status", "cause", "said_by"),
    [
        (EndStatus.FAILED, Cause.DEADLINE, "the child ship.1 took longer than it may"),
        (EndStatus.CANCELLED, Cause.CANCELLED, "the child ship.1 was cancelled"),
    ],
)
def test_a_child_that_ends_without_an_error_fails_its_node_all_the_same(
    status: EndStatus, cause: Cause, said_by: str
) -> None:
    run = Run(plan_of(child("ship")))

    run.hear(ended(run, "ship", status, cause))

    failure = run.node("ship").failure
    assert failure is not None
    assert failure.message == said_by
    assert run.state.status == "failed"


def test_an_optional_child_that_fails_is_skipped() -> None:
    run = Run(plan_of(child("ship", optional=True), step("tell", "ship")))

    run.hear(failed(run, "ship"))

    assert run.at_work == ["tell"]
    assert run.node("ship").phase is Phase.SKIPPED


def test_a_child_whose_call_cannot_be_made_fails_the_run() -> None:
    run = Run(plan_of(child("ship")), {"ship call": [PERMANENT]})

    assert run.state.status == "failed"
    assert run.node("ship").child is None


def test_a_child_whose_key_belongs_to_another_run_fails_its_node() -> None:
    run = Run(plan_of(child("ship")))

    run.hear(refused(run, "ship"))

    failure = run.node("ship").failure
    assert failure is not None
    assert failure.type == "makegood.errors.KeyConflict"
    assert run.state.status == "failed"


def test_a_worker_that_dies_does_not_interrupt_a_child() -> None:
    run = Run(plan_of(child("ship"), step("pay")))

    run.crash()

    assert run.node("ship").phase is Phase.IN_CHILD
    run.hear(ended(run, "ship"))
    assert run.play().state.status == "completed"


def test_a_run_that_only_waits_for_a_child_is_no_poison() -> None:
    run = Run(plan_of(child("ship")))
    for _ in range(7):
        run.crash()

    assert run.state.status == "waiting"


def test_a_child_stands_in_a_branch_and_in_each_round() -> None:
    plan = plan_of(
        switch_("how", cases={"post": (child("ship"),), "none": ()}),
        each_("lines", "how", block=(child("pack"), step("label", "pack", undo=True))),
    )
    run = Run(plan)
    run.hear(ended(run, "how/post/ship"))
    run.hear(ended(run, "lines[1]/pack"), ended(run, "lines[0]/pack"))
    run.play()

    assert run.state.status == "completed"
    assert run.names(facts.ChildStarted) == ["how/post/ship", "lines[0]/pack", "lines[1]/pack"]


# A step that returns a call ---------------------------------------------------------------------


def test_a_step_may_call_a_run_in_its_place_in_the_fact_that_ends_its_attempt() -> None:
    run = Run(plan_of(step("pay", calls=True), step("tell", "pay")), {"pay": [CALLS]})

    run.end("pay")
    assert run.at_work == []
    assert [type(fact) for fact in run.history[-1]] == [facts.ChildStarted]

    run.hear(ended(run, "pay"))
    assert run.at_work == ["tell"]


def test_a_late_call_is_dropped_like_any_late_outcome() -> None:
    run = Run(plan_of(step("pay", calls=True, attempts=2)), {"pay": [CALLS]})
    late = run.calls("pay")
    run.end("pay")

    run.turn(late)

    assert run.names(facts.ChildStarted) == ["pay"]


def test_a_call_clears_the_doubt_of_an_earlier_attempt() -> None:
    plan = plan_of(step("pay", calls=True, undo=True))
    run = Run(plan, {"pay": [CALLS]})
    run.crash()
    assert run.node("pay").doubt

    run.end("pay")

    assert not run.node("pay").doubt


def test_a_step_whose_call_failed_is_not_run_again_but_asked_about() -> None:
    plan = plan_of(step("pay", calls=True, compensate=True, attempts=3))
    run = Run(plan, {"pay": [CALLS], "pay ask": [Abort()]})
    run.end("pay")

    run.hear(failed(run, "pay"))

    assert run.at_work == ["pay ask"]
    assert run.play().state.status == "failed"


def test_a_step_that_is_run_again_after_its_call_failed_calls_another_run() -> None:
    plan = plan_of(step("pay", calls=True, compensate=True, attempts=3))
    run = Run(plan, {"pay": [CALLS], "pay ask": [RetryNow()]})
    run.end("pay")
    run.hear(failed(run, "pay"))
    late = ended(run, "pay")
    run.end("pay ask")
    run.pass_time()
    run.end("pay")

    assert run.node("pay").child == "pay.2"
    run.hear(late, facts.ChildMoved(node="pay", run=RunId("pay.1"), at=run.now))
    run.hear(facts.ChildRefused(node="pay", run=RunId("pay.1"), at=run.now))
    assert run.node("pay").phase is Phase.IN_CHILD
    run.hear(ended(run, "pay"))
    assert run.state.status == "completed"
