"""What fails a run on purpose: `expect`, unless a flag holds, and `fail`, whenever it is met."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from makegood.definition.code import BodyCode, NodeCode, Read, gather, never
from makegood.definition.plan import Argument, Backoff, Constant, Kind, Node
from makegood.definition.reading.fit import NEVER, NONE, type_name
from makegood.definition.reading.place import caller
from makegood.definition.trace import current_trace
from makegood.errors import DefinitionError
from makegood.values.codec import codec_of

if TYPE_CHECKING:
    from makegood.definition.placeholder import Placeholder

__all__ = ["Fail", "expect", "fail"]


def expect(flag: bool, error: Exception, *, name: str = "expect") -> None:  # noqa: FBT001
    """Demand, in the body of a workflow, that a flag holds; else the run fails with the error.

    The flag is an input, a result or a part of one. `name` tells several apart.
    """
    trace = current_trace("expect(…) is called", "call it inside a function under @workflow")
    _require_error("expect(…, {!r})", error)
    path = trace.take_path(name, remedy='give one of them name="…"')
    needs: set[int] = set()
    holds = trace.flag(f"`{path}`", flag, needs)
    given = Argument(name="flag", source=holds.source, type="bool")
    trace.keep(*_demand(path, "expect", error, (given,), holds=holds.read), NONE, needs)


class Fail(Protocol):
    """The signature of `fail`: what it returns stands for a value that is never there."""

    def __call__(self, error: Exception, /, *, name: str = "fail") -> NoReturn:
        """Fail the run."""
        ...


def _fail(error: Exception, /, *, name: str = "fail") -> Placeholder:
    """Fail the run with this error when it comes here: the default of a switch, for example."""
    trace = current_trace("fail(…) is called", "call it inside a function under @workflow")
    _require_error("fail({!r})", error)
    path = trace.take_path(name, remedy='give one of them name="…"')
    return trace.keep(*_demand(path, "fail", error, (), holds=never), NEVER)


fail = cast("Fail", _fail)
"""Fail the run with this error when it comes here: the default of a switch, for example."""


def _require_error(call: str, error: object) -> None:
    if not isinstance(error, Exception):
        message = (
            f"{caller()}: {call.format(error)} is given no error; give an exception instance, such "
            'as Declined("…")'
        )
        raise DefinitionError(message)


def _demand(
    path: str,
    function: str,
    error: Exception,
    given: tuple[Argument, ...],
    *,
    holds: Read,
) -> tuple[Node, NodeCode]:
    """Return a node that fails with an error unless something holds, and its code."""
    failing = Argument(name="error", source=Constant("null"), type=type_name(type(error)))
    node = Node(
        path=path,
        kind=Kind.EXPECT,
        function=function,
        arguments=(*given, failing),
        retry=Backoff(attempts=1),
        timeout=None,
        summary=str(error),
    )
    code = NodeCode(
        body=BodyCode(function=_nothing),
        result=codec_of(type(None)),
        arguments=gather([], path),
        holds=holds,
        error=error,
    )
    return node, code


def _nothing() -> None:
    """Do nothing: a demand has an error, and no function."""
