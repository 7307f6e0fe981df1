"""A run that is driven on with imagined outcomes, and dies where it is told to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.commands import Compensate, Start, Undo
from makegood.decision.facts import EndStatus
from makegood.decision.imagined import DOWN, ImaginedRun
from makegood.values.instants import after
from tests.decision.driver import IN_DOUBT, PERMANENT, START_AT
from tests.decision.plans import local, plan_of, pure, query, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.commands import Evaluate, Local
    from makegood.decision.facts import Fact
    from makegood.decision.imagined import Death
    from makegood.definition.plan import Plan

ONE = Raw(b"1")
TIMEOUT = timedelta(seconds=30)
SHOP = plan_of(step("pay", undo=True), local("book", "pay"), step("mail", "book"))


class AllWell:
    """What is computed is 1, and every local body is done."""

    def computed(self, run: ImaginedRun, command: Evaluate, /) -> Fact:
        return facts.NodeDone(run.state.graph[command.node].path, ONE, run.now)

    def local(self, run: ImaginedRun, command: Local, /) -> Sequence[Fact]:
        path = run.state.graph[command.node].path
        return facts.NodeStarted(path, 1, run.now), facts.NodeDone(path, ONE, run.now)


def started(plan: Plan, *deaths: Death) -> ImaginedRun:
    run = ImaginedRun(plan, AllWell(), START_AT, deaths=frozenset(deaths))
    run.turn(
        facts.RunStarted(
            workflow="shop", fingerprint="0" * 16, key=None, inputs={}, deadline=None, at=START_AT
        )
    )
    return run


def done(run: ImaginedRun) -> Fact:
    return facts.NodeDone(run.state.graph[run.work[0].node].path, ONE, run.now)


def played(run: ImaginedRun) -> ImaginedRun:
    while run.work:
        run.end(run.work[0], done(run))
    return run


def appends_of(run: ImaginedRun) -> list[list[str]]:
    """Return the names of the facts of each append."""
    names = [type(fact).__name__ for fact in run.facts]
    return [names[first:last] for first, last in zip(run.appends, run.appends[1:], strict=False)]


def test_a_turn_is_one_append_and_a_local_body_has_its_own() -> None:
    assert appends_of(played(started(SHOP))) == [
        ["RunStarted", "NodeStarted"],
        ["NodeDone"],
        ["NodeStarted", "NodeDone"],
        ["NodeStarted"],
        ["NodeDone", "RunEnded"],
    ]


def test_what_is_computed_is_of_the_turn_that_wants_it() -> None:
    run = started(plan_of(step("pay"), pure("sum", "pay")))
    assert appends_of(played(run))[1:] == [["NodeDone", "NodeDone", "RunEnded"]]


def test_what_an_append_would_have_held_is_lost_with_its_worker() -> None:
    run = started(SHOP, (1, True))
    run.end(run.work[0], done(run))
    assert appends_of(run)[1:] == [["Claimed", "NodeStarted"]]
    assert run.now == after(START_AT, DOWN)
    assert run.work == [Start(0, 1, 0, after(run.now, TIMEOUT))]
    assert played(run).state.ended is EndStatus.COMPLETED


def test_what_was_to_be_begun_after_an_append_is_lost_with_its_worker() -> None:
    run = started(SHOP, (0, False))
    assert appends_of(run) == [["RunStarted", "NodeStarted"], ["Claimed", "NodeStarted"]]
    assert played(run).state.ended is EndStatus.COMPLETED


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_local_body_is_done_once_wherever_its_worker_dies(*, is_lost: bool) -> None:
    run = started(SHOP, (2, is_lost))
    names = [type(fact).__name__ for fact in played(run).recorded]
    assert names.count("Claimed") == 1
    assert [fact.node for fact in run.facts if isinstance(fact, facts.NodeDone)] == [
        "pay",
        "book",
        "mail",
    ]


def test_deaths_are_counted_until_there_is_progress() -> None:
    def claims(*deaths: Death) -> list[int]:
        run = played(started(SHOP, *deaths))
        return [fact.claims for fact in run.recorded if isinstance(fact, facts.Claimed)]

    assert claims((0, False), (1, False)) == [1, 2]
    # The first claim was lost, and was one all the same.
    assert claims((0, False), (1, True)) == [2]
    assert claims((1, False), (3, False)) == [1, 1]


def test_time_passes_to_what_is_due_next_and_no_further() -> None:
    run = started(plan_of(step("pay")))
    run.end(run.work[0], facts.NodeFailed("pay", IN_DOUBT, run.now))
    due = run.state.timers[0]
    assert run.pass_time()
    assert run.now == due
    assert run.work == [Start(0, 2, 0, after(run.now, TIMEOUT))]
    assert not run.pass_time()


def test_what_has_no_effect_is_stopped_when_the_run_goes_back() -> None:
    run = started(plan_of(step("pay"), query("look")))
    run.end(run.work[0], facts.NodeFailed("pay", PERMANENT, run.now))
    assert run.work == []
    assert run.state.ended is EndStatus.FAILED


def test_a_late_outcome_is_dropped() -> None:
    run = played(started(SHOP))
    before = list(run.facts)
    run.turn(facts.NodeDone("pay", ONE, run.now))
    assert run.facts == before


def test_what_is_at_work_is_read_from_the_facts_of_others() -> None:
    plan = plan_of(step("hold", undo=True), step("pay", "hold", compensate=True))
    run = started(plan)
    run.end(run.work[0], done(run))
    at_work = [again(run)]
    run.end(run.work[0], facts.NodeFailed("pay", PERMANENT, run.now))
    at_work.append(again(run))
    run.end(run.work[0], facts.CompensateFailed("pay", PERMANENT, run.now))
    at_work.append(again(run))
    assert at_work == [[Start(1, 1, 0, None)], [Compensate(1, 1, 0)], [Undo(0, 1)]]


def again(run: ImaginedRun) -> list[Start | Compensate | Undo]:
    """Return what is at work in a run that has the same facts."""
    return ImaginedRun(run.plan, AllWell(), run.now, history=run.recorded).work
