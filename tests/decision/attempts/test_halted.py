"""While a service is halted nothing is begun of what it is given to, and no attempt is used."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import EndStatus
from makegood.values.instants import after
from makegood.values.verdict import Proceed, RetryNow
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    START_AT,
    TRANSIENT,
    Outcome,
    Run,
    snapshot,
)
from tests.decision.plans import HOUR, plan_of, query, step

MINUTE = timedelta(minutes=1)
BANK = ("Bank",)


def halted(run: Run, duration: timedelta = MINUTE) -> Run:
    run.halt("Bank", duration)
    return run


def test_a_step_is_not_begun_before_the_halt_ends() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=BANK)))
    halted(run)
    run.end("hold")

    due = after(START_AT, MINUTE)
    assert run.history[-1][-1] == facts.NodeDelayed("pay", "do", 1, "Bank", due, START_AT)
    assert (run.at_work, run.state.status, run.waits) == ([], "waiting", MINUTE)

    run.pass_time()
    assert (run.at_work, run.node("pay").attempt) == (["pay"], 1)


def test_what_is_not_given_the_service_goes_on() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=BANK), step("ship", "hold")))
    halted(run)

    run.end("hold")

    assert run.at_work == ["ship"]


def test_it_waits_for_the_halt_that_ends_last() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=("Bank", "Post"))))
    run.halt("Bank", MINUTE)
    run.halt("Post", HOUR)

    run.end("hold")

    assert run.waits == HOUR


def test_a_halt_that_is_made_longer_is_waited_for_again() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=BANK)))
    halted(run)
    run.end("hold")
    halted(run, HOUR)

    run.pass_time()
    assert (run.at_work, run.waits) == ([], HOUR - MINUTE)

    run.pass_time()
    assert (run.at_work, run.node("pay").attempt) == (["pay"], 1)


def test_a_halt_that_is_lifted_early_is_waited_for_no_longer() -> None:
    run = Run(
        plan_of(
            step("hold", undo=True, services=BANK),
            step("pay", "hold", services=BANK, compensate=True),
        ),
        {"pay": [IN_DOUBT]},
    )
    for expected in ("pay", "pay ask", "hold undo"):
        halted(run, HOUR)
        run.end(run.work[0])
        assert (run.at_work, run.waits) == ([], HOUR)

        run.halts.clear()
        run.turn()

        assert run.at_work == [expected]
    assert run.now == START_AT


def test_a_retry_waits_too_and_no_attempt_is_used() -> None:
    run = Run(plan_of(step("pay", services=BANK)), {"pay": [TRANSIENT, TRANSIENT, DONE]})
    run.end("pay")
    halted(run)

    run.pass_time()
    assert run.history[-1] == (
        facts.NodeDelayed("pay", "do", 2, "Bank", after(START_AT, MINUTE), run.now),
    )
    run.pass_time()
    assert (run.at_work, run.node("pay").attempt) == (["pay"], 2)


@pytest.mark.parametrize("kind", [step, query])
def test_what_a_dead_worker_left_is_run_again_as_the_same_attempt(kind: object) -> None:
    run = Run(plan_of(kind("pay", services=BANK)))  # type: ignore[operator] # one of two
    halted(run)
    run.crash()

    assert (run.at_work, run.names(facts.NodeDelayed)) == ([], ["pay"])
    run.pass_time()
    assert (run.at_work, run.node("pay").attempt) == (["pay"], 1)


def test_a_step_in_doubt_is_not_asked_about_before_the_halt_ends() -> None:
    run = Run(
        plan_of(step("pay", services=BANK, compensate=True)),
        {"pay": [IN_DOUBT], "pay ask": [Proceed(result=None)]},
    )
    halted(run)
    run.end("pay")

    assert run.history[-1][-1] == facts.NodeDelayed(
        "pay", "compensate", 1, "Bank", after(START_AT, MINUTE), START_AT
    )
    assert run.node("pay").doubt
    run.pass_time()
    assert (run.at_work, run.node("pay").asked) == (["pay ask"], 1)


def test_an_interrupted_compensate_is_asked_again_for_the_same_time() -> None:
    run = Run(plan_of(step("pay", services=BANK, compensate=True)), {"pay": [IN_DOUBT]})
    run.end("pay")
    halted(run)
    run.crash()

    assert (run.at_work, run.names(facts.NodeDelayed)) == ([], ["pay"])
    run.pass_time()
    assert (run.at_work, run.node("pay").asked) == (["pay ask"], 1)


def test_the_undo_waits_and_those_before_it_in_order_wait_behind_it() -> None:
    run = Run(
        plan_of(
            step("hold", undo=True),
            step("pay", "hold", undo=True, services=BANK),
            step("ship", "pay"),
        ),
        {"ship": [DECLINED]},
    )
    run.end("hold")
    run.end("pay")
    halted(run)
    run.end("ship")

    assert run.history[-1][-1] == facts.NodeDelayed(
        "pay", "undo", 1, "Bank", after(START_AT, MINUTE), START_AT
    )
    assert (run.at_work, run.state.status) == ([], "undoing")
    run.pass_time()
    assert (run.at_work, run.node("pay").undo_attempt) == (["pay undo"], 1)
    run.play()
    assert run.undone == ["pay", "hold"]


def test_an_interrupted_undo_is_run_again_as_the_same_attempt() -> None:
    run = Run(
        plan_of(step("pay", undo=True, services=BANK), step("ship", "pay")), {"ship": [DECLINED]}
    )
    run.end("pay")
    run.end("ship")
    halted(run)
    run.crash()

    assert (run.at_work, run.names(facts.NodeDelayed)) == ([], ["pay"])
    run.pass_time()
    assert (run.at_work, run.node("pay").undo_attempt) == (["pay undo"], 1)


def test_a_halt_longer_than_the_key_leaves_the_doubt_to_a_person() -> None:
    """What is in doubt is looked at once more when its time has come: a dead key is not used."""
    run = Run(plan_of(step("pay", services=BANK, key_valid_for=HOUR)), {"pay": [IN_DOUBT] * 3})
    halted(run, 2 * HOUR)
    run.end("pay")
    run.pass_time()
    assert (run.at_work, run.names(facts.NodeDelayed)) == ([], ["pay"])

    run.pass_time()

    assert (run.at_work, run.state.parked) == ([], facts.ParkReason.IN_DOUBT)


def test_a_halt_beyond_the_total_time_of_a_step_fails_it() -> None:
    run = Run(plan_of(step("pay", services=BANK, timeout_total=MINUTE)), {"pay": [TRANSIENT]})
    run.end("pay")
    halted(run, HOUR)

    run.play()

    assert (run.state.status, run.begun["pay"]) == ("failed", 1)


def test_a_cancelled_run_does_not_wait_for_what_has_not_begun() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=BANK)))
    halted(run)
    run.end("hold")

    assert run.cancel() is facts.ControlAnswer.ACCEPTED

    assert run.state.status == "cancelled"
    assert run.names(facts.NodeStopped) == ["pay"]


def test_the_deadline_of_the_run_passes_all_the_same() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=BANK)), deadline=MINUTE)
    halted(run, HOUR)
    run.end("hold")
    assert run.waits == MINUTE

    run.pass_time()

    assert (run.state.status, run.state.cause) == ("failed", facts.Cause.DEADLINE)


@pytest.mark.parametrize("is_turning", [False, True])
def test_what_had_its_intent_and_no_turn_is_handed_back_in_no_doubt(
    is_turning: bool,  # noqa: FBT001 - one of two ways
) -> None:
    run = Run(plan_of(step("hold"), step("pay")), {"hold": [DECLINED]})
    handed_back = facts.NodeDelayed("pay", "do", 1, "Bank", run.now, run.now)
    if is_turning:
        run.end("hold")

    run.work = [body for body in run.work if run.name_of(body) != "pay"]
    run.turn(handed_back)

    assert not run.node("pay").doubt
    if is_turning:
        assert (run.state.status, run.names(facts.NodeStopped)) == ("failed", ["pay"])
    else:
        assert (run.at_work, run.node("pay").attempt) == (["hold", "pay"], 1)


def test_what_is_handed_back_after_its_end_is_dropped() -> None:
    run = Run(plan_of(step("pay")))
    run.end("pay")
    stored = len(run.history)

    run.turn(facts.NodeDelayed("pay", "do", 1, "Bank", run.now, run.now))

    assert (len(run.history), run.state.status) == (stored, "completed")


def test_the_wait_is_folded_from_its_fact_alone() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=BANK)))
    halted(run)
    run.end("hold")
    folded, kept = snapshot(fold(run.plan, run.recorded)), snapshot(run.state)

    assert kept.pop("halted") != folded.pop("halted") == {}
    assert folded == kept


ENDS: list[Outcome] = [DONE, TRANSIENT, DECLINED, PERMANENT, IN_DOUBT]


@given(
    outcomes=st.lists(st.sampled_from(ENDS), min_size=1, max_size=4),
    answers=st.lists(st.sampled_from([RetryNow(), Proceed(result=None)]), min_size=1, max_size=3),
    undos=st.lists(st.sampled_from([DONE, TRANSIENT]), min_size=1, max_size=3),
    halts=st.lists(st.integers(0, 600), max_size=12),
    asks=st.booleans(),
)
def test_halts_change_when_a_run_ends_and_not_how(
    outcomes: list[Outcome],
    answers: list[Outcome],
    undos: list[Outcome],
    halts: list[int],
    asks: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    plan = plan_of(
        step("hold", undo=True, services=BANK),
        step("pay", "hold", undo=True, compensate=asks, services=BANK),
        step("ship", "pay", services=BANK),
    )
    script: dict[str, list[Outcome]] = {
        "pay": outcomes,
        "pay ask": answers,
        "hold undo": undos,
        "ship": [DECLINED],
    }

    def play(halts: list[int]) -> Run:
        run, left = Run(plan, script), [*halts]
        for _ in range(400):
            if left:
                run.halt("Bank", timedelta(seconds=left.pop()))
            if run.work:
                run.end(run.work[0])
            elif not run.pass_time():
                break
        return run

    smooth, rough = play([]), play(halts)

    assert (rough.state.status, rough.undone) == (smooth.state.status, smooth.undone)
    assert rough.begun == smooth.begun
    assert [node.attempt for node in rough.state.nodes] == [
        node.attempt for node in smooth.state.nodes
    ]
    assert rough.state.ended in {EndStatus.FAILED, None}
