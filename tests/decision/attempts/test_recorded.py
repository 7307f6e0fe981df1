"""What a body records in the middle of an attempt, as the decision core sees it."""

from __future__ import annotations

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.values.verdict import RetryFresh, RetryNow
from tests.decision.driver import DECLINED, IN_DOUBT, PERMANENT, Run, snapshot
from tests.decision.plans import plan_of, step

HOLD, BOX = Raw(b'"hold"'), Raw(b'"box"')


def recorded(run: Run, path: str, value: Raw) -> None:
    run.turn(facts.Recorded(path, value, run.now))


def test_a_value_is_recorded_and_nothing_is_decided_from_it() -> None:
    run = Run(plan_of(step("pay", undo=True)))
    before = run.at_work

    recorded(run, "pay", HOLD)

    assert run.history[-1] == (facts.Recorded("pay", HOLD, run.now),)
    assert run.at_work == before == ["pay"]


def test_the_value_recorded_last_counts_and_survives_what_follows() -> None:
    run = Run(plan_of(step("pay", undo=True), step("ship", "pay")), {"ship": [DECLINED]})
    recorded(run, "pay", HOLD)
    recorded(run, "pay", BOX)

    run.end("pay")
    run.end("ship")

    assert run.at_work == ["pay undo"]
    assert run.node("pay").recorded == BOX


def test_an_undo_and_a_compensate_record_too() -> None:
    run = Run(
        plan_of(step("pay", undo=True, compensate=True), step("ship", "pay")),
        {"pay": [IN_DOUBT], "pay ask": [RetryNow()], "ship": [PERMANENT]},
    )
    run.end("pay")
    recorded(run, "pay", HOLD)
    assert (run.at_work, run.node("pay").recorded) == (["pay ask"], HOLD)

    run.end("pay ask")
    run.end("pay", outcome="done")
    run.end("ship")
    recorded(run, "pay", BOX)
    assert (run.at_work, run.node("pay").recorded) == (["pay undo"], BOX)


def test_what_is_recorded_is_kept_for_the_next_attempt_under_the_same_key() -> None:
    run = Run(plan_of(step("pay")), {"pay": [IN_DOUBT]})
    recorded(run, "pay", HOLD)

    run.end("pay")
    run.pass_time()

    assert (run.node("pay").attempt, run.node("pay").recorded) == (2, HOLD)


def test_a_proof_that_nothing_happened_takes_back_what_was_recorded() -> None:
    run = Run(
        plan_of(step("pay", compensate=True)),
        {"pay": [IN_DOUBT], "pay ask": [RetryFresh("barred")]},
    )
    recorded(run, "pay", HOLD)

    run.end("pay")
    run.end("pay ask")

    assert (run.node("pay").generation, run.node("pay").recorded) == (1, None)


@pytest.mark.parametrize("end", ["done", DECLINED])
def test_what_comes_after_the_end_of_the_attempt_is_dropped(end: object) -> None:
    run = Run(plan_of(step("pay")), {"pay": [end]})  # type: ignore[list-item] # one of two ends
    run.end("pay")
    stored = len(run.history)

    recorded(run, "pay", HOLD)

    assert run.node("pay").recorded is None
    assert len(run.history) == stored


def test_it_is_folded_again_from_the_facts_alone() -> None:
    run = Run(plan_of(step("pay")))
    recorded(run, "pay", HOLD)

    assert snapshot(fold(run.plan, run.recorded)) == snapshot(run.state)


def test_a_worker_that_dies_after_it_leaves_the_step_in_doubt_as_ever() -> None:
    run = Run(plan_of(step("pay", compensate=True)))
    recorded(run, "pay", HOLD)

    run.crash()

    assert run.at_work == ["pay ask"]
    assert (run.node("pay").doubt, run.node("pay").recorded) == (True, HOLD)
