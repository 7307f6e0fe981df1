"""What type a value has after `.name` or `[key]`: the sub-paths of a body, resolved.

Sub-paths are read from annotations, as a type checker would. What the annotations do not tell
is allowed and has an unknown type; what they rule out is a `NoSuchPart` with the remedy.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from functools import cached_property
from typing import Any, NewType, TypeGuard, cast, get_args, get_origin

import msgspec

from makegood.definition.reading.fit import NONE, UNKNOWN, TypeForm, fits, members, plain, type_name

__all__ = ["NoSuchPart", "attribute_of", "fields_of", "is_record", "item_of", "parts_of"]


class NoSuchPart(Exception):
    """A type has no such attribute or item; the message says which it has."""


def attribute_of(kind: object, name: str) -> object:
    """Return the type of `.name` on a value of the type, or `UNKNOWN`."""
    return _of_every_member(kind, lambda member: _attribute(member, name))


def item_of(kind: object, key: str | int) -> object:
    """Return the type of `[key]` on a value of the type, or `UNKNOWN`."""
    return _of_every_member(kind, lambda member: _item(member, key))


def fields_of(kind: type) -> dict[str, TypeForm]:
    """Return the annotated names of a class and their types; empty when they cannot be read."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}


def is_record(kind: object) -> TypeGuard[type]:
    """Say whether a class has named fields that its values are made of, and nothing checks them."""
    if not isinstance(kind, type):
        return False
    named = cast("type[object]", kind)
    is_named = issubclass(named, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or issubclass(named, msgspec.Struct) or is_named


def parts_of(value: object) -> dict[str, object]:
    """Return the fields of a record as they are."""
    names = getattr(value, "_fields", None) or getattr(value, "__struct_fields__", None)
    if names is None:
        names = [field.name for field in dataclasses.fields(cast("Any", value))]
    return {name: getattr(value, name) for name in names}


def _of_every_member(kind: object, part: typing.Callable[[object], object]) -> object:
    found: list[object] = []
    for member in members(kind):
        if member is NONE:
            message = "it may be None; take it apart in a step or in pure(…)"
            raise NoSuchPart(message)
        of_member = part(member)
        if of_member not in found:
            found.append(of_member)
    return found[0] if len(found) == 1 else UNKNOWN


def _attribute(kind: object, name: str) -> object:
    kind = _without_newtype(kind)
    base = _class_of(kind)
    if base is None:
        return UNKNOWN
    fields = fields_of(base)
    if name in fields:
        return _specific(plain(fields[name]), kind)
    if typing.is_typeddict(base):
        return _no_attribute(kind, name, fields, f'; write ["{name}"] for an item of a dict')
    if issubclass(base, Enum) and name in {"name", "value"}:
        return str if name == "name" else UNKNOWN
    if not hasattr(base, name):
        return _no_attribute(kind, name, fields, "")
    return _described(base, name)


def _described(base: type, name: str) -> object:
    """Return the type of an attribute that a class defines without annotating it."""
    found: object = inspect.getattr_static(base, name)
    if isinstance(found, property) and found.fget is not None:
        return _returned(found.fget)
    if isinstance(found, cached_property):
        return _returned(cast("cached_property[object]", found).func)
    if inspect.isroutine(found):
        message = f"`{name}` is a method of {type_name(base)}; call it in a step or in pure(…)"
        raise NoSuchPart(message)
    return UNKNOWN


def _returned(getter: typing.Callable[..., object]) -> object:
    try:
        return typing.get_type_hints(getter, include_extras=True).get("return", UNKNOWN)
    except (NameError, TypeError):
        return UNKNOWN


def _no_attribute(kind: object, name: str, fields: Mapping[str, object], hint: str) -> object:
    near = get_close_matches(name, fields, n=1)
    if near:
        hint = f"; did you mean `{near[0]}`?"
    elif not hint:
        hint = f"; it has {', '.join(fields)}" if fields else "; pass the whole value on"
    message = f"{type_name(kind)} has no attribute `{name}`{hint}"
    raise NoSuchPart(message)


def _item(kind: object, key: str | int) -> object:
    kind = _without_newtype(kind)
    base, inner = _class_of(kind), get_args(kind)
    if base is None:
        return UNKNOWN
    if typing.is_typeddict(base):
        fields = fields_of(base)
        if isinstance(key, str) and key in fields:
            return plain(fields[key])
        message = f"{type_name(kind)} has no item {key!r}; it has {', '.join(fields)}"
        raise NoSuchPart(message)
    if base is tuple:
        return _tuple_item(kind, inner, key)
    if issubclass(base, Mapping):
        return _mapping_item(kind, inner, key)
    if issubclass(base, Sequence):
        return _sequence_item(kind, inner, key)
    if callable(getattr(base, "__getitem__", None)):
        return UNKNOWN
    message = f"{type_name(kind)} has no items; ask for an attribute, or pass the whole value on"
    raise NoSuchPart(message)


def _tuple_item(kind: object, inner: tuple[object, ...], key: str | int) -> object:
    if not inner:
        return UNKNOWN
    if isinstance(key, int) and inner[-1] is Ellipsis:
        return inner[0]
    if isinstance(key, int) and -len(inner) <= key < len(inner):
        return inner[key]
    message = f"{type_name(kind)} has no item {key!r}; its items are 0 to {len(inner) - 1}"
    raise NoSuchPart(message)


def _sequence_item(kind: object, inner: tuple[object, ...], key: str | int) -> object:
    if isinstance(key, str):
        message = f"{type_name(kind)} has no item {key!r}; its items are numbered from 0"
        raise NoSuchPart(message)
    if inner:
        return inner[0]
    return str if kind is str else UNKNOWN


def _mapping_item(kind: object, inner: tuple[object, ...], key: str | int) -> object:
    if len(inner) != 2:  # noqa: PLR2004 - a mapping has a key's type and a value's
        return UNKNOWN
    if fits(type(key), inner[0]):
        return inner[1]
    message = f"{type_name(kind)} has no item {key!r}; its keys are {type_name(inner[0])}"
    raise NoSuchPart(message)


def _specific(field: TypeForm, kind: object) -> object:
    """Return a field's type as it is in a specialised generic class."""
    base, given = get_origin(kind), get_args(kind)
    parameters = getattr(base, "__parameters__", ())
    if base is None or len(parameters) != len(given):
        return field
    known = dict(zip(parameters, given, strict=True))
    if field in known:
        return known[field]
    wanted = getattr(field, "__parameters__", ())
    if not wanted or get_origin(field) is None:
        return field
    return field[tuple(known.get(part, UNKNOWN) for part in wanted)]


def _class_of(kind: object) -> type[object] | None:
    """Return the class whose values a type has, or None when nothing is known about them."""
    base: object = get_origin(kind) or kind
    if not isinstance(base, type) or base in (UNKNOWN, object):
        return None
    return cast("type[object]", base)


def _without_newtype(kind: object) -> object:
    kind = plain(kind)
    while isinstance(kind, NewType):
        kind = plain(kind.__supertype__)
    return kind
