"""Lifecycles that wait for a person, one for each reason."""

from __future__ import annotations

from datetime import timedelta

from tests.decision.driver import PERMANENT
from tests.decision.lifecycle.driving import Course, entry, goto, plan_of_lifecycle

__all__ = ["moved_too_often", "paused_too_often", "refused"]


def refused() -> Course:
    """Return a run whose handler gave what it does not declare."""
    run = Course(plan_of_lifecycle(entry("take", "A", to="B")))
    run.refuse("take")
    return run


def moved_too_often() -> Course:
    """Return a run that goes round and round."""
    run = Course(plan_of_lifecycle(entry("take", "A", to="A B"), visits_max=1))
    run.give("take", goto("A"))
    return run


def paused_too_often() -> Course:
    """Return a run that was paused, and has resumed itself, without success."""
    plan = plan_of_lifecycle(
        entry("take", "A", to="B", attempts=1),
        pauses=True,
        resume_after=timedelta(minutes=1),
        resumes_max=1,
    )
    run = Course(plan)
    run.end(run.path("take"), outcome=PERMANENT)
    run.pass_time()
    run.end(run.path("take"), outcome=PERMANENT)
    return run
