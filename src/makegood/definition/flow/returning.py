"""What a body returns or notes: a result, a constant, or a shape of such, in any depth.

A shape is a tuple, a list, a dict, a dataclass, a Struct or a NamedTuple.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Union, cast

from makegood.definition.flow.traced import Traced
from makegood.definition.placeholder import is_placeholder
from makegood.definition.plan import Items, Pairs
from makegood.definition.reading.fit import UNKNOWN, fits, type_name
from makegood.definition.reading.parts import fields_of, is_record, parts_of
from makegood.definition.reading.place import caller
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from makegood.definition.reading.fit import TypeForm
    from makegood.definition.trace import Trace

__all__ = ["holds_placeholder", "returned"]


def returned(trace: Trace, value: object, what: str = "the result of the workflow") -> Traced:
    """Return a value of the body, whatever its shape; `what` is what it is given to."""
    if is_placeholder(value):
        return trace.placed(value, what)
    if type(value) is tuple:
        return _tuple(trace, cast("tuple[object, ...]", value), what)
    if type(value) is list:
        return _list(trace, cast("list[object]", value), what)
    if type(value) is dict:
        return _pairs(trace, cast("dict[str, object]", value), what)
    if is_record(type(value)) and holds_placeholder(value):
        return _record(trace, value)
    return trace.constant(value, type(value), what)


def _record(trace: Trace, value: object) -> Traced:
    """Return a dataclass, a Struct or a NamedTuple of results, made anew when they are there."""
    kind = type(value)
    wanted = fields_of(kind)
    fields: dict[str, Traced] = {}
    for name, part in parts_of(value).items():
        fields[name] = item = returned(trace, part, f"`{name}` of `{kind.__name__}`")
        if not fits(item.type, wanted.get(name, UNKNOWN)):
            message = (
                f"{caller()}: `{name}: {type_name(wanted[name])}` of `{kind.__name__}` is given "
                f"{type_name(item.type)}; give it {type_name(wanted[name])}, or convert it in "
                "pure(…)"
            )
            raise DefinitionError(message)
    readers = tuple((name, item.read) for name, item in fields.items())
    return Traced(
        source=Pairs(tuple((name, item.source) for name, item in fields.items())),
        type=kind,
        read=lambda inputs, results: kind(
            **{name: read(inputs, results) for name, read in readers}
        ),
    )


def holds_placeholder(value: object) -> bool:
    """Say whether a value, or what it is made of, only exists when the workflow runs."""
    if is_placeholder(value):
        return True
    if isinstance(value, dict):
        return any(map(holds_placeholder, cast("dict[object, object]", value).values()))
    if isinstance(value, list | tuple):
        return any(map(holds_placeholder, cast("list[object]", value)))
    return is_record(type(value)) and any(map(holds_placeholder, parts_of(value).values()))


def _tuple(trace: Trace, value: tuple[object, ...], what: str) -> Traced:
    items = [returned(trace, item, what) for item in value]
    readers = tuple(item.read for item in items)
    return Traced(
        source=Items(tuple(item.source for item in items), kind="tuple"),
        type=GenericAlias(tuple, tuple(item.type for item in items)),
        read=lambda inputs, results: tuple(read(inputs, results) for read in readers),
    )


def _list(trace: Trace, value: list[object], what: str) -> Traced:
    items = [returned(trace, item, what) for item in value]
    readers = tuple(item.read for item in items)
    return Traced(
        source=Items(tuple(item.source for item in items), kind="list"),
        type=GenericAlias(list, _union(tuple(item.type for item in items))),
        read=lambda inputs, results: [read(inputs, results) for read in readers],
    )


def _pairs(trace: Trace, value: dict[str, object], what: str) -> Traced:
    if not all(type(key) is str for key in value):
        message = f"{caller()}: {what} is a dict whose keys are not text; use text"
        raise DefinitionError(message)
    pairs = {key: returned(trace, item, what) for key, item in value.items()}
    readers = tuple((key, item.read) for key, item in pairs.items())
    kinds = tuple(item.type for item in pairs.values())
    return Traced(
        source=Pairs(tuple((key, item.source) for key, item in pairs.items())),
        type=GenericAlias(dict, (str, *_union(kinds))),
        read=lambda inputs, results: {key: read(inputs, results) for key, read in readers},
    )


def _union(kinds: tuple[TypeForm, ...]) -> tuple[TypeForm, ...]:
    """Return the one type of all items, or nothing when there are none."""
    if not kinds:
        return ()
    together = kinds[0]
    for kind in kinds[1:]:
        together = Union[together, kind]  # noqa: UP007 - `|` is not defined for every type form
    return (together,)
