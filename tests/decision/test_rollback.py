"""How a run goes back: what is awaited, what is stopped, what is undone and in which order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Unpack

import pytest

from makegood.decision import facts
from makegood.decision.commands import Local
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.decision.state import Phase
from makegood.values.verdict import Abort, Failure, FailureKind
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    PROCEED,
    TRANSIENT,
    Run,
)
from tests.decision.plans import HOUR, Policy, local, plan_of, pure, query, step

if TYPE_CHECKING:
    from tests.decision.driver import Outcome

SECOND = timedelta(seconds=1)
BUSY = Failure(kind=FailureKind.TRANSIENT, type="shop.Busy", retry_after=20 * SECOND)
SHOP = plan_of(
    step("reserve", undo=True),
    step("authorize", "reserve", undo=True),
    step("capture", "authorize", undo=True),
    step("ship", "capture"),
)


def test_everything_done_is_undone_in_reverse_order() -> None:
    run = Run(SHOP, {"ship": [DECLINED]}).play()

    assert run.undone == ["capture", "authorize", "reserve"]
    assert run.recorded[-1] == facts.RunEnded(
        EndStatus.FAILED, Cause.ERROR, Rollback.UNDONE, run.now
    )


def test_the_order_is_that_of_completion_and_not_of_the_plan() -> None:
    run = Run(plan_of(step("a", undo=True), step("b", undo=True), step("c")))

    run.end("b")
    run.end("a")
    run.end("c", outcome=DECLINED)

    assert run.at_work == ["a undo"]
    assert run.play().undone == ["a", "b"]


def test_undone_and_the_next_undo_begun_are_one_append() -> None:
    run = Run(SHOP, {"ship": [DECLINED]})
    while run.at_work != ["capture undo"]:
        run.end(run.work[0])

    run.end("capture undo")

    assert [type(fact) for fact in run.history[-1]] == [facts.UndoDone, facts.UndoStarted]


def test_the_failed_step_is_never_undone() -> None:
    run = Run(plan_of(step("a", undo=True)), {"a": [DECLINED]}).play()

    assert run.names(facts.UndoStarted) == []
    assert run.state.rollback is Rollback.NONE


def test_a_step_without_undo_is_kept_and_nothing_is_left() -> None:
    plan = plan_of(step("a", undo=True), step("mail", "a"), step("b", "mail"))

    run = Run(plan, {"b": [DECLINED]}).play()

    assert run.names(facts.NodeKept, facts.UndoDone) == ["mail", "a"]
    assert run.state.ended is EndStatus.FAILED


def test_what_has_no_effect_is_neither_undone_nor_kept() -> None:
    plan = plan_of(query("look"), pure("sum", "look"), step("pay", "sum"))

    run = Run(plan, {"pay": [DECLINED]}).play()

    assert run.node("look").phase is run.node("sum").phase is Phase.DONE
    assert run.names(facts.NodeKept) == []


# Stop and settle ------------------------------------------------------------------------------


def test_an_effect_in_flight_is_awaited_and_joins_what_is_undone() -> None:
    run = Run(plan_of(step("a", undo=True), step("b", undo=True), step("c")))
    run.end("a")

    run.end("c", outcome=DECLINED)
    assert run.at_work == ["b"]
    run.end("b")

    assert run.play().undone == ["b", "a"]


def test_a_query_in_flight_is_stopped_and_its_answer_is_not_wanted_any_more() -> None:
    run = Run(plan_of(query("look"), step("pay"), step("ship", "look")))
    asked = run.find("look")

    run.end("pay", outcome=DECLINED)
    assert run.names(facts.NodeStopped) == ["look"]
    before = len(run.recorded)
    run.turn(run.outcome_of(asked))

    assert run.state.ended is EndStatus.FAILED
    assert len(run.recorded) == before


def test_the_retry_of_a_definite_failure_is_dropped() -> None:
    run = Run(plan_of(step("a"), step("b")))
    run.end("a", outcome=TRANSIENT)

    run.end("b", outcome=DECLINED)

    assert run.node("a").phase is Phase.STOPPED
    assert run.state.ended is EndStatus.FAILED


def test_a_retry_that_falls_due_as_the_run_turns_back_is_not_begun() -> None:
    run = Run(plan_of(step("a"), step("b")))
    run.end("a", outcome=TRANSIENT)

    run.now = run.state.timers[0]
    run.end("b", outcome=DECLINED)

    assert run.names(facts.NodeStarted) == ["a", "b"]


def test_a_retry_that_falls_due_as_the_run_is_cancelled_is_not_begun() -> None:
    run = Run(plan_of(step("a"), step("b")))
    run.end("a", outcome=TRANSIENT)

    run.now = run.state.timers[0]
    run.cancel()

    assert run.names(facts.NodeStarted) == ["a", "b"]


@pytest.mark.parametrize("compensate", [False, True])
def test_nothing_is_undone_while_a_doubt_is_being_settled(*, compensate: bool) -> None:
    plan = plan_of(step("a", undo=True), step("b", compensate=compensate), step("c"))
    run = Run(plan)
    run.end("a")
    run.end("b", outcome=IN_DOUBT)

    run.end("c", outcome=DECLINED)

    assert run.names(facts.UndoStarted) == []
    run.play()
    assert run.undone == ["a"]


def test_what_turns_out_to_have_happened_is_undone_first() -> None:
    plan = plan_of(step("a", undo=True), step("b", undo=True, compensate=True), step("c"))
    run = Run(plan, {"b": [IN_DOUBT], "b ask": [PROCEED], "c": [DECLINED]}).play()

    assert run.undone == ["b", "a"]


def test_nothing_is_undone_while_a_node_is_stuck() -> None:
    plan = plan_of(step("a", undo=True), step("b", attempts=1), step("c"))

    run = Run(plan, {"b": [IN_DOUBT], "c": [DECLINED]}).play()

    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.names(facts.UndoStarted) == []


def test_an_unrecorded_effect_parks_the_rollback_as_such() -> None:
    run = Run(plan_of(step("a"), step("b", attempts=1), step("c")))
    run.end("c", outcome=DECLINED)
    run.end("b", outcome=IN_DOUBT)

    run.end("a", outcome="unrecorded")

    assert run.state.parked is ParkReason.UNRECORDED


# Undo -------------------------------------------------------------------------------------------


def undoing(**policy: Unpack[Policy]) -> Run:
    """Return a run that is undoing its only step."""
    policy["undo"] = True
    run = Run(plan_of(step("a", **policy), step("b", "a")))
    run.end("a")
    run.end("b", outcome=DECLINED)
    assert run.at_work == ["a undo"]
    return run


@pytest.mark.parametrize(
    ("outcome", "attempts", "key_valid_for", "phase"),
    [
        (TRANSIENT, 3, None, Phase.UNDO_AGAIN),
        (TRANSIENT, 1, HOUR, Phase.LEFT),
        (IN_DOUBT, 3, HOUR, Phase.UNDO_AGAIN),
        (IN_DOUBT, 1, HOUR, Phase.LEFT),
        (IN_DOUBT, 3, SECOND, Phase.LEFT),
        (IN_DOUBT, 3, None, Phase.LEFT),
        (PERMANENT, 3, HOUR, Phase.LEFT),
        (DECLINED, 3, HOUR, Phase.LEFT),
        (DONE, 3, HOUR, Phase.UNDONE),
    ],
)
def test_an_undo_follows_the_table(
    outcome: Outcome, attempts: int, key_valid_for: timedelta | None, phase: Phase
) -> None:
    run = undoing(undo_attempts=attempts, key_valid_for=key_valid_for)

    run.end("a undo", outcome=outcome)

    assert run.node("a").phase is phase


def test_an_undo_waits_for_its_next_attempt_and_counts_it() -> None:
    run = undoing()

    run.end("a undo", outcome=BUSY)
    assert run.waits == 20 * SECOND
    run.pass_time()

    assert run.work[0].attempt == 2
    assert run.play().undone == ["a"]


def test_an_undo_in_doubt_stays_so_when_the_next_attempt_fails_otherwise() -> None:
    run = undoing(key_valid_for=timedelta(seconds=2))
    run.end("a undo", outcome=IN_DOUBT)
    run.pass_time()

    run.end("a undo", outcome=TRANSIENT)

    assert run.state.parked is ParkReason.UNDO_GAVE_UP


def test_an_undo_in_doubt_is_not_tried_again_under_a_dead_key() -> None:
    run = undoing(key_valid_for=HOUR)
    run.end("a undo", outcome=IN_DOUBT)

    run.wait(30 * HOUR)

    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    assert run.names(facts.UndoStarted) == ["a"]


def test_a_definite_failure_to_undo_is_tried_again_however_late() -> None:
    run = undoing(key_valid_for=HOUR)
    run.end("a undo", outcome=TRANSIENT)

    run.wait(30 * HOUR)

    assert run.at_work == ["a undo"]


def test_an_undo_that_gives_up_does_not_stop_the_others_and_the_run_is_parked() -> None:
    run = Run(SHOP, {"ship": [DECLINED], "authorize undo": [PERMANENT]}).play()

    assert run.undone == ["capture", "reserve"]
    assert run.names(facts.UndoLeft) == ["authorize"]
    assert run.state.parked is ParkReason.UNDO_GAVE_UP
    assert run.state.ended is None
    assert run.state.rollback is None


# Local undos -------------------------------------------------------------------------------------


def test_a_local_undo_starts_and_ends_in_an_append_of_its_own() -> None:
    plan = plan_of(local("book", undo_local=True), local("note"), step("ship", "note"))
    run = Run(plan)

    run.end("ship", outcome=DECLINED)

    assert [[type(fact) for fact in append] for append in run.history[-3:]] == [
        [facts.NodeFailed, facts.NodeGaveUp, facts.RollbackBegan, facts.NodeKept],
        [facts.UndoStarted, facts.UndoDone],
        [facts.RunEnded],
    ]


@pytest.mark.parametrize("failure", [TRANSIENT, IN_DOUBT])
def test_a_local_undo_is_never_in_doubt_and_is_tried_again(failure: Failure) -> None:
    plan = plan_of(local("book", undo_local=True, key_valid_for=None), step("ship", "book"))
    run = Run(plan, {"book undo": [failure, DONE], "ship": [DECLINED]})

    run.end("ship")
    assert run.waits == SECOND
    run.play()

    assert run.undone == ["book"]
    assert not run.node("book").undo_doubt


def test_a_local_undo_is_given_again_until_its_outcome_is_there() -> None:
    run = Run(plan_of(local("book", undo_local=True), step("ship", "book")))
    run.state.nodes[0].undo_attempt = 0
    for fact in (
        facts.NodeFailed("ship", DECLINED, run.now),
        facts.NodeGaveUp("ship", run.now),
        facts.RollbackBegan(Cause.ERROR, run.now),
    ):
        run.fold(fact, [])

    assert run.ask().commands == run.ask().commands == (Local(0, 1, "undo"),)


def test_a_step_may_have_a_local_undo() -> None:
    run = Run(plan_of(step("a", undo_local=True), step("b", "a")), {"b": [DECLINED]}).play()

    assert run.undone == ["a"]


@pytest.mark.parametrize(
    ("compensate", "script", "undone"),
    [
        (True, {"b": [PERMANENT], "b ask": [PROCEED], "c": [DECLINED]}, ["b", "a"]),
        (True, {"b": [PERMANENT], "b ask": [Abort()]}, ["a"]),
        (False, {"b": [PERMANENT]}, ["a"]),
    ],
)
def test_a_definite_failure_is_asked_about_before_the_run_turns_back(
    compensate: bool,  # noqa: FBT001 - a column of the table
    script: dict[str, list[Failure]],
    undone: list[str],
) -> None:
    plan = plan_of(
        step("a", undo=True), step("b", "a", undo=True, compensate=compensate), step("c", "b")
    )

    run = Run(plan, script).play()

    assert run.undone == undone
