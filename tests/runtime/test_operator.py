"""What an operator offers: finding runs, looking into them, foreseeing, asking by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood import (
    ControlAnswer,
    EngineClosed,
    InvalidInput,
    PastPivot,
    UnknownRun,
    UnreadableRun,
)
from makegood.decision import facts
from makegood.decision.people.preview import ForeseenUndo, UndoPreview
from makegood.runtime.operator import Operator
from makegood.values.limits import (
    ACTOR_CHARACTERS_MAX,
    PATH_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
)
from tests.runtime.asking.parked import ABSENT, EVE, in_doubt
from tests.runtime.trips import book, book_finally, book_surely

if TYPE_CHECKING:
    from tests.runtime.world import World

# Cancelling and undoing -------------------------------------------------------------------------


async def test_cancel_and_undo_are_asked_by_name_and_with_a_reason(stored: World) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, run.outcome())
    operator = Operator(engine)

    assert await stored.finish(engine, operator.cancel(run.id, **EVE)) is ControlAnswer.TOO_LATE
    assert await stored.finish(engine, operator.undo(run.id, **EVE)) is ControlAnswer.ACCEPTED
    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.cause) == ("cancelled", "reversed")
    recorded = (await operator.history(run.id)).facts
    (asked,) = [fact for fact in recorded if isinstance(fact, facts.UndoRequested)]
    assert (asked.actor, asked.reason) == ("eve", "asked the bank")


async def test_a_refusal_says_why_and_has_its_answer(world: World) -> None:
    engine = await world.engine(book_finally)
    run = await engine.start(book_finally("Oslo"))
    await world.finish(engine, run.outcome())

    asked = Operator(engine).undo(run.id, **EVE)

    with pytest.raises(PastPivot) as refused:
        await world.finish(engine, asked)

    assert refused.value.answer == ControlAnswer.PAST_PIVOT
    assert str(refused.value) == (
        f"run {run.id} cannot be undone: it has passed its pivot and only goes forward; retry, "
        "skip or settle what holds it up"
    )


@pytest.mark.parametrize(
    ("actor", "reason", "node", "why"),
    [
        ("", "late", "pay", "the actor is empty"),
        (" ", "late", "pay", "the actor is empty"),
        ("eve", "", "pay", "the reason is empty"),
        ("eve", "late", "", "the node is empty"),
        ("e" * (ACTOR_CHARACTERS_MAX + 1), "late", "pay", "the actor has 201 characters"),
        ("eve", "l" * (REASON_CHARACTERS_MAX + 1), "pay", "the reason has 2,001 characters"),
        ("eve", "late", "p" * (PATH_CHARACTERS_MAX + 1), "the node has 201 characters"),
        ("eve", "\udcff", "pay", "the reason '.udcff' is not text"),
    ],
    ids=[
        "no actor",
        "a blank actor",
        "no reason",
        "no node",
        "a long actor",
        "a long reason",
        "a long node",
        "no text",
    ],
)
async def test_a_request_says_who_asks_and_why(
    world: World, actor: str, reason: str, node: str, why: str
) -> None:
    client = await world.engine(work=False)

    with pytest.raises(InvalidInput, match=why):
        await Operator(client).retry(ABSENT, node, actor=actor, reason=reason, wait=EVE["wait"])


# Finding and looking ------------------------------------------------------------------------------


async def test_a_run_is_found_by_its_id_and_by_its_workflow_and_key(stored: World) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"), key="trips/7")
    operator = Operator(engine)

    assert await operator.find(run.id) == run.id
    assert await operator.find(run.id.upper()) == run.id
    assert await operator.find("book/trips/7") == run.id


@pytest.mark.parametrize("name", ["book/trip-2", "other/trip-1", "trip-1", ABSENT, "", "/", "?"])
async def test_a_run_that_is_not_there_is_not_found_and_both_forms_are_named(
    stored: World, name: str
) -> None:
    engine = await stored.engine(book)
    await engine.start(book("Oslo"), key="trip-1")

    with pytest.raises(UnknownRun, match=r"by its id \(0192f0c4-…\), or as workflow/key"):
        await Operator(engine).find(name)


async def test_a_history_is_everything_that_is_remembered(stored: World) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, run.outcome())
    client = await stored.engine(work=False)

    history = await Operator(client).history(run.id)

    assert (history.row.run, history.plan) == (run.id, book.plan)
    assert len(history.appends) == history.row.seq
    assert [type(fact) for fact in history.facts] == [
        facts.RunStarted,
        *[facts.NodeStarted, facts.NodeDone] * 3,
        facts.RunEnded,
    ]
    assert history.inbox == ()
    await stored.close(client)


async def test_a_preview_does_nothing_and_foresees_everything(stored: World) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    await stored.finish(engine, run.outcome())
    before = await Operator(engine).history(run.id)
    client = await stored.engine(work=False)

    foreseen = await Operator(client).preview_undo(run.id)
    refused = await Operator(client).preview_cancel(run.id)

    assert foreseen == UndoPreview(
        answer=ControlAnswer.ACCEPTED,
        undos=(
            ForeseenUndo(node="send_ticket", function="recall_ticket"),
            ForeseenUndo(node="charge_card", function="refund_card"),
            ForeseenUndo(node="hold_seat", function="free_seat"),
        ),
    )
    assert refused == UndoPreview(answer=ControlAnswer.TOO_LATE)
    assert await Operator(engine).history(run.id) == before
    await stored.close(client)


async def test_a_run_that_cannot_be_read_says_so_in_one_sentence(world: World) -> None:
    first = await world.engine(book_surely)
    run = await in_doubt(world, first)
    record = world._store.records[run.id]
    record.appends.append(b'[{"type":"sung"}]')
    operator = Operator(first)

    for asked in (
        first.run(run.id).outcome(),
        first.run(run.id).describe(),
        first.run(run.id).cancel(),
        operator.history(run.id),
        operator.preview_undo(run.id),
        operator.retry(run.id, **EVE),
    ):
        with pytest.raises(UnreadableRun, match=r"`book_surely` \(parked, in doubt\) cannot be"):
            await world.finish(first, asked)

    assert record.inbox == []


async def test_facts_that_do_not_fit_the_plan_cannot_be_read_either(world: World) -> None:
    engine = await world.engine(book_surely)
    run = await in_doubt(world, engine)
    world._store.records[run.id].appends.append(b'[{"type":"guarded","node":"pray"}]')

    for asked in (run.describe(), Operator(engine).preview_undo(run.id)):
        with pytest.raises(UnreadableRun, match="KeyError: 'pray'"):
            await asked


async def test_an_operator_of_a_closed_engine_says_so(world: World) -> None:
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    await world.close(engine)

    with pytest.raises(EngineClosed):
        await Operator(engine).history(run.id)
    assert repr(Operator(engine)) == f"<Operator of {engine!r}>"
