"""What is done about an attempt that ended without a result: the table of `doubt`, row by row."""

from __future__ import annotations

from datetime import timedelta

import pytest

from makegood.decision import facts
from makegood.decision.facts import EndStatus, ParkReason, SkipReason
from makegood.decision.state import Phase
from makegood.values.instants import after
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    RetryFresh,
    RetryNow,
    Undecided,
)
from tests.decision.driver import (
    DECLINED,
    DONE,
    IN_DOUBT,
    PERMANENT,
    PROCEED,
    TRANSIENT,
    UNRECORDED,
    Given,
    Outcome,
    Run,
)
from tests.decision.plans import DAY, HOUR, plan_of, query, step

SECOND = timedelta(seconds=1)
BUSY = Failure(kind=FailureKind.TRANSIENT, type="shop.Busy", retry_after=20 * SECOND)

NEXT = {
    Phase.DONE: "done",
    Phase.KEPT: "done",
    Phase.RUNNING: "again",
    Phase.RETRYING: "again",
    Phase.ASKING: "ask",
    Phase.ASK_AGAIN: "ask",
    Phase.GAVE_UP: "gave up",
    Phase.STUCK: "stuck",
    Phase.STOPPED: "dropped",
}
SKIPPED = {"gave up": SkipReason.OPTIONAL, "stuck": SkipReason.IN_DOUBT}

FRESH = RetryFresh("looked it up")
EITHER = (False, True)


def ended(
    outcome: Outcome,
    verdict: Given | Failure | None = None,
    *,
    left: bool = True,
    turning: bool = False,
    optional: bool = False,
    key_valid_for: timedelta | None = DAY,
) -> Run:
    """Return a run in which `pay` has ended like this, and was asked about if it can be."""
    run = Run(
        plan_of(
            step(
                "pay",
                attempts=3 if left else 1,
                compensate=verdict is not None,
                ask_attempts=2 if left else 1,
                optional=optional,
                key_valid_for=key_valid_for,
            ),
            step("other"),
        )
    )
    if turning:
        run.end("other", outcome=DECLINED)
    run.end("pay", outcome=outcome)
    if verdict is not None:
        run.end("pay ask", outcome=verdict)
    return run


def check(run: Run, expected: str, *, optional: bool) -> None:
    if optional and expected in SKIPPED:
        assert facts.NodeSkipped("pay", SKIPPED[expected], run.now) in run.recorded
        return
    assert NEXT[run.node("pay").phase] == expected


@pytest.mark.parametrize("optional", EITHER)
@pytest.mark.parametrize(
    ("outcome", "left", "turning", "expected"),
    [
        (TRANSIENT, True, False, "again"),
        (TRANSIENT, True, True, "gave up"),
        (TRANSIENT, False, False, "gave up"),
        (TRANSIENT, False, True, "gave up"),
        (PERMANENT, True, False, "gave up"),
        (PERMANENT, True, True, "gave up"),
        (DECLINED, True, False, "gave up"),
        (DECLINED, True, True, "gave up"),
        (IN_DOUBT, True, False, "again"),
        (IN_DOUBT, True, True, "again"),
        (IN_DOUBT, False, False, "stuck"),
        (IN_DOUBT, False, True, "stuck"),
    ],
)
def test_an_attempt_without_compensate_follows_the_table(
    outcome: Failure, *, left: bool, turning: bool, expected: str, optional: bool
) -> None:
    run = ended(outcome, left=left, turning=turning, optional=optional)

    check(run, expected, optional=optional)


VERDICTS: list[tuple[Given | Failure, bool | None, bool | None, bool | None, str]] = [
    # verdict, in doubt, granted more, turning back (None: either), what follows
    (PROCEED, None, None, None, "done"),
    (Abort(), None, None, None, "gave up"),
    (RetryNow(), True, True, None, "again"),
    (RetryNow(), True, False, None, "stuck"),
    (RetryNow(), False, True, False, "again"),
    (RetryNow(), False, True, True, "gave up"),
    (RetryNow(), False, False, None, "gave up"),
    (FRESH, None, True, False, "again"),
    (FRESH, None, True, True, "gave up"),
    (FRESH, None, False, None, "gave up"),
    (Undecided(), None, True, None, "ask"),
    (Undecided(), None, False, None, "stuck"),
    (TRANSIENT, None, True, None, "ask"),
    (IN_DOUBT, None, True, None, "ask"),
    (TRANSIENT, True, False, None, "stuck"),
    (TRANSIENT, False, False, None, "gave up"),
    (PERMANENT, True, None, None, "stuck"),
    (PERMANENT, False, None, None, "gave up"),
]


