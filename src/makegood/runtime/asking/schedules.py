"""How do schedules stand, and how is one taken away? Knows no rule of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput
from makegood.journal.halting import HaltKind
from makegood.runtime.scheduler import read_standing
from makegood.values.ids import slot_key
from makegood.values.instants import after, as_datetime

if TYPE_CHECKING:
    from datetime import datetime

    from makegood.decision.dispatch.scheduling import Standing
    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.runtime.shell import Shell
    from makegood.values.instants import Instant

__all__ = ["KeptSchedule", "forget_schedule", "kept_schedules"]

OVERDUE_AFTER = timedelta(minutes=1)
"""How late a schedule is looked at before it is said that nobody looks after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSchedule:
    """How a schedule stands, as it is kept in the journal."""

    name: str
    times: str
    """When it is, in words."""
    next_at: datetime | None
    """Its next slot; None where none will come."""
    last_at: datetime | None
    """The slot that was taken last."""
    last_run: str | None
    """The run that it has started; None where it has published a message."""
    last_message: str | None
    """The id of the message that it has published."""
    count: int
    """How many slots were taken."""
    skipped: int
    """How many were not: they were missed, refused, or overlapped."""
    waiting_at: datetime | None
    """A slot that is taken once the run before it has ended."""
    failures: int
    """How often in a row the slot that is due could not be taken."""
    error: str | None
    """Why not, the last time."""
    retry_at: datetime | None
    """When it is tried again."""
    is_halted: bool
    is_overdue: bool
    """It was due a minute ago or longer, and nobody has looked after it: no engine that works on
    this store serves it any more."""


async def kept_schedules(shell: Shell) -> tuple[KeptSchedule, ...]:
    """Return how all schedules stand."""
    now = shell.clock.now()
    rows = await shell.answer(shell.journal.schedules())
    halts = await shell.answer(shell.journal.halts())
    halted = {halt.name for halt in halts if halt.kind is HaltKind.SCHEDULE and halt.stands(now)}
    return tuple(_kept(row, now, is_halted=row.name in halted) for row in rows)


async def forget_schedule(shell: Shell, name: str) -> None:
    """Remove a schedule from the journal; whoever still serves it begins it anew."""
    if not await shell.answer(shell.journal.forget_schedule(name)):
        message = f"no schedule {name!r} is kept; look at their names with `makegood schedules`"
        raise InvalidInput(message)


def _kept(row: ScheduleRow, now: Instant, *, is_halted: bool) -> KeptSchedule:
    standing = read_standing(row.body)
    is_late = row.wake_at is not None and after(row.wake_at, OVERDUE_AFTER) < now
    return KeptSchedule(
        name=row.name,
        times=standing.times,
        next_at=_shown(standing.next),
        last_at=_shown(standing.last),
        last_run=standing.last_run,
        last_message=_message_of(row.name, standing),
        count=standing.count,
        skipped=standing.skipped,
        waiting_at=_shown(standing.waiting),
        failures=standing.failures,
        error=standing.error,
        retry_at=_shown(standing.retry_at),
        is_halted=is_halted,
        is_overdue=is_late and not is_halted and standing.waiting is None,
    )


def _message_of(schedule: str, standing: Standing) -> str | None:
    if standing.last is None or standing.last_run is not None:
        return None
    return slot_key(schedule, standing.last)


def _shown(instant: Instant | None) -> datetime | None:
    return None if instant is None else as_datetime(instant)
