"""Which messages a function receives and sends, read from its annotations.

What it receives is a class, or a union of classes. What it sends is what it returns, in any shape
of tuples and lists, and what it emits: classes of messages, calls, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

from makegood.definition.call import Call
from makegood.definition.reading.fit import NONE, UNKNOWN, members, plain, type_name
from makegood.values.messages import message_name
from makegood.values.schemas import Schema, misfit_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from makegood.definition.code import Injection

__all__ = ["Schemas", "is_call", "read_emitted", "read_received", "read_sent"]

# Any: each message has the class that the user declares.
Schemas = dict[type, Schema[Any]]
"""How the messages of each class are written and read, by class."""

_SEVERAL = (tuple, list, Sequence)


def read_received(kind: object, where: str, problems: list[str]) -> Schemas:
    """Return the classes of messages that a parameter takes."""
    return _schemas(members(kind), f"{where} receives", problems)


def read_sent(kind: object, where: str, problems: list[str]) -> tuple[Schemas, bool]:
    """Return the classes of messages that a type stands for, and whether calls are among it."""
    parts = [*_parts(kind)]
    messages = [part for part in parts if not is_call(part)]
    return _schemas(messages, f"{where} sends", problems), len(messages) < len(parts)


def read_emitted(injections: Sequence[Injection], where: str, problems: list[str]) -> Schemas:
    """Return the classes of messages that a function may send by an `Emit` that it is given."""
    emits = [item for item in injections if item.is_emit]
    if len(emits) > 1:
        names = " and ".join(f"`{item.name}`" for item in emits)
        problems.append(f"{where} injects {names}; one Emit is enough")
    emitted: Schemas = {}
    for item in emits:
        (inside,) = get_args(item.wants)
        found, has_calls = read_sent(inside, where, problems)
        if has_calls:
            problems.append(f"{where} emits a call; return it, and a run is started")
        emitted |= found
    return emitted


def is_call(kind: object) -> bool:
    """Say whether a type is a call of a workflow."""
    return kind is Call or get_origin(kind) is Call


def _parts(kind: object) -> Iterator[object]:
    """Give what a type is made of, without the shapes around it and without None."""
    for member in members(kind):
        if member is NONE:
            continue
        if get_origin(member) in _SEVERAL:
            for inner in get_args(member):
                if inner is not Ellipsis and inner != ():
                    yield from _parts(inner)
        else:
            yield plain(member)


def _schemas(kinds: Iterable[object], where: str, problems: list[str]) -> Schemas:
    """Return the schema of each class; two classes of one name are a problem, as is no class."""
    found: Schemas = {}
    named: dict[str, type] = {}
    for kind in kinds:
        why = _misfit(kind)
        if why is not None:
            problems.append(f"{where} what is no message: {why}")
            continue
        assert isinstance(kind, type), "what fits is a class"
        before = named.setdefault(message_name(kind), kind)
        if before is not kind:
            problems.append(
                f"{where} two classes by the name `{message_name(kind)}`; give one of them a "
                "message_name of its own"
            )
            continue
        found[kind] = Schema(kind)
    return found


def _misfit(kind: object) -> str | None:
    if kind is UNKNOWN or kind is object:
        return f"`{type_name(kind)}` is known by no name; say which classes there may be"
    return misfit_schema(kind)
