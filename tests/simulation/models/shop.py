"""Read models of the worlds: what was sold of an order, and what a customer has spent.

The second is declared anew in the midst of it, with another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from makegood import Projection

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LATEST", "LINES", "SPENT", "SPENT_TWICE", "Line", "Sold", "Spent"]


@dataclass(frozen=True)
class Sold:
    """Something was sold."""

    message_name: ClassVar[str] = "simulated.Sold"

    order: str
    number: int
    customer: str

    @property
    def message_key(self) -> str:
        return self.order


@dataclass(frozen=True)
class Line:
    """What was sold of an order."""

    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Spent:
    """What a customer has bought, of whichever order."""

    count: int
    total: int


def list_up(row: Line | None, sold: Sold) -> Line:
    """List what was sold: an order's rows show in which order that was."""
    before = () if row is None else row.numbers
    return Line((*before, sold.number))


def add_up(row: Spent | None, sold: Sold) -> Spent:
    """Add up what was sold to a customer."""
    before = row or Spent(0, 0)
    return Spent(before.count + 1, before.total + sold.number)


def add_up_twice(row: Spent | None, sold: Sold) -> Spent:
    """Add up twice of everything."""
    before = row or Spent(0, 0)
    return Spent(before.count + 1, before.total + 2 * sold.number)


LINES = Projection("lines", list_up)
SPENT = Projection("spent", add_up, key=lambda sold: sold.customer)
SPENT_TWICE = Projection("spent", add_up_twice, key=lambda sold: sold.customer, version=2)

# Any: each has rows of a class of its own.
LATEST: Sequence[Projection[Any]] = (LINES, SPENT_TWICE)
"""What is served in the end."""
