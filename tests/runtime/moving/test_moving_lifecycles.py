"""A record goes on under another definition of its lifecycle, and is stranded where it cannot."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import picture
from makegood.cli.app import main
from makegood.cli.status import DONE, ERROR
from makegood.decision import facts
from makegood.runtime.operator import Operator
from makegood.testing import TurnableClock
from tests.runtime.moving.lifecycles import (
    DAY,
    OLD,
    CalledOff,
    Order,
    Paid,
    hearing_another,
    looked_at_by,
    with_a_check,
    with_a_customer,
    with_a_lapse,
    with_a_vetting,
    with_a_way_out,
    without_paying,
)
from tests.runtime.outside import Gate
from tests.runtime.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from makegood import Run


async def paying(world: World, old: Any = OLD) -> str:
    """Return a run of the old definition that waits for its money; nobody holds it any more."""
    engine = await world.engine(old)
    run = await engine.start(old(Order("o-1")))
    await world.finish(engine, listened(run))
    await world.close(engine)
    return run.id


async def listened(run: Run[Any]) -> None:
    async for event in run.events():
        if isinstance(event.fact, facts.Listened):
            return


async def differences(world: World, *declared: Any) -> list[str]:
    client = await world.engine(work=False)
    stranded = await Operator(client).stranded(*declared)
    await world.close(client)
    return [each.difference for each in stranded]


@pytest.mark.parametrize("change", [with_a_check, with_a_vetting])
async def test_a_record_goes_on_where_it_stands_under_other_statuses(
    change: Any, stored: World
) -> None:
    run = await paying(stored)
    new = change()
    assert await differences(stored, new) == []

    engine = await stored.engine(new)
    await engine.send(Paid(999), key="o-1")
    outcome = await stored.finish(engine, engine.run(run).outcome())

    assert (outcome.status, outcome.value) == ("completed", Order("o-1", 999))
    assert stored.outside.calls == ["price", *(["check"] if change is with_a_check else [])]
    moved = [
        fact.fingerprint
        for fact in (await Operator(engine).history(run)).facts
        if isinstance(fact, facts.MovedOn)
    ]
    assert moved == [new.plan.fingerprint]


async def test_a_message_that_is_heard_from_now_on_is_listened_for_at_once(stored: World) -> None:
    run = await paying(stored)
    engine = await stored.engine(with_a_way_out())

    await engine.send(CalledOff("another one"), key="o-1")
    await stored.finish(engine, engine.run(run).outcome())

    (row,) = (await engine.list()).rows
    assert (row.status, row.stage) == ("completed", "DROPPED")
    assert stored.clock.now() < TurnableClock().now() + DAY.total_seconds() * 1_000_000


async def test_a_timer_that_was_set_fires_at_its_time_under_the_new_definition(
    stored: World,
) -> None:
    run = await paying(stored)
    engine = await stored.engine(with_a_vetting())
    stored.clock.turn(DAY)

    outcome = await stored.finish(engine, engine.run(run).outcome())

    (row,) = (await engine.list()).rows
    assert (outcome.status, row.stage) == ("completed", "DROPPED")


@pytest.mark.parametrize("minutes", [5, 15])
async def test_a_timer_that_is_new_counts_from_when_its_status_began_to_listen(
    minutes: int, stored: World
) -> None:
    run = await paying(stored)
    began = stored.clock.now()
    stored.clock.turn(timedelta(minutes=10))

    engine = await stored.engine(with_a_lapse(timedelta(minutes=minutes)))
    await stored.finish(engine, engine.run(run).outcome())

    (row,) = (await engine.list()).rows
    took = timedelta(microseconds=stored.clock.now() - began)
    assert (row.status, row.stage) == ("completed", "LAPSED")
    assert took < timedelta(minutes=max(10, minutes) + 1)


async def test_a_record_of_an_older_schema_is_brought_up_and_undone_as_what_it_is_now(
    stored: World,
) -> None:
    run = await paying(stored)
    new = with_a_customer()
    assert await differences(stored, new) == []

    engine = await stored.engine(new)
    await stored.finish(engine, engine.run(run).cancel())
    outcome = await stored.finish(engine, engine.run(run).outcome())

    assert outcome.status == "cancelled"
    assert stored.outside.calls == ["price", "unprice for nobody"]


async def test_an_old_program_is_not_given_a_record_that_a_newer_one_has_written(
    world: World,
) -> None:
    new = with_a_customer()
    client = await world.engine(work=False)
    await client.start(new(record_of(new)))
    await world.close(client)

    assert await differences(world, OLD) == [
        "the input `record` cannot be read any more: the stored record has schema 2, which is "
        "newer than 1; carry it out with the program that wrote it, or a newer one"
    ]


def record_of(workflow: Any) -> Any:
    """Return a record of a lifecycle whose class is known to nobody else."""
    return workflow.signature.parameters[0].type("o-1", 0, "ann")


async def test_a_record_is_stranded_where_its_status_is_gone(stored: World) -> None:
    run = await paying(stored)
    stands = "`order` stands in PAYING, which is no status any more"
    assert await differences(stored, without_paying()) == [stands]

    stranger = await stored.engine(without_paying())
    stored.clock.turn(timedelta(minutes=5))
    (row,) = (await stranger.list()).rows
    assert (row.run, row.status, row.fingerprint) == (run, "waiting", OLD.plan.fingerprint)
    await stored.close(stranger)

    engine = await stored.engine(OLD)
    await engine.send(Paid(999), key="o-1")
    outcome = await stored.finish(engine, engine.run(run).outcome())
    assert outcome.status == "completed"


@pytest.mark.parametrize("schema", [1, 2])
async def test_a_handler_that_was_called_once_and_is_gone_strands_nobody(
    schema: int, stored: World
) -> None:
    run = await paying(stored, looked_at_by("check"))
    new = looked_at_by("assess", schema=schema)
    assert await differences(stored, new) == []

    engine = await stored.engine(new)
    await engine.send(Paid(1), key="o-1")
    outcome = await stored.finish(engine, engine.run(run).outcome())

    assert (outcome.status, outcome.value) == ("completed", Order("o-1", 999 * schema + 1))
    assert outcome.done == ["order[0]/check", "order[1]/settle"]
    history = await Operator(engine).history(run)
    story = picture.timeline(history.row, history.plan, history.facts)
    assert "NEW → PAYING, by check" in picture.text(story)
    for draw in (picture.mermaid, picture.svg, picture.chart):
        assert "settle" in draw(story)


async def test_a_handler_that_is_at_work_and_gone_strands_its_run(world: World) -> None:
    gate = Gate()
    world.outside.planned["price"] = [gate]
    old = looked_at_by("check")
    engine = await world.engine(old)
    await engine.start(old(Order("o-1")))
    await gate.reached.wait()
    await world.kill(engine)

    assert await differences(world, looked_at_by("assess")) == [
        "the handler `check` was called, and does not exist any more"
    ]


async def test_a_record_that_cannot_be_read_any_more_strands_its_run(world: World) -> None:
    await paying(world)

    (difference,) = await differences(world, with_a_customer(schema=1))

    assert difference.startswith("the input `record` cannot be read any more: ")


async def test_a_message_that_is_still_to_be_heard_must_be_readable(world: World) -> None:
    run = await paying(world)
    assert await differences(world, hearing_another()) == []
    engine = await world.engine(OLD)
    await world.finish(engine, engine.run(run).pause())
    await engine.send(Paid(1), key="o-1")
    await world.finish(engine, came(engine.run(run)))
    await world.close(engine)

    (difference,) = await differences(world, hearing_another())

    assert difference.startswith("a moving.Paid that is still to be heard cannot be read any more")


async def came(run: Run[Any]) -> None:
    async for event in run.events():
        if isinstance(event.fact, facts.MessageCame):
            return


async def test_what_a_program_would_strand_is_told_before_it_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with World(tmp_path) as world:
        await paying(world)
    place, store = "tests.runtime.moving.lifecycles", f"sqlite:///{tmp_path / 'trips.journal'}"

    assert await told(["check", f"{place}:OLD", "--against", store]) == DONE
    assert await told(["check", f"{place}:WITH_A_CHECK", "--against", store]) == DONE
    capsys.readouterr()
    assert await told(["check", f"{place}:WITHOUT_PAYING", "--against", store]) == ERROR
    assert "`order` stands in PAYING, which is no status any more" in capsys.readouterr().out


async def told(words: list[str]) -> int:
    """Return what a command ends with, which has an event loop of its own."""
    return await asyncio.to_thread(main, words)
