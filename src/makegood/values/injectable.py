"""What a step may ask the runtime for: the marker `injected` and the types it can stand for.

Services are found by their annotated type; the names below are filled in by the runtime itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NewType, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = [
    "Attempt",
    "Deadline",
    "IdempotencyKey",
    "RunInfo",
    "Sql",
    "Transaction",
    "Writes",
    "injected",
]

Sql = str | int | float | bytes | None
"""What a statement may take as a parameter and give as a column."""


class _Injected:
    """The type of `injected`; there is one value of it."""

    def __repr__(self) -> str:
        return "injected"


# Any: a keyword-only default must be assignable to every service's type.
injected: Any = _Injected()
"""The default of a keyword-only parameter that the runtime fills in, by its annotation."""

IdempotencyKey = NewType("IdempotencyKey", str)
"""The key of this effect: hand it to the other side. The same for every attempt."""

Attempt = NewType("Attempt", int)
"""Which attempt this is, counted from 1."""

Deadline = NewType("Deadline", "datetime")
"""When this attempt will be cancelled: an aware UTC datetime."""


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which run this is. Values only: a step cannot reach its run through it."""

    id: str
    workflow: str
    key: str | None
    path: str
    worker: str


class Writes(Protocol):
    """Statements that are to be applied with the step's own record, in the same transaction.

    For steps that also call the outside: the statements are only collected here, and applied
    when the step's result is recorded. If the store refuses them the run parks, because the
    effect has happened.
    """

    def execute(self, sql: str, *parameters: Sql, expect_rows: int | None = None) -> None:
        """Collect one statement; `expect_rows` refuses all of them if it changes other rows."""


class Transaction(Protocol):
    """The transaction in which a local step's own record is written: read and write.

    A step that takes it awaits nothing else, and is therefore never in doubt: what it did and
    the record that it did it are one commit. It may be run again when that commit is lost.
    """

    async def execute(self, sql: str, *parameters: Sql) -> int:
        """Run one statement and return how many rows it changed."""
        ...

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Run one query and return its rows."""
        ...
