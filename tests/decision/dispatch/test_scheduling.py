"""What becomes of slots: the table of `scheduling`, and what holds of every schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from makegood import Misfire, Overlap, Schedule
from makegood.decision.dispatch import scheduling
from makegood.decision.dispatch.scheduling import (
    Skip,
    Standing,
    Take,
    Wait,
    first_standing,
    meant,
    next_of,
    passed,
    refit,
    taken,
    troubled,
)
from makegood.values.instants import Instant, after, as_instant

START = as_instant(datetime(2026, 1, 1, tzinfo=UTC))
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def at(hours: float) -> Instant:
    """Return a moment, in hours after the start."""
    return after(START, HOUR * hours)


def made(_slot: datetime) -> object:
    return None


# Any: the options of a schedule, each with its own type.
def hourly(**options: Any) -> Schedule:
    return Schedule("hourly", made, every=HOUR, **options)


def standing(schedule: Schedule, *, upcoming: float = 1, **fields: Any) -> Standing:
    return replace(first_standing(schedule, START), next=at(upcoming), **fields)


def test_a_new_schedule_stands_at_its_first_slot() -> None:
    assert first_standing(hourly(), START) == Standing(
        since=START, times="every 1:00:00", next=at(1)
    )


def test_a_slot_at_the_very_moment_is_the_first_one() -> None:
    once = Schedule("once", made, at=datetime(2026, 1, 1, tzinfo=UTC))

    assert first_standing(once, START).next == START


@pytest.mark.parametrize(
    ("options", "stands", "now", "is_running", "expected"),
    [
        ({}, {}, 0.5, False, Wait()),
        ({}, {}, 1, False, Take(at(1))),
        ({}, {"retry_at": at(1.5)}, 1.2, False, Wait()),
        ({}, {"taking": at(1), "retry_at": at(1.5)}, 1.2, False, Wait()),
        ({"misfire": Misfire.SKIP}, {"taking": at(1)}, 3.5, True, Take(at(1))),
        ({}, {"taking": at(0), "next": at(2), "waiting": at(1)}, 3, False, Take(at(0))),
        ({}, {"retry_at": at(1.5), "waiting": at(1)}, 1.6, False, Take(at(1))),
        ({"overlap": Overlap.ALLOW}, {}, 1, True, Take(at(1))),
        ({"overlap": Overlap.SKIP}, {}, 1, True, (at(2), None, 1, None)),
        ({"overlap": Overlap.QUEUE}, {}, 1, True, (at(2), at(1), 0, None)),
        ({"overlap": Overlap.QUEUE}, {"waiting": at(0)}, 1, True, (at(2), at(0), 1, None)),
        ({"overlap": Overlap.CANCEL}, {"last_run": "r"}, 1, True, (at(2), at(1), 0, "r")),
        ({"misfire": Misfire.ONCE}, {}, 3.5, False, (at(3), None, 2, None)),
        ({"misfire": Misfire.ONCE}, {"next": at(3)}, 3.5, False, Take(at(3))),
        ({"misfire": Misfire.SKIP}, {}, 3.5, False, (at(4), None, 3, None)),
        ({"misfire": Misfire.SKIP}, {}, 3.01, False, (at(3), None, 2, None)),
        ({"misfire": Misfire.ALL}, {}, 3.5, False, Take(at(1))),
        ({"misfire": Misfire.ALL}, {}, 3, True, Wait()),
        ({"misfire": Misfire.ALL, "overlap": Overlap.ALLOW}, {}, 3, True, Take(at(1))),
        ({"misfire": Misfire.ALL}, {}, 1, True, (at(2), None, 1, None)),
    ],
)
def test_what_becomes_of_a_slot_is_as_the_table_says(
    options: dict[str, Any],
    stands: dict[str, Any],
    now: float,
    *,
    is_running: bool,
    expected: object,
) -> None:
    schedule = hourly(**options)

    step = next_of(schedule, replace(standing(schedule), **stands), at(now), is_running=is_running)

    if isinstance(step, Skip):
        moved = step.standing
        assert (moved.next, moved.waiting, moved.skipped, step.cancel) == expected
    else:
        assert step == expected


def test_many_missed_slots_are_passed_over_in_several_goes() -> None:
    schedule = Schedule("often", made, every=timedelta(seconds=1), misfire=Misfire.SKIP)
    stands = first_standing(schedule, START)
    now = after(START, timedelta(seconds=scheduling.SLOTS_AT_ONCE_MAX + 500))

    first = next_of(schedule, stands, now, is_running=False)

    assert isinstance(first, Skip)
    assert first.standing.skipped == scheduling.SLOTS_AT_ONCE_MAX
    second = next_of(schedule, first.standing, now, is_running=False)
    assert isinstance(second, Skip)
    assert second.standing.next is not None
    assert second.standing.next >= now - 60_000_000


def test_a_last_missed_slot_of_a_schedule_that_is_over_is_skipped_or_taken() -> None:
    moment = datetime(2026, 1, 1, 1, tzinfo=UTC)
    skips = Schedule("once", made, at=moment, misfire=Misfire.SKIP)
    takes = Schedule("once", made, at=moment, misfire=Misfire.ONCE)

    skipped = next_of(skips, first_standing(skips, START), at(5), is_running=False)

    assert isinstance(skipped, Skip)
    assert (skipped.standing.next, skipped.standing.skipped) == (None, 1)
    assert next_of(takes, first_standing(takes, START), at(5), is_running=False) == Take(at(1))


def test_what_was_taken_moves_the_schedule_on() -> None:
    schedule = hourly(times_max=2)
    stands = standing(schedule, failures=2, error="no", retry_at=at(1))

    once = taken(schedule, stands, at(1), "run-1")
    twice = taken(schedule, once, at(2), None)

    assert once == standing(schedule, upcoming=2, last=at(1), last_run="run-1", count=1)
    assert (twice.next, twice.count, twice.last_run, twice.wake_at) == (None, 2, None, None)


def test_what_is_being_taken_is_looked_at_now_and_counts_once_it_was_begun() -> None:
    schedule = hourly()
    stands = meant(standing(schedule), at(1))

    assert (stands.taking, stands.next, stands.count, stands.wake_at) == (at(1), at(1), 0, at(1))
    moved = taken(schedule, stands, at(1), "run-1")

    assert moved == standing(schedule, upcoming=2, last=at(1), last_run="run-1", count=1)


def test_what_is_being_taken_and_cannot_be_begun_is_a_slot_like_others_again() -> None:
    stands = troubled(meant(standing(hourly()), at(1)), "RuntimeError: no", at(1))

    assert (stands.taking, stands.next, stands.failures) == (None, at(1), 1)


def test_a_slot_of_other_times_that_was_being_taken_leaves_the_next_one_where_it_is() -> None:
    other = Schedule("hourly", made, every=HOUR * 2)
    stands = refit(other, meant(standing(hourly()), at(1)), at(5))

    moved = taken(other, stands, at(1), "run-1")

    assert (moved.next, moved.last, moved.count) == (at(6), at(1), 1)


def test_what_has_waited_is_taken_without_moving_on() -> None:
    schedule = hourly(overlap=Overlap.QUEUE)
    stands = standing(schedule, upcoming=5, waiting=at(1), is_cancelling=True)

    assert stands.wake_at == at(1)
    moved = taken(schedule, stands, at(1), "run-2")

    assert (moved.next, moved.waiting, moved.is_cancelling) == (at(5), None, False)


def test_a_slot_that_is_refused_is_passed_over() -> None:
    schedule = hourly()

    assert passed(schedule, standing(schedule), at(1)) == standing(schedule, upcoming=2, skipped=1)
    waits = standing(schedule, upcoming=3, waiting=at(1))
    assert passed(schedule, waits, at(1)) == standing(schedule, upcoming=3, skipped=1)


def test_a_slot_that_cannot_be_taken_is_tried_again_later_and_later() -> None:
    stands = standing(hourly())

    waits: list[int] = []
    for _ in range(12):
        stands = troubled(stands, "RuntimeError: no", at(1))
        assert stands.retry_at is not None
        waits.append((stands.retry_at - at(1)) // 1_000_000)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert (stands.next, stands.failures, stands.error) == (at(1), 12, "RuntimeError: no")
    assert stands.wake_at == stands.retry_at


def test_other_times_begin_now_and_the_same_ones_stay_as_they_are() -> None:
    schedule = hourly()
    stands = standing(schedule, upcoming=7, count=3)
    other = Schedule("hourly", made, every=HOUR * 2)

    assert refit(schedule, stands, at(5)) is stands
    assert refit(other, stands, at(5)).next == at(6)
    over = Schedule("hourly", made, every=HOUR * 2, times_max=3)
    assert refit(over, stands, at(5)).next is None


@settings(max_examples=150)
@given(
    misfire=st.sampled_from(Misfire),
    overlap=st.sampled_from(Overlap),
    times_max=st.none() | st.integers(1, 6),
    looks=st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=25),
)
def test_no_slot_is_taken_twice_or_before_its_time_or_out_of_order(
    misfire: Misfire, overlap: Overlap, times_max: int | None, looks: list[tuple[int, bool]]
) -> None:
    schedule = hourly(misfire=misfire, overlap=overlap, times_max=times_max)
    stands = first_standing(schedule, START)
    now, taken_slots, bound = START, list[Instant](), 0
    for minutes, is_running in looks:
        now = after(now, MINUTE * minutes)
        is_held = False
        for _ in range(1_000):
            step = next_of(schedule, stands, now, is_running=is_running)
            match step:
                case Wait():
                    is_held = stands.next is not None and stands.next <= now
                    break
                case Skip(standing=moved):
                    assert moved != stands
                    stands = moved
                case Take(slot=slot):
                    assert slot <= now
                    if stands.taking is None:
                        stands = meant(stands, slot)
                        continue
                    taken_slots.append(slot)
                    stands = taken(schedule, stands, slot, "run")
        else:
            pytest.fail("it never comes to rest")
        bound = (now - START) // 3_600_000_000
        if is_held:
            assert (is_running, misfire) == (True, Misfire.ALL)
            assert stands.next is not None
            bound = (stands.next - START) // 3_600_000_000 - 1
    assert taken_slots == sorted(set(taken_slots))
    assert stands.count == len(taken_slots)
    waiting = stands.waiting is not None
    if times_max is None:
        # Every slot that has come was taken, was skipped, or waits.
        assert stands.count + stands.skipped + waiting == bound
    else:
        assert stands.count <= times_max
