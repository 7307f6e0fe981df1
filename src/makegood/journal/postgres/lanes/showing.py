"""Answers the questions of `lanes.showing` on the server."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeVar

from makegood.journal.lanes.asking import Dialect

if TYPE_CHECKING:
    from makegood.journal.lanes.showing import Shown
    from makegood.journal.postgres.connection import Connection

__all__ = ["dialect_of", "shown_on"]

T = TypeVar("T")


@cache
def dialect_of(schema: str) -> Dialect:
    """Return how tables are named in a schema, and values bound."""
    return Dialect(f'"{schema}".', _bound)


async def shown_on(connection: Connection, shown: Shown[T]) -> T:
    """Answer the questions of what is shown, and return it."""
    try:
        question = next(shown)
        while True:
            found = await connection.fetch(question.sql, *question.values)
            question = shown.send([tuple(row) for row in found])
    except StopIteration as ended:
        value: T = ended.value
        return value


def _bound(number: int) -> str:
    return f"${number}"
