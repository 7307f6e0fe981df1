"""What the story says of a value that is recorded, and of a service that is halted."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Raw

from makegood.decision import facts
from makegood.picture import Happened, Happening, Standing
from tests.decision.driver import Run
from tests.decision.plans import plan_of, step
from tests.picture.told import lines, story_of, take, told


def test_the_story_says_that_something_was_stored_and_not_what() -> None:
    run = Run(plan_of(step("pay", undo=True)))
    run.turn(facts.Recorded("pay", Raw(b'"4242"'), run.now))
    take(run, 2, "pay")

    story = told(run)

    assert lines(story)[1:3] == [
        "+0 pay: attempt 1 done in 2 s",
        "+0 pay: stored what its undo will need",
    ]
    stored = story.story[2]
    assert isinstance(stored, Happened)
    assert (stored.what, stored.node) == (Happening.RECORDED, "pay")
    assert "4242" not in repr(story.story)


def test_the_story_says_which_service_is_waited_for_and_until_when() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold", services=("Bank",))))
    run.halt("Bank", timedelta(minutes=1))
    take(run, 2, "hold")

    story = told(run)

    assert lines(story)[-1] == (
        "+2 pay: Bank is halted: it is not begun; looked at again at 22:14:20"
    )
    waiting = story.story[-1]
    assert isinstance(waiting, Happened)
    assert (waiting.what, waiting.node) == (Happening.DELAYED, "pay")
    assert story_of(story, "pay").standing is Standing.WAITING


def test_what_had_no_turn_before_its_engine_closed_is_told_as_stopped() -> None:
    run = Run(plan_of(step("pay", services=("Bank",))))
    run.work.clear()
    run.turn(facts.NodeDelayed("pay", "do", 1, "Bank", run.now, run.now))

    assert lines(told(run))[1:] == [
        "+0 pay: attempt 1 stopped after 0 ms: it is not wanted any more",
        "+0 pay: it had no turn at Bank before its engine closed",
        "+0 pay: attempt 1 is at work",
    ]
