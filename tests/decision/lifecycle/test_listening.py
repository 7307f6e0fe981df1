"""What a status listens for: messages and times, one handler at a time, and what is given back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from makegood.decision import facts
from makegood.decision.facts import ParkReason
from makegood.decision.mail import Await, AwaitNoMore, Mail, Message, mail_of
from makegood.decision.state import Phase
from makegood.values.ids import RunId
from makegood.values.instants import Instant, after
from makegood.values.outcomes import StoredNext
from tests.decision.lifecycle.driving import (
    KEY,
    PATH,
    REARM,
    STAY,
    Course,
    Drawn,
    again,
    entry,
    goto,
    hear,
    plan_of_lifecycle,
    timer,
)

MINUTE = timedelta(minutes=1)
ME = RunId("me")
HEARING = plan_of_lifecycle(
    hear("paid", "A", to="B", message="Paid"),
    hear("called", "A", to="B", message="Called"),
    timer("late", "A", to="B", due=MINUTE),
    hear("paid_too", "B", to="C", message="Paid"),
)


def said(run: Course, append: int = -1) -> list[Mail]:
    return list(mail_of(run.state, ME, run.history[append]))


def test_all_that_a_status_hears_is_opened_at_once() -> None:
    run = Course(HEARING)

    assert said(run) == [Await("Paid", KEY, PATH), Await("Called", KEY, PATH)]
    assert run.state.mailbox.waits == {("Paid", KEY): [0], ("Called", KEY): [0]}
    assert run.state.status == "waiting"


def test_a_message_is_handled_and_the_next_of_its_class_is_awaited_when_that_has_ended() -> None:
    run = Course(HEARING)

    run.message("Paid")
    while_busy = (said(run), [*run.lifecycle.open])
    run.give("paid", STAY)

    assert while_busy == ([], [("Called", KEY)])
    assert said(run) == [Await("Paid", KEY, PATH)]


def test_messages_that_come_while_a_handler_is_at_work_have_their_turn_in_their_order() -> None:
    run = Course(HEARING)
    run.message("Called")
    run.message("Paid")

    one_at_a_time = run.busy
    run.give("called", STAY)
    then = run.busy
    run.give("paid", STAY)

    assert (one_at_a_time, then) == (["called"], ["paid"])
    assert said(run) == [Await("Paid", KEY, PATH), Await("Called", KEY, PATH)]


def test_leaving_a_status_closes_what_was_open_and_gives_back_what_was_not_handled() -> None:
    run = Course(HEARING)
    run.message("Called")
    paid = run.letter("Paid")
    run.turn(paid)

    run.give("called", goto("B"))

    assert said(run) == [
        Message(paid.id, "Paid", KEY, paid.value, paid.until, is_returned=True),
        Await("Paid", KEY, PATH),
    ]
    assert run.waits is None


def test_leaving_a_status_ends_the_waiting_for_what_has_not_come() -> None:
    run = Course(HEARING)
    run.message("Called")

    run.give("called", goto("B"))

    assert said(run) == [AwaitNoMore("Paid", KEY, PATH), Await("Paid", KEY, PATH)]


def test_a_message_that_comes_too_late_is_given_back() -> None:
    run = Course(plan_of_lifecycle(hear("paid", "A", to="B"), entry("x", "B", to="C")))
    run.message()
    run.give("paid", goto("B"))

    late = run.letter()
    run.turn(late)

    assert said(run) == [Message(late.id, "Paid", KEY, late.value, late.until, is_returned=True)]
    assert run.busy == ["x"]


def test_what_was_given_back_is_handled_when_it_comes_again() -> None:
    run = Course(HEARING)
    run.message("Called")
    paid = run.letter("Paid")
    run.turn(paid)
    run.give("called", goto("B"))

    run.turn(paid)

    assert run.busy == ["paid_too"]
    assert paid.id not in run.state.mailbox.unwanted


def test_a_message_that_cannot_be_read_is_on_record_and_the_next_one_is_awaited() -> None:
    run = Course(HEARING)

    run.message("Paid", misfit="it has no amount")

    assert (run.busy, run.lifecycle.queue) == ([], [])
    assert said(run) == [Await("Paid", KEY, PATH)]


def test_a_run_is_parked_for_a_message_for_which_another_one_waits() -> None:
    run = Course(HEARING)

    run.turn(facts.WaitRefused(PATH, run.now, "Paid"))
    parked = (run.state.parked, run.node(PATH).phase, run.node(PATH).failure)
    accepted = run.retry()

    assert parked[:2] == (ParkReason.DEFINITION, Phase.REFUSED)
    assert parked[2] is not None
    assert "another wait is for Paid with the key 'order-1'" in parked[2].message
    assert accepted is facts.ControlAnswer.ACCEPTED
    assert said(run) == [Await("Paid", KEY, PATH)]
    assert (run.state.status, run.waits) == ("waiting", MINUTE)


def test_a_refusal_of_what_is_not_awaited_any_more_changes_nothing() -> None:
    run = Course(HEARING)
    run.message("Paid")

    run.turn(facts.WaitRefused(PATH, run.now, "Paid"))

    assert (run.state.status, run.busy) == ("running", ["paid"])


# Times --------------------------------------------------------------------------------------------


def test_the_handler_of_a_time_is_called_when_that_has_come() -> None:
    run = Course(HEARING)

    run.pass_time()

    assert run.recorded[-2:] == [
        facts.HandlingBegan(PATH, "late", 0, "timer", run.now),
        facts.NodeStarted("order[0]/late", 1, run.now),
    ]


def test_a_message_that_came_first_wins_over_a_time_that_has_passed_meanwhile() -> None:
    run = Course(HEARING)
    run.message("Paid")

    run.wait(2 * MINUTE)
    while_busy = run.busy
    run.give("paid", goto("B"))

    assert while_busy == ["paid"]
    assert run.called == ["paid"], "the time belonged to the status that was left"


def test_a_time_that_has_passed_meanwhile_has_its_turn_when_the_record_stays() -> None:
    run = Course(HEARING)
    run.message("Paid")
    run.wait(2 * MINUTE)

    run.give("paid", STAY)

    assert run.busy == ["late"]


def test_a_time_that_comes_while_the_run_is_paused_fires_when_it_goes_on() -> None:
    run = Course(HEARING)
    run.pause()

    run.wait(2 * MINUTE)
    paused = run.busy
    run.resume()

    assert (paused, run.busy) == ([], ["late"])


def test_a_message_that_comes_while_the_run_is_paused_is_handled_when_it_goes_on() -> None:
    run = Course(HEARING)
    run.pause()

    run.message("Paid")
    paused = run.busy
    run.resume()

    assert (paused, run.busy) == ([], ["paid"])


def test_the_earliest_time_is_the_one_at_which_the_run_is_woken() -> None:
    plan = plan_of_lifecycle(
        timer("late", "A", to="B", due=MINUTE),
        timer("soon", "A", to="B", due=timedelta(seconds=5)),
        timer("never", "A", to="B"),
    )
    run = Course(plan)

    first = run.waits
    run.pass_time()
    run.give("soon", STAY)

    assert (first, run.waits) == (timedelta(seconds=5), timedelta(seconds=55))
    assert set(run.lifecycle.timers) == {"late"}


def test_of_two_times_that_have_passed_the_earlier_has_the_first_turn() -> None:
    plan = plan_of_lifecycle(
        timer("b", "A", to="B", due=timedelta(seconds=5)),
        timer("a", "A", to="B", due=timedelta(seconds=6)),
    )
    run = Course(plan)

    run.wait(MINUTE)
    first = run.busy
    run.give("b", STAY)

    assert (first, run.busy) == (["b"], ["a"])


def test_a_time_that_the_record_says_is_counted_like_every_other() -> None:
    plan = plan_of_lifecycle(timer("due", "A", to="B"))

    run = Course(plan, due={"due": MINUTE})

    assert run.waits == MINUTE


def test_the_times_of_a_visit_are_its_own() -> None:
    plan = plan_of_lifecycle(hear("ring", "A", to="A"), timer("late", "A", to="B", due=MINUTE))
    run = Course(plan)
    run.wait(timedelta(seconds=50))
    run.message()

    run.give("ring", goto("A"))

    assert (run.waits, run.moves) == (MINUTE, ["A", "A"])


def test_anew_are_set_the_timers_of_the_status_and_no_repetition() -> None:
    plan = plan_of_lifecycle(entry("take", "A", to="B"), timer("late", "A", to="B", due=MINUTE))
    run = Course(plan)
    run.give("take", again(90))

    run.pass_time()
    run.give("late", REARM)

    assert run.lifecycle.timers == {"late": after(run.now, MINUTE)}
    assert run.waits == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("drawn", "outcome", "stands_still"),
    [
        (hear("b", "A", to="B"), STAY, False),
        (timer("b", "A", to="B", due=MINUTE), STAY, False),
        (timer("b", "A", to="B", due=MINUTE), REARM, False),
        (entry("x", "B", to="C"), STAY, True),
        (entry("x", "B", to="C"), REARM, True),
        (entry("x", "B", to="C"), goto("B"), False),
        (entry("x", "B", to="C"), again(), False),
    ],
)
def test_it_is_known_before_an_outcome_is_taken_whether_anything_could_follow(
    drawn: Drawn,
    outcome: StoredNext,
    stands_still: bool,  # noqa: FBT001 - what is expected
) -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B"), drawn))

    assert run.lifecycle.stands_still_after(outcome) is stands_still


def test_a_timer_that_has_fired_lets_nothing_follow_when_it_was_the_last_one() -> None:
    run = Course(plan_of_lifecycle(timer("late", "A", to="B", due=MINUTE)))

    run.pass_time()

    assert run.lifecycle.stands_still_after(STAY)
    assert not run.lifecycle.stands_still_after(REARM)


# What cannot go on --------------------------------------------------------------------------------


def test_a_record_that_nothing_could_move_any_more_waits_for_a_person() -> None:
    run = Course(plan_of_lifecycle(timer("never", "A", to="B")))

    refused = run.recorded[-2]

    assert isinstance(refused, facts.NodeRefused)
    assert refused.failure.message == (
        "`order` stands in A, and nothing may come that would move it on"
    )
    assert run.state.parked is ParkReason.DEFINITION


def test_when_a_person_has_seen_to_it_what_is_to_be_listened_for_is_asked_again() -> None:
    run = Course(plan_of_lifecycle(timer("due", "A", to="B")))
    run.due = {"due": MINUTE}

    assert run.retry() is facts.ControlAnswer.ACCEPTED

    assert (run.state.status, run.waits) == ("waiting", MINUTE)


def test_a_person_is_needed_where_nobody_can_say_what_is_to_be_listened_for() -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B"), hear("paid", "B", to="C")))
    run.refuses = True

    run.give("take", goto("B"))
    parked = (run.state.parked, run.state.status, run.node(PATH).doubt)
    run.refuses = False
    run.retry(PATH)

    assert parked == (ParkReason.DEFINITION, "parked", False)
    assert [*run.lifecycle.open] == [("Paid", KEY)]


def test_what_is_not_as_declared_is_no_failure_that_turns_the_run_back() -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B", undo=True)))

    run.refuse("take")

    assert (run.state.parked, run.node("order[0]/take").phase) == (
        ParkReason.DEFINITION,
        Phase.REFUSED,
    )
    assert run.node("order[0]/take").doubt


@pytest.mark.parametrize("passed", [timedelta(0), timedelta(days=3)])
def test_a_handler_that_was_refused_is_called_again_while_its_key_is_known(
    passed: timedelta,
) -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B")))
    run.refuse("take")
    run.now = Instant(after(run.now, passed))

    answer = run.retry()

    expected = facts.ControlAnswer.KEY_EXPIRED if passed else facts.ControlAnswer.ACCEPTED
    assert (answer, run.busy) == (expected, [] if passed else ["take"])


def test_a_handler_that_was_refused_is_asked_about_where_somebody_can_be_asked() -> None:
    run = Course(plan_of_lifecycle(entry("take", "A", to="B", compensate=True)))
    run.refuse("take")

    run.retry()

    assert run.at_work == ["order[0]/take ask"]
