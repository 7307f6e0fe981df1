"""Which runs are in the journal? `makegood runs` lists them page by page."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from makegood import Filter
from makegood.cli.status import DONE
from makegood.cli.store import opened
from makegood.cli.writing import json_of, look_of, table, write
from makegood.picture.typeset import visible
from makegood.picture.words import lasted
from makegood.runtime.clock import SystemClock
from makegood.values.ids import parse_run_id
from makegood.values.instants import after, as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from makegood import Page, RunRow
    from makegood.cli.writing import Look
    from makegood.values.instants import Instant

__all__ = ["Listed", "Wanted", "began", "list_runs", "listed", "listing", "named"]


class Wanted(NamedTuple):
    """Which runs a person wants to see."""

    statuses: frozenset[str]
    causes: frozenset[str]
    reasons: frozenset[str]
    workflow: str | None
    stage: str | None
    older_than: timedelta | None
    newer_than: timedelta | None
    subject: str | None
    key: str | None
    limit: int
    after: str | None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a listing, as JSON shows it."""

    run: str
    workflow: str
    key: str | None
    fingerprint: str
    status: str
    cause: str | None
    rollback: str | None
    reason: str | None
    claims: int
    stage: str | None
    """Where it stands in its lifecycle, or stood when it ended."""
    began: datetime
    ended: datetime | None
    wakes: datetime | None
    """When a worker may take it; None: one holds it, it has ended, or only a person wakes it."""


def list_runs(store: str, wanted: Wanted, *, as_json: bool) -> int:
    """Write one page of runs."""
    page = asyncio.run(_page(store, _filter(wanted, SystemClock().now())))
    write(_as_json(page) if as_json else _as_text(page, look_of(sys.stdout)))
    return DONE


def _filter(wanted: Wanted, now: Instant) -> Filter:
    older, newer = wanted.older_than, wanted.newer_than
    return Filter(
        statuses=wanted.statuses,
        causes=wanted.causes,
        reasons=wanted.reasons,
        workflow=wanted.workflow,
        stage=wanted.stage,
        subject=wanted.subject,
        key=wanted.key,
        created_before=None if older is None else after(now, -older),
        created_after=None if newer is None else after(now, -newer),
        after=None if wanted.after is None else parse_run_id(wanted.after),
        limit=wanted.limit,
    )


async def _page(store: str, filter: Filter) -> Page:
    async with opened(store) as its:
        return await its.engine.list(filter)


def _as_json(page: Page) -> str:
    return json_of({"runs": [listed(row) for row in page.rows], "next": page.next})


def _as_text(page: Page, look: Look) -> str:
    if not page.rows:
        return "there are no such runs"
    lines = [*listing(page.rows, look)]
    if page.next is not None:
        # The other options stay as they are, and only the person knows them.
        lines += ["", f"there are more; the next page: --after {page.next}"]
    return "\n".join(lines)


def listing(rows: Sequence[RunRow], look: Look) -> Iterator[str]:
    """Give rows as lines of a table, under its head."""
    return table(("began (UTC)", "status", "took", "run"), [_line(row) for row in rows], look)


def _line(row: RunRow) -> tuple[str, ...]:
    why = row.reason or row.cause
    took = ""
    if row.ended_at is not None:
        took = lasted(as_datetime(row.ended_at) - as_datetime(row.created_at))
    status = row.status if row.stage is None else f"{row.status} at {visible(row.stage)}"
    return began(row), f"{status}, {why}" if why else status, took, named(row)


def began(row: RunRow) -> str:
    """Return when a run began, to the second."""
    return f"{as_datetime(row.created_at):%Y-%m-%d %H:%M:%S}"


def named(row: RunRow) -> str:
    """Return the name by which other commands take a run, with its workflow."""
    if row.key is None:
        return f"{row.run} ({visible(row.workflow)})"
    return visible(f"{row.workflow}/{row.key}")


def listed(row: RunRow) -> Listed:
    """Return a row as JSON shows it."""
    return Listed(
        run=row.run,
        workflow=row.workflow,
        key=row.key,
        fingerprint=row.fingerprint,
        status=row.status,
        cause=row.cause,
        rollback=row.rollback,
        reason=row.reason,
        claims=row.claims,
        stage=row.stage,
        began=as_datetime(row.created_at),
        ended=None if row.ended_at is None else as_datetime(row.ended_at),
        # A row that is held has a wake time too, but a far one that only stores understand.
        wakes=None if row.wake_at is None or row.owner is not None else as_datetime(row.wake_at),
    )
