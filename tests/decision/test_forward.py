"""What starts, when, and in which append."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood.decision import facts
from makegood.decision.commands import Evaluate, Local, Start
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback, SkipReason
from makegood.decision.state import Phase
from makegood.definition.plan import Constant, FromNode, Items
from makegood.values.instants import after
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    SKIP,
    TRANSIENT,
    Run,
)
from tests.decision.plans import expect, local, note, plan_of, pure, query, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.definition.plan import Source
    from makegood.values.verdict import Failure
    from tests.decision.plans import Sketch

SECOND = timedelta(seconds=1)
CHAIN = plan_of(step("a"), step("b", "a"), step("c", "b"), step("d", "c"), step("e", "d"))
DIAMOND = plan_of(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))


def test_n_steps_in_a_row_cost_n_plus_one_appends() -> None:
    run = Run(CHAIN).play()

    assert len(run.history) == 6
    assert run.state.ended is EndStatus.COMPLETED


def test_a_step_done_and_the_next_one_started_are_one_append() -> None:
    run = Run(CHAIN)

    run.end("a")

    assert [type(fact) for fact in run.history[-1]] == [facts.NodeDone, facts.NodeStarted]
    assert run.at_work == ["b"]


def test_what_waits_for_the_same_node_starts_together_in_the_order_of_the_plan() -> None:
    run = Run(DIAMOND)

    run.end("a")

    assert run.at_work == ["b", "c"]


def test_a_node_waits_for_everything_that_it_needs() -> None:
    run = Run(DIAMOND)

    run.end("a")
    run.end("c")

    assert run.at_work == ["b"]


def test_a_plan_without_nodes_is_completed_at_once() -> None:
    run = Run(plan_of())

    assert run.state.ended is EndStatus.COMPLETED


def test_an_attempt_ends_at_its_timeout() -> None:
    run = Run(plan_of(step("a", timeout=SECOND)))

    assert run.work == [Start(0, 1, 0, after(run.now, SECOND))]


def test_an_attempt_without_a_timeout_ends_when_it_ends() -> None:
    run = Run(plan_of(step("a", timeout=None)))

    assert run.work == [Start(0, 1, 0, None)]


@pytest.mark.parametrize("timeout", [None, timedelta(hours=1)])
def test_the_tighter_timeout_wins(timeout: timedelta | None) -> None:
    run = Run(plan_of(step("a", timeout=timeout, timeout_total=SECOND)))

    assert run.work == [Start(0, 1, 0, after(run.now, SECOND))]


def test_the_time_for_all_attempts_counts_from_the_first() -> None:
    run = Run(plan_of(query("a", timeout_total=3 * SECOND)))
    started_at = run.now

    run.end("a", outcome=TRANSIENT)
    run.pass_time()

    assert run.work == [Start(0, 2, 0, after(started_at, 3 * SECOND))]


# What is computed within the turn -------------------------------------------------------------


def test_a_pure_value_is_recorded_in_the_append_that_needed_it() -> None:
    run = Run(plan_of(step("a"), pure("b", "a"), step("c", "b")))

    run.end("a")

    assert run.names(facts.NodeDone) == ["a", "b"]
    assert run.at_work == ["c"]
    assert len(run.history) == 2


@pytest.mark.parametrize("failure", [PERMANENT, TRANSIENT, IN_DOUBT, DECLINED])
@pytest.mark.parametrize("kind", [pure, expect])
def test_a_value_that_cannot_be_computed_is_not_computed_again(
    kind: Callable[[str], Sketch], failure: Failure
) -> None:
    run = Run(plan_of(kind("a")), {"a": [failure]})

    assert run.names(facts.NodeGaveUp) == ["a"]
    assert run.state.cause is Cause.ERROR
    assert run.state.rollback is Rollback.NONE


def test_an_expectation_that_holds_lets_the_run_go_on() -> None:
    run = Run(plan_of(expect("paid"), step("ship", "paid")))

    assert run.at_work == ["ship"]


def test_a_node_whose_guard_does_not_hold_is_skipped_and_satisfies_what_follows() -> None:
    run = Run(plan_of(step("gift", guard=True), step("ship", "gift")), {"gift guard": [SKIP]})

    assert facts.NodeSkipped("gift", SkipReason.GUARD, run.now) in run.recorded
    assert run.state.results[run.plan.positions["gift"]] is None
    assert run.at_work == ["ship"]


def test_a_guard_that_holds_is_asked_once() -> None:
    run = Run(plan_of(step("gift", guard=True)))

    run.end("gift", outcome=TRANSIENT)
    run.pass_time()

    assert run.names(facts.Guarded) == ["gift"]
    assert run.node("gift").attempt == 2


@pytest.mark.parametrize("failure", [PERMANENT, TRANSIENT, IN_DOUBT])
def test_a_guard_that_fails_leaves_nothing_to_ask_or_to_retry(failure: Failure) -> None:
    plan = plan_of(step("gift", guard=True, compensate=True))

    run = Run(plan, {"gift guard": [failure]})

    assert run.names(facts.CompensateStarted, facts.RetryScheduled, facts.NodeStarted) == []
    assert run.state.ended is EndStatus.FAILED


# Local bodies ------------------------------------------------------------------------------


def test_a_local_body_starts_and_ends_in_an_append_of_its_own() -> None:
    run = Run(plan_of(local("book"), step("ship", "book")))

    assert [[type(fact) for fact in append] for append in run.history] == [
        [facts.RunStarted],
        [facts.NodeStarted, facts.NodeDone],
        [facts.NodeStarted],
    ]


def test_local_bodies_run_one_at_a_time_in_the_order_of_the_plan() -> None:
    run = Run(plan_of(local("b"), local("a"), local("c", guard=True)))

    assert run.names(facts.NodeStarted) == ["b", "a", "c"]
    assert run.state.ended is EndStatus.COMPLETED


def test_what_works_outside_begins_before_a_local_body() -> None:
    run = Run(plan_of(local("book"), step("pay")))

    assert run.names(facts.NodeStarted) == ["pay", "book"]


def test_a_local_body_does_not_wait_for_a_body_at_work() -> None:
    run = Run(plan_of(step("a"), local("b")))

    assert run.names(facts.NodeDone) == ["b"]
    assert run.at_work == ["a"]


def test_a_local_body_is_given_again_until_its_outcome_is_there() -> None:
    run = Run(plan_of(local("a")), starts=False)

    assert run.ask().commands == run.ask().commands == (Local(0, 1, "do"),)


@pytest.mark.parametrize("failure", [TRANSIENT, IN_DOUBT])
def test_a_local_body_is_never_in_doubt_and_is_tried_again(failure: Failure) -> None:
    run = Run(plan_of(local("a")), {"a": [failure, DONE]})

    assert run.state.status == "waiting"
    assert not run.node("a").doubt
    run.play()

    assert run.node("a").attempt == 2
    assert run.state.ended is EndStatus.COMPLETED


# The end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("returns", [Constant("null"), FromNode(0)])
def test_a_value_that_is_on_record_already_is_not_built_again(returns: Source) -> None:
    run = Run(plan_of(step("a"), returns=returns)).play()

    assert run.state.returned is None
    assert run.state.ended is EndStatus.COMPLETED


@pytest.mark.parametrize("returns", [FromNode(0, (".total",)), Items((FromNode(0),))])
def test_a_value_that_is_built_is_recorded_before_the_run_ends(returns: Source) -> None:
    run = Run(plan_of(step("a"), returns=returns)).play()

    assert [type(fact) for fact in run.history[-1]] == [
        facts.NodeDone,
        facts.Returned,
        facts.RunEnded,
    ]


def test_a_run_is_only_completed_once_its_value_exists() -> None:
    plan = plan_of(step("a", undo=True), returns=FromNode(0, (".total",)))
    run = Run(plan, {"result": [PERMANENT]})

    run.end("a")

    assert run.state.status == "undoing"
    assert run.at_work == ["a undo"]
    assert run.play().state.ended is EndStatus.FAILED


def test_a_value_that_cannot_be_built_past_the_pivot_parks_the_run() -> None:
    plan = plan_of(step("a", pivot=True), returns=FromNode(0, (".total",)))

    run = Run(plan, {"result": [PERMANENT]}).play()

    assert run.state.parked is ParkReason.FORWARD_USED_UP


def test_an_optional_step_that_fails_has_no_result_and_the_run_goes_on() -> None:
    run = Run(plan_of(step("mail", optional=True), step("ship", "mail")))

    run.end("mail", outcome=PERMANENT)

    assert run.history[-1][1] == facts.NodeSkipped("mail", SkipReason.OPTIONAL, run.now)
    assert run.play().state.ended is EndStatus.COMPLETED


# Time --------------------------------------------------------------------------------------


def test_a_run_whose_deadline_passes_is_rolled_back() -> None:
    run = Run(plan_of(step("a", undo=True), step("b", "a")), deadline=SECOND)

    run.end("a")
    assert run.waits == SECOND
    run.pass_time()

    assert run.state.status == "undoing"
    assert run.at_work == ["b"], "an effect in flight is awaited"
    run.play()
    assert run.state.cause is Cause.DEADLINE
    assert run.undone == ["a"]


def test_a_run_that_completes_at_its_deadline_is_completed() -> None:
    run = Run(plan_of(step("a")), deadline=SECOND)

    run.now = after(run.now, SECOND)
    run.end("a")

    assert run.state.ended is EndStatus.COMPLETED


def test_a_failure_is_the_cause_even_when_the_deadline_passes_with_it() -> None:
    run = Run(plan_of(step("a")), deadline=SECOND)

    run.now = after(run.now, SECOND)
    run.end("a", outcome=DECLINED)

    assert run.state.cause is Cause.ERROR


def test_a_run_that_goes_back_does_not_wake_for_its_deadline() -> None:
    run = Run(plan_of(step("a"), step("b")), deadline=SECOND)

    run.end("a", outcome=DECLINED)

    assert run.state.status == "undoing"
    assert run.waits is None


def test_only_a_timer_makes_a_run_wait() -> None:
    run = Run(plan_of(step("a"), step("b")))

    run.end("a", outcome=TRANSIENT)
    assert run.state.status == "running"
    run.end("b")

    assert run.state.status == "waiting"
    assert run.waits == SECOND
    assert run.node("a").phase is Phase.RETRYING


def test_evaluations_are_wanted_and_nothing_is_recorded_of_them_yet() -> None:
    plan = plan_of(pure("a"), step("b", guard=True), expect("c"), note("d"))
    run = Run(plan, starts=False)

    decision = run.ask()

    assert decision.facts == ()
    assert decision.commands == (
        Evaluate(0, "value"),
        Evaluate(1, "guard"),
        Evaluate(2, "expect"),
        Evaluate(3, "note"),
    )


def test_results_are_in_the_order_of_the_plan() -> None:
    run = Run(plan_of(step("a"), step("b"), step("c", optional=True)))

    run.end("b")
    run.end("c", outcome=PERMANENT)

    assert [None if result is None else bytes(result) for result in run.state.results] == [
        None,
        b"1",
        None,
    ]


def test_nothing_starts_beside_a_demand_that_does_not_hold() -> None:
    plan = plan_of(query("find"), expect("in_stock", "find"), step("pay", "find"))

    run = Run(plan, {"in_stock": [PERMANENT]}).play()

    assert run.state.status == "failed"
    assert run.names(facts.NodeStarted) == ["find"]
