"""How handlers are tried again, when that pauses the run, and workflows that are called."""

from __future__ import annotations

from datetime import timedelta

from makegood.decision import facts
from makegood.decision.facts import Cause, EndStatus, ParkReason
from makegood.decision.state import Phase
from tests.decision.driver import PERMANENT, TRANSIENT
from tests.decision.lifecycle.driving import (
    Course,
    calls,
    cancelling,
    entry,
    goto,
    hear,
    plan_of_lifecycle,
    timer,
)

MINUTE = timedelta(minutes=1)
SHOP = plan_of_lifecycle(
    entry("take", "A", to="B", undo=True),
    hear("settle", "B", to="C D"),
    timer("remind", "B", to="D", due=timedelta(hours=1)),
    entry("send", "C", to="D", undo=True),
)


# Attempts -----------------------------------------------------------------------------------------


def test_a_handler_is_tried_again_like_every_step() -> None:
    run = Course(SHOP)

    run.end("order[0]/take", outcome=TRANSIENT)
    run.pass_time()

    assert run.at_work == ["order[0]/take"]
    assert run.node("order[0]/take").attempt == 2


def test_a_handler_that_gives_up_turns_the_run_back() -> None:
    run = Course(SHOP)
    run.give("take", goto("B"))
    run.message()

    run.end(run.path("settle"), outcome=PERMANENT)
    run.play()

    assert (run.state.ended, run.undone) == (EndStatus.FAILED, ["order[0]/take"])


PATIENT = plan_of_lifecycle(
    entry("take", "A", to="B", attempts=1), pauses=True, resume_after=MINUTE, resumes_max=2
)


def test_where_that_pauses_the_run_it_goes_on_by_itself_after_twice_as_long() -> None:
    run = Course(PATIENT)

    run.end(run.path("take"), outcome=PERMANENT)
    first = (run.state.status, run.waits)
    run.pass_time()
    again_at_work = run.busy
    run.end(run.path("take"), outcome=PERMANENT)

    assert (first, again_at_work) == (("paused", MINUTE), ["take"])
    assert run.waits == 2 * MINUTE
    paused = run.recorded[-1]
    assert isinstance(paused, facts.Paused)
    assert paused.reason == "it failed: ValueError"


def test_a_run_that_was_paused_too_often_waits_for_a_person() -> None:
    run = Course(PATIENT)

    for _ in range(2):
        run.end(run.path("take"), outcome=PERMANENT)
        run.pass_time()
    run.end(run.path("take"), outcome=PERMANENT)

    assert (run.state.parked, run.waits) == (ParkReason.PAUSED_TOO_OFTEN, None)
    assert run.retry() is facts.ControlAnswer.ACCEPTED
    assert run.busy == ["take"]


def test_a_success_lets_the_row_of_pauses_begin_anew() -> None:
    plan = plan_of_lifecycle(
        entry("take", "A", to="A B", attempts=1), pauses=True, resume_after=MINUTE, resumes_max=1
    )
    run = Course(plan)

    run.end(run.path("take"), outcome=PERMANENT)
    run.pass_time()
    run.give("take", goto("A"))
    run.end(run.path("take"), outcome=PERMANENT)

    assert (run.state.status, run.waits) == ("paused", MINUTE)


def test_a_person_who_resumes_a_paused_run_lets_the_row_begin_anew_too() -> None:
    run = Course(PATIENT)
    run.end(run.path("take"), outcome=PERMANENT)

    run.resume()
    run.end(run.path("take"), outcome=PERMANENT)

    assert run.waits == MINUTE


def test_without_an_end_a_pause_lasts_until_a_person_resumes_the_run() -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B", attempts=1), pauses=True))

    run.end(run.path("take"), outcome=PERMANENT)

    assert (run.state.status, run.waits) == ("paused", None)


def test_a_long_row_of_pauses_is_no_longer_than_a_day_each() -> None:
    plan = plan_of_lifecycle(
        entry("take", "A", to="B", attempts=1),
        pauses=True,
        resume_after=timedelta(hours=5),
        resumes_max=100,
    )
    run = Course(plan)

    for _ in range(40):
        run.end(run.path("take"), outcome=PERMANENT)
        run.pass_time()
    run.end(run.path("take"), outcome=PERMANENT)

    assert run.waits == timedelta(days=1)


def test_what_gave_up_and_was_called_again_does_not_keep_the_run_from_its_end() -> None:
    run = Course(PATIENT)
    run.end(run.path("take"), outcome=PERMANENT)
    run.pass_time()

    run.give("take", goto("B"))

    assert run.state.ended is EndStatus.COMPLETED
    assert run.node("order[0]/take").phase is Phase.GAVE_UP


def test_a_run_that_a_person_has_paused_does_not_go_on_by_itself() -> None:
    run = Course(PATIENT)

    run.pause()

    assert (run.state.status, run.waits) == ("paused", None)


# Calls --------------------------------------------------------------------------------------------

CALLING = plan_of_lifecycle(calls("sent", "A", to="B", undo=True), hear("hear", "A", to="B"))


def test_a_workflow_is_called_on_entry_and_its_handler_when_it_has_ended() -> None:
    run = Course(CALLING)
    child = run.path("sent-run")

    called = (run.names(facts.ChildStarted), run.at_work, run.lifecycle.open)
    run.hear(_ended(run, child, EndStatus.COMPLETED))

    assert called == (["order[0]/sent-run"], [], {})
    assert run.at_work == ["order[0]/sent"]
    inputs = run.state.inputs_of(run.state.positions["order[0]/sent"])
    assert "@failed" not in inputs
    run.give("sent", goto("B"))
    assert run.state.ended is EndStatus.COMPLETED


def test_the_failure_of_what_was_called_is_given_to_the_handler() -> None:
    run = Course(CALLING)
    child = run.path("sent-run")

    run.hear(_ended(run, child, EndStatus.FAILED))

    assert run.at_work == ["order[0]/sent"]
    inputs = run.state.inputs_of(run.state.positions["order[0]/sent"])
    failed = bytes(inputs["@failed"]).decode()
    assert '"outcome":"failed","node":"order[0]/sent-run"' in failed
    assert run.node(child).phase is Phase.SKIPPED


def test_what_was_called_is_undone_as_one_unit_when_the_run_goes_back() -> None:
    run = Course(CALLING)
    child = run.path("sent-run")
    run.hear(_ended(run, child, EndStatus.COMPLETED))
    run.give("sent", cancelling())

    run.play()
    run.hear(_ended(run, child, EndStatus.CANCELLED, Cause.REVERSED))

    assert run.undone == ["order[0]/sent", "order[0]/sent-run"]


def _ended(
    run: Course, node: str, status: EndStatus, cause: Cause | None = None
) -> facts.ChildEnded:
    child = run.node(node).child
    assert child is not None
    failures = (PERMANENT,) if status is EndStatus.FAILED else ()
    return facts.ChildEnded(
        node=node, run=child, status=status, cause=cause, failures=failures, at=run.now
    )
