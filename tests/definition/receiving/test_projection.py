"""A read model is declared by a pure function, and what is wrong with it is told at import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from makegood import DefinitionError, Projection, injected


@dataclass(frozen=True)
class Placed:
    message_name: ClassVar[str] = "orders.Placed"

    order_id: str


@dataclass(frozen=True)
class Paid:
    message_name: ClassVar[str] = "orders.Paid"

    order_id: str


@dataclass(frozen=True)
class Summary:
    count: int


class Bank: ...


def fold(row: Summary | None, event: Placed) -> Summary | None:
    return Summary(1 if row is None else row.count + 1)


def both(row: Summary | None, event: Placed | Paid) -> Summary:
    return Summary(1 if row is None else row.count + 1)


def by_day(event: Placed) -> str:
    return event.order_id


def test_its_annotations_say_what_it_folds() -> None:
    projection = Projection("summary", both, version=2)

    assert (projection.name, projection.version) == ("summary", 2)
    assert projection.types == ("orders.Paid", "orders.Placed")
    assert repr(projection) == "<projection summary(Placed | Paid), version 2>"
    assert projection.read(projection.write(Summary(3))) == Summary(3)
    assert projection.read(None) is None


def test_what_it_is_made_of_is_its_fingerprint() -> None:
    same = [Projection("summary", fold).fingerprint, Projection("other", fold).fingerprint]
    others = {
        Projection("summary", both).fingerprint,
        Projection("summary", fold, version=2).fingerprint,
        Projection("summary", fold, key=by_day).fingerprint,
    }

    assert len(set(same)) == 1
    assert len({*same, *others}) == 4


async def asking(row: Summary | None, event: Placed) -> Summary | None: ...


def served(row: Summary | None, event: Placed, *, bank: Bank = injected) -> Summary | None: ...


def alone(event: Placed) -> Summary | None: ...


def keyword(row: Summary | None, *, event: Placed) -> Summary | None: ...


def never_empty(row: Summary, event: Placed) -> Summary | None: ...


def two_kinds(row: Summary | Bank | None, event: Placed) -> Summary | None: ...


def uncarried(row: Bank | None, event: Placed) -> Bank | None: ...


def elsewhere(row: Summary | None, event: Placed) -> str: ...


def no_message(row: Summary | None, event: int) -> Summary | None: ...


def unsaid(row: Summary | None, event: Placed) -> Summary | None: ...


del unsaid.__annotations__["event"]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (asking, "`asking` is async; a row is folded by a pure function"),
        (served, "injects `bank`; a fold is pure and is given nothing"),
        (alone, "takes 1 parameters; a fold takes two by position"),
        (keyword, "takes 2 parameters; a fold takes two by position"),
        (never_empty, "takes a row of type `Summary`; write one class or None"),
        (two_kinds, "takes a row of type `Summary | Bank | None`"),
        (uncarried, "a row: "),
        (elsewhere, "returns `str`, which is no row; return `Summary`"),
        (no_message, "receives what is no message"),
        (unsaid, "does not say what type `event` has"),
        (7, "Projection('summary', 7) is given no function"),
    ],
)
def test_a_function_that_folds_nothing_is_refused(function: Any, why: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        Projection("summary", function)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"version": 0}, "version=0: versions count from 1"),
        ({"version": True}, "version=True: versions count from 1"),
        ({"on_dead": "stop"}, "on_dead='stop' is unknown"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, why: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        Projection("summary", fold, **options)
    assert why in str(refused.value)


@pytest.mark.parametrize(("name", "why"), [("a name", "cannot be part of a path"), (7, "no name")])
def test_a_name_that_is_none_is_refused(name: Any, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        Projection(name, fold)
