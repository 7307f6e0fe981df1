"""A read model is tested like the function that it is: messages in, rows out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from makegood import InvalidInput, Projection
from makegood.testing import project


@dataclass(frozen=True)
class Placed:
    message_name: ClassVar[str] = "orders.Placed"

    order_id: str
    cents: int

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Cancelled:
    message_name: ClassVar[str] = "orders.Cancelled"

    order_id: str

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass
class Seen:
    cents: list[int] = field(default_factory=list)


def remember(row: Seen | None, event: Placed | Cancelled) -> Seen | None:
    if isinstance(event, Cancelled):
        return None
    seen = row or Seen()
    seen.cents.append(event.cents)
    return seen


SEEN = Projection("seen", remember)


def test_the_rows_are_what_the_messages_come_to() -> None:
    rows = project(SEEN, Placed("b", 1), Placed("a", 2), Placed("b", 3), Cancelled("a"))

    assert rows == {"b": Seen([1, 3])}
    assert project(SEEN) == {}


def test_messages_go_to_rows_by_a_key_of_its_own() -> None:
    def name(event: Placed | Cancelled) -> str | None:
        return "all" if isinstance(event, Placed) else None

    by_name = Projection("seen", remember, key=name)

    assert project(by_name, Placed("a", 1), Cancelled("a"), Placed("b", 2)) == {"all": Seen([1, 2])}


def test_what_it_does_not_fold_is_refused() -> None:
    with pytest.raises(InvalidInput, match="`seen` folds no `int`"):
        project(SEEN, 7)


def test_a_row_that_cannot_be_kept_is_refused() -> None:
    def spoil(row: Seen | None, event: Placed) -> Seen | None:
        return Seen([event])  # type: ignore[list-item]

    with pytest.raises(InvalidInput, match="is not carried as"):
        project(Projection("spoilt", spoil), Placed("a", 1))