@pytest.mark.parametrize("optional", EITHER)
@pytest.mark.parametrize(
    ("verdict", "doubt", "left", "turning", "expected"),
    [
        (verdict, doubt, left, turning, expected)
        for verdict, doubts, lefts, turnings, expected in VERDICTS
        for doubt in (EITHER if doubts is None else (doubts,))
        for left in (EITHER if lefts is None else (lefts,))
        for turning in (EITHER if turnings is None else (turnings,))
    ],
)
def test_a_verdict_follows_the_table(
    verdict: Given | Failure,
    *,
    doubt: bool,
    left: bool,
    turning: bool,
    expected: str,
    optional: bool,
) -> None:
    outcome = IN_DOUBT if doubt else PERMANENT

    run = ended(outcome, verdict, left=left, turning=turning, optional=optional)

    check(run, expected, optional=optional)


# Doubt is sticky ------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [TRANSIENT, PERMANENT, IN_DOUBT])
def test_an_unknown_error_after_a_doubt_leaves_the_doubt(later: Failure) -> None:
    run = Run(plan_of(step("pay")), {"pay": [IN_DOUBT, later]}).play()

    assert run.names(facts.NodeStarted) == ["pay", "pay", "pay"]
    assert run.state.parked is ParkReason.IN_DOUBT


def test_a_definite_no_after_a_doubt_settles_it() -> None:
    run = Run(plan_of(step("pay")), {"pay": [IN_DOUBT, DECLINED]}).play()

    assert run.state.ended is EndStatus.FAILED


def test_a_result_after_a_doubt_settles_it() -> None:
    run = Run(plan_of(step("pay")), {"pay": [IN_DOUBT, DONE]}).play()

    assert run.state.ended is EndStatus.COMPLETED
    assert not run.node("pay").doubt


def test_undecided_about_a_definite_failure_makes_it_a_doubt() -> None:
    plan = plan_of(step("pay", compensate=True))

    answers: list[Outcome] = [Undecided(), PERMANENT]
    run = Run(plan, {"pay": [PERMANENT], "pay ask": answers}).play()

    assert run.state.parked is ParkReason.IN_DOUBT


def test_a_doubt_is_asked_about_once_per_failure_and_each_rerun_is_an_attempt() -> None:
    plan = plan_of(step("pay", compensate=True))

    run = Run(plan, {"pay": [IN_DOUBT], "pay ask": [RetryNow()]}).play()

    assert run.node("pay").attempt == 3
    assert run.names(facts.CompensateStarted) == ["pay", "pay", "pay"]
    assert run.state.parked is ParkReason.IN_DOUBT


# Keys -----------------------------------------------------------------------------------------


def test_a_retry_keeps_the_key_and_only_proof_makes_a_new_one() -> None:
    plan = plan_of(step("pay", compensate=True, attempts=5))
    answers: list[Outcome] = [RetryNow(), FRESH, RetryNow(), Abort()]
    run = Run(plan, {"pay": [IN_DOUBT], "pay ask": answers})
    generations = []

    while run.work:
        body = run.work[0]
        generations.append((run.name_of(body), body.generation))  # type: ignore[union-attr]
        run.end(body)

    assert generations == [
        ("pay", 0),
        ("pay ask", 0),
        ("pay", 0),
        ("pay ask", 0),
        ("pay", 1),
        ("pay ask", 1),
        ("pay", 1),
        ("pay ask", 1),
    ]


def test_a_new_key_has_its_own_age() -> None:
    run = Run(plan_of(step("pay", compensate=True, key_valid_for=HOUR)))
    run.now = after(run.now, HOUR)
    run.end("pay", outcome=IN_DOUBT)

    run.end("pay ask", outcome=FRESH)

    assert not run.node("pay").doubt
    assert run.node("pay").first_at == run.now


@pytest.mark.parametrize(("key_valid_for", "phase"), [(HOUR, Phase.RETRYING), (None, Phase.STUCK)])
def test_a_doubt_is_retried_only_while_the_key_is_known(
    key_valid_for: timedelta | None, phase: Phase
) -> None:
    run = ended(IN_DOUBT, key_valid_for=key_valid_for)

    assert run.node("pay").phase is phase


def test_a_key_that_will_be_dead_when_the_retry_is_due_is_not_used() -> None:
    run = ended(IN_DOUBT, key_valid_for=SECOND)

    assert run.node("pay").phase is Phase.STUCK


def test_a_retry_in_doubt_that_nobody_began_in_time_is_not_begun_under_a_dead_key() -> None:
    run = ended(IN_DOUBT, key_valid_for=HOUR)
    run.end("other")

    run.wait(30 * HOUR)

    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.names(facts.NodeStarted).count("pay") == 1


def test_a_verdict_that_outlived_the_key_is_asked_for_again() -> None:
    run = ended(IN_DOUBT, RetryNow(SECOND), key_valid_for=HOUR)

    run.wait(30 * HOUR)

    assert "pay ask" in run.at_work
    run.end("pay ask", outcome=RetryNow())
    assert "pay" in run.at_work, "this verdict knew how old the key is"


def test_a_verdict_about_a_key_that_nobody_keeps_is_followed() -> None:
    run = ended(IN_DOUBT, RetryNow(), key_valid_for=None)

    assert "pay" in run.at_work


