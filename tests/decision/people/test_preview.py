"""What an undo or a cancel would do, told before it is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import ControlAnswer, ParkReason
from makegood.decision.people.preview import (
    ForeseenKept,
    ForeseenUndo,
    UndoPreview,
    preview_cancel,
    preview_undo,
)
from makegood.definition.plan import FromNode, Plan
from makegood.values.verdict import Undecided
from tests.decision.children.hearing import ended
from tests.decision.driver import CALLS, DECLINED, IN_DOUBT, PERMANENT, TRANSIENT, Run
from tests.decision.people.parked import in_doubt, left, used_up
from tests.decision.plans import HOUR, child, local, plan_of, query, step

if TYPE_CHECKING:
    from collections.abc import Callable

SHOP = plan_of(
    query("look"),
    step("reserve", "look", undo=True),
    step("pay", "reserve", undo=True),
    step("mail", "pay"),
    local("book", "mail", undo_local=True),
)


def undo(path: str) -> ForeseenUndo:
    return ForeseenUndo(node=path, function=f"undo_{path}")


def undo_of(run: Run) -> UndoPreview:
    return preview_undo(run.plan, run.recorded, run.now)


def cancel_of(run: Run) -> UndoPreview:
    return preview_cancel(run.plan, run.recorded, run.now)


def irreversible(plan: Plan, path: str, why: str) -> Plan:
    """Return the plan with the reason why a node cannot be undone."""
    nodes = tuple(
        msgspec.structs.replace(node, irreversible=why) if node.path == path else node
        for node in plan.nodes
    )
    return msgspec.structs.replace(plan, nodes=nodes)


def test_an_undo_is_foreseen_in_order_with_what_is_kept_and_why() -> None:
    run = Run(irreversible(SHOP, "mail", "an e-mail cannot be unsent")).play()

    assert undo_of(run) == UndoPreview(
        answer=ControlAnswer.ACCEPTED,
        undos=(undo("book"), undo("pay"), undo("reserve")),
        kept=(ForeseenKept(node="mail", why="an e-mail cannot be unsent"),),
    )


def test_what_is_foreseen_is_what_then_happens() -> None:
    run = Run(SHOP).play()
    foreseen = undo_of(run)

    run.undo()
    run.play()

    assert [each.node for each in foreseen.undos] == run.undone
    assert [each.node for each in foreseen.kept] == run.names(facts.NodeKept)


def test_a_preview_leaves_the_run_as_it_is() -> None:
    run = Run(SHOP).play()
    before = list(run.recorded)

    assert undo_of(run) == undo_of(run)
    assert run.recorded == before
    assert run.state.status == "completed"


def completed_past_the_pivot() -> Run:
    return Run(plan_of(step("pay", pivot=True))).play()


def undoing() -> Run:
    run = Run(SHOP).play()
    run.undo()
    return run


def failed() -> Run:
    return Run(SHOP, {"pay": [DECLINED]}).play()


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (completed_past_the_pivot, ControlAnswer.PAST_PIVOT),
        (undoing, ControlAnswer.ALREADY_UNDOING),
        (failed, ControlAnswer.NOT_COMPLETED),
        (in_doubt, ControlAnswer.PARKED),
    ],
)
def test_what_prevents_an_undo_is_said(make: Callable[[], Run], answer: ControlAnswer) -> None:
    foreseen = undo_of(make())

    assert (foreseen.answer, foreseen.is_possible) == (answer, False)
    assert foreseen.undos == foreseen.kept == ()


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (completed_past_the_pivot, ControlAnswer.TOO_LATE),
        (undoing, ControlAnswer.ALREADY_UNDOING),
        (failed, ControlAnswer.TOO_LATE),
        (used_up, ControlAnswer.PARKED),
        (lambda: left("pay"), ControlAnswer.PARKED),
    ],
    ids=["completed", "undoing", "failed", "used up", "left"],
)
def test_what_prevents_a_cancel_is_said(make: Callable[[], Run], answer: ControlAnswer) -> None:
    assert cancel_of(make()).answer is answer


def test_what_is_at_work_is_awaited_and_taken_to_succeed() -> None:
    run = Run(SHOP)
    run.end("look")
    run.end("reserve")

    assert run.at_work == ["pay"]
    assert cancel_of(run) == UndoPreview(
        answer=ControlAnswer.ACCEPTED,
        awaits=("pay",),
        undos=(undo("pay"), undo("reserve")),
    )


def test_what_definitely_waits_for_its_next_attempt_is_given_up() -> None:
    run = Run(SHOP)
    run.end("look")
    run.end("reserve")
    run.end("pay", outcome=TRANSIENT)

    assert cancel_of(run).awaits == ()
    assert cancel_of(run).undos == (undo("reserve"),)


@pytest.mark.parametrize("compensates", [True, False])
def test_a_doubt_is_awaited_and_taken_to_be_cleared(compensates: bool) -> None:  # noqa: FBT001
    plan = plan_of(step("hold", undo=True), step("pay", "hold", undo=True, compensate=compensates))
    run = Run(plan)
    run.end("hold")
    run.end("pay", outcome=IN_DOUBT)
    if compensates:
        assert run.at_work == ["pay ask"]

    assert cancel_of(run) == UndoPreview(
        answer=ControlAnswer.ACCEPTED,
        awaits=("pay",),
        undos=(undo("pay"), undo("hold")),
    )


def test_a_look_up_that_is_due_later_is_foreseen_too() -> None:
    plan = plan_of(step("pay", undo=True, compensate=True), step("ship", "pay"))
    run = Run(plan, {"pay": [IN_DOUBT], "pay ask": [Undecided(HOUR)]})
    run.end("pay")
    run.end("pay ask")

    assert cancel_of(run).awaits == ("pay",)
    assert cancel_of(run).undos == (undo("pay"),)


def test_a_pivot_at_work_decides_and_is_taken_to_succeed() -> None:
    run = Run(
        plan_of(step("hold", undo=True), step("pay", "hold", pivot=True), step("ship", "pay"))
    )
    run.end("hold")

    assert cancel_of(run) == UndoPreview(answer=ControlAnswer.PAST_PIVOT, awaits=("pay",))


def test_a_run_that_would_park_instead_says_so() -> None:
    plan = plan_of(
        step("hold", undo=True),
        step("pay", undo=True, attempts=1, key_valid_for=None),
        step("ship"),
    )
    run = Run(plan)
    run.end("hold")
    run.end("pay", outcome=IN_DOUBT)
    assert run.at_work == ["ship"]

    foreseen = cancel_of(run)

    assert (foreseen.answer, foreseen.parks) == (ControlAnswer.ACCEPTED, ParkReason.IN_DOUBT)
    assert foreseen.undos == ()


def test_a_run_whose_last_node_has_ended_completes_before_it_is_answered() -> None:
    """It is foreseen from the facts alone, wherever a worker may have died."""
    plan = plan_of(query("look"), step("pay", "look"), returns=FromNode(1, (".total",)))
    run = Run(plan)
    run.end("look")
    history = [*run.recorded, facts.NodeDone("pay", Raw(b"1"), run.now)]

    assert preview_cancel(plan, history, run.now).answer is ControlAnswer.TOO_LATE


def test_a_query_at_work_is_stopped() -> None:
    plan = plan_of(step("hold", undo=True), query("look"), step("pay", "look"))
    run = Run(plan)
    run.end("hold")

    assert cancel_of(run) == UndoPreview(answer=ControlAnswer.ACCEPTED, undos=(undo("hold"),))


def test_time_passes_while_a_pivot_in_doubt_is_foreseen() -> None:
    plan = plan_of(step("pay", pivot=True, compensate=True), step("ship", "pay"))
    run = Run(plan, {"pay": [IN_DOUBT], "pay ask": [PERMANENT]}, deadline=timedelta(minutes=1))
    run.end("pay")
    run.end("pay ask", outcome=TRANSIENT)

    assert cancel_of(run).awaits == ("pay",)
    assert not cancel_of(run).is_possible


def test_a_child_is_foreseen_to_be_undone_as_one_unit_by_itself() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay")))
    run.end("pay")
    run.hear(ended(run, "ship"))

    assert undo_of(run) == UndoPreview(
        answer=ControlAnswer.ACCEPTED,
        undos=(ForeseenUndo(node="ship", function="ship"), undo("pay")),
    )


def test_a_child_at_work_is_awaited_before_anything_is_undone() -> None:
    run = Run(plan_of(step("pay", undo=True), child("ship", "pay")))
    run.end("pay")

    assert cancel_of(run) == UndoPreview(
        answer=ControlAnswer.ACCEPTED,
        awaits=("ship",),
        undos=(ForeseenUndo(node="ship", function="ship"), undo("pay")),
    )


def test_a_step_that_called_a_run_is_foreseen_to_be_undone_by_its_own_undo() -> None:
    run = Run(plan_of(step("pay", calls=True, undo=True)), {"pay": [CALLS]})
    run.end("pay")
    run.hear(ended(run, "pay"))

    assert undo_of(run) == UndoPreview(answer=ControlAnswer.ACCEPTED, undos=(undo("pay"),))
