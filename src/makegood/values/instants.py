"""When something is: an instant is a whole number of microseconds since 1970, in UTC.

Facts and rows carry this integer because it is exact, ordered and cheap; people and public
methods see aware datetimes. Nothing here asks what time it is: that is the runtime's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NewType

__all__ = ["Instant", "after", "as_datetime", "as_instant", "micros"]

Instant = NewType("Instant", int)
"""Microseconds since the Unix epoch, UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(duration: timedelta) -> int:
    """Return a duration in whole microseconds."""
    return duration // _MICROSECOND


def after(start: Instant, duration: timedelta) -> Instant:
    """Return the instant that lies `duration` after `start`."""
    return Instant(start + duration // _MICROSECOND)


def as_datetime(instant: Instant) -> datetime:
    """Return the aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=instant)


def as_instant(moment: datetime) -> Instant:
    """Return the instant of an aware datetime; a naive one is refused with ValueError."""
    if moment.tzinfo is None:
        message = f"{moment!r} has no time zone; give an aware datetime"
        raise ValueError(message)
    return Instant((moment - _EPOCH) // _MICROSECOND)
