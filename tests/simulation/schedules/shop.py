"""What comes by itself in the worlds of schedules: rounds of a watchman, and notices.

A round is a run, short or long; a notice is a message, which a receptor receives.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from makegood import (
    IdempotencyKey,
    MessageInfo,
    Misfire,
    Overlap,
    Receptors,
    Retry,
    RunInfo,
    Schedule,
    injected,
    sleep,
    step,
    workflow,
)
from makegood.testing.simulation import START
from makegood.values.instants import Instant, as_datetime, as_instant
from tests.simulation.kinds.books import Clerk, Deed

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from makegood import Call

__all__ = [
    "GRACE",
    "WATCHMAN",
    "Notice",
    "Plan",
    "draw_notices",
    "draw_plan",
    "scheduled",
    "thing_of",
    "walk",
]

SECOND = 1_000_000
GRACE = timedelta(seconds=4)
BEGINS = Instant(START + 5 * SECOND)
"""The first slot of every schedule."""
AGAIN = Retry(attempts=40, delay=timedelta(seconds=1), delay_max=timedelta(seconds=4))


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule is like."""

    name: str
    every: int
    """How many seconds lie between two slots."""
    work: int
    """How many seconds a run takes."""
    misfire: Misfire
    overlap: Overlap
    times_max: int | None
    refuses: int | None
    """Every so manieth slot is refused by its condition."""
    fails_until: int
    """Until how many seconds after the start of the world nothing can be made for a slot."""
    tells: bool = False
    """Whether a notice is published for a slot; else a round begins."""

    @property
    def waits(self) -> bool:
        """Whether a slot may have to wait for what was begun for the one before: a run, that is."""
        return self.overlap is not Overlap.ALLOW and not self.tells

    def slots(self, since: Instant, until: Instant) -> list[Instant]:
        """Return the slots from one moment to just before another one."""
        step = self.every * SECOND
        first = max(BEGINS, BEGINS + -(-(since - BEGINS) // step) * step)
        return [Instant(slot) for slot in range(first, until, step)]

    def is_refused(self, slot: Instant) -> bool:
        """Say whether the condition refuses a slot."""
        number = (slot - BEGINS) // (self.every * SECOND)
        return self.refuses is not None and number % self.refuses == self.refuses - 1


def draw_plan(chance: Random, number: int) -> Plan:
    """Draw a schedule."""
    every = chance.choice((5, 7))
    misfire = chance.choice(list(Misfire))
    # Where each is taken, whatever it waits for, longer runs would put it off for ever.
    work = chance.choice((0, 2)) if misfire is Misfire.ALL else chance.choice((0, 3, 12))
    return Plan(
        name=f"round-{number}",
        every=every,
        work=work,
        misfire=misfire,
        overlap=chance.choice(list(Overlap)),
        times_max=chance.choice((None, None, 5)),
        refuses=chance.choice((None, None, 3)),
        fails_until=chance.choice((0, 20)) if misfire is Misfire.ALL else 0,
    )


def draw_notices(chance: Random, number: int) -> Plan:
    """Draw a schedule of notices, which overlap with nothing, whatever its policy."""
    return msgspec.structs.replace(
        draw_plan(chance, number), name=f"notice-{number}", tells=True, work=0
    )


@dataclass(frozen=True)
class Notice:
    """A watchman is due."""

    message_name: ClassVar[str] = "simulated.Notice"

    name: str
    slot: str

    @property
    def message_key(self) -> str:
        return self.name


def thing_of(message: str) -> str:
    """Return what is done about a notice: each message is its own thing."""
    return f"heeded {message}"


async def heed(
    _notice: Notice,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: MessageInfo = injected,
) -> None:
    """Do what a notice is for."""
    await clerk.ask(Deed(thing=thing_of(info.id), key=key, of=info.id))


WATCHMAN = Receptors("watchman").on(heed, retry=AGAIN, timeout=timedelta(seconds=6))


async def go_round(
    name: str,
    slot: str,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> None:
    """Go round once for a slot: the same slot is the same thing."""
    await clerk.ask(Deed(thing=f"{name}@{slot}", key=key, of=info.id))


async def wipe_out(_done: None) -> None:
    """Leave no trace: what was seen was seen."""


rounds = step(go_round, undo=wipe_out, retry=AGAIN, timeout=timedelta(seconds=6))


@workflow
def walk(name: str, slot: str, work: timedelta) -> None:
    """Go round, and rest."""
    gone = rounds(name, slot)
    sleep.after(gone)(work)


def scheduled(plan: Plan, now: Callable[[], int]) -> Schedule:
    """Return the schedule of a plan; `now` is the true time, in microseconds from the start."""

    # Any: what the workflow returns.
    def make(slot: datetime) -> Call[Any] | Notice:
        if now() < plan.fails_until * SECOND:
            message = "there is nobody who could go"
            raise LookupError(message)
        if plan.tells:
            return Notice(plan.name, slot.isoformat())
        return walk(plan.name, slot.isoformat(), timedelta(seconds=plan.work))

    return Schedule(
        plan.name,
        make,
        every=timedelta(seconds=plan.every),
        start=as_datetime(BEGINS),
        misfire=plan.misfire,
        overlap=plan.overlap,
        grace=GRACE,
        times_max=plan.times_max,
        when=lambda slot: not plan.is_refused(as_instant(slot)),
    )
