"""What is carried survives exactly, by its declared type; what cannot survive is refused."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makegood.errors import InvalidInput, PayloadTooLarge
from makegood.values.codec import NULL, Codec, NotCarried, codec_of, uncarried, writes_json
from makegood.values.limits import PAYLOAD_BYTES_MAX

OrderId = NewType("OrderId", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Line(NamedTuple):
    sku: str
    cents: int


class Row(TypedDict):
    id: int
    name: str


class Card(msgspec.Struct, frozen=True, tag="card"):
    token: str


class Cash(msgspec.Struct, frozen=True, tag="cash"):
    cents: int


class Address(pydantic.BaseModel):
    city: str
    since: dt.date
    number: int = pydantic.Field(gt=0, alias="no")


@dataclass(frozen=True)
class Order:
    id: OrderId
    at: dt.datetime
    day: dt.date
    wait: dt.timedelta
    price: Decimal
    uid: UUID
    colour: Colour
    level: Level
    lines: tuple[Line, ...]
    paid_by: Card | Cash
    tags: frozenset[str] = frozenset()
    notes: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    raw: bytes = b""
    row: Row | None = None
    kind: Literal["a", "b"] = "a"
    share: float = 0.0


small = st.integers(-(2**63), 2**63 - 1)
orders = st.builds(
    Order,
    id=st.text().map(OrderId),
    at=st.datetimes(timezones=st.just(dt.UTC)),
    day=st.dates(),
    wait=st.timedeltas(dt.timedelta(days=-9_999), dt.timedelta(days=9_999)),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    uid=st.uuids(),
    colour=st.sampled_from(Colour),
    level=st.sampled_from(Level),
    lines=st.lists(st.builds(Line, st.text(), small)).map(tuple),
    paid_by=st.builds(Card, st.text()) | st.builds(Cash, small),
    tags=st.frozensets(st.text()),
    notes=st.dictionaries(st.text(), st.lists(small)),
    raw=st.binary(),
    row=st.none() | st.fixed_dictionaries({"id": small, "name": st.text()}),
    kind=st.sampled_from(["a", "b"]),
    share=st.floats(allow_nan=False, allow_infinity=False),
)


@given(orders)
def test_every_kind_of_value_survives_exactly(order: Order) -> None:
    codec = codec_of(Order)

    back = codec.read(codec.write(order))

    assert back == order
    assert type(back.price) is Decimal
    assert str(back.price) == str(order.price)


@given(
    st.recursive(
        st.none() | st.booleans() | small | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_json_survives_as_any(value: object) -> None:
    codec: Codec[Any] = codec_of(Any)

    assert codec.read(codec.write(value)) == value


@given(orders)
def test_a_value_is_written_the_same_way_twice(order: Order) -> None:
    codec = codec_of(Order)
    turned = dict(reversed(order.notes.items()))

    assert bytes(codec.write(order)) == bytes(codec.write(order))
    assert writes_json(order.notes) == writes_json(turned)


def test_every_reading_is_a_fresh_value() -> None:
    codec = codec_of(list[int])
    written = codec.write([1])
    codec.read(written).append(2)

    assert codec.read(written) == [1]


def test_a_pydantic_model_is_parsed_by_pydantic() -> None:
    codec = codec_of(Address)
    address = Address(city="Bern", since=dt.date(2020, 1, 2), no=3)

    assert codec.read(codec.write(address)) == address
    assert (
        codec_of(list[Address]).read(b'[{"city":"x","since":"2020-01-02","no":1}]')[0].number == 1
    )
    with pytest.raises(NotCarried, match="greater than 0"):
        codec.read(b'{"city":"x","since":"2020-01-02","no":0}')


class Socket: ...


@dataclass
class Holder:
    socket: Socket


class Tree(msgspec.Struct):
    children: list[Tree]


@pytest.mark.parametrize(
    "kind",
    [
        Socket,
        list[Socket],
        dict[str, Holder],
        Holder | None,
        tuple[int, Socket],
        object,
        type,
        Card | Line | Row,
    ],
    ids=str,
)
def test_a_type_that_cannot_be_carried_is_refused(kind: Any) -> None:
    assert uncarried(kind) is not None
    with pytest.raises(NotCarried, match="cannot be carried"):
        codec_of(kind)


@pytest.mark.parametrize(
    "kind",
    [
        int,
        type(None),
        Order,
        Tree,
        OrderId,
        Any,
        Annotated[int, "cents"],
        Address,
        list[Address | None],
    ],
    ids=str,
)
def test_a_type_that_can_be_carried_is_allowed(kind: Any) -> None:
    assert uncarried(kind) is None


def test_the_refusal_names_the_class_inside() -> None:
    assert uncarried(list[Socket]) == (
        f"Socket inside list[{__name__}.Socket] cannot be carried; use a dataclass, a "
        "msgspec.Struct, an enum, a NamedTuple, a TypedDict or a plain value"
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "1"),
        (int, 1.5),
        (str, 1),
        (str, None),
        (bool, 1),
        (Colour, "green"),
        (list[int], [1, "2"]),
        (tuple[int, int], (1, 2, 3)),
        (Literal["a"], "b"),
        (Card | Cash, Line("x", 1)),
        (Order, {"id": "x"}),
        (dict[str, int], {"a": Socket()}),
        (float, math.nan),
        (int, object()),
        (str, "\ud800"),
    ],
    ids=[f"case {number}" for number in range(1, 16)],
)
def test_a_value_of_another_type_is_refused_when_it_is_written(kind: Any, value: object) -> None:
    with pytest.raises(NotCarried):
        codec_of(kind).write(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(NotCarried):
        codec_of(list[Any]).write(loop)


@pytest.mark.parametrize("stored", [b"", b"{", b'"1"', b"[1,]", b"\xff", b"null"])
def test_a_stored_value_of_another_type_is_refused(stored: bytes) -> None:
    with pytest.raises(NotCarried, match="the stored value is not a int"):
        codec_of(int).read(stored)


def test_a_value_that_is_too_large_is_refused_with_its_size() -> None:
    codec = codec_of(str)
    codec.write("x" * (PAYLOAD_BYTES_MAX - 2))

    with pytest.raises(PayloadTooLarge, match="the value has 1,000,001 bytes as JSON"):
        codec.write("x" * (PAYLOAD_BYTES_MAX - 1))


def test_a_refused_value_is_shown_cut() -> None:
    with pytest.raises(InvalidInput) as caught:
        codec_of(int).write("secret" * 100)  # type: ignore[arg-type]

    assert len(str(caught.value)) < 200


def test_null_is_the_json_of_none() -> None:
    assert codec_of(type(None)).read(NULL) is None


def test_what_has_no_json_has_no_canonical_text() -> None:
    with pytest.raises(NotCarried, match="cannot be written as JSON"):
        writes_json(Socket())
