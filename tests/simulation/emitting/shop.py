"""What says something in the worlds of emitting: a trip that is booked, and the file kept of it.

Whatever is emitted names the effect that it comes of, by the key of that effect and by a number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Literal

from makegood import (
    Abort,
    Again,
    Emit,
    Failure,
    Goto,
    IdempotencyKey,
    Lifecycle,
    MessageInfo,
    Proceed,
    Rearm,
    Receptors,
    Retry,
    RetryNow,
    RunInfo,
    Transaction,
    Verdict,
    Writes,
    injected,
    step,
    workflow,
)
from makegood.extension import Command, HttpRoute, Migration
from tests.simulation.kinds.books import Clerk, Deed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LISTENER", "SAYS", "TABLES", "File", "Haste", "Told", "files", "trips"]

AGAIN = Retry(attempts=60, delay=timedelta(seconds=1), delay_max=timedelta(seconds=4))
"""So often that only what is declined fails."""
PATIENCE = timedelta(seconds=6)
REMINDED_AFTER = timedelta(seconds=5)
REMINDERS = 2


@dataclass(frozen=True)
class Told:
    """Something has happened to a trip."""

    message_name: ClassVar[str] = "simulated.Told"

    trip: str
    of: str
    """The key of the effect that says it."""
    number: int = 1

    @property
    def message_key(self) -> str:
        return self.trip


class Haste(Enum):
    """Whether a trip is given up where nobody knows whether it is insured."""

    NONE = "none"
    GREAT = "great"


# A trip ------------------------------------------------------------------------------------------


async def book(
    trip: str,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
    emit: Emit[Told] = injected,
) -> str:
    """Book the trip, and say so before anybody knows whether it comes to that."""
    emit(Told(trip, key))
    await clerk.ask(Deed(thing=f"{info.id}/book", key=key, of=info.id, about=f"{trip}/book"))
    return trip


async def unbook(
    trip: str,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
    emit: Emit[Told] = injected,
) -> None:
    """Take the booking back, and say so."""
    await clerk.ask(Deed(thing=f"{info.id}/book", key=key, of=info.id, is_undo=True))
    emit(Told(trip, key))


async def insure(
    trip: str,
    haste: Haste,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
    emit: Emit[Told] = injected,
) -> str:
    """Insure the trip, and say two things."""
    del haste
    emit(Told(trip, key))
    await clerk.ask(Deed(thing=f"{info.id}/insure", key=key, of=info.id, about=f"{trip}/insure"))
    emit(Told(trip, key, 2))
    return trip


async def find_insurance(
    _failure: Failure,
    trip: str,
    haste: Haste,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    emit: Emit[Told] = injected,
) -> Verdict[str]:
    """Ask whether the trip is insured, and say in the place of the step what it says."""
    emit(Told(trip, key))
    emit(Told(trip, key, 2))
    if await clerk.knows(key, bars=haste is Haste.GREAT):
        return Proceed(trip)
    return Abort() if haste is Haste.GREAT else RetryNow()


async def cancel_insurance(
    _trip: str,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> None:
    """Take the insurance back, and say nothing."""
    await clerk.ask(Deed(thing=f"{info.id}/insure", key=key, of=info.id, is_undo=True))


ENTER = "INSERT INTO entered (trip, effect) VALUES (?, ?)"


async def enter(
    trip: str,
    *,
    key: IdempotencyKey = injected,
    transaction: Transaction = injected,
    emit: Emit[Told] = injected,
) -> str:
    """Enter the trip into a table of the shop's own, and say so."""
    await transaction.execute(ENTER, trip, key)
    emit(Told(trip, key))
    return trip


async def strike_out(
    trip: str,
    *,
    key: IdempotencyKey = injected,
    transaction: Transaction = injected,
    emit: Emit[Told] = injected,
) -> None:
    """Strike the entry out, and say so."""
    await transaction.execute("DELETE FROM entered WHERE trip = ?", trip)
    emit(Told(trip, key))


async def depart(
    trip: str,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
    emit: Emit[Told] = injected,
) -> str:
    """Depart: the last thing, which may be declined."""
    await clerk.ask(Deed(thing=f"{info.id}/depart", key=key, of=info.id, about=f"{trip}/depart"))
    emit(Told(trip, key))
    return trip


