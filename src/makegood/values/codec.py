"""How a value is carried: JSON, written and read back by its declared type.

A codec knows one type. Writing proves that the value can be read back, so that a value that
cannot survive is found where it was made and not where it is needed. Nothing is ever revived
by a name found in the data.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

import msgspec
from msgspec import inspect

from makegood.errors import InvalidInput, PayloadTooLarge
from makegood.values.limits import PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "NULL",
    "AnyCodec",
    "Codec",
    "NotCarried",
    "codec_of",
    "uncarried",
    "writes_json",
]

T = TypeVar("T")

NULL = msgspec.Raw(b"null")
"""JSON's null, as it is stored."""

_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


class NotCarried(InvalidInput):
    """A value cannot be written as its declared type, or not be read back as it."""


def _is_pydantic(kind: object) -> bool:
    """Say whether a class is a pydantic model, without importing pydantic for those without."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


# Any: these two hooks see whatever msgspec itself does not know.
def _write_foreign(value: object) -> Any:
    if _is_pydantic(type(value)):
        return cast("Any", value).model_dump(mode="json", by_alias=True)
    message = f"`{type(value).__qualname__}` cannot be written as JSON"
    raise TypeError(message)


def _read_foreign(kind: type, data: Any) -> Any:
    if _is_pydantic(kind):
        return cast("Any", kind).model_validate(data)
    message = f"`{kind.__qualname__}` cannot be read from JSON"
    raise TypeError(message)


_encoder = msgspec.json.Encoder(enc_hook=_write_foreign)
_canonical = msgspec.json.Encoder(enc_hook=_write_foreign, order="deterministic")


def writes_json(value: object) -> bytes:
    """Return a value as JSON in one canonical order, for hashes and constants."""
    try:
        return _canonical.encode(value)
    except _UNWRITABLE as error:
        message = f"{value!r:.80} cannot be written as JSON: {error}"
        raise NotCarried(message) from error


class AnyCodec(Protocol):
    """Writes and reads values of which only whoever declared them knows the type."""

    @property
    def type(self) -> object:
        """The type of the values, as an annotation gives it."""
        ...

    # Any: as above.
    def write(self, value: Any, /) -> msgspec.Raw:
        """Return the value as JSON; raise with the reason where it cannot be carried."""
        ...

    def read(self, data: bytes | msgspec.Raw, /) -> Any:
        """Return a fresh value; raise `InvalidInput` for JSON that stands for none."""
        ...


class Codec(Generic[T]):
    """Writes and reads values of one declared type."""

    __slots__ = ("_decode", "type")

    def __init__(self, kind: type[T]) -> None:
        self.type: type[T] = kind
        self._decode = msgspec.json.Decoder(kind, dec_hook=_read_foreign).decode

    def __repr__(self) -> str:
        return f"Codec({self.type!r})"

    def write(self, value: T) -> msgspec.Raw:
        """Return the value as JSON; raise `NotCarried` or `PayloadTooLarge` with the reason."""
        try:
            data = _encoder.encode(value)
            self._decode(data)
        except _UNWRITABLE as error:
            message = f"{value!r:.80} is not carried as {_name(self.type)}: {error}"
            raise NotCarried(message) from error
        if len(data) > PAYLOAD_BYTES_MAX:
            message = (
                f"the value has {len(data):,} bytes as JSON; at most {PAYLOAD_BYTES_MAX:,} are "
                "allowed: store it elsewhere and carry its id"
            )
            raise PayloadTooLarge(message)
        return msgspec.Raw(data)

    def read(self, data: bytes | msgspec.Raw) -> T:
        """Return a fresh value; raise `NotCarried` when the JSON is not of the declared type."""
        try:
            return self._decode(data)
        except _UNWRITABLE as error:
            message = f"the stored value is not a {_name(self.type)}: {error}"
            raise NotCarried(message) from error


def codec_of(kind: type[T]) -> Codec[T]:
    """Return the codec of a declared type; raise `NotCarried` for a type that has none."""
    why = uncarried(kind)
    if why is not None:
        raise NotCarried(why)
    return Codec(kind)


def uncarried(kind: object) -> str | None:
    """Say why a type cannot be carried, or None when it can."""
    try:
        found = inspect.type_info(cast("Any", kind))  # Any: a type form, not only a class
        msgspec.json.Decoder(cast("Any", kind), dec_hook=_read_foreign)
    except (TypeError, ValueError, NameError) as error:
        return f"{_name(kind)} cannot be carried: {error}"
    foreign = _foreign_within(found, set())
    if foreign is None:
        return None
    inside = "" if foreign is kind else f" inside {_name(kind)}"
    return (
        f"{_name(foreign)}{inside} cannot be carried; use a dataclass, a msgspec.Struct, an enum, "
        "a NamedTuple, a TypedDict or a plain value"
    )


def _foreign_within(found: object, seen: set[int]) -> object | None:
    """Return the first class inside a type that neither msgspec nor pydantic can carry."""
    if isinstance(found, inspect.CustomType):
        return None if _is_pydantic(found.cls) else found.cls
    if not isinstance(found, inspect.Type) or id(found) in seen:
        return None
    seen.add(id(found))
    for part in _parts(found):
        foreign = _foreign_within(part, seen)
        if foreign is not None:
            return foreign
    return None


def _parts(found: inspect.Type) -> Iterator[object]:
    """Give the types that a type is made of."""
    for name in found.__struct_fields__:
        inner: object = getattr(found, name)
        members = cast("tuple[object, ...]", inner) if isinstance(inner, tuple) else (inner,)
        for part in members:
            yield part.type if isinstance(part, inspect.Field) else part


def _name(kind: object) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind).replace("typing.", "")
