"""Writing messages of a class, and reading them back by a later version of that class.

A class of messages says what it is by attributes that it may leave out:

- `message_name`: by what it is known; else its module and its own name;
- `message_version`: the version of its schema, from 1;
- `message_kind`: "event", which any number of receptors may receive, or "command", which has one
  owner;
- `message_key`: what a message is about, mostly a property: messages with one key are in order;
- `upcast(version, data)`: a static or class method that turns the JSON object of one version into
  that of the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import msgspec

from makegood.errors import InvalidInput
from makegood.values.codec import NotCarried, codec_of
from makegood.values.envelope import Envelope, misfit_envelope
from makegood.values.ids import parse_message_key
from makegood.values.messages import message_name, misfit_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from makegood.values.envelope import Origin
    from makegood.values.instants import Instant

__all__ = [
    "MessageKind",
    "NewerSchema",
    "Schema",
    "message_key",
    "message_kind",
    "message_version",
    "misfit_schema",
    "seal",
]

T = TypeVar("T")

MessageKind = Literal["event", "command"]
"""Whether any number of receptors may receive a message, or one owns it."""


class NewerSchema(NotCarried):
    """A message was written by a version of its schema that this program does not know yet."""


def message_version(kind: type) -> int:
    """Return the version of a class's schema."""
    return int(getattr(kind, "message_version", 1))


def message_kind(kind: type) -> MessageKind:
    """Return whether messages of a class are events or commands."""
    said: object = getattr(kind, "message_kind", "event")
    return "command" if said == "command" else "event"


def message_key(message: object) -> str | None:
    """Return what a message says that it is about; `InvalidInput` for what can be no key."""
    said: object = getattr(message, "message_key", None)
    if said is None:
        return None
    if not isinstance(said, str):
        text = f"the message_key of a `{type(message).__qualname__}` is {said!r:.80}; give text"
        raise InvalidInput(text)
    return parse_message_key(said)


def misfit_schema(kind: object) -> str | None:
    """Say why values of a type are no messages that are kept, or None when they may be."""
    why = misfit_message(kind)
    if why is not None:
        return why
    assert isinstance(kind, type), "only a class can be a class of messages"
    version: object = getattr(kind, "message_version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return f"`{kind.__qualname__}` has message_version={version!r:.40}; count versions from 1"
    said: object = getattr(kind, "message_kind", "event")
    if said not in {"event", "command"}:
        return f'`{kind.__qualname__}` has message_kind={said!r:.40}; say "event" or "command"'
    if version > 1 and not callable(getattr(kind, "upcast", None)):
        return (
            f"`{kind.__qualname__}` has message_version={version} and reads nothing that came "
            "before; give it a static method upcast(version, data)"
        )
    return None


class Schema(Generic[T]):
    """Writes and reads the messages of one class."""

    __slots__ = ("_codec", "_upcast", "kind", "name", "type", "version")

    def __init__(self, kind: type[T]) -> None:
        why = misfit_schema(kind)
        if why is not None:
            raise InvalidInput(why)
        self.type: type[T] = kind
        self.name: str = message_name(kind)
        self.version: int = message_version(kind)
        self.kind: MessageKind = message_kind(kind)
        self._codec = codec_of(kind)
        # Any: what stands in the JSON of an older version is the class's own business.
        self._upcast: Callable[[int, dict[str, Any]], object] | None = getattr(kind, "upcast", None)

    def __repr__(self) -> str:
        return f"Schema({self.name!r}, version {self.version})"

    def write(self, message: T) -> Raw:
        """Return the message as JSON; raise `NotCarried` or `PayloadTooLarge` with the reason."""
        return self._codec.write(message)

    def read(self, envelope: Envelope) -> T:
        """Return a fresh message, upcast version by version where it is an older one.

        Raises `NewerSchema` for one of a later version, and `NotCarried` for what cannot be read.
        """
        if envelope.version == self.version:
            return self._codec.read(envelope.body)
        if envelope.version > self.version:
            message = (
                f"`{self.name}` was written by version {envelope.version} of its schema, and this "
                f"program knows version {self.version}: update it, and send the message again"
            )
            raise NewerSchema(message)
        return self._codec.read(msgspec.json.encode(self._upcasted(envelope)))

    # Any: as above.
    def _upcasted(self, envelope: Envelope) -> dict[str, Any]:
        assert self._upcast is not None, "a class with an older version upcasts it"
        try:
            data = msgspec.json.decode(envelope.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            message = f"version {envelope.version} of `{self.name}` cannot be read: {error}"
            raise NotCarried(message) from error
        for version in range(envelope.version, self.version):
            after = self._upcast(version, data)
            if not isinstance(after, dict):
                message = (
                    f"the upcast of `{self.name}` from version {version} returned a "
                    f"`{type(after).__qualname__}`; return the object of the next version"
                )
                raise NotCarried(message)
            data = cast("dict[str, Any]", after)
        return data


def seal(
    schema: Schema[T],
    message: T,
    origin: Origin,
    *,
    id: str,
    source: str,
    at: Instant,
    key: str | None = None,
    not_before: Instant | None = None,
) -> Envelope:
    """Return a message in its envelope, with what it takes over from its origin.

    Its key is the one given, or its own, or that of its origin. Raises `InvalidInput` for what
    cannot be stored.
    """
    own = message_key(message) if key is None else key
    envelope = Envelope(
        id=id,
        source=source,
        type=schema.name,
        body=bytes(schema.write(message)),
        at=at,
        correlation=origin.correlation,
        causation=origin.causation,
        version=schema.version,
        key=origin.key if own is None else own,
        tenant=origin.tenant,
        subject=origin.subject,
        traceparent=origin.traceparent,
        not_before=not_before,
        headers=origin.headers,
    )
    why = misfit_envelope(envelope)
    if why is not None:
        text = f"the message `{schema.name}` cannot be sent: {why}"
        raise InvalidInput(text)
    return envelope
