"""The slots of a schedule, and the times that are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from makegood import DefinitionError, InvalidInput, Misfire, Overlap, Schedule
from makegood.definition.schedule import slot_after
from makegood.values.instants import Instant, as_datetime, as_instant

BERLIN = ZoneInfo("Europe/Berlin")


def slots(schedule: Schedule, after: datetime, count: int) -> list[str]:
    """Return the next slots as its own zone's clocks show them."""
    found: list[str] = []
    moment: Instant | None = as_instant(after)
    for _ in range(count):
        assert moment is not None
        moment = slot_after(schedule.timing, moment, since=as_instant(after))
        found.append("never" if moment is None else schedule.shown(moment).isoformat())
        if moment is None:
            break
    return found


def made(_slot: datetime) -> object:
    return None


def cron(expression: str, zone: str = "UTC") -> Schedule:
    return Schedule("s", made, cron=expression, zone=zone)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 4 * * *", ["2026-11-21T04:30:00+00:00", "2026-11-22T04:30:00+00:00"]),
        ("*/20 9-10 * * MON-FRI", ["2026-11-23T09:00:00+00:00", "2026-11-23T09:20:00+00:00"]),
        ("0 12 * * 7", ["2026-11-22T12:00:00+00:00", "2026-11-29T12:00:00+00:00"]),
        ("0 12 * * 0", ["2026-11-22T12:00:00+00:00", "2026-11-29T12:00:00+00:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
        ("0 0 1,15 JAN,jul *", ["2027-01-01T00:00:00+00:00", "2027-01-15T00:00:00+00:00"]),
        ("@monthly", ["2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"]),
        # Day of month and weekday: either is enough.
        ("0 0 1 * MON", ["2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"]),
    ],
)
def test_cron_has_lists_ranges_steps_and_names(expression: str, expected: list[str]) -> None:
    assert slots(cron(expression), datetime(2026, 11, 21, tzinfo=UTC), 2) == expected


def test_a_time_that_the_clocks_leave_out_is_taken_when_they_change() -> None:
    daily = cron("30 2 * * *", "Europe/Berlin")

    assert slots(daily, datetime(2027, 3, 27, 12, tzinfo=BERLIN), 2) == [
        "2027-03-28T03:00:00+02:00",
        "2027-03-29T02:30:00+02:00",
    ]


def test_a_time_that_the_clocks_show_twice_is_taken_once() -> None:
    daily = cron("30 2 * * *", "Europe/Berlin")

    assert slots(daily, datetime(2027, 10, 30, 12, tzinfo=BERLIN), 2) == [
        "2027-10-31T02:30:00+02:00",
        "2027-11-01T02:30:00+01:00",
    ]


def test_every_half_hour_goes_on_through_the_hour_that_comes_twice() -> None:
    often = cron("*/30 * * * *", "Europe/Berlin")

    assert slots(often, datetime(2027, 10, 31, 2, 15, tzinfo=BERLIN), 4) == [
        "2027-10-31T02:30:00+02:00",
        "2027-10-31T02:00:00+01:00",
        "2027-10-31T02:30:00+01:00",
        "2027-10-31T03:00:00+01:00",
    ]


def test_an_interval_counts_from_its_start_whenever_it_is_looked_at() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = Schedule("s", made, every=timedelta(hours=7), start=start)

    assert slots(schedule, datetime(2025, 12, 1, tzinfo=UTC), 1) == ["2026-01-01T00:00:00+00:00"]
    assert slots(schedule, datetime(2026, 1, 1, tzinfo=UTC), 2) == [
        "2026-01-01T07:00:00+00:00",
        "2026-01-01T14:00:00+00:00",
    ]
    assert slots(schedule, datetime(2026, 1, 2, 3, 59, tzinfo=UTC), 1) == [
        "2026-01-02T04:00:00+00:00"
    ]


def test_an_interval_without_a_start_counts_from_when_it_was_first_served() -> None:
    schedule = Schedule("s", made, every=timedelta(minutes=5))

    assert slots(schedule, datetime(2026, 1, 1, 12, 2, tzinfo=UTC), 2) == [
        "2026-01-01T12:07:00+00:00",
        "2026-01-01T12:12:00+00:00",
    ]


def test_once_is_once() -> None:
    schedule = Schedule("s", made, at=datetime(2026, 5, 1, 8, tzinfo=BERLIN))

    assert slots(schedule, datetime(2026, 1, 1, tzinfo=UTC), 2) == [
        "2026-05-01T06:00:00+00:00",
        "never",
    ]


# Any: the options of a schedule, each with its own type.
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "has no single manner of times"),
        ({"cron": "* * * * *", "every": timedelta(hours=1)}, "has no single manner of times"),
        ({"cron": "* * * *"}, "write five fields"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "0 0 31 2 *"}, "Bad day-of-month"),
        ({"cron": "0 0 30 2 *"}, "Bad day-of-month"),
        ({"cron": "* * * * *", "zone": "Mars/Olympus"}, "is not known here"),
        ({"every": timedelta(milliseconds=10)}, "give it 0:00:01 or more"),
        ({"every": timedelta(hours=1), "zone": "Europe/Berlin"}, "only cron has"),
        ({"cron": "* * * * *", "start": datetime(2026, 1, 1, tzinfo=UTC)}, "only an interval has"),
        ({"at": datetime(2026, 1, 1)}, "give an aware datetime"),  # noqa: DTZ001 - naive on purpose
        ({"every": timedelta(hours=1), "times_max": 0}, "give 1 or more"),
        ({"every": timedelta(hours=1), "grace": timedelta(0)}, "always late"),
    ],
)
def test_times_that_cannot_be_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        Schedule("nightly", made, **options)


@pytest.mark.parametrize("name", ["", "x" * 300, "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises((DefinitionError, InvalidInput)):
        Schedule(name, made, every=timedelta(hours=1))


def test_policies_may_be_given_as_words() -> None:
    words: dict[str, Any] = {"misfire": "all", "overlap": "queue"}
    schedule = Schedule("s", made, cron="@daily", **words)

    assert (schedule.misfire, schedule.overlap) == (Misfire.ALL, Overlap.QUEUE)
    assert repr(schedule) == "<Schedule s: 0 0 * * * UTC>"
    assert as_datetime(Instant(0)) == datetime(1970, 1, 1, tzinfo=UTC)
