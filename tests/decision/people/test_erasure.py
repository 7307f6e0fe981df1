"""What stays of a run that is erased: everything but the values, and it still adds up."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec import Raw
from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.decision.facts import ControlAnswer, EndStatus, Fact, read_facts, write_facts
from makegood.decision.people.erasure import without_values
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    ItDidNotHappen,
    ItHappened,
    Kept,
    RetryFresh,
    RetryNow,
    Undecided,
    UndoneByHand,
)
from tests.decision.driver import PERMANENT, Run, snapshot
from tests.decision.plans import plan_of, step
from tests.decision.test_facts import GOLDEN

AT = Instant(1_700_000_000_000_000)
CANARY = "Ada Lovelace, card 4242"
TOLD = Raw(f'"{CANARY}"'.encode())
NOTHING = Raw(b"null")
FAILURE = Failure(kind=FailureKind.PERMANENT, type="shop.Lost", message=CANARY, traceback=CANARY)
NAMED = Failure(kind=FailureKind.PERMANENT, type="shop.Lost")
ERASED = facts.Erased("eve", "article 17", AT)

RUN = RunId("r-1")
CALLED = facts.ChildStarted(
    node="ship",
    run=RUN,
    workflow="ship",
    fingerprint="f",
    key="k",
    input_hash="h",
    inputs={"name": TOLD},
    at=AT,
)

CHANGED: list[tuple[Fact, Fact]] = [
    (
        facts.RunStarted(
            workflow="shop",
            fingerprint="f",
            key="order-1",
            inputs={"name": TOLD},
            deadline=AT,
            at=AT,
            context={"tenant": CANARY},
            subject=CANARY,
            parent=facts.Parent(RUN, "ship"),
        ),
        facts.RunStarted(
            workflow="shop",
            fingerprint="f",
            key="order-1",
            inputs={"name": NOTHING},
            deadline=AT,
            at=AT,
            parent=facts.Parent(RUN, "ship"),
        ),
    ),
    (CALLED, replace(CALLED, inputs={"name": NOTHING})),
    (
        facts.MessageCame("7", "shop.Shipped", "k", TOLD, AT, AT, CANARY),
        facts.MessageCame("7", "shop.Shipped", "k", NOTHING, AT, AT, ""),
    ),
    (
        facts.MessageCame("7", "shop.Shipped", "k", TOLD, AT, AT),
        facts.MessageCame("7", "shop.Shipped", "k", NOTHING, AT, AT),
    ),
    (
        facts.MessageSent("send", "shop.Shipped", "k", TOLD, "now", AT, AT),
        facts.MessageSent("send", "shop.Shipped", "k", NOTHING, "now", AT, AT),
    ),
    (
        facts.ChildEnded(
            node="ship", run=RUN, status=EndStatus.FAILED, result=TOLD, failures=(FAILURE,), at=AT
        ),
        facts.ChildEnded(node="ship", run=RUN, status=EndStatus.FAILED, failures=(NAMED,), at=AT),
    ),
    (facts.NodeDone("pay", TOLD, AT), facts.NodeDone("pay", NOTHING, AT)),
    (facts.Recorded("pay", TOLD, AT), facts.Recorded("pay", NOTHING, AT)),
    (
        facts.ItemsListed("lines", (TOLD, TOLD)),
        facts.ItemsListed("lines", (NOTHING, NOTHING)),
    ),
    (facts.RoundBegan("again", TOLD), facts.RoundBegan("again", NOTHING)),
    (facts.RoundDone("lines", 1, TOLD), facts.RoundDone("lines", 1, NOTHING)),
    (
        facts.NodeSkipped("pay", facts.SkipReason.GUARD, AT, TOLD),
        facts.NodeSkipped("pay", facts.SkipReason.GUARD, AT),
    ),
    (facts.NodeFailed("pay", FAILURE, AT), facts.NodeFailed("pay", NAMED, AT)),
    (
        facts.CompletionGiven(post=1, node="pay", number=0, result=TOLD, actor="eve", at=AT),
        facts.CompletionGiven(post=1, node="pay", number=0, actor="eve", at=AT),
    ),
    (
        facts.CompletionGiven(post=1, node="pay", number=0, failure=FAILURE, misfit=CANARY, at=AT),
        facts.CompletionGiven(post=1, node="pay", number=0, failure=NAMED, misfit="", at=AT),
    ),
    (facts.RoundFailed("lines", 1, FAILURE, AT), facts.RoundFailed("lines", 1, NAMED, AT)),
    (facts.EffectUnrecorded("pay", FAILURE, AT), facts.EffectUnrecorded("pay", NAMED, AT)),
    (facts.NodeRefused("pay", FAILURE, AT), facts.NodeRefused("pay", NAMED, AT)),
    (facts.CompensateFailed("pay", FAILURE, AT), facts.CompensateFailed("pay", NAMED, AT)),
    (facts.UndoFailed("pay", FAILURE, AT), facts.UndoFailed("pay", NAMED, AT)),
    (
        facts.VerdictGiven("pay", facts.Proceeded(TOLD), AT),
        facts.VerdictGiven("pay", facts.Proceeded(NOTHING), AT),
    ),
    (facts.VerdictGiven("pay", Abort(CANARY), AT), facts.VerdictGiven("pay", Abort(), AT)),
    (
        facts.VerdictGiven("pay", RetryFresh(CANARY), AT),
        facts.VerdictGiven("pay", RetryFresh(""), AT),
    ),
    (facts.Returned(value=TOLD), facts.Returned(value=NOTHING)),
    (facts.Returned(failure=FAILURE), facts.Returned(failure=NAMED)),
    (facts.CancelRequested(1, "eve", CANARY, AT), facts.CancelRequested(1, "eve", "", AT)),
    (facts.UndoRequested(1, "eve", CANARY, AT), facts.UndoRequested(1, "eve", "", AT)),
    (
        facts.RetryRequested(1, "pay", "eve", CANARY, AT),
        facts.RetryRequested(1, "pay", "eve", "", AT),
    ),
    (
        facts.SettleRequested(1, "pay", ItHappened(TOLD), "eve", CANARY, AT, misfit=CANARY),
        facts.SettleRequested(1, "pay", ItHappened(NOTHING), "eve", "", AT, misfit=""),
    ),
    (
        facts.SettleRequested(1, "pay", Kept(), "eve", CANARY, AT),
        facts.SettleRequested(1, "pay", Kept(), "eve", "", AT),
    ),
    (facts.PauseRequested(1, "eve", CANARY, AT), facts.PauseRequested(1, "eve", "", AT)),
    (facts.ResumeRequested(1, "eve", CANARY, AT), facts.ResumeRequested(1, "eve", "", AT)),
    (
        facts.SkipRequested(1, "pay", "eve", CANARY, AT),
        facts.SkipRequested(1, "pay", "eve", "", AT),
    ),
    (
        facts.SetResultRequested(1, "pay", TOLD, "eve", CANARY, AT, misfit=CANARY),
        facts.SetResultRequested(1, "pay", NOTHING, "eve", "", AT, misfit=""),
    ),
    (
        facts.SetResultRequested(1, "pay", TOLD, "eve", CANARY, AT),
        facts.SetResultRequested(1, "pay", NOTHING, "eve", "", AT),
    ),
    (
        facts.RetryFromRequested(1, "pay", "eve", CANARY, AT),
        facts.RetryFromRequested(1, "pay", "eve", "", AT),
    ),
    (
        facts.RetraceBegan("pay", ("pay",), "eve", CANARY, AT),
        facts.RetraceBegan("pay", ("pay",), "eve", "", AT),
    ),
    (facts.Paused("eve", CANARY, AT), facts.Paused("eve", "", AT)),
    (facts.Resumed("eve", CANARY, AT), facts.Resumed("eve", "", AT)),
    (facts.SkipGranted("pay", "eve", CANARY, AT), facts.SkipGranted("pay", "eve", "", AT)),
    (
        facts.ResultGranted("pay", TOLD, "eve", CANARY, AT),
        facts.ResultGranted("pay", NOTHING, "eve", "", AT),
    ),
    (
        facts.NodeSettled("pay", ItHappened(TOLD), "eve", CANARY, AT),
        facts.NodeSettled("pay", ItHappened(NOTHING), "eve", "", AT),
    ),
]


@pytest.mark.parametrize(("fact", "kept"), CHANGED)
def test_values_are_taken_out_of_a_fact_and_all_else_stays(fact: Fact, kept: Fact) -> None:
    assert CANARY.encode() in write_facts((fact,))
    assert without_values(fact) == kept


@pytest.mark.parametrize(
    "fact",
    [
        facts.VerdictGiven("pay", RetryNow(), AT),
        facts.VerdictGiven("pay", Undecided(), AT),
        facts.NodeSettled("pay", ItDidNotHappen(), "eve", "", AT),
        facts.NodeSettled("pay", UndoneByHand(), "eve", "", AT),
        *(fact for fact, _ in GOLDEN if type(fact) not in {type(each) for each, _ in CHANGED}),
    ],
)
def test_a_fact_without_values_stays_as_it_is(fact: Fact) -> None:
    assert without_values(fact) == fact


def test_there_is_no_fact_of_which_nobody_has_said_what_may_be_kept() -> None:
    assert {type(fact) for fact, _ in GOLDEN} == set(get_args(Fact))


def test_to_erase_twice_takes_nothing_more() -> None:
    once = [without_values(fact) for fact, _ in GOLDEN]

    assert [without_values(fact) for fact in once] == once


def rolled_back() -> Run:
    """Return a run that failed at its second step, and went back."""
    plan = plan_of(step("hold", undo=True), step("pay", "hold"))
    run = Run(plan, {"pay": [replace(PERMANENT, message=CANARY)]})
    return run.play()


@pytest.mark.parametrize("run", [rolled_back(), Run(plan_of(step("hold"))).play()])
def test_an_erased_run_adds_up_to_where_it_stood_and_is_final(run: Run) -> None:
    stored = write_facts([*map(without_values, run.recorded), ERASED])

    state = fold(run.plan, read_facts(stored))

    assert CANARY.encode() not in stored
    assert (state.ended, state.status) == (EndStatus.ERASED, "erased")
    assert state.is_settled
    for same in ("ended_at", "cause", "rollback", "done_order", "undone_order"):
        assert snapshot(state)[same] == snapshot(run.state)[same]


def test_nothing_can_be_asked_of_an_erased_run() -> None:
    run = Run(plan_of(step("hold", undo=True))).play()
    run.turn(ERASED)

    run.turn(facts.UndoRequested(1, "eve", "x", run.now))
    run.turn(facts.CancelRequested(2, "eve", "x", run.now))

    assert run.state.answers == {1: ControlAnswer.NOT_COMPLETED, 2: ControlAnswer.TOO_LATE}
    assert run.state.status == "erased"
