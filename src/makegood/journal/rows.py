"""How does a run's row come out of a database? Knows its columns, and no store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from makegood.errors import UnknownRun
from makegood.journal.protocol import RunRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.values.ids import RunId
    from makegood.values.injectable import Sql

__all__ = ["RUN_COLUMNS", "refuse_unknown", "run_row", "unknown"]

RUN_COLUMNS = (
    "id, workflow, key, fingerprint, input_hash, status, cause, rollback, reason, seq, "
    "inbox_head, epoch, claims, owner, wake_at, created_at, ended_at, pruned_at, subject"
)
"""The columns that `run_row` takes, in its order."""

_FIELDS = ("run", *RUN_COLUMNS.split(", ")[1:])


def run_row(values: Iterable[Sql]) -> RunRow:
    """Return the row that a statement over `RUN_COLUMNS` gave."""
    return msgspec.convert(dict(zip(_FIELDS, values, strict=True)), RunRow)


def refuse_unknown(run: RunId) -> NoReturn:
    """Raise `UnknownRun` for a run that is not there."""
    raise unknown(run)


def unknown(run: RunId) -> UnknownRun:
    """Return the error that says of a run that it is not there."""
    return UnknownRun(f"no run {run!r} is in the journal; look at the id, or whether it was pruned")
