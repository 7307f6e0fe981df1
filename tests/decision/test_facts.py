"""Facts are stored for years: their shape never changes silently."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import get_args

import msgspec
import pytest
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import evolve, fold, fold_appends
from makegood.decision.facts import Fact, read_facts, write_facts
from makegood.decision.happening.groups import (
    OfChildren,
    OfFlow,
    OfLifecycle,
    OfMail,
    OfNode,
    OfPeople,
    OfRun,
    Outcome,
)
from makegood.decision.state import RunState
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
    Settlement,
    Undecided,
    UndoneByHand,
)
from tests.decision.children.golden import GOLDEN_OF_CHILDREN
from tests.decision.driver import Run, snapshot
from tests.decision.lifecycle.golden import GOLDEN_OF_LIFECYCLES
from tests.decision.people.golden import GOLDEN_OF_CONTROL
from tests.decision.plans import plan_of, step

AT = Instant(1_700_000_000_000_000)
RUN = RunId("r-1")
FAILURE = Failure(
    kind=FailureKind.TRANSIENT,
    type="shop.Busy",
    message="come back",
    traceback="Traceback …",
    retry_after=timedelta(seconds=1),
)
FAILURE_JSON = (
    '{"kind":"transient","type":"shop.Busy","message":"come back","traceback":"Traceback …",'
    '"retry_after":"PT1S"}'
)

VERDICTS: list[tuple[facts.Proceeded | RetryNow | Abort | Undecided | RetryFresh, str]] = [
    (facts.Proceeded(Raw(b"7")), '{"type":"proceed","result":7}'),
    (RetryNow(timedelta(seconds=90)), '{"type":"retry_now","after":"PT90S"}'),
    (Abort("no trace"), '{"type":"abort","reason":"no trace"}'),
    (Undecided(), '{"type":"undecided","after":null}'),
    (RetryFresh("void"), '{"type":"retry_fresh","proof":"void"}'),
]

SETTLEMENTS: list[tuple[Settlement, str]] = [
    (ItHappened(Raw(b'{"id":7}')), '{"type":"happened","result":{"id":7}}'),
    (ItDidNotHappen(), '{"type":"did_not_happen"}'),
    (UndoneByHand(), '{"type":"undone_by_hand"}'),
    (Kept(), '{"type":"kept"}'),
]

GOLDEN: list[tuple[Fact, str]] = [
    (
        facts.RunStarted(
            workflow="shop",
            fingerprint="f",
            key="order-1",
            inputs={"n": Raw(b"1")},
            deadline=AT,
            at=AT,
        ),
        '{"type":"run_started","workflow":"shop","fingerprint":"f","key":"order-1",'
        '"inputs":{"n":1},"deadline":1700000000000000,"at":1700000000000000}',
    ),
    (
        facts.RunStarted(
            workflow="shop",
            fingerprint="f",
            key=None,
            inputs={},
            deadline=None,
            at=AT,
            context={"tenant": "acme"},
        ),
        '{"type":"run_started","workflow":"shop","fingerprint":"f","key":null,'
        '"inputs":{},"deadline":null,"at":1700000000000000,"context":{"tenant":"acme"}}',
    ),
    (facts.Claimed(2, AT), '{"type":"claimed","claims":2,"at":1700000000000000}'),
    (
        facts.NodeStarted("pay", 1, AT),
        '{"type":"node_started","node":"pay","attempt":1,"at":1700000000000000}',
    ),
    (
        facts.NodeDelayed("pay", "undo", 2, "Bank", AT, AT),
        '{"type":"node_delayed","node":"pay","direction":"undo","attempt":2,"service":"Bank",'
        '"due":1700000000000000,"at":1700000000000000}',
    ),
    (
        facts.Recorded("pay", Raw(b'{"id":7}'), AT),
        '{"type":"recorded","node":"pay","value":{"id":7},"at":1700000000000000}',
    ),
    (
        facts.NodeDone("pay", Raw(b'{"id":7}'), AT),
        '{"type":"node_done","node":"pay","result":{"id":7},"at":1700000000000000}',
    ),
    (
        facts.NodeFailed("pay", FAILURE, AT),
        f'{{"type":"node_failed","node":"pay","failure":{FAILURE_JSON},"at":1700000000000000}}',
    ),
    (
        facts.EffectUnrecorded("pay", Failure(kind=FailureKind.PERMANENT, type="ValueError"), AT),
        '{"type":"effect_unrecorded","node":"pay",'
        '"failure":{"kind":"permanent","type":"ValueError"},"at":1700000000000000}',
    ),
    (
        facts.RetryScheduled("pay", AT),
        '{"type":"retry_scheduled","node":"pay","due":1700000000000000}',
    ),
    (facts.Guarded("pay"), '{"type":"guarded","node":"pay"}'),
    (facts.Chosen("how", "card"), '{"type":"chosen","node":"how","case":"card"}'),
    (
        facts.WaitBegan("wait", "shop.Shipped", "k", AT, AT),
        '{"type":"wait_began","node":"wait","message":"shop.Shipped","key":"k",'
        '"due":1700000000000000,"at":1700000000000000}',
    ),
    (
        facts.WaitRefused("wait", AT),
        '{"type":"wait_refused","node":"wait","at":1700000000000000}',
    ),
    (
        facts.MessageCame("7", "shop.Shipped", "k", Raw(b"1"), AT, AT),
        '{"type":"message_came","id":"7","message":"shop.Shipped","key":"k","value":1,'
        '"until":1700000000000000,"at":1700000000000000}',
    ),
    (
        facts.MessageSent("send", "shop.Shipped", "k", Raw(b"1"), "now", AT, AT),
        '{"type":"message_sent","node":"send","message":"shop.Shipped","key":"k","value":1,'
        '"on":"now","until":1700000000000000,"at":1700000000000000}',
    ),
    (
        facts.SleepBegan("nap", AT),
        '{"type":"sleep_began","node":"nap","due":1700000000000000}',
    ),
    (
        facts.RunStarted(
            workflow="ship",
            fingerprint="f",
            key="k",
            inputs={},
            deadline=None,
            at=AT,
            subject="ada",
            parent=facts.Parent(RUN, "ship"),
            depth=1,
        ),
        '{"type":"run_started","workflow":"ship","fingerprint":"f","key":"k","inputs":{},'
        '"deadline":null,"at":1700000000000000,"subject":"ada",'
        '"parent":{"run":"r-1","node":"ship"},"depth":1}',
    ),
    *GOLDEN_OF_CHILDREN,
    *GOLDEN_OF_LIFECYCLES,
    (
        facts.UndoRequested(1, "a", "b", AT, is_parents=True),
        '{"type":"undo_requested","post":1,"actor":"a","reason":"b","at":1700000000000000,'
        '"is_parents":true}',
    ),
    (
        facts.ItemsListed("lines", (Raw(b'{"id":7}'), Raw(b"8"))),
        '{"type":"items_listed","node":"lines","items":[{"id":7},8]}',
    ),
    (
        facts.RoundBegan("again", Raw(b"7")),
        '{"type":"round_began","node":"again","value":7}',
    ),
    (
        facts.RoundDone("lines", 1, Raw(b"7")),
        '{"type":"round_done","node":"lines","round":1,"value":7}',
    ),
    (
        facts.CompletionAwaited("pay", AT, AT),
        '{"type":"completion_awaited","node":"pay","due":1700000000000000,"at":1700000000000000}',
    ),
    (
        facts.CompletionGiven(post=1, node="pay", number=0, result=Raw(b"7"), at=AT),
        '{"type":"completion_given","post":1,"node":"pay","number":0,"result":7,'
        '"at":1700000000000000}',
    ),
    (
        facts.CompletionGiven(
            post=1,
            node="pay",
            number=0,
            failure=Failure(kind=FailureKind.PERMANENT, type="E"),
            actor="eve",
            at=AT,
            misfit="no number",
        ),
        '{"type":"completion_given","post":1,"node":"pay","number":0,'
        '"failure":{"kind":"permanent","type":"E"},"actor":"eve","at":1700000000000000,'
        '"misfit":"no number"}',
    ),
    (
        facts.RoundFailed("lines", 1, Failure(kind=FailureKind.PERMANENT, type="E"), AT),
        '{"type":"round_failed","node":"lines","round":1,'
        '"failure":{"kind":"permanent","type":"E"},"at":1700000000000000}',
    ),
    (
        facts.RoundGaveUp("lines", 1, AT),
        '{"type":"round_gave_up","node":"lines","round":1,"at":1700000000000000}',
    ),
    (
        facts.NodeSkipped("pay", facts.SkipReason.IN_DOUBT, AT),
        '{"type":"node_skipped","node":"pay","reason":"in doubt","at":1700000000000000}',
    ),
    (
        facts.NodeSkipped("pay", facts.SkipReason.GUARD, AT, Raw(b"7")),
        '{"type":"node_skipped","node":"pay","reason":"guard","at":1700000000000000,"instead":7}',
    ),
    (
        facts.NodeStopped("pay", AT),
        '{"type":"node_stopped","node":"pay","at":1700000000000000}',
    ),
    (
        facts.NodeGaveUp("pay", AT),
        '{"type":"node_gave_up","node":"pay","at":1700000000000000}',
    ),
    (facts.NodeStuck("pay", AT), '{"type":"node_stuck","node":"pay","at":1700000000000000}'),
    (
        facts.CompensateStarted("pay", 1, AT),
        '{"type":"compensate_started","node":"pay","attempt":1,"at":1700000000000000}',
    ),
    *(
        (
            facts.VerdictGiven("pay", verdict, AT),
            f'{{"type":"verdict_given","node":"pay","verdict":{text},"at":1700000000000000}}',
        )
        for verdict, text in VERDICTS
    ),
    (
        facts.CompensateFailed("pay", Failure(kind=FailureKind.IN_DOUBT, type="E"), AT),
        '{"type":"compensate_failed","node":"pay","failure":{"kind":"in_doubt","type":"E"},'
        '"at":1700000000000000}',
    ),
    (
        facts.CompensateRetryScheduled("pay", AT),
        '{"type":"compensate_retry_scheduled","node":"pay","due":1700000000000000}',
    ),
    (
        facts.CancelRequested(1, "eve", "late", AT),
        '{"type":"cancel_requested","post":1,"actor":"eve","reason":"late","at":1700000000000000}',
    ),
    (
        facts.UndoRequested(2, "eve", "late", AT),
        '{"type":"undo_requested","post":2,"actor":"eve","reason":"late","at":1700000000000000}',
    ),
    *(
        (
            facts.SettleRequested(3, "pay", settlement, "eve", "asked the bank", AT),
            f'{{"type":"settle_requested","post":3,"node":"pay","settlement":{text},'
            '"actor":"eve","reason":"asked the bank","at":1700000000000000}',
        )
        for settlement, text in SETTLEMENTS
    ),
    (
        facts.SettleRequested(3, "pay", Kept(), "eve", "so be it", AT, misfit="no number"),
        '{"type":"settle_requested","post":3,"node":"pay","settlement":{"type":"kept"},'
        '"actor":"eve","reason":"so be it","at":1700000000000000,"misfit":"no number"}',
    ),
    (
        facts.RetryRequested(4, "pay", "eve", "it is up again", AT),
        '{"type":"retry_requested","post":4,"node":"pay","actor":"eve",'
        '"reason":"it is up again","at":1700000000000000}',
    ),
    (
        facts.RetryRequested(4, None, "eve", "it is up again", AT),
        '{"type":"retry_requested","post":4,"node":null,"actor":"eve",'
        '"reason":"it is up again","at":1700000000000000}',
    ),
    (
        facts.RetryRequested(4, None, "eve", "it is up again", AT, (2, 3)),
        '{"type":"retry_requested","post":4,"node":null,"actor":"eve",'
        '"reason":"it is up again","at":1700000000000000,"left_out":[2,3]}',
    ),
    (
        facts.ControlAnswered(2, facts.ControlAnswer.PAST_PIVOT),
        '{"type":"control_answered","post":2,"answer":"past the pivot"}',
    ),
    (facts.MovedOn("f", AT), '{"type":"moved_on","fingerprint":"f","at":1700000000000000}'),
    (facts.DeadlinePassed(AT), '{"type":"deadline_passed","at":1700000000000000}'),
    (
        facts.RollbackBegan(facts.Cause.ERROR, AT),
        '{"type":"rollback_began","cause":"error","at":1700000000000000}',
    ),
    (
        facts.UndoStarted("pay", 1, AT),
        '{"type":"undo_started","node":"pay","attempt":1,"at":1700000000000000}',
    ),
    (facts.UndoDone("pay", AT), '{"type":"undo_done","node":"pay","at":1700000000000000}'),
    (
        facts.UndoFailed("pay", Failure(kind=FailureKind.DECLINED, type="E"), AT),
        '{"type":"undo_failed","node":"pay","failure":{"kind":"declined","type":"E"},'
        '"at":1700000000000000}',
    ),
    (
        facts.UndoRetryScheduled("pay", AT),
        '{"type":"undo_retry_scheduled","node":"pay","due":1700000000000000}',
    ),
    (facts.UndoLeft("pay", AT), '{"type":"undo_left","node":"pay","at":1700000000000000}'),
    (facts.NodeKept("pay"), '{"type":"node_kept","node":"pay"}'),
    (
        facts.Returned(value=Raw(b"[1]")),
        '{"type":"returned","value":[1],"failure":null}',
    ),
    (
        facts.Returned(failure=Failure(kind=FailureKind.PERMANENT, type="E")),
        '{"type":"returned","value":null,"failure":{"kind":"permanent","type":"E"}}',
    ),
    (
        facts.Parked(facts.ParkReason.FORWARD_USED_UP, AT),
        '{"type":"parked","reason":"forward retries used up after the pivot",'
        '"at":1700000000000000}',
    ),
    *(
        (
            facts.NodeSettled("pay", settlement, "eve", "asked the bank", AT),
            f'{{"type":"node_settled","node":"pay","settlement":{text},'
            '"actor":"eve","reason":"asked the bank","at":1700000000000000}',
        )
        for settlement, text in SETTLEMENTS
    ),
    (
        facts.AttemptsGranted("pay", AT),
        '{"type":"attempts_granted","node":"pay","at":1700000000000000}',
    ),
    (
        facts.AttemptsGranted(None, AT),
        '{"type":"attempts_granted","node":null,"at":1700000000000000}',
    ),
    (facts.Unparked(AT), '{"type":"unparked","at":1700000000000000}'),
    *GOLDEN_OF_CONTROL,
    (
        facts.RunEnded(facts.EndStatus.COMPLETED, None, facts.Rollback.NONE, AT),
        '{"type":"run_ended","status":"completed","cause":null,"rollback":"none",'
        '"at":1700000000000000}',
    ),
    (
        facts.Erased("eve", "article 17", AT),
        '{"type":"erased","actor":"eve","reason":"article 17","at":1700000000000000}',
    ),
]

NAMES = [f"{type(fact).__name__}-{index}" for index, (fact, _) in enumerate(GOLDEN)]

WORDS = {
    facts.Cause: ["error", "deadline", "cancelled", "reversed"],
    facts.EndStatus: ["completed", "failed", "cancelled", "erased"],
    facts.Rollback: ["none", "undone"],
    facts.ParkReason: [
        "undo gave up",
        "in doubt",
        "unrecorded effect",
        "poison",
        "forward retries used up after the pivot",
        "a child run is parked",
        "definition error",
        "paused too often",
        "moved too often",
    ],
    facts.SkipReason: ["guard", "optional", "in doubt", "person"],
    facts.ControlAnswer: [
        "accepted",
        "too late",
        "already undoing",
        "past the pivot",
        "not completed",
        "parked",
        "not parked",
        "no such node",
        "not what it waits for",
        "does not fit",
        "not a result of this node",
        "the key has expired",
        "it can only be settled",
        "it is undone with its parent",
        "what waits is its child run",
        "said before",
        "said otherwise",
        "not awaited",
        "already paused",
        "not paused",
        "it has no body",
        "the node has ended",
        "at work",
        "in doubt",
        "not begun",
        "it declares no undo",
        "in a branch, a round or a child",
        "its result is needed",
    ],
    FailureKind: ["transient", "declined", "permanent", "in_doubt"],
}


@pytest.mark.parametrize(("fact", "text"), GOLDEN, ids=NAMES)
def test_a_fact_is_stored_in_exactly_this_shape(fact: Fact, text: str) -> None:
    assert write_facts((fact,)).decode() == f"[{text}]"


@pytest.mark.parametrize(("fact", "text"), GOLDEN, ids=NAMES)
def test_a_stored_fact_is_read_as_it_was(fact: Fact, text: str) -> None:
    assert read_facts(f"[{text}]") == (fact,)


def test_every_fact_has_its_stored_shape_written_down() -> None:
    assert {type(fact) for fact, _ in GOLDEN} == set(get_args(Fact))


def test_every_fact_is_about_one_thing_or_begins_an_attempt_or_says_when_it_is_due() -> None:
    groups = (OfChildren, OfLifecycle, OfMail, OfNode, OfPeople, OfRun, Outcome)
    grouped = [kind for group in groups for kind in get_args(group)]
    begins = {facts.NodeStarted, facts.CompensateStarted, facts.UndoStarted}
    due = {facts.RetryScheduled, facts.CompensateRetryScheduled, facts.UndoRetryScheduled}

    assert len(grouped) == len(set(grouped))
    assert {*grouped, *begins, *due} == set(get_args(Fact))
    assert set(get_args(OfFlow)) < set(get_args(OfNode))


@pytest.mark.parametrize(
    ("words", "expected"), WORDS.items(), ids=[words.__name__ for words in WORDS]
)
def test_the_words_that_are_stored_never_change(words: type[StrEnum], expected: list[str]) -> None:
    assert [word.value for word in words] == expected


def test_a_fact_that_nobody_knows_is_refused_and_not_passed_over() -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid value"):
        read_facts(b'[{"type":"node_vanished","node":"pay"}]')


def test_a_fact_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        facts.Guarded("pay").node = "ship"  # type: ignore[misc]


def test_evolve_returns_the_state_that_it_was_given() -> None:
    state = RunState(plan_of(step("pay")))

    assert evolve(state, GOLDEN[0][0]) is state
    assert snapshot(state)["key"] == "order-1"


def test_stored_appends_add_up_to_the_same_state_as_their_facts() -> None:
    run = Run(plan_of(step("hold"), step("pay", "hold")))
    run.play()
    stored = [write_facts((fact,)) for fact in run.recorded]

    assert snapshot(fold_appends(run.plan, stored)) == snapshot(fold(run.plan, run.recorded))
    assert snapshot(fold_appends(run.plan, stored)) == snapshot(run.state)
