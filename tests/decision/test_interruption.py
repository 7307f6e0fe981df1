"""What becomes of a run whose worker died: a restart is a fold and a decision."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Unpack

import pytest

from makegood.decision import facts
from makegood.decision.decide import CLAIMS_MAX
from makegood.decision.facts import EndStatus, ParkReason
from makegood.decision.state import Phase
from makegood.definition.plan import FromNode
from makegood.values.verdict import Abort, FailureKind, Undecided
from tests.decision.driver import DECLINED, DONE, IN_DOUBT, PROCEED, TRANSIENT, Run
from tests.decision.plans import HOUR, Policy, local, plan_of, pure, query, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.decision.driver import Outcome
    from tests.decision.plans import Sketch

SECOND = timedelta(seconds=1)


def interrupted(down: timedelta = SECOND, **policy: Unpack[Policy]) -> Run:
    """Return a run whose worker died in the body of `pay`."""
    run = Run(plan_of(step("pay", **policy)))
    run.crash(down=down)
    return run


@pytest.mark.parametrize(
    ("policy", "down", "at_work"),
    [
        ({}, SECOND, ["pay"]),
        ({"key_valid_for": HOUR}, 2 * HOUR, []),
        ({"key_valid_for": None}, SECOND, []),
        ({"compensate": True}, SECOND, ["pay ask"]),
        ({"compensate": True, "key_valid_for": None}, 30 * HOUR, ["pay ask"]),
        ({"timeout_total": 5 * SECOND}, SECOND, ["pay"]),
        ({"timeout_total": 5 * SECOND}, HOUR, []),
    ],
)
def test_an_interrupted_step_is_in_doubt(
    policy: Policy, down: timedelta, at_work: list[str]
) -> None:
    run = interrupted(down=down, **policy)

    assert run.at_work == at_work
    assert run.node("pay").doubt
    assert (run.state.parked is ParkReason.IN_DOUBT) == (not at_work)


def test_an_interrupted_step_says_why_it_is_in_doubt() -> None:
    failure = interrupted(key_valid_for=None).node("pay").failure

    assert failure is not None
    assert failure.kind is FailureKind.IN_DOUBT
    assert "died" in failure.message


def test_running_an_interrupted_step_again_is_not_an_attempt() -> None:
    run = interrupted(attempts=1)

    assert run.node("pay").attempt == 1
    assert run.names(facts.NodeStarted) == ["pay", "pay"]


def test_the_age_of_the_key_counts_from_the_first_intent() -> None:
    run = interrupted(key_valid_for=HOUR, down=timedelta(minutes=40))

    run.crash(down=timedelta(minutes=40))

    assert run.state.parked is ParkReason.IN_DOUBT


@pytest.mark.parametrize(
    ("back", "parked"), [(SECOND, None), (timedelta(hours=30), ParkReason.IN_DOUBT)]
)
def test_a_clock_that_went_back_says_nothing_of_the_keys_age(
    back: timedelta, parked: ParkReason | None
) -> None:
    """G7: the other side may have forgotten the key; workers' clocks may differ by a little."""
    run = interrupted(key_valid_for=HOUR, down=-back)

    assert run.state.parked is parked


def test_an_optional_step_that_was_interrupted_is_skipped_in_doubt() -> None:
    run = interrupted(optional=True, key_valid_for=None)

    assert run.state.skipped_in_doubt == [0]
    assert run.state.ended is EndStatus.COMPLETED


@pytest.mark.parametrize(("down", "phase"), [(SECOND, Phase.RUNNING), (HOUR, Phase.GAVE_UP)])
def test_an_interrupted_query_runs_again_while_it_has_time(down: timedelta, phase: Phase) -> None:
    run = Run(plan_of(query("look", timeout_total=5 * SECOND)))

    run.crash(down=down)

    assert run.node("look").phase is phase
    assert run.node("look").attempt == 1, "what a death interrupts is not an attempt"
    assert not run.node("look").doubt


