"""What is known of a run without reading its facts? And which runs does a listing show.

Also how a row comes out of a database: its columns are known here, and no store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from makegood.errors import UnknownRun
from makegood.journal.mail import Posted
from makegood.values.ids import RunId, WorkerId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from makegood.values.injectable import Sql

__all__ = [
    "RUN_COLUMNS",
    "Filter",
    "History",
    "Page",
    "RunRow",
    "plain_conditions",
    "refuse_unknown",
    "run_row",
    "unknown",
    "wanted_of",
]


class RunRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The one truth about a run."""

    run: RunId
    workflow: str
    key: str | None
    fingerprint: str
    input_hash: str
    status: str
    cause: str | None
    rollback: str | None
    reason: str | None
    seq: int
    inbox_head: int
    epoch: int
    claims: int
    owner: WorkerId | None
    wake_at: Instant | None
    """When a worker that does not hold the run may take it; None: only a post wakes it."""
    created_at: Instant
    ended_at: Instant | None
    pruned_at: Instant | None
    """Set once the facts are gone and only the row remains, as the tombstone of its key."""
    subject: str | None = None
    """Whom the run is about; None also once that was erased."""
    stage: str | None = None
    """Where it stands in its lifecycle, or stood when it ended; None for what has no stages."""
    stage_since: Instant | None = None
    """Since when it has stood there."""
    correlation: str | None = None
    """What it belongs to; None where that is known by its own id."""
    causation: str | None = None
    """The message, the run or the slot that has started it; None: somebody from outside."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is remembered of a run, read in one consistent look."""

    row: RunRow
    appends: tuple[bytes, ...]
    """The facts of each append, a JSON array each, in order."""
    inbox: tuple[Posted, ...]
    """What was posted and has not been taken, in order."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs a listing shows; every field given must hold."""

    statuses: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    workflow: str | None = None
    stage: str | None = None
    subject: str | None = None
    key: str | None = None
    """Show the run that has this key, of each workflow, and those that had it until they ended."""
    correlation: str | None = None
    """Show only what belongs to this; the run whose own id that is has none."""
    created_before: Instant | None = None
    created_after: Instant | None = None
    """Runs that were created then are shown too."""
    unfinished: bool | None = None
    wakeless: bool = False
    """Show only runs that no worker will find: they have no wake time, and so no holder."""
    posted: bool = False
    """Show only runs to which something was posted that has not been taken."""
    not_of: frozenset[str] = frozenset()
    """Show no runs that go by these plans, which are named by their fingerprints."""
    after: RunId | None = None
    """The last run of the page before; runs are listed with the newest first."""
    limit: int = 50


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of runs, and where the next one begins; None when this is the last."""

    rows: tuple[RunRow, ...]
    next: RunId | None


RUN_COLUMNS = (
    "id, workflow, key, fingerprint, input_hash, status, cause, rollback, reason, seq, "
    "inbox_head, epoch, claims, owner, wake_at, created_at, ended_at, pruned_at, subject, "
    "stage, stage_since, correlation, causation"
)
"""The columns that `run_row` takes, in its order."""

_FIELDS = ("run", *RUN_COLUMNS.split(", ")[1:])


def run_row(values: Iterable[Sql]) -> RunRow:
    """Return the row that a statement over `RUN_COLUMNS` gave."""
    return msgspec.convert(dict(zip(_FIELDS, values, strict=True)), RunRow)


def wanted_of(filter: Filter) -> Iterator[tuple[str, list[str]]]:
    """Give the columns of which a listing wants one of several values, and those."""
    for column, wanted in (
        ("status", filter.statuses),
        ("cause", filter.causes),
        ("reason", filter.reasons),
    ):
        if wanted:
            yield column, sorted(wanted)


def plain_conditions(filter: Filter) -> Iterator[tuple[str] | tuple[str, Sql]]:
    """Give the conditions of a listing that are the same everywhere, each with its value, if any.

    A value stands as `?`.
    """
    if filter.statuses and filter.statuses <= {"parked", "failed"}:
        # The partial index serves only who repeats its condition.
        yield ("status IN ('parked', 'failed')",)
    elif filter.statuses and filter.statuses <= _NEVER_FINAL:
        # The same; without it a page of running runs is looked for among all that ever ended.
        yield ("ended_at IS NULL",)
    for condition, value in (
        ("workflow = ?", filter.workflow),
        ("stage = ?", filter.stage),
        ("subject = ?", filter.subject),
        ("correlation = ?", filter.correlation),
        ("created_at < ?", filter.created_before),
        ("created_at >= ?", filter.created_after),
        ("id < ?", filter.after),
    ):
        if value is not None:
            yield condition, value
    if filter.unfinished is not None:
        yield ("ended_at IS NULL" if filter.unfinished else "ended_at IS NOT NULL",)
    if filter.wakeless:
        yield ("wake_at IS NULL",)


_NEVER_FINAL = frozenset({"running", "waiting", "paused", "undoing", "parked"})
"""The statuses of runs that have not ended."""


def refuse_unknown(run: RunId) -> NoReturn:
    """Raise `UnknownRun` for a run that is not there."""
    raise unknown(run)


def unknown(run: RunId) -> UnknownRun:
    """Return the error that says of a run that it is not there."""
    return UnknownRun(f"no run {run!r} is in the journal; look at the id, or whether it was pruned")
