"""What goes along with a message is what carriers took, and its place in a trace."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from makegood.runtime.receiving.context import carried_by, with_context
from makegood.values.envelope import Envelope, Origin
from makegood.values.instants import Instant

HERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THERE = "00-11111111111111111111111111111111-2222222222222222-01"

ORIGIN = Origin(correlation="c", traceparent=THERE, headers=(("tenant", "a"), ("region", "eu")))
ENVELOPE = Envelope(
    id="1", source="s", type="t", body=b"null", at=Instant(0), correlation="c", traceparent=THERE
)


def test_what_nobody_took_here_is_handed_on() -> None:
    assert with_context(ORIGIN, {}) == ORIGIN


def test_what_was_taken_here_stands_above_what_came_along() -> None:
    taken = {"tenant": "b", "opentelemetry": f'{{"traceparent":"{HERE}","tracestate":"x=1"}}'}
    assert with_context(ORIGIN, taken) == replace(
        ORIGIN,
        traceparent=HERE,
        headers=(("tracestate", "x=1"), ("tenant", "b"), ("region", "eu")),
    )


@pytest.mark.parametrize("carried", ["", "7", '{"traceparent":"broken"}', '{"traceparent":1}'])
def test_a_carrier_that_tells_no_trace_leaves_the_one_that_there_was(carried: str) -> None:
    assert with_context(ORIGIN, {"opentelemetry": carried}).traceparent == THERE


def test_a_message_without_anything_carries_nothing() -> None:
    assert carried_by(replace(ENVELOPE, traceparent=None)) == {}


def test_a_trace_goes_to_the_carrier_of_traces() -> None:
    headers = (("tenant", "a"), ("tracestate", "x=1"))
    carried = carried_by(replace(ENVELOPE, headers=headers))
    trace = msgspec.json.decode(carried.pop("opentelemetry"))
    assert trace == {"traceparent": THERE, "tracestate": "x=1"}
    assert carried == {"tenant": "a", "tracestate": "x=1"}
