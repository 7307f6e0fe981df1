"""How the run of a lifecycle is told and drawn: where its record went, and who was called."""

from __future__ import annotations

from datetime import timedelta

from makegood import picture
from makegood.picture import Ending, Happening
from tests.decision.lifecycle.driving import (
    PATH,
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
from tests.decision.lifecycle.parked import refused
from tests.picture.told import story_of, told

SHOP = plan_of_lifecycle(
    entry("take", "A", to="B", undo=True),
    hear("settle", "B", to="C", message="shop.Paid"),
    timer("remind", "B", to="C", due=timedelta(hours=1)),
    entry("send", "C", to="D"),
)


def test_it_is_told_where_the_record_goes_and_what_it_waits_for() -> None:
    run = Course(SHOP)
    run.give("take", goto("B"))
    run.message("shop.Paid")
    run.give("settle", STAY)
    run.pass_time()
    run.give("remind", REARM)
    run.message("shop.Paid")
    run.give("settle", again(60))
    run.pass_time()
    run.give("settle", goto("C"))
    run.give("send", goto("D"))

    texts = [entry.text for entry in told(run).story]

    assert texts == [
        "started",
        "begins in A",
        "attempt 1 done in 0 ms",
        "A → B, by take",
        "waits for Paid order-1, remind at 2023-11-14 23:13:20",
        "was given Paid order-1",
        "calls settle, for the message m1",
        "attempt 1 done in 0 ms",
        "stays, by settle",
        "waits for Paid order-1",
        "calls remind, whose time has come",
        "attempt 1 done in 0 ms",
        "stays, by remind, and its timers begin anew",
        "waits for remind at 2023-11-15 00:13:20",
        "was given Paid order-1",
        "calls settle, for the message m2",
        "attempt 1 done in 0 ms",
        "stays, by settle, which is called again at 2023-11-14 23:14:20",
        "calls settle, once again",
        "attempt 1 done in 0 ms",
        "B → C, by settle",
        "attempt 1 done in 0 ms",
        "C → D, by send",
        "is done",
        "completed",
    ]


def test_an_outcome_that_was_refused_is_told_with_its_attempt() -> None:
    timeline = told(refused())

    [attempt] = [entry for entry in timeline.story if hasattr(entry, "ending")]

    assert attempt.ending is Ending.REFUSED
    assert attempt.text == (
        "attempt 1 over after 0 ms, with what it does not declare, DefinitionError: no"
    )
    assert attempt.key is not None


def test_what_cannot_be_listened_for_is_told_of_the_record() -> None:
    run = Course(plan_of_lifecycle(timer("never", "A", to="B")))

    events = [
        entry for entry in told(run).story if getattr(entry, "what", None) is Happening.REFUSED
    ]

    assert [(entry.node, "nothing may come" in entry.text) for entry in events] == [(PATH, True)]


def test_a_plan_of_a_lifecycle_is_drawn_with_a_box_for_each_handler() -> None:
    drawn = picture.mermaid(SHOP)

    for name in ("take", "settle", "remind", "send"):
        assert f"{PATH}[…]/{name}" in drawn or name in drawn
    assert picture.text(SHOP)
    assert "<svg" in picture.svg(SHOP)


def test_a_run_of_a_lifecycle_is_drawn_with_what_was_called_in_each_round() -> None:
    run = Course(SHOP)
    run.give("take", goto("B"))

    timeline = told(run)

    assert [(each.node, each.number, each.first) for each in timeline.rounds] == [(0, 0, 1)]
    assert story_of(timeline, "order[0]/take").attempts == 1
    assert picture.mermaid(timeline)
    assert "<svg" in picture.svg(timeline)
    assert "take" in picture.text(timeline)