def test_an_interrupted_query_is_dropped_when_the_run_is_turning_back() -> None:
    run = Run(plan_of(query("look"), step("pay")))
    run.state = Run(run.plan, starts=False).state
    run.history = [
        (
            *run.recorded,
            facts.NodeFailed("pay", DECLINED, run.now),
            facts.NodeGaveUp("pay", run.now),
        )
    ]

    run.crash()

    assert run.node("look").phase is Phase.STOPPED
    assert run.state.ended is EndStatus.FAILED


def test_an_interrupted_compensate_is_asked_the_same_again() -> None:
    run = Run(plan_of(step("pay", compensate=True, ask_attempts=1)))
    run.end("pay", outcome=IN_DOUBT)

    run.crash()

    assert run.at_work == ["pay ask"]
    assert run.work[0].attempt == 1
    run.end("pay ask", outcome=PROCEED)
    assert run.state.ended is EndStatus.COMPLETED


def undoing(key_valid_for: timedelta | None = HOUR) -> Run:
    """Return a run that is undoing `pay`, and has `hold` still to undo."""
    pay = step("pay", "hold", undo=True, key_valid_for=key_valid_for)
    run = Run(plan_of(step("hold", undo=True), pay, step("c", "pay")))
    run.end("hold")
    run.end("pay")
    run.end("c", outcome=DECLINED)
    assert run.at_work == ["pay undo"]
    return run


def test_an_interrupted_undo_goes_on_where_it_was() -> None:
    run = undoing()

    run.crash()

    assert run.at_work == ["pay undo"]
    assert run.work[0].attempt == 1
    assert run.play().undone == ["pay", "hold"]


@pytest.mark.parametrize(("key_valid_for", "down"), [(None, SECOND), (HOUR, 2 * HOUR)])
def test_an_interrupted_undo_is_left_when_its_key_is_dead(
    key_valid_for: timedelta | None, down: timedelta
) -> None:
    run = undoing(key_valid_for=key_valid_for)

    run.crash(down=down)

    assert run.names(facts.UndoLeft) == ["pay"]
    failure = run.node("pay").undo_failure
    assert failure is not None
    assert failure.kind is FailureKind.IN_DOUBT
    assert run.play().state.parked is ParkReason.UNDO_GAVE_UP
    assert run.undone == ["hold"]


def test_a_local_body_that_was_interrupted_left_nothing_behind() -> None:
    run = Run(plan_of(local("book"), step("ship", "book")), starts=False)
    started = Run(plan_of(step("x"))).recorded[0]
    run.history = [(started,)]

    run.crash()

    assert run.names(facts.NodeStarted) == ["book", "ship"]


def test_a_waiting_run_goes_on_waiting_after_a_crash() -> None:
    run = Run(plan_of(step("pay")))
    run.end("pay", outcome=TRANSIENT)

    run.crash()

    assert run.state.status == "waiting"
    assert run.waits == SECOND


# Poison -------------------------------------------------------------------------------------


def crash(run: Run, times: int) -> Run:
    for _ in range(times):
        run.crash()
    return run


def test_a_run_that_kills_its_workers_is_parked_as_poison() -> None:
    run = crash(Run(plan_of(step("pay"))), CLAIMS_MAX)
    assert run.at_work == ["pay"]

    run.crash()

    assert run.state.parked is ParkReason.POISON
    assert run.work == []


def test_progress_forgives_the_claims_before_it() -> None:
    run = crash(Run(plan_of(step("pay"), step("ship", "pay"))), CLAIMS_MAX)
    run.end("pay")

    crash(run, CLAIMS_MAX)

    assert run.at_work == ["ship"]


@pytest.mark.parametrize(
    "outcome", [{"pay": [TRANSIENT]}, {"pay": [IN_DOUBT], "pay ask": [Abort()]}]
)
def test_a_failure_is_progress_too(outcome: dict[str, list[Outcome]]) -> None:
    run = crash(Run(plan_of(step("pay", compensate=True)), outcome), CLAIMS_MAX)

    run.end(run.work[0])

    assert run.state.claims == 0


