"""What is told of a record to whoever wants to know, as it follows from the facts of a turn."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.decision.lifecycle.announcing import Happened, happened_in
from makegood.values.lifecycle.announced import Occasion
from tests.decision.lifecycle.driving import (
    STAY,
    Course,
    cancelling,
    entry,
    failing,
    goto,
    hear,
    pausing,
    plan_of_lifecycle,
    timer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact

MINUTE = timedelta(minutes=1)
LINE = plan_of_lifecycle(
    entry("one", "A", to="B", undo=True),
    hear("two", "B", to="B C"),
    timer("late", "B", to="C", due=MINUTE),
)


def told(run: Course, append: Sequence[Fact] | None = None) -> list[Happened]:
    """Return what the last append tells."""
    return [*happened_in(run.state, run.history[-1] if append is None else append)]


def words(run: Course) -> list[str]:
    return [str(each.occasion) for append in run.history for each in happened_in(run.state, append)]


def test_a_record_that_begins_is_told_with_the_status_that_it_enters() -> None:
    run = Course(LINE)

    started, entered = told(run)

    assert started == Happened(place=0, occasion=Occasion.STARTED, at=run.now, status=None, stood=0)
    assert entered == Happened(place=1, occasion=Occasion.ENTERED, at=run.now, status="A", stood=0)


def test_a_move_is_told_with_how_long_the_record_stood_before() -> None:
    run = Course(LINE)
    run.wait(MINUTE)
    run.give("one", goto("B"))

    [entered] = told(run)

    assert (entered.status, entered.origin, entered.handler) == ("B", "A", "one")
    assert entered.stood == 60_000_000
    assert run.lifecycle.since == run.now


def test_an_end_is_told_with_the_status_in_which_the_record_stands() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.message()
    run.give("two", goto("C"))

    entered, completed = told(run)

    assert (entered.occasion, entered.status) == (Occasion.ENTERED, "C")
    assert (completed.occasion, completed.status, completed.stood) == (Occasion.COMPLETED, "C", 0)
    assert (completed.actor, completed.reason) == ("", "")


def test_what_leaves_the_record_where_it_is_tells_nothing() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.message()
    run.give("two", STAY)

    assert told(run) == []


def test_who_has_cancelled_a_run_is_told_at_its_end_and_not_before() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.cancel()
    assert told(run) == []
    run.play()

    [cancelled] = told(run)

    assert (cancelled.occasion, cancelled.status) == (Occasion.CANCELLED, "B")
    assert (cancelled.actor, cancelled.reason) == ("eve", "why not")


def test_what_is_asked_while_a_run_goes_back_does_not_change_who_has_wanted_that() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.cancel()
    run.pause()
    run.resume()
    run.play()

    assert told(run)[0].reason == "why not"


def test_a_handler_that_cancels_is_told_as_who_has_wanted_it() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.message()
    run.give("two", cancelling("sold out"))
    run.play()

    [cancelled] = told(run)

    assert (cancelled.actor, cancelled.reason) == ("order/two", "sold out")


def test_a_cancel_of_which_nobody_is_known_names_nobody() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.cancel()
    run.play()
    run.lifecycle.cancelled_by = None

    assert (told(run)[0].actor, told(run)[0].reason) == ("", "")


def test_a_failure_is_told_by_its_error_or_by_the_time_that_was_over() -> None:
    failed = Course(LINE)
    failed.give("one", failing("lost"))
    failed.play()
    late = Course(LINE, deadline=MINUTE)
    late.give("one", goto("B"))
    late.wait(2 * MINUTE)
    late.play()

    assert [(each.occasion, each.reason) for each in told(failed)] == [
        (Occasion.FAILED, "Lost: lost")
    ]
    assert [(each.occasion, each.reason) for each in told(late)] == [(Occasion.FAILED, "deadline")]


def test_pauses_and_parking_are_told_with_their_reasons() -> None:
    run = Course(LINE)
    run.give("one", goto("B"))
    run.message()
    run.give("two", pausing("closed"))
    [paused] = told(run)
    run.resume()
    [resumed] = told(run)
    run.refuse("two")
    [parked] = told(run)

    assert (paused.occasion, paused.actor, paused.reason) == (
        Occasion.PAUSED,
        "order/two",
        "closed",
    )
    assert (resumed.occasion, resumed.actor) == (Occasion.RESUMED, "eve")
    assert (parked.occasion, parked.reason) == (Occasion.PARKED, "definition error")
    run.retry(run.path("two"))
    assert Occasion.UNPARKED in {each.occasion for each in told(run)}


def test_an_event_is_told_once_however_often_the_turn_is_decided() -> None:
    run = Course(LINE)
    run.give("one", failing("lost"))
    run.play()

    assert words(run) == words(run) == ["started", "entered", "failed"]
