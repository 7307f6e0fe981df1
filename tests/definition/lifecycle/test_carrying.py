"""How outcomes and records are carried: proven when they are written, read in every form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

import pytest
from msgspec import Raw

from makegood.definition.lifecycle.carrying import OutcomeCodec, RecordCodec
from makegood.definition.reading.place import Place
from makegood.errors import DefinitionError, InvalidInput, RemoteError
from makegood.values.codec import NotCarried, codec_of
from makegood.values.outcomes import (
    Again,
    CancelRun,
    FailRun,
    Goto,
    PauseRun,
    Rearm,
    Stay,
    StoredGoto,
    read_next,
)


class Status(Enum):
    NEW = 1
    PAID = 2
    SENT = 3


class Light(Enum):
    PAID = 1


@dataclass(frozen=True)
class Order:
    id: str
    cents: int = 0


RECORD = RecordCodec(codec_of(Order), 1, {})
CODEC = OutcomeCodec(
    name="pay",
    place=Place("shop.py", 7),
    statuses=Status,
    to=frozenset({"PAID"}),
    record=RECORD,
)
STORED: dict[str, tuple[object, str]] = {
    "goto": (
        Goto(Status.PAID, Order("1", 7)),
        '{"outcome":"goto","status":"PAID","record":{"id":"1","cents":7}}',
    ),
    "goto without a record": (Goto(Status.PAID), '{"outcome":"goto","status":"PAID"}'),
    "stay": (Stay(Order("1")), '{"outcome":"stay","record":{"id":"1","cents":0}}'),
    "rearm": (Rearm(), '{"outcome":"rearm"}'),
    "again": (Again(after=timedelta(minutes=5)), '{"outcome":"again","after":"PT300S"}'),
    "pause": (PauseRun("closed"), '{"outcome":"pause","reason":"closed"}'),
    "pause for a person": (
        PauseRun("closed", by_hand=True),
        '{"outcome":"pause","reason":"closed","by_hand":true}',
    ),
    "cancel": (
        CancelRun("no", Order("1")),
        '{"outcome":"cancel","reason":"no","record":{"id":"1","cents":0}}',
    ),
}


@pytest.mark.parametrize(("outcome", "text"), STORED.values(), ids=STORED)
def test_an_outcome_is_stored_by_names_and_read_as_it_was(outcome: object, text: str) -> None:
    raw = CODEC.write(outcome)

    assert bytes(raw).decode() == text
    assert CODEC.read(raw) == outcome


def test_an_error_that_fails_the_run_is_stored_by_its_class_and_message() -> None:
    raw = CODEC.write(FailRun(ValueError("no stock")))

    read = CODEC.read(raw)

    assert isinstance(read, FailRun)
    assert isinstance(read.error, RemoteError)
    assert (read.error.type_name, read.error.message) == ("builtins.ValueError", "no stock")


# Any: what a handler returns by mistake is anything.
REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "shop.py:7: `pay` returned None; return Goto(…), Stay() or another outcome"),
    "the record": (Order("1"), "`pay` returned Order(id='1', cents=0); return Goto(…)"),
    "the class": (Stay, "`pay` returned <class 'makegood.values.outcomes.Stay'>; return Goto(…)"),
    "a status that it does not declare": (
        Goto(Status.SENT),
        "`pay` goes to SENT, which it does not declare; add it to to=, or go to PAID",
    ),
    "a status of another lifecycle": (
        Goto(Light.PAID),
        "`pay` goes to <Light.PAID: 1>, which is no Status; go to PAID",
    ),
    "the name of a status": (Goto("PAID"), "`pay` goes to 'PAID', which is no Status; go to PAID"),
    "another record": (
        Goto(Status.PAID, Light.PAID),
        "`pay` leaves its record as what cannot be stored: <Light.PAID: 1> is not carried as Order",
    ),
    "a time before": (Again(after=timedelta(-1)), "`pay` is to be called again after=datetime"),
    "no time": (
        Again(after=3),  # type: ignore[arg-type] # it is none
        "`pay` is to be called again after=3; give a duration",
    ),
}


@pytest.mark.parametrize(("outcome", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_outcome_of_the_handler_is_refused_with_its_place(
    outcome: object, message: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        CODEC.write(outcome)

    assert message in str(caught.value)
    assert str(caught.value).startswith("shop.py:7: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"null", "null is no outcome of `pay`"),
        (b"7", "it is no outcome of `pay`"),
        (b'{"outcome":"fly"}', "it is no outcome of `pay`"),
        (b'{"outcome":"goto","status":"SENT"}', "`pay` does not lead to 'SENT', but to PAID"),
        (b'{"outcome":"stay","record":7}', "the stored value is not a Order"),
    ],
)
def test_what_a_person_gives_as_an_outcome_is_looked_at_like_one(text: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        CODEC.read(text)

    assert message in str(caught.value)


def test_a_handler_that_leads_nowhere_says_so() -> None:
    codec = OutcomeCodec(
        name="wait", place=Place("f", 1), statuses=Status, to=frozenset(), record=RECORD
    )

    with pytest.raises(DefinitionError, match="or go to no other status"):
        codec.write(Goto(Status.PAID))


def test_an_undo_is_given_the_record_as_its_handler_left_it() -> None:
    given = {"@record": Raw(b'{"id":"1","cents":1}')}

    changed = CODEC.left_by(CODEC.write(Goto(Status.PAID, Order("1", 9))), given)
    unchanged = CODEC.left_by(CODEC.write(Goto(Status.PAID)), given)
    erased = CODEC.left_by(Raw(b"null"), given)

    assert (changed, unchanged, erased) == (Order("1", 9), Order("1", 1), Order("1", 1))


def _cents(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["number"], "total": record["euros"] * 100}


def _named(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["id"], "cents": record["total"]}


NEWEST = RecordCodec(codec_of(Order), 3, {1: _cents, 2: _named})


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        (b'{"number":"1","euros":2}', 1),
        (b'{"id":"1","total":200}', 2),
        (b'{"id":"1","cents":200}', 3),
    ],
)
def test_a_record_of_every_schema_is_read_as_the_newest(text: bytes, schema: int) -> None:
    assert NEWEST.read(Raw(text), schema) == Order("1", 200)


def test_a_record_of_a_newer_program_is_not_read() -> None:
    with pytest.raises(NotCarried, match="has schema 4, which is newer than 3"):
        NEWEST.read(Raw(b"{}"), 4)


def test_a_record_of_a_schema_that_is_forgotten_is_not_read() -> None:
    codec = RecordCodec(codec_of(Order), 3, {2: _named})

    with pytest.raises(NotCarried, match="has schema 1; give upcasts="):
        codec.read(Raw(b"{}"), 1)


def test_what_is_written_says_by_which_schema() -> None:
    codec = OutcomeCodec(
        name="pay", place=Place("f", 1), statuses=Status, to=frozenset({"PAID"}), record=NEWEST
    )

    stored = read_next(codec.write(Goto(Status.PAID, Order("1", 7))))
    given = {"@record": Raw(b'{"number":"1","euros":2}'), "@schema": Raw(b"1")}

    assert isinstance(stored, StoredGoto)
    assert (stored.schema, bytes(stored.record)) == (3, b'{"id":"1","cents":7}')
    assert codec.left_by(codec.write(Goto(Status.PAID)), given) == Order("1", 200)
