"""What becomes of a schedule's slots: one is taken, others are skipped, or wait.

A schedule stands at the next slot that nobody has decided about. Whoever looks is told one thing
to do, does it, and records where the schedule stands then. That a slot is to be taken is recorded
before anything is begun for it. So whoever dies in the midst leaves a slot that another one takes,
by the same name, which is the same start again; and nobody skips what may have begun.

| due slots | the run before | then |
|---|---|---|
| one that is being taken | – | take it, whatever else is due |
| none | – | wait until the next one |
| missed, to be skipped | – | skip to the first that is not missed |
| missed, one of them to be taken | – | skip to the last |
| some | has ended | take the first |
| missed, each of them to be taken | goes on | wait until it has ended |
| some | goes on, beside it is allowed | take the first |
| some | goes on, to be skipped | skip the first |
| some | goes on, to be waited for | let the first wait; those that come meanwhile are skipped |
| some | goes on, to be cancelled | the same, and cancel that run |
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from makegood.definition.schedule import Misfire, Overlap, slot_after
from makegood.values.instants import Instant, after, micros
from makegood.values.limits import ERROR_TEXT_CHARACTERS_MAX

if TYPE_CHECKING:
    from makegood.definition.schedule import Schedule

__all__ = [
    "Skip",
    "Standing",
    "Take",
    "Wait",
    "first_standing",
    "meant",
    "next_of",
    "passed",
    "refit",
    "taken",
    "troubled",
]

DELAY_MIN = timedelta(seconds=1)
"""How soon a slot that could not be taken is tried again, the first time; then twice as long."""

DELAY_MAX = timedelta(minutes=5)
"""How soon at the latest."""

_DOUBLINGS_MAX = 16

SLOTS_AT_ONCE_MAX = 10_000
"""How many missed slots are looked at in one go; what is left is looked at in the next."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a schedule has come."""

    since: Instant
    """When it was first served."""
    times: str
    """Its times when this was written, in words."""
    next: Instant | None
    """The first slot that nobody has decided about; None where there is none any more."""
    taking: Instant | None = None
    """A slot that is being taken: something may have been begun for it."""
    waiting: Instant | None = None
    """A slot that is taken once the run before it has ended."""
    is_cancelling: bool = False
    """Whether that run was told to end for it."""
    last: Instant | None = None
    """The slot that was taken last."""
    last_run: str | None = None
    """The run that it has started; None for a message."""
    count: int = 0
    """How many slots were taken."""
    skipped: int = 0
    """How many were not."""
    failures: int = 0
    """How often in a row the slot that is due could not be taken."""
    error: str | None = None
    """Why not, the last time."""
    retry_at: Instant | None = None
    """When it is tried again."""

    @property
    def wake_at(self) -> Instant | None:
        """When somebody is to look at it; None where nothing more will come."""
        if self.retry_at is not None:
            return self.retry_at
        if self.taking is not None:
            return self.taking
        return self.waiting if self.waiting is not None else self.next


class Take(msgspec.Struct, frozen=True):
    """Start what the slot is for."""

    slot: Instant


class Skip(msgspec.Struct, frozen=True):
    """Record this: slots were passed over, or one waits now."""

    standing: Standing
    cancel: str | None = None
    """The run that is to be cancelled first."""


class Wait(msgspec.Struct, frozen=True):
    """There is nothing to do yet."""


def first_standing(schedule: Schedule, now: Instant) -> Standing:
    """Return how a schedule stands that is served for the first time."""
    # A slot that falls on this very moment is the first one.
    slot = slot_after(schedule.timing, Instant(now - 1), since=now)
    return Standing(since=now, times=schedule.times, next=slot)


def refit(schedule: Schedule, standing: Standing, now: Instant) -> Standing:
    """Return how a schedule stands whose times were changed: what came before them is over."""
    if standing.times == schedule.times:
        return standing
    slot = slot_after(schedule.timing, Instant(now - 1), since=standing.since)
    return msgspec.structs.replace(
        standing, times=schedule.times, next=_within(schedule, standing.count, slot)
    )


