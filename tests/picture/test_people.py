"""What people are told of a run that waits for one of them, and of what they asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import ParkReason
from makegood.picture import Happened, Happening, Standing
from makegood.values.verdict import ItDidNotHappen, ItHappened, Kept, UndoneByHand
from tests.decision.driver import DONE, PERMANENT, START_AT, Run
from tests.decision.lifecycle.parked import moved_too_often, paused_too_often, refused
from tests.decision.people import parked
from tests.decision.plans import plan_of, pure, step
from tests.picture.told import lines, story_of, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.values.verdict import Settlement

PARKED: list[tuple[Callable[[], Run], ParkReason, tuple[str, ...], str]] = [
    (
        parked.in_doubt,
        ParkReason.IN_DOUBT,
        ("pay",),
        "parked, in doubt: nobody can say whether something happened",
    ),
    (
        parked.unrecorded,
        ParkReason.UNRECORDED,
        ("pay",),
        "parked, unrecorded effect: something happened whose result is not on record",
    ),
    (
        parked.pay_left,
        ParkReason.UNDO_GAVE_UP,
        ("pay",),
        "parked, undo gave up: what it was to take back still stands",
    ),
    (
        parked.used_up,
        ParkReason.FORWARD_USED_UP,
        ("ship",),
        "parked, forward retries used up after the pivot: it is past its pivot, cannot go back, "
        "and has no attempt left to go on",
    ),
    (
        parked.child_parked,
        ParkReason.CHILD_PARKED,
        ("ship",),
        "parked, a child run is parked: a run that it has called waits for a person",
    ),
    (
        refused,
        ParkReason.DEFINITION,
        ("order[0]/take",),
        "parked, definition error: a handler gave what it does not declare, or cannot be called",
    ),
    (
        moved_too_often,
        ParkReason.MOVED_TOO_OFTEN,
        (),
        "parked, moved too often: it has gone from status to status, or called a handler, as often "
        "as it may",
    ),
    (
        paused_too_often,
        ParkReason.PAUSED_TOO_OFTEN,
        (),
        "parked, paused too often: it was paused again and again, and does not go on by itself any "
        "more",
    ),
    (
        parked.poisoned,
        ParkReason.POISON,
        (),
        "parked, poison: it ended or stopped every worker that took it, without any progress",
    ),
]


@pytest.mark.parametrize(("make", "reason", "left", "text"), PARKED)
def test_a_parked_run_says_why_and_what_it_waits_for(
    make: Callable[[], Run], reason: ParkReason, left: tuple[str, ...], text: str
) -> None:
    timeline = told(make())

    assert (timeline.status, timeline.reason, timeline.left) == ("parked", reason, left)
    assert timeline.story[-1].text == text


def test_every_reason_to_park_is_told() -> None:
    assert {reason for _, reason, _, _ in PARKED} == set(ParkReason)


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (parked.in_doubt, "nobody can say whether it happened"),
        (parked.unrecorded, "it happened, and its result is not on record"),
        (parked.pay_left, "its undo gave up, and it still stands"),
    ],
)
def test_what_is_left_says_what_is_the_matter_with_it(make: Callable[[], Run], note: str) -> None:
    assert story_of(told(make()), "pay").note == note


def test_a_run_that_was_parked_before_its_first_fact_is_told() -> None:
    run = Run(plan_of(step("pay")), starts=False)
    run.append([facts.Parked(ParkReason.POISON, START_AT)], fold_them=True)

    assert [entry.text for entry in told(run).story] == [PARKED[-1][-1]]


def test_a_request_is_told_with_its_actor_its_reason_and_its_answer() -> None:
    run = Run(plan_of(step("pay", undo=True))).play()
    run.undo()
    run.play()
    run.cancel()

    timeline = told(run)

    asked = [e for e in timeline.story if isinstance(e, Happened) and e.actor is not None]
    assert [(e.what, e.actor, e.reason, e.answer, e.text) for e in asked] == [
        (
            Happening.UNDO_REQUESTED,
            "eve",
            "why not",
            "accepted",
            "eve asked to undo it (why not): accepted",
        ),
        (
            Happening.CANCEL_REQUESTED,
            "eve",
            "why not",
            "too late",
            "eve asked to cancel it (why not): too late",
        ),
    ]
    assert lines(timeline)[-2].startswith(
        "+0 cancelled, it was to be undone after it had completed"
    )


def test_a_request_that_nobody_has_answered_says_so() -> None:
    run = Run(plan_of(step("pay", pivot=True)))
    run.cancel()

    assert lines(told(run))[-1] == "+0 eve asked to cancel it (why not): not answered yet"


@pytest.mark.parametrize(
    ("make", "settlement", "standing", "said"),
    [
        (parked.in_doubt, ItHappened(Raw(b"7")), Standing.DONE, "it happened"),
        (parked.in_doubt, ItDidNotHappen(), Standing.FAILED, "it did not happen"),
        (parked.pay_left, UndoneByHand(), Standing.UNDONE, "it was undone by hand"),
        (parked.pay_left, Kept(), Standing.KEPT, "it stays as it is"),
    ],
)
def test_what_a_person_settles_is_told_with_who_and_why(
    make: Callable[[], Run], settlement: Settlement, standing: Standing, said: str
) -> None:
    run = make()
    run.settle("pay", settlement)
    run.play()

    timeline = told(run)

    texts = [entry.text for entry in timeline.story]
    assert f"eve asked to settle it, {said} (asked the bank): accepted" in texts
    assert "no longer parked" in texts
    paid = story_of(timeline, "pay")
    assert paid.note == f"settled by eve, {said} (asked the bank)"
    assert paid.note in texts
    assert paid.standing is standing


def test_a_request_about_a_node_that_there_is_not_is_told_with_its_refusal() -> None:
    run = parked.in_doubt()
    run.settle("nowhere", Kept())

    assert lines(told(run))[-1] == (
        "+0 nowhere: eve asked to settle it, it stays as it is (asked the bank): no such node"
    )


def test_what_a_person_has_tried_again_is_told_and_no_longer_left() -> None:
    run = parked.pay_left()
    run.retry("pay")
    run.play()

    timeline = told(run)

    assert lines(timeline)[-5:] == [
        "+0 pay: eve asked to try it again (it is up again): accepted",
        *sorted(["+0 pay: has all its attempts again", "+0 no longer parked"]),
        "+0 pay: undo by undo_pay, attempt 2 done in 0 ms",
        "+0 failed, a step definitely failed: what was done is undone",
    ]
    assert story_of(timeline, "pay").note == ""


def test_what_a_person_holds_up_and_steers_is_told_with_who_and_why() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold"), step("ship", "pay")))
    run.pause()
    run.skip("pay")
    run.set_result("ship")
    run.skip("nothing")
    run.end("hold")
    run.resume()

    said = [
        f"{each.node or ''}: {each.text}"
        for each in told(run).story
        if isinstance(each, Happened) and each.actor is not None
    ]
    assert said == [
        ": eve asked to pause it (why not): accepted",
        ": paused by eve (why not)",
        "pay: eve asked to skip it (by hand): accepted",
        "pay: is skipped by eve (by hand)",
        "ship: eve asked to give it a result (by hand): accepted",
        "ship: is given its result by eve (by hand)",
        "nothing: eve asked to skip it (by hand): no such node",
        ": eve asked to resume it (why not): accepted",
        ": resumed by eve (why not)",
    ]
    assert story_of(told(run), "pay").note == "a person had it skipped"


def test_a_value_that_is_to_be_computed_again_past_the_pivot_is_told() -> None:
    plan = plan_of(step("pay", pivot=True), pure("count", "pay"))
    run = Run(plan, {"count": [PERMANENT, DONE]}).play()
    run.retry("count")

    assert told(run).status == "completed"


def test_a_run_that_goes_back_to_a_node_is_told_with_what_is_done_again() -> None:
    run = Run(plan_of(step("hold", undo=True), step("pay", "hold", undo=True)))
    run.end("hold")
    run.pause()
    run.end("pay")
    run.turn(facts.RetryFromRequested(2, "pay", "eve", "a wrong price", run.now))
    run.resume()
    run.play()

    story = told(run)
    said = [each.text for each in story.story if isinstance(each, Happened)]
    assert "eve asked to do it again, and all that comes after it (a wrong price): accepted" in said
    assert "goes back to do it again, as was wanted by eve (a wrong price)" in said
    assert "goes forward again" in said
    assert story.status == "completed"
    assert (story_of(story, "pay").attempts, story_of(story, "pay").undo_attempts) == (2, 1)
    assert story_of(story, "pay").standing is Standing.DONE