def test_a_definite_retry_needs_no_known_key() -> None:
    run = ended(TRANSIENT, key_valid_for=None)
    run.end("other")

    run.wait(30 * HOUR)

    assert run.at_work == ["pay"]


# Times ----------------------------------------------------------------------------------------


def test_what_the_other_side_asks_to_wait_is_waited() -> None:
    run = ended(BUSY)
    run.end("other")

    assert run.waits == 20 * SECOND


@pytest.mark.parametrize("verdict", [RetryNow(HOUR), Undecided(HOUR)])
def test_a_verdict_says_itself_how_long_to_wait(verdict: Given) -> None:
    run = ended(IN_DOUBT, verdict)
    run.end("other")

    assert run.waits == HOUR


@pytest.mark.parametrize("verdict", [RetryNow(-HOUR), Undecided(-HOUR)])
def test_a_wait_that_is_negative_is_none(verdict: Given) -> None:
    run = ended(IN_DOUBT, verdict)

    assert run.at_work[-1] in {"pay", "pay ask"}


@pytest.mark.parametrize(("outcome", "end"), [(TRANSIENT, Phase.GAVE_UP), (IN_DOUBT, Phase.STUCK)])
def test_no_attempt_is_scheduled_after_the_time_for_all(outcome: Failure, end: Phase) -> None:
    run = Run(plan_of(step("pay", timeout_total=SECOND)))

    run.end("pay", outcome=outcome)

    assert run.node("pay").phase is end


@pytest.mark.parametrize(
    ("compensate", "outcome", "phase"),
    [
        (False, TRANSIENT, Phase.GAVE_UP),
        (False, IN_DOUBT, Phase.STUCK),
        (True, TRANSIENT, Phase.ASKING),
    ],
)
def test_an_attempt_that_comes_due_too_late_is_not_begun(
    compensate: bool,  # noqa: FBT001 - a column of the table
    outcome: Failure,
    phase: Phase,
) -> None:
    run = Run(plan_of(step("pay", timeout_total=2 * SECOND, compensate=compensate)))
    run.end("pay", outcome=outcome)
    assert run.node("pay").phase is Phase.RETRYING

    run.wait(HOUR)

    assert run.node("pay").phase is phase


def test_a_verdict_cannot_lengthen_the_time_for_all() -> None:
    run = Run(plan_of(step("pay", compensate=True, timeout_total=2 * SECOND)))
    run.end("pay", outcome=IN_DOUBT)

    run.end("pay ask", outcome=RetryNow(HOUR))

    assert run.state.parked is ParkReason.IN_DOUBT


def test_a_new_key_does_not_lengthen_the_time_for_all() -> None:
    run = Run(plan_of(step("pay", compensate=True, timeout_total=2 * SECOND)))
    run.end("pay", outcome=IN_DOUBT)
    run.end("pay ask", outcome=FRESH)
    run.wait(3 * SECOND)
    run.end("pay", outcome=IN_DOUBT)

    run.end("pay ask", outcome=FRESH)

    assert run.state.ended is EndStatus.FAILED


# What is never in doubt, and what is worse than doubt -------------------------------------------


@pytest.mark.parametrize("outcome", [TRANSIENT, IN_DOUBT])
def test_a_query_is_never_in_doubt_and_is_asked_again(outcome: Failure) -> None:
    run = Run(plan_of(query("look")), {"look": [outcome]}).play()

    assert run.node("look").attempt == 3
    assert not run.node("look").doubt
    assert run.state.ended is EndStatus.FAILED


@pytest.mark.parametrize("optional", EITHER)
def test_an_unrecorded_effect_parks_without_asking_or_trying_again(*, optional: bool) -> None:
    plan = plan_of(step("pay", compensate=True, optional=optional), step("other"))
    run = Run(plan)

    run.end("pay", outcome=UNRECORDED)
    assert run.at_work == ["other"], "what is in flight is awaited"
    run.end("other")

    assert run.state.parked is ParkReason.UNRECORDED


def test_nothing_new_starts_while_a_node_is_stuck() -> None:
    run = Run(plan_of(step("pay", attempts=1), step("b"), step("c", "b"), step("d")))
    run.end("d", outcome=TRANSIENT)
    run.end("pay", outcome=IN_DOUBT)
    assert run.node("pay").phase is Phase.STUCK

    run.end("b")

    assert run.state.parked is ParkReason.IN_DOUBT
    assert run.at_work == []
    assert run.node("d").phase is Phase.RETRYING, "it is left for whoever settles the doubt"


def test_a_doubt_is_settled_although_another_node_is_stuck() -> None:
    run = Run(plan_of(step("pay", attempts=1), step("hold")))
    run.end("hold", outcome=IN_DOUBT)
    run.end("pay", outcome=IN_DOUBT)

    assert run.state.parked is None
    run.pass_time()

    assert run.at_work == ["hold"]
