"""A run goes on under another definition when it fits, and stays unclaimed when it does not."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import ControlRefused, Declined, DefinitionError, Engine, Unavailable
from makegood.decision import facts
from makegood.journal.memory import MemoryJournal
from makegood.journal.memory_store import adopt
from makegood.runtime.operator import Operator
from makegood.runtime.shell import stored as stored_plan
from tests.runtime.moving.shops import OLD, UNFITTING, WITH_WRAP
from tests.runtime.outside import Gate
from tests.runtime.world import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood import Run
    from makegood.journal.protocol import History
    from makegood.values.ids import RunId
    from tests.runtime.world import World

MINUTE = timedelta(minutes=1)


async def begun(world: World, *, paying: bool = False) -> str:
    """Return a run of the old definition that was interrupted while it held, or while it paid."""
    gate = Gate()
    world.outside.planned["pay" if paying else "hold"] = [gate]
    engine = await world.engine(OLD)
    run = await engine.start(OLD("tea"), key="order-1")
    await world.finish(engine, gate.reached.wait())
    await world.kill(engine)
    world.outside.planned.clear()
    return run.id


async def recorded(engine: Engine, run: str) -> list[Any]:
    return [*(await Operator(engine).history(run)).facts]


async def test_a_run_that_fits_goes_on_under_the_new_definition(stored: World) -> None:
    run = await begun(stored)

    engine = await stored.engine(WITH_WRAP)
    outcome = await stored.finish(engine, engine.run(run).outcome())

    assert (outcome.status, outcome.value) == ("completed", "wrapped, paid tea")
    assert outcome.done == ["hold", "pay", "wrap"]
    moved = [fact for fact in await recorded(engine, run) if isinstance(fact, facts.MovedOn)]
    assert [fact.fingerprint for fact in moved] == [WITH_WRAP.plan.fingerprint]
    (row,) = (await engine.list()).rows
    assert row.fingerprint == WITH_WRAP.plan.fingerprint


async def test_what_was_done_under_the_old_definition_is_undone_under_the_new_one(
    stored: World,
) -> None:
    run = await begun(stored, paying=True)
    stored.outside.planned["wrap"] = [Declined("no paper")]

    engine = await stored.engine(WITH_WRAP)
    outcome = await stored.finish(engine, engine.run(run).outcome())

    assert (outcome.status, outcome.undone) == ("failed", ["pay", "hold"])


async def test_a_run_that_does_not_fit_stays_unclaimed_until_its_own_definition_is_served(
    stored: World,
) -> None:
    run = await begun(stored, paying=True)

    stranger = await stored.engine(UNFITTING)
    for sku in ("rum", "gin"):
        other = await stranger.start(UNFITTING(sku))
        await stored.finish(stranger, other.outcome())
        stored.clock.turn(MINUTE)
    (row,) = [row for row in (await stranger.list()).rows if row.run == run]
    assert (row.status, row.fingerprint, row.claims) == ("running", OLD.plan.fingerprint, 0)
    await stored.close(stranger)

    engine = await stored.engine(OLD)
    outcome = await stored.finish(engine, engine.run(run).outcome())
    assert outcome.value == "paid tea"


async def test_a_run_that_was_only_posted_begins_under_what_is_served(stored: World) -> None:
    client = await stored.engine(work=False)
    run = await client.start(OLD("tea"))

    engine = await stored.engine(UNFITTING)
    outcome = await stored.finish(engine, engine.run(run.id).outcome())

    assert (outcome.status, stored.outside.calls) == ("completed", ["check", "hold", "pay"])
    kinds = [type(fact) for fact in await recorded(engine, run.id)]
    assert kinds[:2] == [facts.RunStarted, facts.MovedOn]
    await stored.close(client)


class Overtaken(MemoryJournal):
    """Has the first run that is read go by another plan: a lease ran out since it was claimed."""

    has_moved = False

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        for run in () if self.has_moved else runs:
            record = self._store.records[run]
            assert record.wake_at is not None, "it is claimed"
            await self.keep_plan(stored_plan(WITH_WRAP.plan))
            self.has_moved = adopt(self._store, record, WITH_WRAP.plan.fingerprint, record.wake_at)
        return await super().read_all(runs)


async def test_a_claimed_run_that_goes_by_another_plan_by_now_is_let_go(world: World) -> None:
    client = await world.engine(work=False)
    run = await client.start(OLD("tea"))

    journal = Overtaken(world._store)
    engine = await world.engine(OLD, journal=journal)
    outcome = await world.finish(engine, engine.run(run.id).outcome())

    assert journal.has_moved
    assert (outcome.status, outcome.value) == ("completed", "paid tea")
    await world.close(client)


async def test_a_completed_run_is_not_undone_under_a_definition_that_it_does_not_fit(
    stored: World,
) -> None:
    engine = await stored.engine(WITH_WRAP)
    ended: Run[Any] = await engine.start(WITH_WRAP("tea"))
    await stored.finish(engine, ended.outcome())
    await stored.close(engine)
    client = await stored.engine(work=False)
    await Operator(client).undo(ended.id, actor="eve", reason="it is stale", wait=timedelta(0))

    longer = await stored.engine(OLD)
    stored.clock.turn(MINUTE)
    outcome = await stored.finish(longer, longer.run(ended.id).outcome())

    assert outcome.status == "completed", "what was wrapped does not exist any more: it is stranded"
    await stored.close(longer)
    again = await stored.engine(WITH_WRAP)
    asked = Operator(again).undo(ended.id, actor="eve", reason="again", wait=MINUTE)
    with contextlib.suppress(ControlRefused):
        # What was asked before may have been done by now, and then it is refused.
        await stored.finish(again, asked)
    outcome = await stored.finish(again, again.run(ended.id).outcome())
    assert (outcome.status, outcome.undone) == ("cancelled", ["pay", "hold"])
    await stored.close(client)


async def test_a_sleeping_run_moves_on_before_its_time(stored: World) -> None:
    stored.outside.planned["pay"] = [Unavailable("closed", retry_after=timedelta(seconds=50))]
    engine = await stored.engine(OLD)
    run = await engine.start(OLD("tea"))
    await until(lambda: stored.outside.calls == ["hold", "pay"])
    await stored.close(engine)

    other = await stored.engine(WITH_WRAP)
    outcome = await stored.finish(other, other.run(run.id).outcome())

    assert outcome.value == "wrapped, paid tea"


async def test_two_definitions_of_one_name_are_told_apart_by_their_versions(
    stored: World,
) -> None:
    run = await begun(stored)
    first, second = OLD.version("1"), UNFITTING.version("2")

    engine = await stored.engine(OLD, first, second)
    assert engine.served == ("sell",)
    one = await engine.start(first("rum"))
    two = await engine.start(second("gin"))

    for each in (run, one.id, two.id):
        outcome = await stored.finish(engine, engine.run(each).outcome())
        assert outcome.done == ["hold", "pay"]
    assert stored.outside.calls.count("check") == 1
    rows = {row.run: row.fingerprint for row in (await engine.list()).rows}
    assert rows == {
        run: OLD.plan.fingerprint,
        one.id: first.plan.fingerprint,
        two.id: second.plan.fingerprint,
    }


async def test_no_run_moves_on_to_another_version(stored: World) -> None:
    run = await begun(stored)

    engine = await stored.engine(OLD.version("2"))
    other = await engine.start(OLD.version("2")("rum"))
    await stored.finish(engine, other.outcome())

    (row,) = [row for row in (await engine.list()).rows if row.run == run]
    assert (row.status, row.fingerprint) == ("running", OLD.plan.fingerprint)


async def test_versions_that_collide_are_refused(world: World) -> None:
    engine = await world.engine(OLD)

    with pytest.raises(DefinitionError, match="two workflows are named `sell`; rename one"):
        engine.serve(UNFITTING)
    engine.serve(OLD.version("2"))
    with pytest.raises(DefinitionError, match="two workflows are named `sell` with version 2;"):
        engine.serve(UNFITTING.version("2"))
    assert [*engine._served] == [OLD.plan.fingerprint, OLD.version("2").plan.fingerprint]
