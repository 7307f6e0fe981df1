"""What schedules start is started once, at its time, whoever looks after them and dies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import (
    Call,
    DefinitionError,
    Engine,
    Filter,
    HaltKind,
    IdempotencyKey,
    InvalidInput,
    KeptSchedule,
    Misfire,
    Operator,
    Overlap,
    Schedule,
    injected,
    step,
    wait,
    workflow,
)
from makegood.runtime.clock import pause
from makegood.values.instants import after
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from makegood.journal.beside.scheduling import ScheduleRow
    from tests.runtime.world import World

MINUTE = timedelta(minutes=1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC) + MINUTE


async def settle_day(
    day: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do(day, key)


async def reopen_day(_done: str) -> None: ...


@workflow
def settle(day: str) -> str:
    """Settle a day."""
    return step(settle_day, undo=reopen_day)(day)


@dataclass(frozen=True)
class Told:
    """Somebody has said that a day may be settled."""


@workflow
def settle_when_told(day: str) -> str:
    told = wait(Told, key=day, within=timedelta(hours=1))
    return step(settle_day, undo=reopen_day).after(told)(day)


def settled(slot: datetime) -> Call[str]:
    return settle(f"{slot:%H:%M}")


# Any: the options of a schedule, each with its own type.
def minutely(**options: Any) -> Schedule:
    options.setdefault("make", settled)
    return Schedule("settlement", every=MINUTE, start=MIDNIGHT, **options)


async def pass_time(world: World, engine: Engine, duration: timedelta) -> None:
    until = after(world.clock.now(), duration)
    await world.finish(engine, pause(world.clock, until))


async def started(engine: Engine) -> list[tuple[str, str]]:
    """Return the keys of the runs that there are and how they stand, the oldest first."""
    page = await engine.list(Filter(limit=200))
    return [(str(row.key), row.status) for row in reversed(page.rows)]


async def kept(engine: Engine) -> KeptSchedule:
    (schedule,) = await Operator(engine).schedules()
    return schedule


def key(minute: int) -> str:
    return f"settlement@2026-01-01T00:{minute:02}:00+00:00"


async def test_a_run_is_started_for_every_slot(stored: World) -> None:
    engine = await stored.engine(settle, minutely())

    await pass_time(stored, engine, MINUTE * 3.5)

    assert await started(engine) == [(key(minute), "completed") for minute in (1, 2, 3)]
    assert stored.outside.happened == ["00:01", "00:02", "00:03"]
    schedule = await kept(engine)
    assert (schedule.count, schedule.skipped, schedule.is_overdue) == (3, 0, False)
    assert schedule.next_at == datetime(2026, 1, 1, 0, 4, tzinfo=UTC)
    assert schedule.last_at == datetime(2026, 1, 1, 0, 3, tzinfo=UTC)


async def test_two_engines_start_one_run_for_a_slot(stored: World) -> None:
    if stored.journal().__class__.__name__.startswith("Sqlite"):
        pytest.skip("one engine works on a file at a time")
    schedule = minutely()
    one = await stored.engine(settle, schedule)
    other = await stored.engine(settle, schedule)

    await pass_time(stored, one, MINUTE * 5.5)
    await pass_time(stored, other, MINUTE)

    assert [each for each, _ in await started(one)] == [key(minute) for minute in range(1, 7)]
    assert sorted(stored.outside.happened) == [f"00:0{minute}" for minute in range(1, 7)]


async def test_a_slot_that_was_taken_and_not_recorded_is_the_same_run_again(world: World) -> None:
    engine, journal = await world.watched(settle, minutely())
    await pass_time(world, engine, MINUTE / 2)
    refused = 0

    async def lose(row: object) -> bool:
        nonlocal refused
        refused += 1
        del row
        return False

    keep = journal.keep_schedule
    journal.keep_schedule = lose  # type: ignore[method-assign,assignment]
    await pass_time(world, engine, MINUTE)
    journal.keep_schedule = keep  # type: ignore[method-assign]
    await pass_time(world, engine, MINUTE)

    assert refused > 0
    assert await started(engine) == [(key(1), "completed"), (key(2), "completed")]
    assert world.outside.calls == ["00:01", "00:02"]


@pytest.mark.parametrize("misfire", list(Misfire))
async def test_a_slot_whose_taker_has_died_counts_as_taken_whatever_is_missed_since(
    world: World, misfire: Misfire
) -> None:
    schedule = minutely(misfire=misfire, times_max=1)
    engine, journal = await world.watched(settle, schedule)

    async def lose(row: ScheduleRow) -> bool:
        return await keep(row) if b'"count":0' in row.body else False

    keep = journal.keep_schedule
    journal.keep_schedule = lose  # type: ignore[method-assign]
    await pass_time(world, engine, MINUTE * 1.5)
    await world.kill(engine)
    world.clock.turn(MINUTE * 8)

    other = await world.engine(settle, schedule)
    await pass_time(world, other, MINUTE * 2)

    assert await started(other) == [(key(1), "completed")]
    stands = await kept(other)
    assert (stands.count, stands.skipped, stands.next_at) == (1, 0, None)


async def test_another_engine_goes_on_where_a_dead_one_stopped(stored: World) -> None:
    schedule = minutely(misfire=Misfire.ALL, grace=timedelta(seconds=5))
    engine = await stored.engine(settle, schedule)
    await pass_time(stored, engine, MINUTE * 1.5)
    await stored.kill(engine)
    stored.clock.turn(MINUTE * 3)

    other = await stored.engine(settle, schedule)
    await pass_time(stored, other, MINUTE)

    assert [each for each, _ in await started(other)] == [key(minute) for minute in range(1, 6)]


@pytest.mark.parametrize(
    ("misfire", "minutes", "skipped"),
    [
        (Misfire.SKIP, [1, 10], 8),
        (Misfire.ONCE, [1, 9, 10], 7),
        (Misfire.ALL, list(range(1, 11)), 0),
    ],
)
async def test_what_was_missed_is_as_the_policy_says(
    world: World, misfire: Misfire, minutes: list[int], skipped: int
) -> None:
    schedule = minutely(misfire=misfire, grace=timedelta(seconds=5))
    engine = await world.engine(settle, schedule)
    await pass_time(world, engine, MINUTE * 1.5)
    await world.close(engine)
    world.clock.turn(MINUTE * 8)

    engine = await world.engine(settle, schedule)
    await pass_time(world, engine, MINUTE)

    assert [each for each, _ in await started(engine)] == [key(minute) for minute in minutes]
    assert (await kept(engine)).skipped == skipped


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, [(1, "completed"), (5, "completed")]),
        (Overlap.QUEUE, [(1, "completed"), (2, "completed"), (5, "completed")]),
        (Overlap.CANCEL, [(1, "cancelled"), *((minute, "completed") for minute in range(2, 6))]),
        (Overlap.ALLOW, [(minute, "completed") for minute in range(1, 6)]),
    ],
)
async def test_a_run_that_takes_long_meets_the_next_slot_as_the_policy_says(
    world: World, overlap: Overlap, expected: list[tuple[int, str]]
) -> None:
    schedule = minutely(make=lambda slot: settle_when_told(f"{slot:%H:%M}"), overlap=overlap)
    engine = await world.engine(settle_when_told, schedule)
    for minute in range(2, 6):
        await engine.send(Told(), key=f"00:0{minute}")
    await pass_time(world, engine, MINUTE * 4.5)

    await engine.send(Told(), key="00:01")
    await pass_time(world, engine, MINUTE)

    assert await started(engine) == [(key(minute), status) for minute, status in expected]


async def test_so_many_slots_are_taken_and_no_more(world: World) -> None:
    engine = await world.engine(settle, minutely(times_max=2))

    await pass_time(world, engine, MINUTE * 10)

    assert len(await started(engine)) == 2
    assert (await kept(engine)).next_at is None


async def test_a_start_that_fails_is_tried_again_and_not_lost(world: World) -> None:
    errors = [RuntimeError("the calendar is away"), RuntimeError("still")]

    def make(slot: datetime) -> Call[str]:
        if errors:
            raise errors.pop(0)
        return settled(slot)

    engine = await world.engine(settle, minutely(make=make))
    await pass_time(world, engine, MINUTE * 1.01)

    schedule = await kept(engine)
    assert (schedule.failures, schedule.error) == (1, "RuntimeError: the calendar is away")
    assert await started(engine) == []
    await pass_time(world, engine, timedelta(seconds=10))
    assert await started(engine) == [(key(1), "completed")]
    assert (await kept(engine)).error is None


async def test_what_is_no_call_is_told_and_starts_nothing(world: World) -> None:
    engine = await world.engine(settle, minutely(make=lambda _slot: "settle"))

    await pass_time(world, engine, MINUTE * 1.01)

    error = (await kept(engine)).error
    assert error is not None
    assert "return a call of a workflow" in error
    assert await started(engine) == []


async def test_a_condition_refuses_one_slot_and_is_asked_again_where_it_raises(
    world: World,
) -> None:
    broken = [True]

    def is_wanted(slot: datetime) -> bool:
        if slot.minute == 2 and broken:
            broken.clear()
            message = "no holidays known"
            raise LookupError(message)
        return slot.minute != 1

    engine = await world.engine(settle, minutely(when=is_wanted))
    await pass_time(world, engine, MINUTE * 3.5)

    assert [each for each, _ in await started(engine)] == [key(2), key(3)]
    assert (await kept(engine)).skipped == 1


async def test_a_halted_schedule_takes_nothing_until_it_goes_on(world: World) -> None:
    engine = await world.engine(settle, minutely())
    operator = Operator(engine)
    await operator.halt(HaltKind.SCHEDULE, "settlement", actor="ann", reason="month's end")
    await pass_time(world, engine, MINUTE * 3.5)

    assert await started(engine) == []
    await operator.lift(HaltKind.SCHEDULE, "settlement", actor="ann", reason="over")
    await pass_time(world, engine, MINUTE)
    assert [each for each, _ in await started(engine)] == [key(3), key(4)]


async def test_a_schedule_that_nobody_serves_any_more_is_listed_as_overdue(world: World) -> None:
    engine = await world.engine(settle, minutely())
    await pass_time(world, engine, MINUTE / 2)
    await world.close(engine)
    world.clock.turn(MINUTE * 5)

    engine = await world.engine(settle)
    assert (await kept(engine)).is_overdue
    await Operator(engine).forget_schedule("settlement")

    assert await Operator(engine).schedules() == ()
    with pytest.raises(InvalidInput, match="no schedule 'settlement' is kept"):
        await Operator(engine).forget_schedule("settlement")


async def test_other_times_under_the_same_name_begin_at_once(world: World) -> None:
    engine = await world.engine(settle, minutely())
    await pass_time(world, engine, MINUTE * 1.5)
    await world.close(engine)

    hourly = Schedule("settlement", settled, cron="0 * * * *")
    engine = await world.engine(settle, hourly)
    await pass_time(world, engine, MINUTE)

    schedule = await kept(engine)
    assert (schedule.times, schedule.count) == ("0 * * * * UTC", 1)
    assert schedule.next_at == datetime(2026, 1, 1, 1, tzinfo=UTC)


async def test_two_schedules_of_one_name_are_refused(world: World) -> None:
    engine = await world.engine(settle, minutely())

    with pytest.raises(DefinitionError, match="two schedules are named 'settlement'"):
        engine.serve(minutely())
