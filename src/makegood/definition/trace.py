"""Running the body of a workflow once, and writing down what it asks for.

While a body runs, the steps that it calls find the trace in a context variable and add
themselves to it: a node, its edges, and the code that will read its arguments. Nothing here
parses source; the trace reports the first mistake that it meets.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Union, cast

import msgspec

from makegood.definition.code import (
    BodyCode,
    NodeCode,
    Read,
    always,
    gather,
    read_constant,
    read_input,
    read_inside,
    read_result,
)
from makegood.definition.placeholder import Placeholder, Reference, is_placeholder, reveal
from makegood.definition.plan import (
    Argument,
    Backoff,
    Constant,
    FromInput,
    FromNode,
    Items,
    Kind,
    Node,
    Pairs,
    Source,
)
from makegood.definition.reading.binding import bind
from makegood.definition.reading.fit import NONE, TypeForm, fits, or_none, type_name
from makegood.definition.reading.place import Place, caller
from makegood.definition.recipe import Recipe, misnamed
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.codec import codec_of, writes_json
from makegood.values.limits import NODES_PER_PLAN_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from makegood.definition.reading.signature import Parameter

__all__ = ["UNWIRED", "Trace", "Traced", "Wiring", "current_trace"]

_current: ContextVar[Trace | None] = ContextVar("makegood_trace", default=None)


def current_trace(what: str, remedy: str) -> Trace:
    """Return the trace of the body that is being run, or refuse what is done outside of one."""
    trace = _current.get()
    if trace is None:
        message = f"{caller()}: {what} outside the body of a workflow; {remedy}"
        raise DefinitionError(message)
    return trace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wiring:
    """How a body wires one use of a step: its name, what it waits for, its guard."""

    name: str | None = None
    after: tuple[object, ...] = ()
    when: tuple[object, ...] = ()


UNWIRED = Wiring()
"""How a step is wired before a body does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A value of the body: where it comes from, its type, and how it is read."""

    source: Source
    type: TypeForm
    read: Read


class Trace:
    """What a body has asked for so far."""

    def __init__(self, workflow: str) -> None:
        self.workflow: str = workflow
        self.nodes: list[Node] = []
        self.code: list[NodeCode] = []
        self.recipes: list[Recipe] = []
        self._places: dict[str, Place] = {}
        self._pivot: str | None = None

    def fork(self) -> Trace:
        """Return a trace that goes on from where this one stands, and leaves it as it is."""
        fork = Trace(self.workflow)
        fork.nodes, fork.code, fork.recipes = [*self.nodes], [*self.code], [*self.recipes]
        fork._places, fork._pivot = {**self._places}, self._pivot
        return fork

    def adopt(self, placeholder: Placeholder) -> Placeholder:
        """Return a placeholder of the trace that this one was forked from as one of its own."""
        return Placeholder(replace(reveal(placeholder), trace=self))

    # Any: a body takes and returns whatever it declares.
    def run(self, body: Callable[..., Any], parameters: Sequence[Parameter]) -> Traced:
        """Run the body with placeholders for its inputs, and return what it returns."""
        inputs = {item.name: self.input(item) for item in parameters}
        token = _current.set(self)
        try:
            returned = body(**inputs)
        finally:
            _current.reset(token)
        return self.returned(returned)

    def input(self, item: Parameter) -> Placeholder:
        """Return a placeholder for an input."""
        return Placeholder(
            Reference(
                trace=self,
                source=FromInput(item.name),
                type=item.type,
                text=item.name,
                whole=read_input(item.name, codec_of(item.type)),
            )
        )

    def add(
        self, recipe: Recipe, wiring: Wiring, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Placeholder:
        """Add a node for a call of a step, a query or a pure, and return its placeholder."""
        path = self._take_path(wiring.name or recipe.node.path)
        if recipe.node.pivot:
            self._take_pivot(path)
        needs: set[int] = set()
        arguments, readers = self._arguments(path, recipe, args, kwargs, needs)
        needs.update(self._waited_for(path, result) for result in wiring.after)
        guard = self._guard(path, wiring.when, needs)
        node = msgspec.structs.replace(
            recipe.node,
            path=path,
            arguments=arguments,
            needs=tuple(sorted(needs)),
            when=guard and guard.source,
        )
        code = NodeCode(
            body=recipe.body,
            result=recipe.result,
            arguments=gather(readers, path),
            holds=guard.read if guard else always,
            undo=recipe.undo,
            compensate=recipe.compensate,
        )
        kind = recipe.signature.returns
        is_maybe = node.optional or guard is not None
        self.recipes.append(recipe)
        return self._keep(node, code, or_none(kind) if is_maybe else kind)

    def expect(self, flag: object, error: BaseException, name: str | None) -> None:
        """Add a node that fails the run unless the flag holds."""
        if not isinstance(error, Exception):
            message = (
                f"{caller()}: expect(…, {error!r}) is given no error; give an exception "
                'instance, such as Declined("…")'
            )
            raise DefinitionError(message)
        path = self._take_path(name or "expect", remedy='give one of them name="…"')
        needs: set[int] = set()
        holds = self._flag(f"`{path}`", flag, needs)
        node = Node(
            path=path,
            kind=Kind.EXPECT,
            function="expect",
            arguments=(
                Argument(name="flag", source=holds.source, type="bool"),
                Argument(name="error", source=Constant("null"), type=type_name(type(error))),
            ),
            needs=tuple(sorted(needs)),
            retry=Backoff(attempts=1),
            timeout=None,
            summary=str(error),
        )
        code = NodeCode(
            body=BodyCode(function=_nothing),
            result=codec_of(type(None)),
            arguments=gather([], path),
            holds=holds.read,
            error=error,
        )
        self._keep(node, code, NONE)

    def returned(self, value: object) -> Traced:
        """Return what the workflow returns, whatever its shape."""
        if is_placeholder(value):
            return self._placed(value, "the result of the workflow")
        if type(value) is tuple:
            return self._returned_tuple(cast("tuple[object, ...]", value))
        if type(value) is list:
            return self._returned_list(cast("list[object]", value))
        if type(value) is dict:
            return self._returned_pairs(cast("dict[str, object]", value))
        return _constant(value, type(value), "the result of the workflow")

    def _take_path(self, path: str, remedy: str = 'call .named("…") on one of them') -> str:
        why = misnamed(path)
        if why is not None:
            message = f"{caller()}: {why}"
            raise DefinitionError(message)
        if path in self._places:
            message = (
                f"{caller()}: two nodes are named `{path}`, the first on line "
                f"{self._places[path].line}; {remedy}"
            )
            raise DefinitionError(message)
        if len(self.nodes) == NODES_PER_PLAN_MAX:
            message = (
                f"{caller()}: `{self.workflow}` has more than {NODES_PER_PLAN_MAX:,} nodes; "
                "split it into several workflows"
            )
            raise DefinitionError(message)
        self._places[path] = caller()
        return path

    def _take_pivot(self, path: str) -> None:
        if self._pivot is not None:
            message = (
                f"{caller()}: `{path}` and `{self._pivot}` are both the pivot, but a run has one "
                "point of no return; keep one"
            )
            raise DefinitionError(message)
        self._pivot = path

    def _keep(self, node: Node, code: NodeCode, kind: TypeForm) -> Placeholder:
        position = len(self.nodes)
        self.nodes.append(node)
        self.code.append(code)
        codec = code.result if kind == code.result.type else codec_of(kind)
        return Placeholder(
            Reference(
                trace=self,
                source=FromNode(position),
                type=kind,
                text=f"{node.path}(…)",
                whole=read_result(position, codec),
            )
        )

    def _arguments(
        self,
        path: str,
        recipe: Recipe,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        needs: set[int],
    ) -> tuple[tuple[Argument, ...], list[tuple[str, Read]]]:
        parameters = recipe.signature.parameters
        bound, problems = bind(path, parameters, args, kwargs)
        if problems:
            raise DefinitionError(*(f"{caller()}: {problem}" for problem in problems))
        arguments: list[Argument] = []
        readers: list[tuple[str, Read]] = []
        for item in parameters:
            value = bound.get(item.name, item.default)
            given = self._given(path, item, value, needs)
            arguments.append(
                Argument(name=item.name, source=given.source, type=type_name(item.type))
            )
            readers.append((item.name, given.read))
        return tuple(arguments), readers

    def _given(self, path: str, item: Parameter, value: object, needs: set[int]) -> Traced:
        """Return what a parameter is given, having checked that it fits."""
        where = f"`{item.name}: {type_name(item.type)}` of `{path}`"
        if not is_placeholder(value):
            return _constant(value, item.type, where)
        given = self._placed(value, where, needs)
        if not fits(given.type, item.type):
            text = reveal(value).text
            message = f"{caller()}: {where} is given `{text}`, {_misfit(given.type, item.type)}"
            raise DefinitionError(message)
        return given

    def _placed(self, value: Placeholder, where: str, needs: set[int] | None = None) -> Traced:
        """Return a placeholder as a value of this body, and note the edge that it makes."""
        reference = reveal(value)
        if reference.trace is not self:
            message = (
                f"{caller()}: {where} is given `{reference.text}`, which belongs to another "
                "workflow; pass it as an input"
            )
            raise DefinitionError(message)
        if needs is not None and reference.node is not None:
            needs.add(reference.node)
        read = reference.whole
        if reference.source.path:
            read = read_inside(read, reference.source.path, f"`{reference.text}` for {where}")
        return Traced(source=reference.source, type=reference.type, read=read)

    def _guard(self, path: str, flags: Sequence[object], needs: set[int]) -> Traced | None:
        if not flags:
            return None
        if len(flags) > 1:
            message = (
                f"{caller()}: `{path}` is guarded by .when(…) {len(flags)} times; combine the "
                "flags in pure(…)"
            )
            raise DefinitionError(message)
        return self._flag(f"the guard of `{path}`", flags[0], needs)

    def _flag(self, where: str, flag: object, needs: set[int]) -> Traced:
        if not is_placeholder(flag):
            message = (
                f"{caller()}: {where} is given {flag!r:.80}, but its flag must be an input, a "
                "result or a part of one; make it with pure(…)"
            )
            raise DefinitionError(message)
        given = self._placed(flag, where, needs)
        if not fits(given.type, bool):
            text = reveal(flag).text
            message = (
                f"{caller()}: {where} is given `{text}`, which is {type_name(given.type)} and "
                "not bool; make a bool of it with pure(…)"
            )
            raise DefinitionError(message)
        return given

    def _waited_for(self, path: str, result: object) -> int:
        if not is_placeholder(result):
            message = (
                f"{caller()}: `{path}`.after(…) is given {result!r:.80}; give it the result of "
                "a step"
            )
            raise DefinitionError(message)
        self._placed(result, f"`{path}`.after(…)")
        node = reveal(result).node
        if node is None:
            message = (
                f"{caller()}: `{path}`.after(…) is given the input `{reveal(result).text}`, "
                "which is there from the start; give it the result of a step"
            )
            raise DefinitionError(message)
        return node

    def _returned_tuple(self, value: tuple[object, ...]) -> Traced:
        items = [self.returned(item) for item in value]
        readers = tuple(item.read for item in items)
        return Traced(
            source=Items(tuple(item.source for item in items), kind="tuple"),
            type=GenericAlias(tuple, tuple(item.type for item in items)),
            read=lambda inputs, results: tuple(read(inputs, results) for read in readers),
        )

    def _returned_list(self, value: list[object]) -> Traced:
        items = [self.returned(item) for item in value]
        readers = tuple(item.read for item in items)
        return Traced(
            source=Items(tuple(item.source for item in items), kind="list"),
            type=GenericAlias(list, _union(tuple(item.type for item in items))),
            read=lambda inputs, results: [read(inputs, results) for read in readers],
        )

    def _returned_pairs(self, value: dict[str, object]) -> Traced:
        if not all(type(key) is str for key in value):
            message = f"{caller()}: a dict that is returned has text as its keys; use text"
            raise DefinitionError(message)
        pairs = {key: self.returned(item) for key, item in value.items()}
        readers = tuple((key, item.read) for key, item in pairs.items())
        kinds = tuple(item.type for item in pairs.values())
        return Traced(
            source=Pairs(tuple((key, item.source) for key, item in pairs.items())),
            type=GenericAlias(dict, (str, *_union(kinds))),
            read=lambda inputs, results: {key: read(inputs, results) for key, read in readers},
        )


def _constant(value: object, kind: TypeForm, where: str) -> Traced:
    """Return a constant, proven to be written and read back as the declared type."""
    if _holds_placeholder(value):
        message = f"{caller()}: {where} is given results inside of a value; build it with pure(…)"
        raise DefinitionError(message)
    try:
        codec = codec_of(kind)
        raw = codec.write(value)
        text = writes_json(value).decode()
    except InvalidInput as error:
        message = f"{caller()}: {where} is given a constant that does not fit: {error}"
        raise DefinitionError(message) from None
    return Traced(source=Constant(text), type=kind, read=read_constant(raw, codec))


def _holds_placeholder(value: object) -> bool:
    if is_placeholder(value):
        return True
    if isinstance(value, dict):
        return any(map(_holds_placeholder, cast("dict[object, object]", value).values()))
    return isinstance(value, list | tuple) and any(
        map(_holds_placeholder, cast("list[object]", value))
    )


def _misfit(given: object, wanted: object) -> str:
    """Say why one type does not fit another, and what to do."""
    if fits(given, or_none(wanted)):
        return (
            f"which may be None; let the parameter be {type_name(or_none(wanted))}, or guard "
            "this step too"
        )
    return f"which is {type_name(given)}; give it {type_name(wanted)}, or convert it in pure(…)"


def _union(kinds: tuple[TypeForm, ...]) -> tuple[TypeForm, ...]:
    """Return the one type of all items, or nothing when there are none."""
    if not kinds:
        return ()
    together = kinds[0]
    for kind in kinds[1:]:
        together = Union[together, kind]  # noqa: UP007 - `|` is not defined for every type form
    return (together,)


def _nothing() -> None:
    """Do nothing: an expect has a flag and an error, and no function."""
