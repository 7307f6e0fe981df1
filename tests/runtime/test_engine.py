"""What an engine offers: serving, starting by key, listing, closing, limits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Config,
    DefinitionError,
    Engine,
    EngineClosed,
    Filter,
    InvalidInput,
    KeyConflict,
    Unavailable,
    UnknownRun,
    step,
    workflow,
)
from makegood.journal.memory import MemoryJournal
from makegood.values.instants import as_instant
from tests.runtime.outside import Gate
from tests.runtime.trips import book, book_finally
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from makegood import Run, Workflow
    from tests.runtime.world import World

NOBODY = "01890000-0000-7000-8000-000000000000"


# Serving --------------------------------------------------------------------------------------


def other_book() -> Workflow[[str], str]:
    """Return another workflow of the same name."""

    async def ask(trip: str) -> str:
        return trip

    @workflow
    def book(trip: str) -> str:
        return step(ask, irreversible="test")(trip)

    return book


async def test_two_workflows_of_one_name_are_refused_together_or_one_after_the_other(
    world: World,
) -> None:
    engine = await world.engine()
    with pytest.raises(DefinitionError, match="two workflows are named `book`"):
        engine.serve(book, other_book())
    assert "serving nothing" in repr(engine)

    engine.serve(book)
    engine.serve(book)
    with pytest.raises(DefinitionError, match="two workflows are named `book`"):
        engine.serve(other_book())


async def test_a_run_that_is_started_before_it_is_served_begins_when_it_is(world: World) -> None:
    engine = await world.engine()
    started = await engine.start(book("Oslo"))
    assert world.outside.calls == []
    engine.serve(book)
    assert await world.finish(engine, started.result()) == "send done"


# Starting -------------------------------------------------------------------------------------


async def test_the_same_key_and_input_is_the_same_run_also_when_it_has_ended(
    stored: World,
) -> None:
    """G8: a caller that asks again is given what it was given before."""
    engine = await stored.engine(book)
    first = await engine.start(book("Oslo"), key="trip-1")
    again = await engine.start(book(trip="Oslo"), key="trip-1")
    assert await stored.finish(engine, first.result()) == "send done"
    later = await engine.start(book("Oslo"), key="trip-1")

    assert first.id == again.id == later.id
    assert await stored.finish(engine, later.result()) == "send done"
    assert stored.outside.calls == ["hold", "charge", "send"]


async def test_the_same_key_with_another_input_is_refused_and_writes_nothing(
    stored: World,
) -> None:
    """G8: the message names the run that has the key."""
    engine = await stored.engine(book)
    first = await engine.start(book("Oslo"), key="trip-1")
    with pytest.raises(KeyConflict, match=f"'trip-1' of `book` belongs to run {first.id}"):
        await engine.start(book("Rome"), key="trip-1")
    assert [row.run for row in (await engine.list()).rows] == [first.id]


async def test_a_key_is_one_workflows_own(world: World) -> None:
    engine = await world.engine(book, book_finally)
    one = await engine.start(book("Oslo"), key="trip-1")
    other = await engine.start(book_finally("Oslo"), key="trip-1")
    assert one.id != other.id


async def test_many_starts_at_once_with_one_key_are_one_run(stored: World) -> None:
    """G8: sixty-four callers, one run, one charge."""
    engine = await stored.engine(book)
    started = await asyncio.gather(*(engine.start(book("Oslo"), key="trip-1") for _ in range(64)))
    assert len({run.id for run in started}) == 1
    results = await stored.finish(engine, _all(run.result() for run in started))
    assert results == ["send done"] * 64
    assert stored.outside.calls == ["hold", "charge", "send"]
    assert engine.active == 0


async def _all(awaited: Iterable[Awaitable[str]]) -> list[str]:
    return await asyncio.gather(*awaited)


@pytest.mark.parametrize(
    "key", ["", "   ", "\t", "a\nb", "a\x00b", "\ud800", "k" * 256, "ü" * 128], ids=ascii
)
async def test_a_key_that_cannot_be_one_is_refused(world: World, key: str) -> None:
    """G8: blank, unprintable or too long."""
    engine = await world.engine(book)
    with pytest.raises(InvalidInput, match="key"):
        await engine.start(book("Oslo"), key=key)
    assert (await engine.list()).rows == ()


@pytest.mark.parametrize("key", ["a", "Bestellung ü-7", "k" * 255, "'; DROP TABLE runs; --"])
async def test_any_printable_key_is_taken_as_it_is(stored: World, key: str) -> None:
    engine = await stored.engine(book)
    await engine.start(book("Oslo"), key=key)
    (row,) = (await engine.list()).rows
    assert row.key == key


class Connection:
    async def commit(self) -> None: ...


async def test_a_store_that_cannot_join_a_callers_transaction_says_so_by_name(
    stored: World,
) -> None:
    engine = await stored.engine(book)
    name = type(stored.journal()).__name__

    with pytest.raises(InvalidInput, match=f"a {name} cannot start a run within a transaction"):
        await engine.start(book("Oslo"), within=Connection())

    assert (await engine.list()).rows == ()


# By id ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_id", ["", "42", "no-such-run", "../x"])
async def test_what_is_no_run_id_is_refused(world: World, run_id: str) -> None:
    engine = await world.engine(book)
    with pytest.raises(InvalidInput, match="is not a run id"):
        engine.run(run_id)


async def test_a_run_that_is_not_there_is_unknown_to_every_question(stored: World) -> None:
    engine = await stored.engine(book)
    run = engine.run(NOBODY)
    for asked in (run.describe, run.outcome, run.result, run.cancel, run.undo):
        with pytest.raises(UnknownRun, match=NOBODY):
            await asked()


# Listing --------------------------------------------------------------------------------------


async def test_runs_are_listed_by_what_became_of_them(stored: World) -> None:
    engine = await stored.engine(book, book_finally)
    stored.outside.planned["charge"] = [None, ValueError("no such card")]
    completed = await engine.start(book("Oslo"), key="one")
    await stored.finish(engine, completed.outcome())
    failed = await engine.start(book("Rome"))
    await stored.finish(engine, failed.outcome())
    other = await engine.start(book_finally("Bonn"))
    await stored.finish(engine, other.outcome())

    async def listed(**wanted: object) -> list[str]:
        page = await engine.list(Filter(**wanted))  # type: ignore[arg-type] # one field each
        return [row.run for row in page.rows]

    assert await listed() == [other.id, failed.id, completed.id]
    assert await listed(statuses=frozenset({"failed"})) == [failed.id]
    assert await listed(causes=frozenset({"error"})) == [failed.id]
    assert await listed(workflow="book") == [failed.id, completed.id]
    assert await listed(unfinished=True) == []
    created = as_instant((await completed.describe()).created_at)
    assert await listed(created_before=created) == []


async def test_pages_follow_each_other_without_a_gap(stored: World) -> None:
    engine = await stored.engine(book)
    runs = [(await engine.start(book("Oslo"))).id for _ in range(7)]
    seen: list[str] = []
    page = await engine.list(Filter(limit=3))
    seen += [row.run for row in page.rows]
    while page.next is not None:
        page = await engine.list(Filter(limit=3, after=page.next))
        seen += [row.run for row in page.rows]
    assert seen == sorted(runs, reverse=True)


@pytest.mark.parametrize("limit", [-1, 0, 201])
async def test_a_page_has_a_bound(world: World, limit: int) -> None:
    """G31: nobody asks for everything at once."""
    engine = await world.engine(book)
    with pytest.raises(InvalidInput, match="ask for 1 to 200"):
        await engine.list(Filter(limit=limit))


# Opening and closing --------------------------------------------------------------------------


async def test_an_engine_that_is_not_open_says_so() -> None:
    engine = Engine("memory://")
    for asked in (
        lambda: engine.start(book("Oslo")),
        engine.list,
        engine.crashes,
        lambda: engine.read("SELECT 1"),
    ):
        with pytest.raises(EngineClosed, match="async with Engine"):
            await asked()
    with pytest.raises(EngineClosed):
        engine.run(NOBODY)


async def test_an_engine_is_entered_once(world: World) -> None:
    """What was handed back is not taken up behind the back of who closed it."""
    engine = world.make()
    async with engine:
        with pytest.raises(EngineClosed, match="entered once"):
            await engine.__aenter__()
    with pytest.raises(EngineClosed, match="entered once"):
        await engine.__aenter__()


async def test_whoever_waits_for_a_run_learns_that_the_engine_has_closed(world: World) -> None:
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    waiting = asyncio.ensure_future(run.result())
    await gate.reached.wait()
    await world.close(engine)
    with pytest.raises(EngineClosed):
        await waiting


async def test_a_waiting_run_is_handed_back_and_taken_up_by_the_next(stored: World) -> None:
    """F11: at once, without waiting for a lease to run out."""
    stored.outside.planned["charge"] = [Unavailable()]
    first = await stored.engine(book)
    run = await first.start(book("Oslo"))
    await stored.finish(first, _reaches(run, "waiting"))
    assert first.active == 1
    await stored.close(first)

    second = await stored.engine()
    (row,) = (await second.list()).rows
    assert row.wake_at is not None
    assert row.wake_at <= stored.clock.now()
    second.serve(book)
    assert await stored.finish(second, second.run(run.id).result()) == "send done"
    assert stored.outside.calls == ["hold", "charge", "charge", "send"]


async def _reaches(run: Run[str], status: str) -> None:
    while (await run.describe()).status != status:
        await turn_of_the_loop()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"runs_active_max": 0}, "runs_active_max is 0"),
        ({"steps_at_once_max": -1}, "steps_at_once_max is -1"),
        ({"claim_batch": 0}, "claim_batch is 0"),
        ({"poll_min": timedelta(0)}, "poll_min is 0:00:00"),
        ({"poll_max": timedelta(0)}, "poll_max is 0:00:00"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        Config(**wrong)  # type: ignore[arg-type] # one field each


# Several engines ------------------------------------------------------------------------------


async def test_one_engine_starts_and_asks_while_another_works(stored: World) -> None:
    worker = await stored.engine(book)
    client = await stored.engine(work=False)
    run = await client.start(book("Oslo"), key="trip-1")
    again = await client.start(book("Oslo"), key="trip-1")
    assert run.id == again.id
    with pytest.raises(KeyConflict):
        await client.start(book("Rome"), key="trip-1")

    assert await stored.finish(worker, run.result()) == "send done"
    assert client.active == 0
    assert (await run.describe()).status == "completed"


async def test_a_client_learns_the_value_without_the_workflows_code(world: World) -> None:
    """It is given as plain JSON: the plan is in the journal, the types are not."""
    worker = await world.engine(book)
    run = await worker.start(book("Oslo"))
    await world.finish(worker, run.result())
    client = await world.engine(work=False)
    assert await client.run(run.id).result() == "send done"


async def test_a_dead_engines_runs_are_taken_up_when_their_lease_is_over(world: World) -> None:
    """G5: all of them, by whoever is there, and each by one."""
    gates = [Gate() for _ in range(20)]
    world.outside.planned["hold"] = list(gates)
    first = await world.engine(book)
    runs = [await first.start(book("Oslo")) for _ in gates]
    for gate in gates:
        await gate.reached.wait()
    await world.kill(first)
    second = await world.engine(book)
    results = await world.finish(second, _all(second.run(run.id).result() for run in runs))
    assert results == ["send done"] * 20
    assert len(world.outside.happened) == 60


async def test_two_engines_share_the_runs_and_none_is_done_twice(world: World) -> None:
    """F24: whoever claims first has it."""
    client = await world.engine(work=False)
    runs = [await client.start(book("Oslo"), key=f"trip-{n}") for n in range(40)]
    config = Config(claim_batch=5, shutdown_grace=AT_ONCE)
    one = await world.engine(book, config=config)
    two = await world.engine(book, config=config)
    await world.finish(one, _all(client.run(run.id).result() for run in runs))
    assert two.active == 0
    assert len(world.outside.calls) == len(world.outside.happened) == 120


# Limits ---------------------------------------------------------------------------------------


async def test_starts_beyond_the_limit_wait_in_the_journal(stored: World) -> None:
    """G31: an engine holds so many runs at once; the others are claimed as there is room."""
    gates = [Gate() for _ in range(3)]
    stored.outside.planned["hold"] = list(gates)
    config = Config(runs_active_max=3, shutdown_grace=AT_ONCE)
    engine = await stored.engine(book, config=config)
    runs = await asyncio.gather(*(engine.start(book("Oslo")) for _ in range(12)))
    for gate in gates:
        await stored.finish(engine, gate.reached.wait())
    assert engine.active == 3
    assert stored.outside.calls == ["hold"] * 3
    for gate in gates:
        gate.open()

    results = await stored.finish(engine, _all(run.result() for run in runs))
    assert results == ["send done"] * 12
    assert len(stored.outside.happened) == 36


async def test_an_engine_shows_what_it_does() -> None:
    async with Engine(MemoryJournal()) as engine:
        await until(lambda: engine.is_at_rest)
        assert repr(engine) == "<Engine open, serving nothing, 0 runs at work>"
    assert repr(engine) == "<Engine closed, serving nothing, 0 runs at work>"
