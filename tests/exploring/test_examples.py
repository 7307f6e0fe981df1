"""An example of every type that can be declared, and a sentence for what has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from makegood.errors import InvalidInput
from makegood.exploring.examples import Examples
from makegood.payments import Money
from makegood.values.codec import codec_of

Sku = NewType("Sku", str)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Address:
    street: str
    number: int = 7


class Line(msgspec.Struct, frozen=True, tag="line"):
    sku: Sku
    quantity: Annotated[int, Meta(ge=5)]


class Gift(msgspec.Struct, frozen=True, tag="gift", rename="camel"):
    wrapped_in: Color


class Point(NamedTuple):
    x: float
    y: float


class Options(TypedDict):
    fast: bool


class Tree(msgspec.Struct, frozen=True):
    name: str
    above: Tree | None
    below: list[Tree]


class Endless(msgspec.Struct, frozen=True):
    next: Endless


class Never(msgspec.Struct, frozen=True):
    number: int

    def __post_init__(self) -> None:
        message = f"{self.number} is not the right number"
        raise ValueError(message)


class Picky(msgspec.Struct, frozen=True, kw_only=True):
    """It accepts only what is tried late: two fields that must differ from what comes first."""

    currency: str
    other: str
    amount: int

    def __post_init__(self) -> None:
        if (self.currency, self.other, self.amount) != ("EUR", "a", 0):
            message = "no"
            raise ValueError(message)


TYPES: list[Any] = [
    str,
    int,
    float,
    bool,
    bytes,
    date,
    datetime,
    time,
    timedelta,
    Decimal,
    UUID,
    Sku,
    Color,
    Address,
    Point,
    Options,
    Tree,
    Money,
    Picky,
    Any,
    type(None),
    Line | Gift,
    int | None,
    Literal["a", 1],
    list[Line],
    Sequence[int],
    tuple[int, str],
    tuple[Line, ...],
    set[str],
    frozenset[Color],
    dict[str, Line],
    Mapping[str, int],
    msgspec.Raw,
    Annotated[int, Meta(gt=3, lt=5)],
    Annotated[int, Meta(ge=10_001, multiple_of=7)],
    Annotated[float, Meta(gt=0.25, lt=0.75)],
    Annotated[str, Meta(min_length=40)],
    Annotated[str, Meta(max_length=2)],
    Annotated[str, Meta(pattern="^[A-Z]{3}$")],
    Annotated[datetime, Meta(tz=True)],
    Annotated[datetime, Meta(tz=False)],
    Annotated[time, Meta(tz=True)],
    Annotated[list[int], Meta(min_length=3)],
    Annotated[list[int], Meta(max_length=0)],
    Annotated[set[str], Meta(min_length=2)],
    Annotated[dict[str, int], Meta(min_length=2)],
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_an_example_is_read_back_as_its_type(kind: Any) -> None:
    codec = codec_of(kind)
    value = codec.read(Examples().raw(codec, "thing"))
    assert codec.read(codec.write(value)) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (str, '"sku"'),
        (int | None, "1"),
        (Address, '{"street":"street"}'),
        (Gift, '{"type":"gift","wrappedIn":"red"}'),
        (Money, '{"minor":1,"currency":"EUR"}'),
        (Tree, '{"name":"name","above":null,"below":[]}'),
        (list[bool], "[false]"),
        (Annotated[int, Meta(gt=3)], "10"),
    ],
    ids=str,
)
def test_an_example_is_the_plainest_that_there_is(kind: Any, text: str) -> None:
    assert bytes(Examples().raw(codec_of(kind), "sku")).decode() == text


def test_what_the_user_gives_for_a_type_stands_wherever_the_type_does() -> None:
    examples = Examples({Sku: Sku("CD-7"), Color: Color.BLUE})
    kind: Any = Sku
    assert bytes(examples.raw(codec_of(kind), "x")) == b'"CD-7"'
    line = examples.raw(codec_of(list[Line]), "x")
    assert bytes(line) == b'[{"type":"line","sku":"CD-7","quantity":10}]'
    assert bytes(examples.raw(codec_of(Gift), "x")) == b'{"type":"gift","wrappedIn":"blue"}'


def test_an_example_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'many' is not carried as int"):
        Examples({int: "many"})


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Never, r"`Never` refuses all that was tried, such as: -?\d+ is not the right number"),
        (Endless, "`Endless` is made of itself"),
        (Annotated[str, Meta(pattern="^z{9}$")], "no value that was tried is accepted"),
    ],
)
def test_what_has_no_example_is_named_with_what_to_give(kind: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"no example of `thing: .*` can be made: {why}.*give"):
        Examples().raw(codec_of(kind), "thing")
