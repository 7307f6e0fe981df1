"""Whether a value of one declared type may be given where another is wanted.

Type checkers answer this for those who run them; here it is asked once more at import, for
everybody, and by a weaker rule: what cannot be judged is allowed. It reads annotations and
knows nothing of steps.
"""

from __future__ import annotations

import sys
import types
import typing
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

__all__ = [
    "NEVER",
    "NONE",
    "UNKNOWN",
    "TypeForm",
    "fits",
    "members",
    "or_none",
    "plain",
    "possible_values",
    "type_name",
]

TypeForm = Any
"""A type as an annotation gives it: a class, a union, a NewType. No static type says that."""

UNKNOWN: TypeForm = Any
"""The type of a value about which nothing is known: it fits everywhere."""

NONE: TypeForm = type(None)
"""The type of None."""

NEVER: TypeForm = typing.Never
"""The type of a value that is never there, because what would give it only fails."""

_WIDER: dict[object, tuple[object, ...]] = {float: (int,), complex: (int, float)}
"""What Python's own rules let pass for a number."""


def type_name(kind: object) -> str:
    """Return a type as a person writes it, without modules, so that moving it changes nothing."""
    if kind is NONE:
        return "None"
    if kind is Ellipsis:
        return "..."
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_name(inner[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, inner))}]"
    if origin in (Union, types.UnionType):
        return " | ".join(map(type_name, inner))
    if origin is not None:
        return f"{type_name(origin)}[{', '.join(map(type_name, inner))}]"
    name = getattr(kind, "__qualname__", None) or getattr(kind, "__name__", None)
    return str(name).rpartition("<locals>.")[2] if name else str(kind).removeprefix("typing.")


def plain(kind: object) -> object:
    """Return a type without the wrappers that do not change its values' shape."""
    while True:
        if get_origin(kind) in (Annotated, typing.Required, typing.NotRequired):
            kind = get_args(kind)[0]
        elif _is_alias(kind):
            kind = getattr(kind, "__value__", UNKNOWN)
        else:
            return kind


def members(kind: object) -> tuple[object, ...]:
    """Return the members of a union, or the type alone."""
    kind = plain(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(member for part in get_args(kind) for member in members(part))
    return (kind,)


def or_none(kind: TypeForm) -> TypeForm:
    """Return the type with None added to it."""
    if NONE in members(kind):
        return kind
    return Union[kind, None]  # noqa: UP007 - `|` is not defined for every type form


def possible_values(kind: TypeForm) -> list[object] | None:
    """Return all values of a type, such as an enum's; None where they cannot be listed."""
    possible: list[object] = []
    for each in members(kind):
        whole = plain(each)
        if get_origin(whole) is Literal:
            possible += get_args(whole)
        elif whole is bool:
            possible += [True, False]
        elif isinstance(whole, type) and issubclass(whole, Enum):
            possible += list(whole)
        else:
            return None
    return possible


def fits(given: object, wanted: object) -> bool:
    """Say whether a value of type `given` may stand where `wanted` is declared."""
    given, wanted = plain(given), plain(wanted)
    if given is NEVER or given == wanted or _is_open(given) or _is_open(wanted):
        return True
    if len(members(given)) > 1:
        return all(fits(member, wanted) for member in members(given))
    if len(members(wanted)) > 1:
        return any(fits(given, member) for member in members(wanted))
    if get_origin(given) is Literal:
        return _literal_fits(given, wanted)
    if get_origin(wanted) is Literal:
        return False
    if isinstance(given, NewType):
        return not isinstance(wanted, NewType) and fits(given.__supertype__, wanted)
    if isinstance(wanted, NewType):
        return False
    return _class_fits(given, wanted)


def _literal_fits(given: object, wanted: object) -> bool:
    values: tuple[object, ...] = get_args(given)
    if get_origin(wanted) is Literal:
        allowed = [repr(value) for value in get_args(wanted)]
        return all(repr(value) in allowed for value in values)
    return all(fits(value.__class__, wanted) for value in values)


def _class_fits(given: object, wanted: object) -> bool:
    have, want = get_origin(given) or given, get_origin(wanted) or wanted
    if not (isinstance(have, type) and isinstance(want, type)):
        return True
    if _is_structural(have) or _is_structural(want):
        return have is want or not (_is_scalar(have) or _is_scalar(want))
    if have in _WIDER.get(want, ()):
        return True
    return issubclass(have, want) and _inner_fits(given, wanted)


def _inner_fits(given: object, wanted: object) -> bool:
    """Compare what two generic types are made of; a bare one is made of anything."""
    have, want = get_args(given), get_args(wanted)
    if not have or not want:
        return True
    if get_origin(given) is tuple or get_origin(wanted) is tuple:
        return _tuple_fits(given, wanted)
    return len(have) != len(want) or all(map(fits, have, want))


def _tuple_fits(given: object, wanted: object) -> bool:
    have, want = get_args(given), get_args(wanted)
    if get_origin(wanted) is not tuple:  # A Sequence or an Iterable of one type.
        return all(fits(part, want[0]) for part in have if part is not Ellipsis)
    if want[-1] is Ellipsis:
        return all(fits(part, want[0]) for part in have if part is not Ellipsis)
    if have[-1] is Ellipsis:
        return False
    return len(have) == len(want) and all(map(fits, have, want))


def _is_open(kind: object) -> bool:
    """Say whether nothing can be told from the type."""
    return kind is Any or kind is object or isinstance(kind, TypeVar | str)


def _is_structural(kind: type) -> bool:
    """Say whether a class is met by shape and not by descent."""
    return bool(getattr(kind, "_is_protocol", False)) or typing.is_typeddict(kind)


def _is_scalar(kind: type) -> bool:
    return issubclass(kind, str | int | float | bytes | Enum | type(None))


def _is_alias(kind: object) -> bool:
    """Say whether this is a name declared with Python 3.12's `type` statement."""
    return sys.version_info >= (3, 12) and isinstance(kind, typing.TypeAliasType)
