"""An instant is exact: nothing is lost between it and an aware datetime."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.values.instants import Instant, after, as_datetime, as_instant, micros

moments = st.datetimes(timezones=st.just(dt.UTC))
durations = st.timedeltas(dt.timedelta(days=-1_000), dt.timedelta(days=1_000))


@given(moments)
def test_a_datetime_survives_as_an_instant(moment: dt.datetime) -> None:
    assert as_datetime(as_instant(moment)) == moment
    assert as_datetime(as_instant(moment)).tzinfo is dt.UTC


@given(moments, moments)
def test_instants_are_ordered_like_datetimes(one: dt.datetime, other: dt.datetime) -> None:
    assert (one < other) == (as_instant(one) < as_instant(other))


@given(st.integers(0, 2**52), durations)
def test_a_duration_is_added_exactly(start: int, duration: dt.timedelta) -> None:
    assert after(Instant(start), duration) - start == micros(duration)
    assert dt.timedelta(microseconds=micros(duration)) == duration


def test_an_instant_counts_microseconds_since_1970() -> None:
    paris = dt.timezone(dt.timedelta(hours=1))

    assert as_instant(dt.datetime(1970, 1, 1, 1, 0, 1, 5, tzinfo=paris)) == 1_000_005


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone; give an aware datetime"):
        as_instant(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake
