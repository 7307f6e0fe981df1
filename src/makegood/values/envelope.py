"""What stands around a message: who sent it, what it is about, and what it came from.

The fields are those of CloudEvents 1.0 and its extensions for correlation and distributed tracing,
under our own names; `write_cloudevent` and `read_cloudevent` are the two ways over that border.
Every message has a correlation, shared by all that came of one beginning, and a causation, the id
of what it came from. It knows no class of messages, no store and no transport.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from msgspec import Raw

from makegood.errors import InvalidInput
from makegood.values.codec import NULL, NotCarried
from makegood.values.ids import parse_message_key
from makegood.values.instants import Instant, as_datetime, as_instant
from makegood.values.limits import (
    CARRIED_CHARACTERS_MAX,
    KEY_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    VERSION_MAX,
)

__all__ = [
    "ARRIVED_BY",
    "OF_ROUTES",
    "SENT_AFTER",
    "Envelope",
    "Origin",
    "misfit_envelope",
    "parse_traceparent",
    "read_cloudevent",
    "write_cloudevent",
]

ARRIVED_BY = "makegoodroute"
"""The header that says by which route a message came. What is sent because of it did not."""

SENT_AFTER = "makegoodafter"
"""The header that names the message which was sent before it: of its key, to the same topic."""

OF_ROUTES = frozenset({ARRIVED_BY, SENT_AFTER})
"""The headers that are about one way of a message, and not about the message."""


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a message takes over from what it came from: a message, a run, or a caller."""

    correlation: str
    causation: str | None = None
    key: str | None = None
    """The key that it has unless it says one of its own."""
    tenant: str = ""
    subject: str | None = None
    traceparent: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message as it is carried and kept."""

    id: str
    """With `source` the name of the message: what comes again under both is the same message."""
    source: str
    """Whoever gives the ids out: a service, an account of somebody else's."""
    type: str
    """The name of its class."""
    body: bytes
    """As it was written: JSON."""
    at: Instant
    """When what it tells of has happened."""
    correlation: str
    """The same for all that came of one beginning."""
    causation: str | None = None
    """The id of the message that was being received, or of the run that was at work; its own id
    where it came from outside. None is nothing that we send."""
    version: int = 1
    """Of the schema of its type."""
    key: str | None = None
    """What it is about: messages with one key are received in order. CloudEvents' `subject`."""
    tenant: str = ""
    """Keys and ids of one tenant are not those of another."""
    subject: str | None = None
    """Whom it is about, so that what it holds of them can be erased."""
    traceparent: str | None = None
    """Where in which trace it was sent, as W3C Trace Context writes it."""
    not_before: Instant | None = None
    """When it takes its place behind the others of its key; None: at once."""
    headers: tuple[tuple[str, str], ...] = ()
    """What else goes along, by name: what carriers took, and attributes that we do not know."""

    @property
    def origin(self) -> Origin:
        """What a message takes over that is sent because of this one."""
        return Origin(
            correlation=self.correlation,
            causation=self.id,
            key=self.key,
            tenant=self.tenant,
            subject=self.subject,
            traceparent=self.traceparent,
            headers=tuple(each for each in self.headers if each[0] not in OF_ROUTES),
        )


def misfit_envelope(envelope: Envelope) -> str | None:
    """Say why an envelope cannot be stored, or None when it can."""
    required = (envelope.id, envelope.source, envelope.type, envelope.correlation)
    given = (envelope.causation, envelope.key, envelope.tenant or None, envelope.subject)
    names = [*required, *(name for name in given if name is not None)]
    if not _are_plain(names):
        try:
            for name in names:
                parse_message_key(name)
        except InvalidInput as error:
            return str(error)
    if not 1 <= envelope.version <= VERSION_MAX:
        return f"the version of its schema is {envelope.version}; versions count from 1"
    length = sum(len(name) + len(value) for name, value in envelope.headers)
    if length > CARRIED_CHARACTERS_MAX:
        return f"its headers have {length:,} characters; at most {CARRIED_CHARACTERS_MAX:,} may go"
    if len(envelope.body) > PAYLOAD_BYTES_MAX:
        return (
            f"its body has {len(envelope.body):,} bytes; at most {PAYLOAD_BYTES_MAX:,} are "
            "allowed: store it elsewhere and send its id"
        )
    return None


def _are_plain(names: list[str]) -> bool:
    """Say whether names are so short and simple that there is no need to look at each."""
    whole = "".join(names)
    if not whole.isprintable() or " " in whole:
        return False
    lengths = [len(name) for name in names]
    return min(lengths) > 0 and max(lengths) * _UTF8_BYTES_MAX <= KEY_BYTES_MAX


_UTF8_BYTES_MAX = 4

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)


def parse_traceparent(text: str | None) -> str | None:
    """Return a place in a trace, or None for what is none: such a trace begins anew (W3C)."""
    return text if text is not None and _TRACEPARENT.fullmatch(text) else None


# CloudEvents ------------------------------------------------------------------------------------


class _Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An envelope by the names of CloudEvents 1.0, of its extensions and of ours."""

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    datacontenttype: str
    correlationid: str
    causationid: str | None = None
    subject: str | None = None
    datasubject: str | None = None
    schemaversion: int = 1
    traceparent: str | None = None
    tenant: str = ""
    notbefore: datetime | None = None


_KNOWN = frozenset(_Written.__struct_fields__)
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,40}")
_JSON = re.compile(r"application/([\w.+-]+\+)?json(\s*;.*)?", re.IGNORECASE)

# Any: an attribute may be any JSON; what is taken of it is looked at.
_attributes = msgspec.json.Decoder(dict[str, Raw])


def write_cloudevent(envelope: Envelope) -> bytes:
    """Return an envelope as a CloudEvent in JSON; headers that are no attributes stay behind."""
    known = _Written(
        specversion="1.0",
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        time=as_datetime(envelope.at),
        datacontenttype="application/json",
        correlationid=envelope.correlation,
        causationid=envelope.causation,
        subject=envelope.key,
        datasubject=envelope.subject,
        schemaversion=envelope.version,
        traceparent=envelope.traceparent,
        tenant=envelope.tenant,
        notbefore=None if envelope.not_before is None else as_datetime(envelope.not_before),
    )
    # Any: it is what msgspec makes of a struct.
    whole = cast("dict[str, Any]", msgspec.to_builtins(known))
    for name, value in envelope.headers:
        if _ATTRIBUTE.fullmatch(name) and name != "data":
            whole.setdefault(name, value)
    whole["data"] = Raw(envelope.body)
    return msgspec.json.encode(whole)


def read_cloudevent(data: bytes, *, now: Instant) -> Envelope:
    """Return the envelope of a CloudEvent in JSON; raise `NotCarried` for what is none.

    One that says no time occurred now. Without a correlation it is a beginning: its own id stands
    for what it does not say.
    """
    try:
        found = _attributes.decode(data)
        known = {name: msgspec.json.decode(found[name]) for name in _KNOWN & found.keys()}
        # An attribute that is null is one that is not there.
        read = {name: value for name, value in known.items() if value is not None}
        read.setdefault("time", as_datetime(now))
        read.setdefault("datacontenttype", "application/json")
        for name in ("correlationid", "causationid"):
            read.setdefault(name, read.get("id"))
        given = msgspec.convert(read, _Written, strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"what came is no CloudEvent: {error}"
        raise NotCarried(message) from error
    envelope = _envelope(given, found)
    why = _foreign(given, found) or misfit_envelope(envelope)
    if why is not None:
        message = f"what came cannot be taken as a CloudEvent: {why}"
        raise NotCarried(message)
    return envelope


def _foreign(given: _Written, found: dict[str, Raw]) -> str | None:
    """Say what of a CloudEvent we do not understand, or None."""
    if given.specversion != "1.0":
        return f"it is written by version {given.specversion[:20]!r}, and 1.0 is read"
    if "data_base64" in found or not _JSON.fullmatch(given.datacontenttype):
        return f"it carries {given.datacontenttype[:80]!r}, and only JSON is read"
    if given.time.tzinfo is None or (given.notbefore and given.notbefore.tzinfo is None):
        return "a time in it has no time zone"
    return None


def _envelope(given: _Written, found: dict[str, Raw]) -> Envelope:
    return Envelope(
        id=given.id,
        source=given.source,
        type=given.type,
        version=given.schemaversion,
        key=given.subject,
        correlation=given.correlationid,
        causation=given.causationid,
        traceparent=parse_traceparent(given.traceparent),
        tenant=given.tenant,
        subject=given.datasubject,
        at=_instant(given.time),
        not_before=None if given.notbefore is None else _instant(given.notbefore),
        headers=_others(found),
        body=bytes(found.get("data", NULL)),
    )


def _instant(moment: datetime) -> Instant:
    return as_instant(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _others(found: dict[str, Raw]) -> tuple[tuple[str, str], ...]:
    """Return the attributes that we do not know, as text, in the order of their names."""
    others: list[tuple[str, str]] = []
    for name in sorted(found.keys() - _KNOWN - {"data", "data_base64"}):
        value: object = msgspec.json.decode(found[name])
        others.append((name, value if isinstance(value, str) else bytes(found[name]).decode()))
    return tuple(others)
