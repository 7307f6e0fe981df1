"""What is kept of runs that have ended: pruned with age, erased on demand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from makegood import (
    Filter,
    InvalidInput,
    KeyConflict,
    NotUndoable,
    OutcomeUnknown,
    RunErased,
    RunFailed,
    UnknownRun,
)
from makegood.decision import facts
from makegood.picture import text, timeline
from makegood.runtime.operator import Operator
from makegood.values.instants import after
from tests.runtime.asking.parked import EVE
from tests.runtime.trips import book, book_surely

if TYPE_CHECKING:
    from tests.runtime.world import World

CANARY = "Ada Lovelace"
ADA = "customer-17"
WHY = {"actor": "eve", "reason": "article 17"}


async def test_ended_runs_are_pruned_batch_by_batch_with_a_rest_between(stored: World) -> None:
    engine = await stored.engine(book)
    operator = Operator(engine)
    for number in range(5):
        run = await engine.start(book("Oslo"), key=f"trip-{number}")
        await stored.finish(engine, run.outcome())
    now = stored.clock.now()
    before = now

    nothing = await operator.prune(ended_before=after(now, -timedelta(hours=1)))
    later = operator.prune(ended_before=after(now, timedelta(1)), batch=2)
    removed = await stored.finish(engine, later)

    assert (nothing, removed) == (0, 5)
    assert stored.clock.now() >= after(before, timedelta(milliseconds=100))
    with pytest.raises(UnknownRun, match="was pruned"):
        await operator.history(run.id)
    assert (await engine.start(book("Oslo"), key="trip-4")).id == run.id
    with pytest.raises(InvalidInput, match="a batch of 0 runs"):
        await operator.prune(ended_before=now, batch=0)


async def test_every_value_of_a_subjects_runs_is_erased_and_the_story_stays(stored: World) -> None:
    engine = await stored.engine(book)
    operator = Operator(engine)
    done = await engine.start(book(CANARY), key="trip-1", subject=ADA)
    other = await engine.start(book(CANARY), key="trip-2", subject="customer-2")
    for run in (done, other):
        await stored.finish(engine, run.outcome())

    report = await operator.erase(subject=ADA, **WHY)

    history = await operator.history(done.id)
    assert [row.run for row in report.erased] == [done.id]
    assert report.is_complete
    assert CANARY.encode() not in msgspec.json.encode(history.facts)
    assert history.facts[-1] == facts.Erased("eve", "article 17", stored.clock.now())
    assert (history.row.status, history.row.subject, history.row.key) == ("erased", None, "trip-1")
    assert [type(fact) for fact in history.facts][:-1] == [
        type(fact) for fact in (await operator.history(other.id)).facts
    ]
    told = text(timeline(history.row, history.plan, history.facts))
    assert "book trip-1: erased" in told
    assert "erased by eve (article 17): no value is on record any more" in told


async def test_an_erased_run_has_no_value_and_cannot_be_undone(stored: World) -> None:
    engine = await stored.engine(book)
    operator = Operator(engine)
    run = await engine.start(book(CANARY), key="trip-1", subject=ADA)
    await stored.finish(engine, run.outcome())
    await operator.erase(subject=ADA, **WHY)

    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.value, outcome.error) == ("erased", None, None)
    with pytest.raises(RunErased, match="was erased: it had ended, and no value of it is on rec"):
        await stored.finish(engine, run.result())
    asked = operator.undo(run.id, **EVE)
    with pytest.raises(NotUndoable, match="only a completed run can be undone"):
        await stored.finish(engine, asked)
    assert (await operator.history(run.id)).row.status == "erased"


async def test_the_key_of_an_erased_run_stays_taken(stored: World) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book(CANARY), key="trip-1", subject=ADA)
    await stored.finish(engine, run.outcome())
    await Operator(engine).erase(subject=ADA, **WHY)

    again = await engine.start(book(CANARY), key="trip-1", subject=ADA)

    assert again.id == run.id
    with pytest.raises(KeyConflict):
        await engine.start(book("Oslo"), key="trip-1")


async def test_a_run_that_failed_keeps_the_names_of_its_errors_alone(stored: World) -> None:
    engine = await stored.engine(book)
    stored.outside.planned["charge"] = [ValueError(CANARY)]
    run = await engine.start(book(CANARY), subject=ADA)
    with pytest.raises(RunFailed, match=CANARY):
        await stored.finish(engine, run.result())

    await Operator(engine).erase(subject=ADA, **WHY)

    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.cause, str(outcome.error)) == (
        "erased",
        "error",
        "builtins.ValueError",
    )


async def test_what_has_not_ended_is_left_as_it_is_and_named(stored: World) -> None:
    engine = await stored.engine(book_surely)
    stored.outside.planned["charge"] = [OutcomeUnknown("no answer")]
    parked = await engine.start(book_surely(CANARY), subject=ADA)
    await stored.finish(engine, parked.outcome())
    before = await Operator(engine).history(parked.id)

    report = await Operator(engine).erase(subject=ADA, **WHY)

    assert [row.run for row in report.under_way] == [parked.id]
    assert not report.is_complete
    assert await Operator(engine).history(parked.id) == before


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("", "the subject is empty; name whom the run is about"),
        ("a\nb", "characters that cannot be printed"),
        ("x" * 256, "has 256 bytes; at most 255"),
    ],
    ids=["none", "unprintable", "long"],
)
async def test_a_subject_that_is_no_name_is_refused(world: World, subject: str, why: str) -> None:
    engine = await world.engine(book)

    with pytest.raises(InvalidInput, match=why):
        await engine.start(book("Oslo"), subject=subject)
    with pytest.raises(InvalidInput, match=why):
        await Operator(engine).erase(subject=subject, **WHY)
    assert (await engine.list(Filter())).rows == ()


async def test_who_erases_and_why_must_be_said(world: World) -> None:
    operator = Operator(await world.engine(book))

    with pytest.raises(InvalidInput, match="the actor is empty"):
        await operator.erase(subject=ADA, actor="", reason="x")
    with pytest.raises(InvalidInput, match="the reason is empty"):
        await operator.erase(subject=ADA, actor="eve", reason=" ")
