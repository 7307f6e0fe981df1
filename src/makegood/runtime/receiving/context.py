"""What goes along with a message: what carriers took, and its place in a trace.

Whoever carries a trace here does so under one name, as text of their own; beyond this process a
trace goes by the `traceparent` of W3C Trace Context. An envelope has it there, and everything else
in its headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from makegood.values.envelope import parse_traceparent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood.values.envelope import Envelope, Origin

__all__ = ["carried_by", "with_context"]

TRACES = "opentelemetry"
"""The name of the carrier of traces; see `Tracing`."""

_PARENT = "traceparent"


def with_context(origin: Origin, captured: Mapping[str, str]) -> Origin:
    """Return an origin with what carriers took here, above what came along with the origin."""
    if not captured:
        return origin
    headers = {**dict(origin.headers), **captured}
    traced = _decoded(headers.pop(TRACES, None))
    parent = parse_traceparent(traced.pop(_PARENT, None)) or origin.traceparent
    return replace(origin, traceparent=parent, headers=tuple((traced | headers).items()))


def carried_by(envelope: Envelope) -> dict[str, str]:
    """Return what goes along with a message as carriers know it."""
    carried = dict(envelope.headers)
    if envelope.traceparent is not None:
        traced = {name: carried[name] for name in _BESIDE if name in carried}
        traced[_PARENT] = envelope.traceparent
        carried[TRACES] = msgspec.json.encode(traced).decode()
    return carried


_BESIDE = ("tracestate", "baggage")
"""What W3C says beside a place in a trace."""


def _decoded(carried: str | None) -> dict[str, str]:
    if carried is None:
        return {}
    try:
        return msgspec.json.decode(carried, type=dict[str, str])
    except msgspec.MsgspecError:
        # A carrier of that name which is none of ours, and has nothing to say about a trace.
        return {}
