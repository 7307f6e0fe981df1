"""How do runs lie in SQLite? Knows the columns and the engine's few constants, no transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from makegood.errors import UnknownRun
from makegood.journal.protocol import RunRow
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.values.ids import RunId
    from makegood.values.injectable import Sql

__all__ = ["DUE_AT_ONCE", "HELD", "RUN_COLUMNS", "refuse_unknown", "run_row"]

HELD = Instant(253_402_300_799_000_000)
"""The wake time of a held run: the last second of the year 9999. The lease of the process that
owns the file never expires by itself; it ends with the process, which the sidecar lock shows."""

DUE_AT_ONCE = Instant(0)
"""The wake time of a run whose holder has died: due whatever the clocks say."""

RUN_COLUMNS = (
    "id, workflow, key, fingerprint, input_hash, status, cause, rollback, reason, seq, "
    "inbox_head, epoch, claims, owner, wake_at, created_at, ended_at, pruned_at"
)
"""The columns that `run_row` takes, in its order."""

_FIELDS = ("run", *RUN_COLUMNS.split(", ")[1:])


def run_row(values: Sequence[Sql]) -> RunRow:
    """Return the row that a statement over `RUN_COLUMNS` gave."""
    return msgspec.convert(dict(zip(_FIELDS, values, strict=True)), RunRow)


def refuse_unknown(run: RunId) -> NoReturn:
    """Raise `UnknownRun` for a run that is not there."""
    message = f"no run {run!r} is in the journal; look at the id, or whether it was pruned"
    raise UnknownRun(message)
