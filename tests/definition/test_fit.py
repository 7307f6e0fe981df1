"""Which types fit where: what is ruled out is refused, what cannot be judged is allowed."""

from __future__ import annotations

import datetime as dt
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Protocol,
    TypedDict,
    TypeVar,
)

import msgspec
import pytest

from makegood.definition.reading.fit import UNKNOWN, fits, or_none, type_name
from makegood.definition.reading.parts import NoSuchPart, attribute_of, item_of

T = TypeVar("T")
Id = NewType("Id", str)
OtherId = NewType("OtherId", str)


class Animal: ...


class Dog(Animal):
    name: str


class Cat(Animal):
    name: str


class Colour(StrEnum):
    RED = "red"


class Plain(Enum):
    ONE = 1


class Speaks(Protocol):
    def speak(self) -> str: ...


class Row(TypedDict):
    id: int


class Pair(NamedTuple):
    left: int
    right: str


class Page(msgspec.Struct, Generic[T]):
    items: list[T]
    first: T
    size: int


FITTING = [
    (int, int),
    (bool, int),
    (int, float),
    (int, complex),
    (Dog, Animal),
    (Dog, object),
    (Dog, Any),
    (UNKNOWN, Dog),
    (T, Dog),
    (Id, Id),
    (Id, str),
    (Colour, str),
    (type(None), None | int),
    (type(None), typing.Optional[int]),  # noqa: UP045 - the old form is read too
    (int, int | None),
    (Dog, typing.Union[Animal, int]),  # noqa: UP007 - the old form is read too
    (int | str, str | int | None),
    (Annotated[int, "cents"], int),
    (int, Annotated[int, "cents"]),
    (Literal["a"], Literal["a", "b"]),
    (Literal["a"], str),
    (Literal[1, 2], int),
    (list[int], list[int]),
    (list[int], Sequence[int]),
    (list[Dog], Sequence[Animal]),
    (list, list[int]),
    (list[int], list),
    (dict[str, int], Mapping[str, int]),
    (tuple[int, str], tuple[int, str]),
    (tuple[int, int], tuple[int, ...]),
    (tuple[int, int], Sequence[int]),
    (tuple[int, ...], Iterable[int]),
    (Dog, Speaks),
    (Row, Row),
    (dict[str, int], Row),
    (Row, Mapping[str, object]),
    (dt.datetime, dt.date),
    (Page[int], Page[int]),
    (Page[int], Page),
    (Callable[[], int], Any),
]

MISFITTING = [
    (int, str),
    (str, int),
    (float, int),
    (Animal, Dog),
    (str, Id),
    (Id, OtherId),
    (Id, int),
    (type(None), int),
    (int | None, int),
    (int | str, int),
    (str, Literal["a"]),
    (Literal["c"], Literal["a", "b"]),
    (Literal[True], Literal[1]),
    (Literal["a"], int),
    (list[int], list[str]),
    (list[Animal], Sequence[Dog]),
    (list[int], tuple[int, ...]),
    (dict[str, int], Mapping[str, str]),
    (tuple[int, str], tuple[int, int]),
    (tuple[int, str], tuple[int, ...]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int], tuple[int, int]),
    (tuple[int, str], Sequence[int]),
    (Page[int], Page[str]),
    (Row, int),
    (int, Row),
    (int, Dog),
]


@pytest.mark.parametrize(("given", "wanted"), FITTING, ids=str)
def test_a_type_fits(given: object, wanted: object) -> None:
    assert fits(given, wanted)


@pytest.mark.parametrize(("given", "wanted"), MISFITTING, ids=str)
def test_a_type_does_not_fit(given: object, wanted: object) -> None:
    assert not fits(given, wanted)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (int, "int"),
        (type(None), "None"),
        (Id, "Id"),
        (Any, "Any"),
        (Dog, "Dog"),
        (int | None, "int | None"),
        (typing.Optional[Dog], "Dog | None"),  # noqa: UP045 - the old form is read too
        (list[Dog], "list[Dog]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (dict[str, list[Id]], "dict[str, list[Id]]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[Dog, "good"], "Dog"),
        (Page[int], "Page[int]"),
    ],
)
def test_a_type_is_named_without_its_module(kind: object, name: str) -> None:
    assert type_name(kind) == name


