"""A schedule publishes a message for a slot once, whoever looks after it and dies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import Engine, MessageOperator, Operator, Receptors, Schedule
from makegood.runtime.clock import pause
from makegood.values.instants import after, as_instant
from tests.runtime.emitting.test_emitting import sent
from tests.runtime.receiving.shop import Charge, Paid, quiet
from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from makegood.journal.beside.scheduling import ScheduleRow

MINUTE = timedelta(minutes=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC) + MINUTE


@pytest.fixture
async def shared() -> AsyncIterator[World]:
    """A world in which several engines work at once."""
    async with World() as world:
        yield world


def minutely(make: Any) -> Schedule:
    return Schedule("closing", make, every=MINUTE, start=FIRST)


def closed(slot: datetime) -> Paid:
    return Paid(f"{slot:%H:%M}")


def id_of(minute: int) -> str:
    return f"closing@2026-01-01T00:0{minute}:00+00:00"


async def pass_time(world: World, engine: Engine, duration: timedelta) -> None:
    until = after(world.clock.now(), duration)
    await world.finish(engine, pause(world.clock, until))
    await quiet(engine)


async def test_a_message_is_published_and_received_for_every_slot(world: World) -> None:
    heard: list[Paid] = []

    async def hear(event: Paid) -> None:
        heard.append(event)

    engine = await world.engine(minutely(closed), Receptors("shop").on(hear))
    await pass_time(world, engine, MINUTE * 2.5)
    assert heard == [Paid("00:01"), Paid("00:02")]
    first, second = [each.message for each in await sent(engine)]
    assert (first.id, second.id) == (id_of(1), id_of(2))
    assert (first.source, first.correlation) == ("schedule:closing", id_of(1))
    assert first.at == as_instant(FIRST)
    (schedule,) = await Operator(engine).schedules()
    assert (schedule.count, schedule.last_run, schedule.last_message) == (2, None, id_of(2))
    assert len(await MessageOperator(engine).trace(id_of(1))) == 1


async def test_two_engines_publish_one_message_for_a_slot(shared: World) -> None:
    schedule = minutely(closed)
    one, other = await shared.engine(schedule), await shared.engine(schedule)
    await pass_time(shared, one, MINUTE * 3.5)
    await pass_time(shared, other, MINUTE)
    assert [each.message.id for each in await sent(one)] == [id_of(n) for n in range(1, 5)]


async def test_a_slot_that_was_taken_and_not_recorded_is_the_same_message_again(
    world: World,
) -> None:
    engine, journal = await world.watched(minutely(closed))
    await pass_time(world, engine, MINUTE / 2)
    refused = 0

    async def lose(row: ScheduleRow) -> bool:
        nonlocal refused
        if b'"count":0' in row.body:
            return await keep(row)
        refused += 1
        return False

    keep = journal.keep_schedule
    journal.keep_schedule = lose  # type: ignore[method-assign]
    await pass_time(world, engine, MINUTE)
    assert [each.message.id for each in await sent(engine)] == [id_of(1)]
    journal.keep_schedule = keep  # type: ignore[method-assign]
    await pass_time(world, engine, MINUTE)
    assert refused > 0
    assert [each.message.id for each in await sent(engine)] == [id_of(1), id_of(2)]


async def test_a_command_that_nobody_owns_yet_is_published_once_somebody_does(
    world: World,
) -> None:
    owned: list[Charge] = []

    async def own(command: Charge) -> None:
        owned.append(command)

    engine = await world.engine(minutely(lambda slot: Charge(f"{slot:%H:%M}")))
    await pass_time(world, engine, MINUTE * 1.1)
    (schedule,) = await Operator(engine).schedules()
    assert schedule.failures > 0
    assert "no receptor owns the command" in str(schedule.error)
    engine.serve(Receptors("till").on(own))
    await pass_time(world, engine, MINUTE * 0.7)
    assert owned == [Charge("00:01")]


async def test_what_is_neither_a_call_nor_a_message_is_told(world: World) -> None:
    engine = await world.engine(minutely(lambda _slot: 7))
    await pass_time(world, engine, MINUTE * 1.1)
    (schedule,) = await Operator(engine).schedules()
    assert "return a call of a workflow, such as settle(day), or a message" in str(schedule.error)
    assert await sent(engine) == []
