"""A message is read by what its class says now, whichever version of it has written it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from makegood.errors import InvalidInput
from makegood.values.codec import NotCarried
from makegood.values.envelope import Envelope
from makegood.values.instants import Instant
from makegood.values.schemas import NewerSchema, Schema, message_key, misfit_schema


@dataclass(frozen=True)
class Placed:
    """Version 1 had `total` in whole units; version 2 had `cents`; version 3 has a currency."""

    message_name: ClassVar[str] = "shop.Placed"
    message_version: ClassVar[int] = 3

    order_id: str
    cents: int
    currency: str

    @property
    def message_key(self) -> str:
        return self.order_id

    @staticmethod
    def upcast(version: int, data: dict[str, Any]) -> dict[str, Any]:
        if version == 1:
            return {"order_id": data["order_id"], "cents": data["total"] * 100}
        return {**data, "currency": "EUR"}


@dataclass(frozen=True)
class Charge:
    message_kind: ClassVar[str] = "command"

    cents: int


def kept(body: bytes, version: int = 3, name: str = "shop.Placed") -> Envelope:
    return Envelope(
        id="1",
        source="shop",
        type=name,
        version=version,
        correlation="1",
        causation="1",
        at=Instant(0),
        body=body,
    )


def test_a_message_of_the_present_version_is_read_as_it_was_written() -> None:
    schema = Schema(Placed)
    message = Placed("A-1", 500, "CHF")
    assert schema.read(kept(bytes(schema.write(message)))) == message
    assert (schema.name, schema.version, schema.kind) == ("shop.Placed", 3, "event")


@pytest.mark.parametrize(
    ("version", "body"),
    [(1, b'{"order_id":"A-1","total":5}'), (2, b'{"order_id":"A-1","cents":500}')],
)
def test_an_older_message_is_upcast_version_by_version(version: int, body: bytes) -> None:
    assert Schema(Placed).read(kept(body, version)) == Placed("A-1", 500, "EUR")


def test_a_message_of_a_later_version_says_what_to_do() -> None:
    with pytest.raises(NewerSchema, match="version 4 of its schema, and this program knows"):
        Schema(Placed).read(kept(b"{}", 4))


@pytest.mark.parametrize("body", [b"[1]", b"\xff", b'{"order_id":1}'])
def test_an_older_message_that_is_damaged_cannot_be_read(body: bytes) -> None:
    with pytest.raises(NotCarried):
        Schema(Placed).read(kept(body, 2))


def test_an_upcast_that_returns_nothing_is_a_misfit() -> None:
    @dataclass(frozen=True)
    class Forgetful:
        message_version: ClassVar[int] = 2

        @staticmethod
        def upcast(version: int, data: dict[str, Any]) -> None:
            data["more"] = version

    schema = Schema(Forgetful)
    with pytest.raises(NotCarried, match="returned a `NoneType`"):
        schema.read(kept(b"{}", 1, schema.name))


def test_a_class_that_says_nothing_is_an_event_of_version_one() -> None:
    schema = Schema(Forged)
    assert (schema.kind, schema.version) == ("event", 1)
    assert schema.name == f"{__name__}.Forged"


def test_a_command_says_that_it_is_one() -> None:
    assert Schema(Charge).kind == "command"


def test_a_message_says_what_it_is_about() -> None:
    assert message_key(Placed("A-1", 1, "EUR")) == "A-1"
    assert message_key(Charge(1)) is None


@dataclass(frozen=True)
class Forged:
    message_key: int


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the message_key of a `Forged` is 7; give text"):
        message_key(Forged(7))


def declared(**attributes: object) -> type:
    return dataclass(frozen=True)(type("Odd", (), attributes))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (declared(message_version=0), "message_version=0; count versions from 1"),
        (declared(message_version=True), "message_version=True; count versions from 1"),
        (declared(message_version="2"), "message_version='2'; count versions from 1"),
        (declared(message_version=2), "give it a static method upcast"),
        (declared(message_kind="query"), "message_kind='query'; say"),
        (int, "is not a class of messages"),
    ],
)
def test_a_class_that_is_declared_wrongly_is_refused(kind: type, says: str) -> None:
    why = misfit_schema(kind)
    assert why is not None
    assert says in why
    with pytest.raises(InvalidInput):
        Schema(kind)