@pytest.mark.parametrize("name", ["ask", "undo"])
def test_a_compensate_and_an_undo_can_be_poison(name: str) -> None:
    if name == "undo":
        run = undoing()
    else:
        run = Run(plan_of(step("pay", compensate=True)))
        run.end("pay", outcome=IN_DOUBT)

    crash(run, CLAIMS_MAX + 1)

    assert run.state.parked is ParkReason.POISON


def recorded(run: Run, *more: facts.Fact) -> Run:
    """Return a run of which these facts are durable and nothing else is."""
    started = Run(plan_of(step("x"))).recorded[0]
    run.history = [(started, *more)]
    return run


@pytest.mark.parametrize("kind", [local, pure])
def test_what_leaves_no_trace_of_its_beginning_can_be_poison(kind: Callable[[str], Sketch]) -> None:
    run = recorded(Run(plan_of(kind("a")), starts=False))
    run.claims = CLAIMS_MAX

    run.crash()

    assert run.state.parked is ParkReason.POISON


def test_a_value_that_kills_whoever_builds_it_is_poison() -> None:
    plan = plan_of(query("a"), returns=FromNode(0, (".total",)))
    run = Run(plan, {"a": [DONE]}, starts=False)
    now = run.now
    recorded(run, facts.NodeStarted("a", 1, now), run.body_ended("a", DONE))
    run.claims = CLAIMS_MAX

    run.crash()

    assert run.state.parked is ParkReason.POISON


@pytest.mark.parametrize("direction", ["do", "undo"])
def test_a_local_body_whose_retry_kills_its_workers_is_poison(direction: str) -> None:
    if direction == "do":
        run = Run(plan_of(local("a")), {"a": [TRANSIENT, DONE]})
    else:
        plan = plan_of(step("a", undo_local=True), step("b", "a"))
        run = Run(plan, {"b": [DECLINED], "a undo": [TRANSIENT, DONE]})
        run.end("a")
        run.end("b")
    assert run.state.status in {"waiting", "undoing"}
    run.claims = CLAIMS_MAX

    run.crash(down=HOUR)

    assert run.state.parked is ParkReason.POISON


def test_a_run_that_only_waited_is_not_to_blame_for_the_deaths_of_its_workers() -> None:
    run = Run(plan_of(step("pay")))
    run.end("pay", outcome=TRANSIENT)

    crash(run, 2 * CLAIMS_MAX)
    assert run.state.status == "waiting"
    run.crash(down=HOUR)

    assert run.at_work == ["pay"]


@pytest.mark.parametrize("released", ["before", "after"])
def test_a_rollback_that_only_waited_is_not_to_blame_either(released: str) -> None:
    plan = plan_of(
        step("pay", compensate=True), step("hold", pivot=True), step("pack"), step("post", "pack")
    )
    run = Run(plan, {"pay": [IN_DOUBT], "pay ask": [Undecided(HOUR)]})
    run.end("pay")
    run.end("pay ask")
    if released == "before":
        run.cancel()
        run.end("pack")
        assert run.node("post").phase is Phase.READY, "held back while the pivot is open"
    run.end("hold", outcome=DECLINED)
    if released == "after":
        run.end("pack")

    crash(run, 2 * CLAIMS_MAX)

    assert run.state.status == "undoing"


def test_a_run_claimed_too_often_that_is_at_work_again_is_judged_by_its_next_interruption() -> None:
    run = Run(plan_of(step("pay"), local("book", "pay")))
    run.end("pay", outcome=TRANSIENT)
    crash(run, 2 * CLAIMS_MAX)
    run.pass_time()
    assert run.at_work == ["pay"]

    run.wait(SECOND)
    assert run.state.parked is None
    run.crash()

    assert run.state.parked is ParkReason.POISON
