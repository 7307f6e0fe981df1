"""A value that a body records shows in the story, at its moment and without its content."""

from __future__ import annotations

from msgspec import Raw

from makegood.decision import facts
from makegood.picture import Happened, Happening
from tests.decision.driver import Run
from tests.decision.plans import plan_of, step
from tests.picture.told import lines, take, told


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
