"""Which outcomes are awaited: a late or doubled one is dropped, and never folded."""

from __future__ import annotations

import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import expects
from makegood.decision.facts import Fact
from makegood.decision.state import RunState
from makegood.values.instants import Instant
from makegood.values.verdict import Abort, Failure, FailureKind
from tests.decision.driver import Run
from tests.decision.plans import plan_of, step

AT = Instant(1_700_000_000_000_000)
FAILURE = Failure(kind=FailureKind.PERMANENT, type="E")
PLAN = plan_of(step("pay", undo=True, compensate=True))
OUTCOMES: dict[str, list[Fact]] = {
    "body": [
        facts.NodeDone("pay", Raw(b"1"), AT),
        facts.NodeFailed("pay", FAILURE, AT),
        facts.EffectUnrecorded("pay", FAILURE, AT),
        facts.CompletionAwaited("pay", AT, AT),
    ],
    "ask": [
        facts.VerdictGiven("pay", Abort(), AT),
        facts.CompensateFailed("pay", FAILURE, AT),
    ],
    "undo": [facts.UndoDone("pay", AT), facts.UndoFailed("pay", FAILURE, AT)],
}


def at_work_on(what: str) -> Run:
    run = Run(PLAN)
    if what == "ask":
        run.end("pay", outcome=Failure(kind=FailureKind.IN_DOUBT, type="E"))
    if what == "undo":
        run.play()
        run.undo()
    return run


@pytest.mark.parametrize("what", OUTCOMES)
def test_only_the_outcome_of_what_is_at_work_is_awaited(what: str) -> None:
    run = at_work_on(what)

    awaited = {
        type(fact)
        for outcomes in OUTCOMES.values()
        for fact in outcomes
        if expects(run.state, fact)
    }

    assert awaited == {type(fact) for fact in OUTCOMES[what]}


def test_what_people_ask_is_always_awaited() -> None:
    state = RunState(PLAN)

    assert expects(state, facts.CancelRequested(1, "eve", "", AT))
