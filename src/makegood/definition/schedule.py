"""When is something started by itself? A schedule: its times, and what is missed or overlaps.

Times are a cron expression in a time zone, an interval, or once. Which slots there are follows from
these alone; what becomes of a slot is for the decision core.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from makegood.definition.reading.place import caller
from makegood.errors import DefinitionError
from makegood.values.ids import parse_message_key
from makegood.values.instants import Instant, after, as_datetime, as_instant, micros

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.definition.call import Call

__all__ = ["Cron", "Every", "Misfire", "Once", "Overlap", "Schedule", "Timing", "slot_after"]

EVERY_MIN = timedelta(seconds=1)
"""The shortest time between two slots."""

_FIELDS = 5
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Misfire(StrEnum):
    """What becomes of slots that nobody was there to take, once somebody is."""

    SKIP = "skip"
    """Nothing: the next slot is the next one to come."""
    ONCE = "once"
    """The last of them is taken, and the others are not."""
    ALL = "all"
    """Each is taken, in order; one whose predecessor's run has not ended waits for that."""


class Overlap(StrEnum):
    """What becomes of a slot while the run of the one before has not ended."""

    SKIP = "skip"
    """Nothing is started for it."""
    QUEUE = "queue"
    """It is taken once that run has ended. One slot waits; those that come meanwhile do not."""
    CANCEL = "cancel"
    """That run is cancelled, and the slot is taken once it has ended."""
    ALLOW = "allow"
    """It is taken beside the other."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Slots at the times of a cron expression, on the clocks of a time zone."""

    expression: str
    zone: str


@dataclass(frozen=True, slots=True)
class Every:
    """Slots that lie an interval apart, from a start on."""

    interval: timedelta
    start: Instant | None
    """None: when the schedule was first served."""


@dataclass(frozen=True, slots=True)
class Once:
    """One slot."""

    at: Instant


Timing = Cron | Every | Once


@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class Schedule:
    """Starts something by itself, at its times, once however many workers there are.

    `make` is given the slot, an aware datetime in the schedule's zone, and returns what is to be
    started, a call of a workflow or of a lifecycle, or a message that is to be published. It is a
    plain function, may be called more than once for a slot, and is retried when it raises.

    The times are one of these: `cron`, five fields on the clocks of `zone` (lists, ranges, steps
    and names; 7 is Sunday like 0; when day of month and weekday are both given either is enough,
    as Vixie cron has it), `every`, an interval counted from `start`, or once `at`. Where a clock
    is set forward, a time that it leaves out is taken at the moment of the change; where it is set
    back, a time that it shows twice is taken once, unless the hour field is `*`.

    A slot that is taken more than `grace` late was missed, and `misfire` says what becomes of it;
    `overlap` says so of one whose predecessor's run has not ended. With `times_max` so many slots
    are taken and no more. `when` may refuse a slot; when it raises nothing is started, and it is
    asked again.

    Raises `DefinitionError` for times that never come and for what contradicts itself.
    """

    name: str
    timing: Timing
    make: Callable[[datetime], Call[Any] | object]
    when: Callable[[datetime], bool] | None
    misfire: Misfire
    grace: timedelta
    overlap: Overlap
    times_max: int | None

    def __init__(
        self,
        name: str,
        # Any: whatever the workflow returns.
        make: Callable[[datetime], Call[Any] | object],
        *,
        cron: str | None = None,
        zone: str = "UTC",
        every: timedelta | None = None,
        start: datetime | None = None,
        at: datetime | None = None,
        when: Callable[[datetime], bool] | None = None,
        misfire: Misfire = Misfire.ONCE,
        grace: timedelta = timedelta(minutes=1),
        overlap: Overlap = Overlap.SKIP,
        times_max: int | None = None,
    ) -> None:
        parse_message_key(name)
        given = [each for each in (cron, every, at) if each is not None]
        if len(given) != 1:
            _refuse(name, "has no single manner of times; give it one of cron=, every= and at=")
        if start is not None and every is None:
            _refuse(name, "has a start, which only an interval has; leave it out, or give every=")
        if zone != "UTC" and cron is None:
            _refuse(name, "has a zone, which only cron has; leave it out, or give cron=")
        if grace <= timedelta(0):
            _refuse(name, f"has a grace of {grace}, so that it is always late; give it some")
        if times_max is not None and times_max < 1:
            _refuse(name, f"is taken at most {times_max} times; give 1 or more, or leave it out")
        timing: Timing
        if cron is not None:
            timing = _cron(name, cron, zone)
        elif every is not None:
            timing = _every(name, every, start)
        else:
            assert at is not None, "one of the three was given"
            timing = Once(_instant(name, "at", at))
        for attribute, value in (
            ("name", name),
            ("timing", timing),
            ("make", make),
            ("when", when),
            ("misfire", Misfire(misfire)),
            ("grace", grace),
            ("overlap", Overlap(overlap)),
            ("times_max", times_max),
        ):
            object.__setattr__(self, attribute, value)

    def __repr__(self) -> str:
        return f"<Schedule {self.name}: {self.times}>"

    @property
    def times(self) -> str:
        """When it is, in words that a listing shows."""
        match self.timing:
            case Cron(expression=expression, zone=zone):
                return f"{expression} {zone}"
            case Every(interval=interval):
                return f"every {interval}"
            case Once(at=at):
                return f"once at {as_datetime(at).isoformat()}"

    def shown(self, slot: Instant) -> datetime:
        """Return a slot as `make` is given it."""
        moment = as_datetime(slot)
        if isinstance(self.timing, Cron):
            return moment.astimezone(ZoneInfo(self.timing.zone))
        return moment


def slot_after(timing: Timing, moment: Instant, *, since: Instant) -> Instant | None:
    """Return the first slot after a moment; None where there is none any more.

    `since` is when the schedule was first served, from which an interval without a start counts.
    """
    match timing:
        case Once(at=at):
            return at if at > moment else None
        case Every(interval=interval, start=start):
            first = after(since, interval) if start is None else start
            if first > moment:
                return first
            step = micros(interval)
            return Instant(first + ((moment - first) // step + 1) * step)
        case Cron(expression=expression, zone=zone):
            local = as_datetime(moment).astimezone(ZoneInfo(zone))
            found = next(CronSim(expression, local), None)
            return None if found is None else as_instant(found)


def _cron(name: str, expression: str, zone: str) -> Cron:
    written = _NICKNAMES.get(expression.strip(), expression.strip())
    if len(written.split()) != _FIELDS:
        _refuse(name, f"has the times {expression!r}; write five fields, such as '30 4 * * *'")
    try:
        local = _LONG_AGO.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        _refuse(
            name,
            f"is in the zone {zone!r}, which is not known here; name one such as 'Europe/Berlin', "
            "and install tzdata where the system has no zones",
        )
    try:
        CronSim(written, local)
    except CronSimError as error:
        _refuse(name, f"has the times {expression!r} ({error}); write five fields of days to come")
    return Cron(written, zone)


def _every(name: str, interval: timedelta, start: datetime | None) -> Every:
    if interval < EVERY_MIN:
        _refuse(name, f"comes every {interval}; give it {EVERY_MIN} or more")
    return Every(interval, None if start is None else _instant(name, "start", start))


def _instant(name: str, what: str, moment: datetime) -> Instant:
    if moment.tzinfo is None:
        _refuse(name, f"has {what}={moment!r} without a time zone; give an aware datetime")
    return as_instant(moment)


def _refuse(name: str, why: str) -> NoReturn:
    message = f"{caller()}: the schedule {name!r} {why}"
    raise DefinitionError(message)
