"""How do rows come into a journal past the engine, and out again? One Protocol for the stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.values.ids import RunId

__all__ = ["KEY_COLUMNS", "TABLES", "Records", "Row", "Rows", "Shelf", "Table"]

Table = Literal["run", "facts", "inbox"]

TABLES: tuple[Table, ...] = ("run", "facts", "inbox")

KEY_COLUMNS: dict[Table, tuple[str, str]] = {
    "run": ("id", "seq"),
    "facts": ("run", "seq"),
    "inbox": ("run", "n"),
}
"""The column that names the run, and the one in whose order its rows are."""

Row = dict[str, object]
"""Every column by its name."""

Rows = dict[Table, tuple[Row, ...]]
"""The rows of one run."""

Records = list[tuple[object, ...]]
"""Rows without the names of their columns."""


class Shelf(Protocol):
    """The tables of a journal that no engine uses at the time."""

    async def rows_of(self, run: RunId) -> Rows:
        """Return the row of a run, those of its appends, and those of its inbox, in order."""
        ...

    async def insert(
        self, columns: Mapping[Table, Sequence[str]], new: Mapping[Table, Records]
    ) -> None:
        """Insert many rows, in one transaction."""
        ...

    async def megabytes(self) -> float:
        """Return how large the store is."""
        ...
