"""A run goes on under a definition that has timers where its record already stands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.values.instants import after
from tests.decision.lifecycle.driving import (
    REARM,
    STAY,
    Course,
    again,
    entry,
    goto,
    hear,
    plan_of_lifecycle,
    timer,
)

if TYPE_CHECKING:
    from tests.decision.lifecycle.driving import Drawn

HOUR = timedelta(hours=1)

PRICE = entry("price", "A", to="B")
PAY = hear("pay", "B", to="C")
REMIND = timer("remind", "B", to="C", due=HOUR)
CLOSE = timer("close", "B", to="C", due=10 * HOUR)
LAPSE = timer("lapse", "B", to="C")
"""Its time is said by the record."""


def at_b(*drawn: Drawn, due: dict[str, timedelta] | None = None) -> Course:
    """Return a run of these handlers that stands in B and listens."""
    run = Course(plan_of_lifecycle(PRICE, PAY, *drawn), due=due)
    run.give("price", goto("B"))
    assert run.status == "B"
    return run


def move_on(run: Course, *drawn: Drawn, later: timedelta = HOUR / 2) -> None:
    """Let the run go by these handlers a while later."""
    plan = plan_of_lifecycle(PRICE, PAY, *drawn)
    run.now = after(run.now, later)
    run.plan = plan
    run.state = fold(plan, run.recorded)
    run.turn(facts.MovedOn(plan.fingerprint, run.now))


def test_a_timer_that_is_new_counts_from_when_the_status_began_to_listen() -> None:
    run = at_b(REMIND)
    start = run.now

    move_on(run, REMIND, CLOSE)

    assert run.recorded[-1] == facts.Listened(
        "order", "order-1", run.now, (), {"close": after(start, 10 * HOUR)}
    )
    assert run.lifecycle.timers == {
        "remind": after(start, HOUR),
        "close": after(start, 10 * HOUR),
    }
    run.pass_time()
    assert run.called[-1] == "remind"


def test_one_whose_time_is_over_fires_at_once() -> None:
    run = at_b()

    move_on(run, CLOSE, later=11 * HOUR)

    assert run.busy == ["close"]
    run.give("close", goto("C"))
    assert run.state.status == "completed"


def test_one_that_has_fired_is_not_set_again() -> None:
    run = at_b(REMIND)
    run.pass_time()
    run.give("remind", STAY)

    move_on(run, REMIND, CLOSE)

    assert [*run.lifecycle.timers] == ["close"]


def test_what_began_anew_is_counted_from_there() -> None:
    run = at_b(REMIND)
    run.pass_time()
    run.give("remind", REARM)
    start = run.now

    move_on(run, REMIND, CLOSE)

    assert run.lifecycle.timers["close"] == after(start, 10 * HOUR)


def test_one_whose_record_said_no_time_is_asked_again_and_one_that_has_one_is_not() -> None:
    run = at_b(LAPSE, REMIND)
    assert [*run.lifecycle.timers] == ["remind"]

    run.due = {"lapse": HOUR}
    move_on(run, LAPSE, REMIND)
    first = run.lifecycle.timers["lapse"]
    move_on(run, LAPSE, REMIND)

    assert (first, run.lifecycle.timers["lapse"]) == (after(run.now, HOUR / 2), first)


def test_without_a_new_one_nothing_is_recorded_but_the_move() -> None:
    run = at_b(REMIND)

    move_on(run, REMIND)

    assert isinstance(run.recorded[-1], facts.MovedOn)


def test_a_status_that_has_listened_for_nothing_begins_to() -> None:
    run = Course(plan_of_lifecycle(PRICE, entry("poll", "B", to="C")))
    run.give("price", goto("B"))
    run.give("poll", again(seconds=100 * 3_600))

    plan = plan_of_lifecycle(PRICE, entry("poll", "B", to="C"), CLOSE)
    run.now, run.plan, run.state = after(run.now, HOUR), plan, fold(plan, run.recorded)
    run.turn(facts.MovedOn(plan.fingerprint, run.now))

    assert run.lifecycle.timers == {"close": after(run.now, 10 * HOUR)}


def test_what_is_paused_is_asked_when_it_goes_on() -> None:
    run = at_b()
    start = run.now
    run.pause()

    move_on(run, CLOSE)
    assert run.lifecycle.timers == {}
    run.resume()

    assert run.lifecycle.timers == {"close": after(start, 10 * HOUR)}