def test_none_is_added_to_a_type_once() -> None:
    assert or_none(int) == int | None
    assert or_none(int | None) == int | None


@dataclass
class Order:
    id: Id
    lines: list[Pair]
    row: Row
    sizes: dict[str, int]
    colour: Colour
    extra: Any
    page: Page[Dog]
    maybe: Dog | None = None
    hint = 3

    @property
    def total(self) -> int:
        return 1

    @property
    def vague(self):  # noqa: ANN201 - nothing is known of it
        return 1

    def grow(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("id", Id),
        ("lines", list[Pair]),
        ("total", int),
        ("vague", UNKNOWN),
        ("hint", UNKNOWN),
        ("maybe", Dog | None),
    ],
)
def test_an_attribute_has_the_type_that_its_class_declares(name: str, kind: object) -> None:
    assert attribute_of(Order, name) == kind


def test_parts_are_found_through_wrappers_and_generics() -> None:
    assert attribute_of(NewType("Bill", Order), "id") is Id
    assert attribute_of(Page[Dog], "items") == list[Dog]
    assert attribute_of(Page[Dog], "first") is Dog
    assert attribute_of(Page[Dog], "size") is int
    assert attribute_of(Colour, "value") is UNKNOWN
    assert attribute_of(Plain, "name") is str
    assert attribute_of(Any, "anything") is UNKNOWN
    assert attribute_of(Dog | Cat, "name") is str


@pytest.mark.parametrize(
    ("kind", "key", "found"),
    [
        (list[Dog], 0, Dog),
        (list[Dog], -1, Dog),
        (list, 0, UNKNOWN),
        (str, 0, str),
        (tuple[int, str], 1, str),
        (tuple[int, str], -2, int),
        (tuple[int, ...], 7, int),
        (tuple, 0, UNKNOWN),
        (dict[str, int], "a", int),
        (dict[Any, int], 3, int),
        (dict, "a", UNKNOWN),
        (Row, "id", int),
        (Any, "x", UNKNOWN),
        (bytes, 0, UNKNOWN),
    ],
)
def test_an_item_has_the_type_that_is_declared(kind: object, key: str | int, found: object) -> None:
    assert item_of(kind, key) == found


@pytest.mark.parametrize(
    ("kind", "name", "why"),
    [
        (Order, "idd", "Order has no attribute `idd`; did you mean `id`?"),
        (Pair, "zzz", "Pair has no attribute `zzz`; it has left, right"),
        (int, "zzz", "int has no attribute `zzz`; pass the whole value on"),
        (Order, "grow", "`grow` is a method of Order; call it in a step or in pure(…)"),
        (Row, "id_", "Row has no attribute `id_`; did you mean `id`?"),
        (Row, "zzz", 'Row has no attribute `zzz`; write ["zzz"] for an item of a dict'),
        (Dog | None, "name", "it may be None; take it apart in a step or in pure(…)"),
    ],
)
def test_an_attribute_that_is_not_there_is_named(kind: object, name: str, why: str) -> None:
    with pytest.raises(NoSuchPart) as caught:
        attribute_of(kind, name)

    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("kind", "key", "why"),
    [
        (Row, "x", "Row has no item 'x'; it has id"),
        (tuple[int, str], 2, "tuple[int, str] has no item 2; its items are 0 to 1"),
        (tuple[int, str], "a", "tuple[int, str] has no item 'a'; its items are 0 to 1"),
        (dict[str, int], 1, "dict[str, int] has no item 1; its keys are str"),
        (Order, "id", "Order has no items; ask for an attribute, or pass the whole value on"),
        (list[int], "a", "list[int] has no item 'a'; its items are numbered from 0"),
    ],
)
def test_an_item_that_is_not_there_is_named(kind: object, key: str | int, why: str) -> None:
    with pytest.raises(NoSuchPart) as caught:
        item_of(kind, key)

    assert str(caught.value) == why
