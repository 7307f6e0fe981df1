"""Of how far schedules have come (the promises of `KeepsSchedules`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from makegood.journal.beside.scheduling import ScheduleRow
from makegood.values.instants import Instant
from tests.journal.promises import promise_of_schedules

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from tests.journal.records import World

FIRST = ScheduleRow(name="nightly", version=1, wake_at=Instant(10), body=b'{"next":10}')
SECOND = ScheduleRow(name="nightly", version=2, wake_at=None, body=b"{}")
OTHER = ScheduleRow(name="hourly", version=1, wake_at=Instant(20), body=b"[]")


@promise_of_schedules(1)
async def test_a_schedule_is_seen_by_everybody_and_outlives_who_wrote_it(world: World) -> None:
    alice, bob = await world.open(), await world.open()

    assert await alice.keep_schedule(FIRST)
    await alice.close()

    assert await bob.schedules() == (FIRST,)
    assert await (await world.open(work=False)).schedules() == (FIRST,)


@promise_of_schedules(1)
async def test_each_version_is_written_over_the_one_before_it(journal: Journal) -> None:
    assert await journal.keep_schedule(FIRST)
    assert await journal.keep_schedule(SECOND)

    assert await journal.schedules() == (SECOND,)


@promise_of_schedules(1)
async def test_whoever_comes_second_with_a_version_is_refused(world: World) -> None:
    alice, bob = await world.open(), await world.open()
    await alice.keep_schedule(FIRST)

    assert await alice.keep_schedule(SECOND)
    assert not await bob.keep_schedule(replace(SECOND, body=b"0"))

    assert await bob.schedules() == (SECOND,)


@promise_of_schedules(1)
@pytest.mark.parametrize("version", [1, 3])
async def test_a_version_that_is_not_the_next_one_is_refused(
    journal: Journal, version: int
) -> None:
    await journal.keep_schedule(FIRST)

    assert not await journal.keep_schedule(replace(SECOND, version=version))

    assert await journal.schedules() == (FIRST,)


@promise_of_schedules(1)
async def test_a_later_version_of_what_is_not_kept_is_refused(journal: Journal) -> None:
    assert not await journal.keep_schedule(SECOND)

    assert await journal.schedules() == ()


@promise_of_schedules(1)
async def test_a_version_whose_answer_was_lost_may_be_written_again(journal: Journal) -> None:
    await journal.keep_schedule(FIRST)
    await journal.keep_schedule(SECOND)

    assert await journal.keep_schedule(SECOND)

    assert await journal.schedules() == (SECOND,)


@promise_of_schedules(2)
async def test_schedules_are_listed_by_name(journal: Journal) -> None:
    await journal.keep_schedule(FIRST)
    await journal.keep_schedule(OTHER)

    assert await journal.schedules() == (OTHER, FIRST)


@promise_of_schedules(3)
async def test_a_schedule_that_is_forgotten_may_begin_again(journal: Journal) -> None:
    await journal.keep_schedule(FIRST)
    await journal.keep_schedule(SECOND)

    assert await journal.forget_schedule("nightly")
    assert not await journal.forget_schedule("nightly")

    assert await journal.schedules() == ()
    assert await journal.keep_schedule(FIRST)
