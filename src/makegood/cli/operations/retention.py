"""What is kept of runs and messages, and for how long? `makegood prune` and `makegood erase`."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from makegood import InvalidInput, MessageOperator
from makegood.cli.control import actor_of
from makegood.cli.runs import Listed, listed, listing
from makegood.cli.status import DONE, FOUND
from makegood.cli.store import address_of, opened
from makegood.cli.writing import json_of, look_of, write
from makegood.journal.address import open_upkeep
from makegood.picture.marks import Style
from makegood.picture.typeset import visible
from makegood.picture.words import allowed
from makegood.runtime.asking.keeping import NEVER
from makegood.runtime.clock import SystemClock
from makegood.runtime.receiving.operating import DUPLICATES_KNOWN
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from makegood import ErasureReport, RunRow
    from makegood.cli.writing import Look
    from makegood.values.instants import Instant

__all__ = ["Ages", "erase", "prune"]


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a subject's runs, as JSON shows it."""

    erased: tuple[str, ...]
    under_way: tuple[Listed, ...]
    unreadable: tuple[Listed, ...]
    remains: str | None
    """What the store still has of what was erased, and when that goes."""


class Ages(NamedTuple):
    """How old something is at least that is removed."""

    runs: timedelta | None
    """None: none go but those of workflows that say how long theirs are kept."""
    messages: timedelta | None
    dead: timedelta | None

    @property
    def of_messages(self) -> timedelta | None:
        """Keep messages as long as runs, and for as long as they may be sent again."""
        if self.messages is not None or self.runs is None:
            return self.messages
        return max(self.runs, DUPLICATES_KNOWN)


def prune(store: str, ages: Ages, *, batch: int, is_dry: bool, as_json: bool) -> int:
    """Remove what is older than this, and write how much that was."""
    if batch < 1:
        message = f"--batch is {batch}; prune at least one run at a time"
        raise InvalidInput(message)
    now = SystemClock().now()
    ended_before = NEVER if ages.runs is None else after(now, -ages.runs)
    periods = asyncio.run(_periods(store))
    if not periods and ages == Ages(None, None, None):
        message = "no workflow says how long its runs are kept; say it here by --older-than"
        raise InvalidInput(message)
    if is_dry:
        upkeep = open_upkeep(address_of(store))
        runs = asyncio.run(upkeep.prunable(ended_before=ended_before, now=now))
    else:
        runs = asyncio.run(_pruned(store, ended_before, batch))
    messages = asyncio.run(_messages(store, ages, is_dry=is_dry))
    if as_json:
        seconds = {name: period.total_seconds() for name, period in periods.items()}
        counts = {"prunable" if is_dry else "pruned": runs, "messages": messages}
        write(json_of({**counts, "kept_seconds": seconds}))
    else:
        would = "would be" if is_dry else "were" if runs + messages != 1 else "was"
        lines = [f"{_runs(runs)} and {_counted(messages, 'message')} {would} pruned"]
        lines += [
            f"runs of {visible(name)} are kept for {allowed(period)} after their end"
            for name, period in periods.items()
        ]
        write("\n".join(lines))
    return DONE


async def _periods(store: str) -> dict[str, timedelta]:
    """Return for how long the workflows that say so want their ended runs to be kept."""
    async with opened(store) as its:
        return dict(sorted((await its.journal.retained()).items()))


async def _pruned(store: str, ended_before: Instant, batch: int) -> int:
    async with opened(store) as its:
        return await its.operator.prune(ended_before=ended_before, batch=batch)


async def _messages(store: str, ages: Ages, *, is_dry: bool) -> int:
    if ages.of_messages is None:
        return 0
    async with opened(store) as its:
        operator = MessageOperator(its.engine)
        return await operator.prune(
            older_than=ages.of_messages, dead_older_than=ages.dead, dry_run=is_dry
        )


def erase(store: str, subject: str, *, actor: str | None, reason: str, as_json: bool) -> int:
    """Erase what the runs of a subject hold; say by the status whether any is left."""
    report, remains = asyncio.run(_erased(store, subject, actor_of(actor), reason))
    if as_json:
        told = Erased(
            erased=tuple(row.run for row in report.erased),
            under_way=tuple(map(listed, report.under_way)),
            unreadable=tuple(map(listed, report.unreadable)),
            remains=remains,
        )
        write(json_of(told))
    else:
        write("\n".join(_as_text(subject, report, remains, look_of(sys.stdout))))
    return DONE if report.is_complete else FOUND


async def _erased(
    store: str, subject: str, actor: str, reason: str
) -> tuple[ErasureReport, str | None]:
    async with opened(store) as its:
        report = await its.operator.erase(subject=subject, actor=actor, reason=reason)
    return report, await open_upkeep(address_of(store)).sweep() if report.erased else None


def _as_text(subject: str, report: ErasureReport, remains: str | None, look: Look) -> Iterator[str]:
    yield look.ink(f"{_runs(len(report.erased))} of {visible(subject)} erased", Style.GOOD)
    if remains is not None:
        yield visible(remains)
    yield from _group("still under way; erase again when they have ended", report.under_way, look)
    yield from _group(
        "not readable by this version; use the one that wrote them", report.unreadable, look
    )


def _group(what: str, rows: Sequence[RunRow], look: Look) -> Iterator[str]:
    if rows:
        yield ""
        yield look.ink(f"{_runs(len(rows))} {what}", Style.BAD)
        yield from listing(rows, look)


def _runs(count: int) -> str:
    return _counted(count, "run")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
