"""Answers the questions of `lanes.showing` in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from makegood.journal.lanes.asking import Dialect

if TYPE_CHECKING:
    from makegood.journal.application.connection import Connection
    from makegood.journal.lanes.showing import Shown

__all__ = ["DIALECT", "shown_in"]

T = TypeVar("T")


def _bound(_number: int) -> str:
    return "?"


DIALECT = Dialect("makegood_", _bound)
"""How tables are named here, and values bound."""


def shown_in(connection: Connection, shown: Shown[T]) -> T:
    """Answer the questions of what is shown, and return it."""
    try:
        question = next(shown)
        while True:
            found = connection.execute(question.sql, question.values).fetchall()
            question = shown.send(found)
    except StopIteration as ended:
        value: T = ended.value
        return value