booked = step(
    book, undo=unbook, retry=AGAIN, undo_retry=AGAIN, timeout=PATIENCE, undo_timeout=PATIENCE
)
insured = step(
    insure,
    undo=cancel_insurance,
    compensate=find_insurance,
    retry=AGAIN,
    undo_retry=AGAIN,
    compensate_retry=AGAIN,
    timeout=PATIENCE,
    undo_timeout=PATIENCE,
    compensate_timeout=PATIENCE,
)
entered = step(enter, undo=strike_out, retry=AGAIN, undo_retry=AGAIN)
departed = step(depart, irreversible="it is gone", retry=AGAIN, timeout=PATIENCE)


@workflow
def trips(trip: str, haste: Haste) -> str:
    """Book and insure a trip at the same time, enter it, and depart."""
    booking = booked(trip)
    insurance = insured(trip, haste)
    entry = entered.after(insurance)(booking)
    return departed(entry)


# The file of a trip ------------------------------------------------------------------------------


class Status(Enum):
    """How a file stands."""

    NEW = 1
    OPEN = 2
    CLOSED = 3


@dataclass(frozen=True)
class File:
    """What is kept of a trip."""

    trip: str
    reminders: int = 0


async def open_file(
    file: File, *, key: IdempotencyKey = injected, emit: Emit[Told] = injected
) -> Goto[Literal[Status.OPEN], File]:
    """Open the file, and say so."""
    emit(Told(file.trip, key))
    return Goto(Status.OPEN)


async def remind(
    file: File,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
    emit: Emit[Told] = injected,
) -> Again[File] | Rearm[File] | Goto[Literal[Status.CLOSED], File]:
    """Remind somebody and say so, and close the file when that was done often enough."""
    emit(Told(file.trip, key))
    thing = f"{info.id}/remind-{file.reminders}"
    await clerk.ask(Deed(thing=thing, key=key, of=info.id, about=f"{file.trip}/remind"))
    emit(Told(file.trip, key, 2))
    if file.reminders == REMINDERS:
        return Goto(Status.CLOSED)
    return Rearm(replace(file, reminders=file.reminders + 1))


async def take_back(
    file: File, *, key: IdempotencyKey = injected, emit: Emit[Told] = injected
) -> None:
    """Say that what was done about the file counts no more."""
    emit(Told(file.trip, key))


files = (
    Lifecycle("files", File, Status, key=lambda file: file.trip, terminal={Status.CLOSED})
    .on(Status.NEW, open_file, to={Status.OPEN}, undo=take_back, retry=AGAIN)
    .expire(
        Status.OPEN,
        remind,
        after=REMINDED_AFTER,
        to={Status.CLOSED},
        undo=take_back,
        retry=AGAIN,
        timeout=PATIENCE,
    )
    .workflow()
)

SAYS: Mapping[tuple[str, str], int] = {
    ("book", "do"): 1,
    ("book", "undo"): 1,
    ("insure", "do"): 2,
    ("enter", "do"): 1,
    ("enter", "undo"): 1,
    ("depart", "do"): 1,
    ("open_file", "do"): 1,
    ("open_file", "undo"): 1,
    ("remind", "do"): 2,
    ("remind", "undo"): 1,
}
"""How much each effect says, by the last part of its node's path and its direction."""


# Whoever hears of it -----------------------------------------------------------------------------

HEAR = "INSERT INTO heard (effect, number) VALUES (?, ?)"


async def hear(told: Told, *, writes: Writes = injected, info: MessageInfo = injected) -> None:
    """Note what was told."""
    del info
    writes.execute(HEAR, told.of, told.number, expect_rows=1)


LISTENER = Receptors("desk").on(hear, retry=AGAIN, timeout=PATIENCE)


class Tables:
    """What the shop keeps of its own."""

    name = "trips"
    migrations: Sequence[Migration] = (
        Migration(
            owner="trips",
            number=1,
            sql="CREATE TABLE entered (trip TEXT NOT NULL, effect TEXT NOT NULL)",
        ),
        Migration(
            owner="trips",
            number=2,
            sql="CREATE TABLE heard (effect TEXT NOT NULL, number INTEGER NOT NULL)",
        ),
    )
    commands: Sequence[Command] = ()
    routes: Sequence[HttpRoute] = ()


TABLES = Tables()
