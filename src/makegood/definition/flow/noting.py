"""What is put on record for people to see, and for nothing else: `note`."""

from __future__ import annotations

from makegood.definition.code import BodyCode, NodeCode, always, gather
from makegood.definition.plan import Argument, Backoff, Kind, Node
from makegood.definition.reading.fit import NONE, UNKNOWN, type_name
from makegood.definition.trace import current_trace
from makegood.values.codec import codec_of

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
    trace.keep(node, code, NONE, given.needs)


def _itself(value: object) -> object:
    """Return what is to be noted."""
    return value
