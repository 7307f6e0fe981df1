"""The statements of one step, kept until its outcome is recorded together with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.protocol import Statement

if TYPE_CHECKING:
    from makegood.values.injectable import Sql

__all__ = ["Collected"]


class Collected:
    """Implements `Writes`: it only collects."""

    __slots__ = ("statements",)

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    def execute(self, sql: str, *parameters: Sql, expect_rows: int | None = None) -> None:
        """Collect one statement."""
        self.statements.append(Statement(sql, parameters, expect_rows))
