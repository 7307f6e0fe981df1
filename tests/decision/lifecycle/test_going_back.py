"""How a lifecycle goes back: in exact reverse order, never past its pivot, and as people ask."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.decision.mail import AwaitNoMore, Message, mail_of
from makegood.decision.people.preview import preview_cancel
from makegood.values.ids import RunId
from makegood.values.verdict import ItDidNotHappen, ItHappened
from tests.decision.driver import IN_DOUBT, PERMANENT, START_AT, Outcome
from tests.decision.lifecycle.driving import (
    KEY,
    PATH,
    STAY,
    Course,
    cancelling,
    entry,
    failing,
    goto,
    hear,
    plan_of_lifecycle,
    timer,
)

ME = RunId("me")
MINUTE = timedelta(minutes=1)
LINE = plan_of_lifecycle(
    entry("one", "A", to="B", undo=True),
    entry("two", "B", to="A C", undo=True),
    hear("three", "C", to="D", undo=True),
    timer("late", "C", to="D", due=MINUTE),
    pivots=("D",),
)
PIVOT = plan_of_lifecycle(
    entry("one", "A", to="B", undo=True),
    entry("ship", "B", to="C D", undo=True),
    hear("back", "C", to="D", undo=True),
    pivots=("C",),
)


def test_everything_done_is_undone_in_exact_reverse_order_with_every_visit() -> None:
    run = Course(LINE)
    for name, status in (("one", "B"), ("two", "A"), ("one", "B"), ("two", "C")):
        run.give(name, goto(status))

    run.cancel()
    run.play()

    assert run.undone == ["order[3]/two", "order[2]/one", "order[1]/two", "order[0]/one"]
    assert (run.state.ended, run.state.cause) == (EndStatus.CANCELLED, Cause.CANCELLED)
    assert run.status == "C", "where it stood stays to be seen"


def test_a_run_that_goes_back_listens_no_more_and_gives_back_what_it_has_not_handled() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.give("two", goto("C"))
    run.pause()
    came = run.letter()
    run.turn(came)

    run.cancel()

    [append] = [each for each in run.history if facts.RollbackBegan in map(type, each)]
    assert list(mail_of(run.state, ME, append)) == [
        Message(came.id, "Paid", KEY, came.value, came.until, is_returned=True)
    ]
    assert (run.lifecycle.timers, run.lifecycle.open) == ({}, {})


def test_a_run_that_goes_back_while_it_listens_says_so() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.give("two", goto("C"))

    run.cancel()

    [append] = [each for each in run.history if facts.RollbackBegan in map(type, each)]
    assert list(mail_of(run.state, ME, append)) == [AwaitNoMore("Paid", KEY, PATH)]


def test_a_handler_at_work_is_awaited_and_then_undone_first() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))

    run.cancel()
    awaited = run.busy
    run.give("two", goto("C"))
    run.play()

    assert awaited == ["two"]
    assert (run.moves, run.undone) == (["A", "B"], ["order[1]/two", "order[0]/one"])


def test_a_handler_in_doubt_keeps_a_run_from_going_back() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))

    run.end(run.path("two"), outcome=IN_DOUBT)
    run.cancel()

    assert run.undone == []
    assert run.state.status == "undoing"


def test_a_completed_run_can_be_undone_once() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B", undo=True)))
    run.give("one", goto("B"))

    answer = run.undo()
    run.play()

    assert (answer, run.undone) == (ControlAnswer.ACCEPTED, ["order[0]/one"])
    assert run.state.cause is Cause.REVERSED


def test_a_deadline_turns_a_lifecycle_back() -> None:
    run = Course(LINE, deadline=timedelta(seconds=30))
    run.give("one", goto("B"))
    run.give("two", goto("C"))

    run.play()

    assert (run.state.cause, run.undone) == (Cause.DEADLINE, ["order[1]/two", "order[0]/one"])


# The pivot ----------------------------------------------------------------------------------------


def test_a_run_that_is_cancelled_before_it_has_entered_its_start_was_nowhere() -> None:
    beside = facts.CancelRequested(post=1, actor="ann", reason="not needed", at=START_AT)

    run = Course(LINE, beside=[beside])

    assert (run.moves, run.called, run.undone) == ([], [], [])
    assert (run.state.ended, run.state.cause) == (EndStatus.CANCELLED, Cause.CANCELLED)


def test_a_run_that_is_late_before_it_has_entered_its_start_was_nowhere() -> None:
    run = Course(LINE, deadline=timedelta(0))

    assert (run.moves, run.undone) == ([], [])
    assert (run.state.ended, run.state.cause) == (EndStatus.FAILED, Cause.DEADLINE)


def test_behind_its_pivot_a_run_is_neither_cancelled_nor_late() -> None:
    run = Course(PIVOT, deadline=MINUTE)
    run.give("one", goto("B"))
    run.give("ship", goto("C"))

    run.wait(2 * MINUTE)

    assert run.cancel() is ControlAnswer.PAST_PIVOT
    assert (run.state.status, run.state.deadline) == ("waiting", None)


def test_a_cancel_waits_for_a_handler_that_may_lead_behind_the_pivot() -> None:
    run = Course(PIVOT)
    run.give("one", goto("B"))

    unanswered = run.cancel()
    run.give("ship", goto("C"))

    assert (unanswered, run.state.answers[run.posts]) == (None, ControlAnswer.PAST_PIVOT)
    assert run.status == "C"


def test_a_cancel_is_accepted_when_that_handler_has_led_elsewhere_than_to_an_end() -> None:
    plan = plan_of_lifecycle(
        entry("ship", "A", to="B C", undo=True), hear("wait", "B", to="C"), pivots=("C",)
    )
    run = Course(plan)
    unanswered = run.cancel()

    run.give("ship", goto("B"))
    run.play()

    assert (unanswered, run.state.answers[run.posts]) == (None, ControlAnswer.ACCEPTED)
    assert run.undone == ["order[0]/ship"]


def test_a_move_beats_a_cancel_that_comes_in_the_same_turn() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B"), entry("two", "B", to="C")))
    run.give("one", goto("B"))
    run.work.clear()

    run.turn(
        facts.NodeDone("order[1]/two", Raw(b'{"outcome":"goto","status":"C"}'), run.now),
        facts.CancelRequested(9, "eve", "why not", run.now),
    )

    assert (run.state.ended, run.state.answers[9]) == (
        EndStatus.COMPLETED,
        ControlAnswer.TOO_LATE,
    )


def test_a_cancel_beats_whoever_is_called_next_in_the_same_turn() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B", undo=True), entry("two", "B", to="C")))
    run.work.clear()

    run.turn(
        facts.NodeDone("order[0]/one", Raw(b'{"outcome":"goto","status":"B"}'), run.now),
        facts.CancelRequested(9, "eve", "why not", run.now),
    )
    run.play()

    assert (run.called, run.undone) == (["one"], ["order[0]/one"])
    assert run.status == "B"


def test_behind_the_pivot_a_handler_that_gave_up_waits_for_a_person_and_is_tried_again() -> None:
    run = Course(PIVOT)
    run.give("one", goto("B"))
    run.give("ship", goto("C"))
    run.message()

    run.end(run.path("back"), outcome=PERMANENT)
    parked = run.state.parked
    answer = run.retry(run.path("back"))

    assert (parked, answer) == (ParkReason.FORWARD_USED_UP, ControlAnswer.ACCEPTED)
    assert run.at_work == ["order[2]/back"]


@pytest.mark.parametrize("outcome", [PERMANENT, IN_DOUBT])
def test_behind_the_pivot_what_else_the_status_waits_for_keeps_nobody_from_being_asked(
    outcome: Outcome,
) -> None:
    run = Course(
        plan_of_lifecycle(
            entry("ship", "A", to="B"),
            hear("back", "B", to="C", attempts=1, key_valid_for=None),
            hear("call", "B", to="C", message="Called"),
            timer("close", "B", to="C", due=timedelta(days=14)),
            pivots=("B",),
        )
    )
    run.give("ship", goto("B"))
    run.message()

    run.end(run.path("back"), outcome=outcome)

    assert run.state.parked is not None
    assert not run.pass_time()


def test_behind_the_pivot_a_handler_cannot_cancel_and_is_called_again_when_a_person_says_so() -> (
    None
):
    run = Course(PIVOT)
    run.give("one", goto("B"))
    run.give("ship", goto("C"))
    run.message()

    run.give("back", cancelling("changed my mind"))
    failure = run.node(PATH).failure
    parked = run.state.parked
    run.retry()

    assert failure is not None
    assert (failure.type, failure.message) == (
        "makegood.errors.PastPivot",
        "it is past the pivot, and cannot be cancelled: changed my mind",
    )
    assert (parked, run.at_work) == (ParkReason.FORWARD_USED_UP, ["order[3]/back"])
    inputs = run.state.inputs_of(run.state.positions["order[3]/back"])
    assert inputs["@message"] == Raw(b'"money"')


def test_behind_the_pivot_a_run_that_is_failed_by_its_handler_waits_for_a_person() -> None:
    run = Course(PIVOT)
    run.give("one", goto("B"))
    run.give("ship", goto("C"))
    run.message()

    run.give("back", failing())

    assert run.state.parked is ParkReason.FORWARD_USED_UP


# People -------------------------------------------------------------------------------------------


def test_a_handler_is_not_skipped_for_the_record_would_stand_still() -> None:
    run = Course(LINE)

    assert run.skip(PATH) is ControlAnswer.NO_BODY
    run.end(run.path("one"), outcome=IN_DOUBT)
    assert run.skip(run.path("one")) is ControlAnswer.IN_DOUBT


def test_a_handler_that_is_to_be_tried_again_is_not_skipped_either() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B")))
    run.pause()
    run.end(run.path("one"), outcome=PERMANENT)

    assert run.skip("order[0]/one") is ControlAnswer.NEEDED


def test_a_person_may_say_what_a_handler_gave() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B")))
    run.refuse("one")

    happened = ItHappened(Raw(b'{"outcome":"goto","status":"B"}'))
    answer = run.settle("order[0]/one", happened)

    assert (answer, run.state.ended) == (ControlAnswer.ACCEPTED, EndStatus.COMPLETED)


def test_a_person_may_say_that_nothing_of_what_was_refused_happened() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="B")))
    run.refuse("one")

    answer = run.settle("order[0]/one", ItDidNotHappen())

    assert (answer, run.state.ended) == (ControlAnswer.ACCEPTED, EndStatus.FAILED)


def test_a_lifecycle_is_not_retraced() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.give("two", goto("C"))

    def retry_from(path: str) -> ControlAnswer | None:
        run.posts += 1
        run.turn(facts.RetryFromRequested(run.posts, path, "eve", "again", run.now))
        return run.state.answers.get(run.posts)

    assert retry_from(PATH) is ControlAnswer.NESTED
    assert retry_from("order[0]/one") is ControlAnswer.NESTED


def test_a_run_that_has_moved_too_often_may_be_cancelled() -> None:
    run = Course(plan_of_lifecycle(entry("one", "A", to="A B", undo=True), visits_max=1))
    run.give("one", goto("A"))

    assert run.state.parked is ParkReason.MOVED_TOO_OFTEN
    assert run.cancel() is ControlAnswer.ACCEPTED
    run.play()

    assert (run.state.ended, run.undone) == (EndStatus.CANCELLED, ["order[0]/one"])


def test_a_run_in_doubt_may_not_be_cancelled_before_it_is_settled() -> None:
    run = Course(LINE)
    run.refuse("one")

    assert run.cancel() is ControlAnswer.PARKED


def test_what_a_cancel_would_do_is_foreseen_with_the_handler_at_work() -> None:
    run = Course(PIVOT)
    run.give("one", goto("B"))

    foreseen = preview_cancel(PIVOT, run.recorded, run.now)

    assert foreseen.answer is ControlAnswer.ACCEPTED
    assert foreseen.awaits == ("order[1]/ship",)
    assert [each.node for each in foreseen.undos] == ["order[1]/ship", "order[0]/one"]


def test_a_worker_that_dies_leaves_its_handler_in_doubt_and_it_runs_again_under_its_key() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))

    run.crash()

    assert run.at_work == ["order[1]/two"]
    assert (run.node("order[1]/two").attempt, run.node("order[1]/two").doubt) == (1, True)


def test_a_worker_that_dies_while_nothing_is_at_work_has_missed_nothing() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.give("two", goto("C"))

    run.crash(down=2 * MINUTE)

    assert run.busy == ["late"]
    run.give("late", STAY)
    assert run.state.status == "waiting"
