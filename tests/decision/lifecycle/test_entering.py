"""A status that is entered, and the call of its handler, decided in one question.

Where anything else has a say they are decided step by step. Both ways come to the same facts.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from makegood.decision.commands import Decision, Start
from makegood.decision.decide import decide
from makegood.decision.evolve import evolve_all, fold
from makegood.decision.retry import Chance
from makegood.definition.plan import Plan
from makegood.values.instants import after
from tests.decision.driver import snapshot
from tests.decision.lifecycle.driving import Course, calls, entry, goto, hear, plan_of_lifecycle

HALT = {"shop.Ledger": timedelta(hours=1)}
"""A service that nobody in these plans is given."""

RING = plan_of_lifecycle(
    entry("one", "A", to="B", undo=True), entry("two", "B", to="A C"), visits_max=200
)
LIMITED = plan_of_lifecycle(
    entry("one", "A", to="B"),
    entry("two", "B", to="C", timeout_total=timedelta(seconds=5)),
    entry("three", "C", to="D", timeout=None),
    entry("x", "D", to="E"),
)
LISTENING = plan_of_lifecycle(entry("one", "A", to="B"), hear("paid", "B", to="C"))
CALLING = plan_of_lifecycle(entry("one", "A", to="B"), calls("ask", "B", to="C"))


def decided(plan: Plan, *, is_halted: bool) -> list[Decision]:
    """Give all that is decided of a record whose first handler leads to B, one question each."""
    run = Course(plan)
    started = run.recorded[0]
    state, chance = fold(plan, (started,)), Chance(0)
    if is_halted:
        state.halted = {name: after(run.now, wait) for name, wait in HALT.items()}
    found = []
    while not found or not found[-1].is_last:
        found.append(decide(plan, state, run.now, chance))
        evolve_all(state, found[-1].facts)
    return found


def test_a_record_is_begun_in_one_question_and_with_care_in_three() -> None:
    at_once, [*step_by_step] = decided(RING, is_halted=False), decided(RING, is_halted=True)

    assert [len(at_once), len(step_by_step)] == [1, 3]
    assert at_once[0].facts == tuple(fact for each in step_by_step for fact in each.facts)
    assert at_once[0].commands == step_by_step[-1].commands


@pytest.mark.parametrize("plan", [RING, LIMITED, LISTENING, CALLING])
def test_a_transition_comes_to_the_same_in_one_question_and_step_by_step(plan: Plan) -> None:
    at_once, step_by_step = Course(plan), Course(plan)
    step_by_step.state.halted = {name: after(at_once.now, wait) for name, wait in HALT.items()}

    for run in (at_once, step_by_step):
        run.give("one", goto("B", b'"changed"'))

    assert at_once.history == step_by_step.history
    assert at_once.work == step_by_step.work
    step_by_step.state.halted = {}
    assert snapshot(at_once.state) == snapshot(step_by_step.state)


def test_the_first_attempt_ends_at_the_tighter_of_its_two_timeouts() -> None:
    run = Course(LIMITED)

    run.give("one", goto("B"))
    assert run.work == [Start(2, 1, 0, after(run.now, timedelta(seconds=5)))]
    run.give("two", goto("C"))
    assert run.work == [Start(3, 1, 0, None)]
    run.give("three", goto("D"))
    assert run.work == [Start(4, 1, 0, after(run.now, timedelta(seconds=30)))]


def test_a_record_may_go_round_however_often_it_is_read_again() -> None:
    run = Course(RING)

    for _ in range(40):
        run.give("one", goto("B"))
        run.give("two", goto("A"))

    assert run.path("two") == "order[79]/two"
    assert snapshot(fold(RING, run.recorded)) == snapshot(run.state)
