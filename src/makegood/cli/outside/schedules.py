"""Looking at the schedules on a store from a terminal, and taking one away."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from makegood.cli.status import DONE, FOUND
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.marks import Style
from makegood.picture.typeset import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from makegood import KeptSchedule
    from makegood.cli.writing import Look

__all__ = ["forget", "schedules"]


def schedules(store: str, *, as_json: bool) -> int:
    """Write how every schedule stands; `FOUND` where one needs somebody."""
    found = asyncio.run(_found(store))
    if as_json:
        write(json_of(found))
    else:
        write("\n".join(_as_text(found, look_of(sys.stdout))))
    return FOUND if any(_trouble(each) is not None for each in found) else DONE


def forget(store: str, name: str) -> int:
    """Take a schedule away that is served no more."""
    asyncio.run(_forget(store, name))
    write(f"the schedule {visible(name)} is forgotten; whoever serves it begins it anew")
    return DONE


async def _found(store: str) -> tuple[KeptSchedule, ...]:
    async with opened(store) as its:
        return await its.operator.schedules()


async def _forget(store: str, name: str) -> None:
    async with opened(store) as its:
        await its.operator.forget_schedule(name)


def _as_text(found: tuple[KeptSchedule, ...], look: Look) -> Iterator[str]:
    if not found:
        yield "no schedule was ever served on this store"
        return
    rows = [
        (
            visible(each.name),
            each.times,
            _moment(each.next_at),
            _moment(each.last_at),
            str(each.count),
            str(each.skipped),
            _started(each),
        )
        for each in found
    ]
    head = ("schedule", "times", "next (UTC)", "last", "taken", "not taken", "started")
    yield from table(head, rows, look)
    for each in found:
        trouble = _trouble(each)
        if trouble is not None:
            yield look.ink(f"{visible(each.name)} {trouble}", Style.BAD)
        elif each.is_halted:
            yield look.ink(f"{visible(each.name)} is halted", Style.DOUBT)
        elif each.waiting_at is not None:
            said = f"waits with its slot of {_moment(each.waiting_at)} for run {each.last_run}"
            yield look.ink(f"{visible(each.name)} {said}", Style.DOUBT)


def _trouble(schedule: KeptSchedule) -> str | None:
    """Say what somebody has to look into, or None."""
    if schedule.error is not None:
        return (
            f"could not be taken {schedule.failures} times: {visible(schedule.error)}; it is tried "
            f"again at {_moment(schedule.retry_at)}"
        )
    if schedule.is_overdue:
        return "is overdue: no engine that works on this store serves it; serve it, or --forget it"
    return None


def _started(schedule: KeptSchedule) -> str:
    if schedule.last_message is not None:
        return f"message {visible(schedule.last_message)}"
    return "-" if schedule.last_run is None else f"run {schedule.last_run}"


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