def next_of(
    schedule: Schedule, standing: Standing, now: Instant, *, is_running: bool
) -> Take | Skip | Wait:
    """Say what is to be done about a schedule next."""
    if standing.retry_at is not None and now < standing.retry_at:
        return Wait()
    if standing.taking is not None:
        return Take(standing.taking)
    if standing.waiting is not None and not is_running:
        return Take(standing.waiting)
    slot = standing.next
    if slot is None or slot > now:
        return Wait()
    is_missed = slot < now - micros(schedule.grace)
    if is_missed and schedule.misfire is not Misfire.ALL:
        skip = _pass_missed(schedule, standing, slot, now)
        if skip is not None:
            return skip
    if not is_running or schedule.overlap is Overlap.ALLOW:
        return Take(slot)
    if is_missed and schedule.misfire is Misfire.ALL:
        return Wait()
    if schedule.overlap is Overlap.SKIP or standing.waiting is not None:
        return Skip(_moved(schedule, standing, slot, skipped=1))
    waits = msgspec.structs.replace(_moved(schedule, standing, slot, skipped=0), waiting=slot)
    if schedule.overlap is Overlap.QUEUE:
        return Skip(waits)
    return Skip(msgspec.structs.replace(waits, is_cancelling=True), cancel=standing.last_run)


def meant(standing: Standing, slot: Instant) -> Standing:
    """Return how a schedule stands of which a slot is to be taken, before anything is begun."""
    return msgspec.structs.replace(standing, taking=slot)


def taken(schedule: Schedule, standing: Standing, slot: Instant, run: str | None) -> Standing:
    """Return how a schedule stands once a slot was taken."""
    count = standing.count + 1
    upcoming = standing.next
    # One that has waited is behind it already, and so is one of other times than those of today.
    if slot == upcoming:
        upcoming = slot_after(schedule.timing, slot, since=standing.since)
    return msgspec.structs.replace(
        standing,
        next=_within(schedule, count, upcoming),
        taking=None,
        waiting=None,
        is_cancelling=False,
        last=slot,
        last_run=run,
        count=count,
        failures=0,
        error=None,
        retry_at=None,
    )


def passed(schedule: Schedule, standing: Standing, slot: Instant) -> Standing:
    """Return how a schedule stands once a slot was refused by the schedule's own condition."""
    if slot == standing.waiting:
        gone = msgspec.structs.replace(standing, waiting=None, is_cancelling=False)
        return _at(schedule, gone, gone.next, skipped=1)
    return _moved(schedule, standing, slot, skipped=1)


def troubled(standing: Standing, error: str, now: Instant) -> Standing:
    """Return how a schedule stands whose slot could not be taken: it is tried again, later."""
    failures = standing.failures + 1
    wait = min(DELAY_MIN * 2 ** min(failures - 1, _DOUBLINGS_MAX), DELAY_MAX)
    return msgspec.structs.replace(
        standing,
        taking=None,
        failures=failures,
        error=error[:ERROR_TEXT_CHARACTERS_MAX],
        retry_at=after(now, wait),
    )


def _pass_missed(
    schedule: Schedule, standing: Standing, slot: Instant, now: Instant
) -> Skip | None:
    """Pass over slots that were missed, but for the last one where that is to be taken."""
    oldest = now - micros(schedule.grace)
    upcoming: Instant | None = slot
    passed = 0
    while upcoming is not None and upcoming < oldest and passed < SLOTS_AT_ONCE_MAX:
        following = slot_after(schedule.timing, upcoming, since=standing.since)
        is_last = following is None or following > now
        if schedule.misfire is Misfire.ONCE and is_last:
            break
        upcoming = following
        passed += 1
    if not passed:
        return None
    return Skip(_at(schedule, standing, upcoming, skipped=passed))


def _moved(schedule: Schedule, standing: Standing, slot: Instant, *, skipped: int) -> Standing:
    upcoming = slot_after(schedule.timing, slot, since=standing.since)
    return _at(schedule, standing, upcoming, skipped=skipped)


def _at(schedule: Schedule, standing: Standing, slot: Instant | None, *, skipped: int) -> Standing:
    return msgspec.structs.replace(
        standing,
        next=_within(schedule, standing.count, slot),
        skipped=standing.skipped + skipped,
        failures=0,
        error=None,
        retry_at=None,
    )


def _within(schedule: Schedule, count: int, slot: Instant | None) -> Instant | None:
    """Return a slot, unless so many were taken that there is to be no other."""
    is_over = schedule.times_max is not None and count >= schedule.times_max
    return None if is_over else slot
