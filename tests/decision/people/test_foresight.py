"""What a request would come to, as far as that is known before a body has ended."""

from __future__ import annotations

from datetime import timedelta

from makegood.decision import facts
from makegood.decision.facts import Cause, ControlAnswer
from makegood.decision.people.foresight import ControlPreview, preview_request
from tests.decision.driver import GIVEN, Run, snapshot
from tests.decision.people.test_retracing import SHOP, before_shipping
from tests.decision.people.test_steering import shopping
from tests.decision.plans import expect, plan_of, step

ACCEPTED = ControlAnswer.ACCEPTED


def foreseen(run: Run, kind: type[facts.Request], **fields: object) -> ControlPreview:
    """Return what a request would come to, and see that asking changes nothing."""
    before = snapshot(run.state)
    request = kind(post=9, actor="eve", reason="", at=run.now, **fields)  # type: ignore[call-arg]
    preview = preview_request(run.plan, run.recorded, request)
    assert snapshot(run.state) == before
    return preview


def test_a_pause_names_what_is_at_work() -> None:
    run = Run(SHOP)

    assert foreseen(run, facts.PauseRequested) == ControlPreview(
        answer=ACCEPTED, at_work=("look",), status="paused"
    )


def test_a_resume_names_what_begins_bodies_and_what_is_computed() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold"), expect("flag", "hold")))
    run.pause()
    run.end("hold")

    assert foreseen(run, facts.ResumeRequested).begins == ("flag",)


def test_a_resume_after_the_last_node_builds_the_value() -> None:
    run = Run(shopping.plan)
    run.pause()

    assert foreseen(run, facts.ResumeRequested).begins == ()
    done = Run(plan_of(step("hold"), returns=shopping.plan.returns))
    done.pause()
    done.end("hold")
    assert foreseen(done, facts.ResumeRequested).begins == ("return",)


def test_a_skip_that_is_refused_names_who_needs_the_node() -> None:
    run = Run(shopping.plan)
    run.end("items_of")
    run.pause()

    needed = foreseen(run, facts.SkipRequested, node="lines[0]/last")

    assert (needed.answer, needed.needed_by) == (ControlAnswer.NEEDED, ("lines",))


def test_a_retry_from_a_node_names_what_is_undone_and_done_again() -> None:
    assert foreseen(before_shipping(), facts.RetryFromRequested, node="hold") == ControlPreview(
        answer=ACCEPTED,
        undoes=("pay", "hold"),
        again=("hold", "sum", "pay", "ship"),
        status="paused",
    )


def test_what_waits_for_a_body_is_not_answered_yet() -> None:
    run = Run(SHOP)
    run.end("look")

    preview = foreseen(run, facts.RetryFromRequested, node="look")

    assert (preview.answer, preview.is_possible) == (None, False)
    assert preview.at_work == ("hold", "note")


def test_a_resume_after_the_deadline_goes_back() -> None:
    run = Run(plan_of(step("hold", undo=True), step("pay", "hold")), deadline=timedelta(minutes=1))
    run.pause()
    run.end("hold")
    run.wait(timedelta(minutes=2))

    assert foreseen(run, facts.ResumeRequested) == ControlPreview(
        answer=ACCEPTED, begins=("hold",), goes_back=Cause.DEADLINE, status="undoing"
    )


def test_a_result_that_is_given_begins_what_comes_after() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold"), step("ship", "pay")))
    run.pause()
    run.end("hold")
    run.set_result("pay")

    preview = foreseen(run, facts.ResumeRequested)

    assert preview.begins == ("ship",)
    given = foreseen(run, facts.SetResultRequested, node="ship", result=GIVEN)
    assert (given.answer, given.status) == (ACCEPTED, "paused")
