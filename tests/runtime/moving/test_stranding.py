"""Which runs a program could not carry on is known before it is started, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood import StrandedRun
from makegood.decision import facts
from makegood.decision.facts import write_facts
from makegood.runtime.moving.exporting import ExportedRun, exported
from makegood.runtime.operator import Operator
from makegood.values.instants import Instant
from tests.runtime.moving.shops import COUNTED, OLD, UNFITTING, UNREADABLE, WITH_WRAP
from tests.runtime.outside import Gate

if TYPE_CHECKING:
    from tests.runtime.world import World


async def paying(world: World) -> Operator:
    """Return an operator of a store with one run, which is held and about to be paid."""
    gate = Gate()
    world.outside.planned["pay"] = [gate]
    engine = await world.engine(OLD)
    await engine.start(OLD("tea"), key="order-1")
    await world.finish(engine, gate.reached.wait())
    await world.kill(engine)
    client = await world.engine(work=False)
    return Operator(client)


async def test_a_run_that_fits_is_not_stranded(world: World) -> None:
    operator = await paying(world)

    assert await operator.stranded(OLD) == ()
    assert await operator.stranded(WITH_WRAP) == ()
    assert await operator.stranded(UNFITTING, WITH_WRAP) == ()
    assert await operator.stranded() == ()


async def test_a_run_that_does_not_fit_is_named_with_the_difference(world: World) -> None:
    operator = await paying(world)

    (stranded,) = await operator.stranded(UNFITTING)

    assert stranded == StrandedRun(
        row=stranded.row,
        difference="`hold` has begun, and waits for `check` now, which has not happened",
        fact=2,
        node="hold",
    )
    assert stranded.row.key == "order-1"


async def test_of_several_versions_the_most_alike_is_compared(world: World) -> None:
    operator = await paying(world)

    (stranded,) = await operator.stranded(UNFITTING.version("2"), OLD.version("3"))

    assert stranded.difference == "the run is of no version, and not of version 2"


async def test_a_value_that_cannot_be_read_any_more_strands_a_run(world: World) -> None:
    operator = await paying(world)
    assert UNREADABLE.plan.fingerprint == OLD.plan.fingerprint

    (stranded,) = await operator.stranded(UNREADABLE)

    assert stranded.difference.startswith("the result of `hold` cannot be read any more:")
    assert "grams" in stranded.difference
    assert (stranded.fact, stranded.node) == (3, "hold")


async def test_facts_that_cannot_be_read_at_all_strand_a_run(world: World) -> None:
    operator = await paying(world)
    (record,) = world._store.records.values()
    record.appends.append(b'[{"type":"from_tomorrow"}]')

    (stranded,) = await operator.stranded(OLD)

    assert stranded.difference.startswith("what is recorded cannot be read: Invalid value")


async def test_what_a_run_begins_with_counts_though_it_was_parked_before_it_was_begun(
    world: World,
) -> None:
    """Something else that was posted to it could not be read; both wait in its inbox."""
    client = await world.engine(work=False)
    run = await client.start(OLD("tea"))
    record = world._store.records[run.id]
    record.appends.append(write_facts((facts.Parked(facts.ParkReason.POISON, Instant(0)),)))
    record.seq = 1
    operator = Operator(client)

    (stranded,) = await operator.stranded(COUNTED)

    assert stranded.difference == "the input `sku` was str, and is int now"
    (_plan, line) = exported([await operator.history(run.id)])
    begun = msgspec.json.decode(line, type=ExportedRun).facts
    assert [type(fact) for fact in begun] == [facts.Parked, facts.RunStarted]
