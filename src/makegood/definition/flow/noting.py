"""What is put on record for people to see, and for nothing else: `note`."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.definition.code import BodyCode, NodeCode, always, gather
from makegood.definition.plan import (
    Argument,
    Backoff,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Items,
    Kind,
    Node,
    Pairs,
)
from makegood.definition.reading.fit import NONE, UNKNOWN, type_name
from makegood.definition.trace import current_trace
from makegood.values.codec import codec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.definition.plan import Source

__all__ = ["note"]


def note(name: str, value: object, /) -> None:
    """Put a value on record under a name, in the workflow whose body is running.

    The value is an input, a result, a part of one, or a tuple, list or dict of such. It is written
    down as soon as it is there, and shown in the run's story, its pictures and its events. It
    gives nothing and changes nothing: a value that cannot be written is noted as that, and the run
    goes on. Whoever may look at runs sees it, so note nothing that is secret.
    """
    trace = current_trace("note(…) is called", "call it inside a function under @workflow")
    path = trace.take_path(name, remedy="give one of them another name")
    given = trace.returned(value, f"the note `{path}`")
    node = Node(
        path=path,
        kind=Kind.NOTE,
        function="note",
        arguments=(Argument(name="value", source=given.source, type=type_name(given.type)),),
        returns=type_name(given.type),
        retry=Backoff(attempts=1),
        timeout=None,
    )
    code = NodeCode(
        body=BodyCode(function=_itself),
        # Nobody reads it back: whatever can be written can be noted.
        result=codec_of(UNKNOWN),
        arguments=gather([("value", given.read)], path),
        holds=always,
    )
    trace.keep(node, code, NONE, _needed(given.source))


def _itself(value: object) -> object:
    """Return what is to be noted."""
    return value


def _needed(source: Source) -> Iterator[int]:
    """Give the nodes from which a value comes."""
    match source:
        case FromNode(node=node):
            yield node
        case Items(items):
            for item in items:
                yield from _needed(item)
        case Pairs(pairs):
            for _name, item in pairs:
                yield from _needed(item)
        case FromInput() | FromRound() | Constant():
            return
        case _:
            assert_never(source)
