"""An envelope survives CloudEvents both ways; what is no CloudEvent of ours is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from makegood.errors import InvalidInput
from makegood.values.codec import NotCarried
from makegood.values.envelope import (
    Envelope,
    Origin,
    misfit_envelope,
    parse_traceparent,
    read_cloudevent,
    write_cloudevent,
)
from makegood.values.ids import parse_message_key
from makegood.values.instants import Instant, as_instant
from makegood.values.limits import PAYLOAD_BYTES_MAX

NOW = as_instant(datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

ENVELOPE = Envelope(
    id="evt-1",
    source="shop",
    type="shop.OrderPlaced",
    version=2,
    key="order-1",
    correlation="evt-0",
    causation="evt-0",
    traceparent=TRACE,
    tenant="acme",
    at=NOW,
    not_before=Instant(NOW + 5_000_000),
    subject="anna",
    headers=(("tracestate", "a=1"),),
    body=(b'{"order_id":"order-1"}'),
)

names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
instants = st.integers(0, 4_000_000_000_000_000).map(Instant)
envelopes = st.builds(
    Envelope,
    id=names,
    source=names,
    type=names,
    version=st.integers(1, 1000),
    key=st.none() | names,
    correlation=names,
    causation=names,
    traceparent=st.none() | st.just(TRACE),
    tenant=st.just("") | names,
    subject=st.none() | names,
    at=instants,
    not_before=st.none() | instants,
    headers=st.dictionaries(
        st.sampled_from(["tracestate", "region", "x1"]), st.text(max_size=9)
    ).map(lambda headers: tuple(sorted(headers.items()))),
    body=st.sampled_from([b"null", b'{"a":[1,2.5,"\xc3\xa9"]}', b'"text"']),
)


@given(envelopes)
def test_an_envelope_comes_back_from_cloudevents_as_it_was(envelope: Envelope) -> None:
    assert read_cloudevent(write_cloudevent(envelope), now=NOW) == envelope


def test_it_is_written_by_the_names_of_cloudevents() -> None:
    assert msgspec.json.decode(write_cloudevent(ENVELOPE)) == {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "shop",
        "type": "shop.OrderPlaced",
        "schemaversion": 2,
        "subject": "order-1",
        "correlationid": "evt-0",
        "causationid": "evt-0",
        "traceparent": TRACE,
        "tracestate": "a=1",
        "tenant": "acme",
        "datasubject": "anna",
        "time": "2026-01-02T03:04:05.678901Z",
        "notbefore": "2026-01-02T03:04:10.678901Z",
        "datacontenttype": "application/json",
        "data": {"order_id": "order-1"},
    }


def test_headers_that_can_be_no_attributes_stay_behind() -> None:
    envelope = replace(
        ENVELOPE, headers=(("Request-Id", "7"), ("data", "x"), ("id", "o"), ("z", "1"))
    )
    read = read_cloudevent(write_cloudevent(envelope), now=NOW)
    assert read == replace(ENVELOPE, headers=(("z", "1"),))


def test_a_foreign_event_that_says_little_is_a_beginning() -> None:
    data = (
        b'{"specversion":"1.0","id":"1","source":"/bank","type":"paid","data":{"x":1},"n":7,'
        b'"tenant":null}'
    )
    assert read_cloudevent(data, now=NOW) == Envelope(
        id="1",
        source="/bank",
        type="paid",
        correlation="1",
        causation="1",
        at=NOW,
        headers=(("n", "7"),),
        body=b'{"x":1}',
    )


def test_an_event_without_data_carries_null() -> None:
    data = b'{"specversion":"1.0","id":"1","source":"s","type":"t","traceparent":"broken"}'
    read = read_cloudevent(data, now=NOW)
    assert (read.body, read.traceparent) == (b"null", None)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"specversion": "0.3"}, "it is written by version '0.3', and 1.0 is read"),
        ({"id": ""}, "is empty"),
        ({"source": None}, "missing required field `source`"),
        ({"type": "a\nb"}, "cannot be printed"),
        ({"subject": "k" * 300}, "at most 255"),
        ({"schemaversion": 0}, "versions count from 1"),
        ({"datacontenttype": "text/xml"}, "it carries 'text/xml', and only JSON is read"),
        ({"data_base64": "AA=="}, "only JSON is read"),
        ({"time": "2026-01-02T03:04:05"}, "no time zone"),
        ({"time": "yesterday"}, "Invalid RFC3339"),
        ({"headers": "h" * 5_000}, "its headers have 5,007 characters"),
        ({"data": "d" * PAYLOAD_BYTES_MAX}, "at most 1,000,000 are allowed"),
    ],
)
def test_what_is_no_cloudevent_of_ours_is_refused(changed: dict[str, object], says: str) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", **changed}
    with pytest.raises(NotCarried, match=says):
        read_cloudevent(msgspec.json.encode(event), now=NOW)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"null", b'{"specversion":"1.0"}'])
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    with pytest.raises(NotCarried, match="what came is no CloudEvent"):
        read_cloudevent(data, now=NOW)


@given(st.text(max_size=70), st.sampled_from(["id", "source", "type", "correlation", "key"]))
def test_a_name_is_as_good_in_an_envelope_as_it_is_alone(name: str, field: str) -> None:
    try:
        parse_message_key(name)
        is_sound = True
    except InvalidInput:
        is_sound = False
    assert (misfit_envelope(replace(ENVELOPE, **{field: name})) is None) == is_sound


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        TRACE.upper(),
        "ff" + TRACE[2:],
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        TRACE + "-more",
    ],
)
def test_what_is_no_place_in_a_trace_begins_one_anew(text: str | None) -> None:
    assert parse_traceparent(text) is None


def test_a_place_in_a_trace_is_kept_as_it_is() -> None:
    assert parse_traceparent(TRACE) == TRACE


def test_a_sound_envelope_has_nothing_wrong() -> None:
    assert misfit_envelope(ENVELOPE) is None


def test_what_comes_of_a_message_takes_over_its_correlation_and_names_it() -> None:
    assert ENVELOPE.origin == Origin(
        correlation="evt-0",
        causation="evt-1",
        key="order-1",
        tenant="acme",
        subject="anna",
        traceparent=TRACE,
        headers=(("tracestate", "a=1"),),
    )
