"""Running the body of a workflow once, and writing down what it asks for.

While a body runs, the steps that it calls find the trace in a context variable and add
themselves to it: a node, its edges, and the code that will read its arguments. Nothing here
parses source; the trace reports the first mistake that it meets.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.definition.code import (
    NodeCode,
    Read,
    always,
    gather,
    read_constant,
    read_input,
    read_inside,
    read_result,
)
from makegood.definition.flow.frame import Frame, fed
from makegood.definition.flow.returning import holds_placeholder, returned
from makegood.definition.flow.traced import Framed, Traced
from makegood.definition.lint.subject import Origin
from makegood.definition.placeholder import Placeholder, Reference, is_placeholder, reveal
from makegood.definition.plan import (
    BLOCK_SPAN,
    Argument,
    Branch,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Node,
)
from makegood.definition.reading.binding import bind
from makegood.definition.reading.fit import NEVER, TypeForm, fits, or_none, type_name
from makegood.definition.reading.place import caller
from makegood.definition.recipe import Recipe, misnamed, overlong
from makegood.errors import DefinitionError, InvalidInput
from makegood.values.codec import codec_of, writes_json
from makegood.values.limits import NODES_PER_PLAN_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from makegood.definition.flow.hooking import Hook
    from makegood.definition.reading.signature import Parameter

__all__ = [
    "NOTHING_INSTEAD",
    "UNWIRED",
    "Trace",
    "Traced",
    "Wiring",
    "current_trace",
    "guarded",
]

_current: ContextVar[Trace | None] = ContextVar("makegood_trace", default=None)


def current_trace(what: str, remedy: str) -> Trace:
    """Return the trace of the body that is being run, or refuse what is done outside of one."""
    trace = _current.get()
    if trace is None:
        message = f"{caller()}: {what} outside the body of a workflow; {remedy}"
        raise DefinitionError(message)
    return trace


NOTHING_INSTEAD = object()
"""What `otherwise=` is where a guard only skips: None is a value that it may give."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wiring:
    """How a body wires one use of a step: its name, what it waits for, its guard."""

    name: str | None = None
    after: tuple[object, ...] = ()
    when: tuple[object, ...] = ()
    otherwise: object = NOTHING_INSTEAD
    """What its result is where its guard does not hold."""


UNWIRED = Wiring()
"""How a step is wired before a body does it."""


def guarded(wiring: Wiring, flag: object, otherwise: object) -> Wiring:
    """Return how a body wires a step that happens only if a flag holds."""
    return replace(wiring, when=(*wiring.when, flag), otherwise=otherwise)


class Trace:
    """What a body has asked for so far."""

    def __init__(self, workflow: str, bound: Mapping[str, Recipe] | None = None) -> None:
        self.workflow: str = workflow
        self.bound = bound or {}
        """What is bound to its hooks, by their names."""
        self.hooks: dict[str, Hook] = {}
        self.offered: set[str] = set()
        """The inputs that its hooks are given."""
        self.origins: dict[int, Origin] = {}
        """Where each node came from, by its number."""
        self.frame = Frame()
        """Where the body adds its nodes at the moment."""
        self._block_code: dict[int, NodeCode] = {}
        self._blocks = 0
        """How many blocks there are."""
        self._pivot: str | None = None

    @property
    def nodes(self) -> Sequence[Node]:
        """The nodes that the body has added."""
        return self.frame.nodes

    @property
    def code(self) -> dict[int, NodeCode]:
        """The code of all nodes, by their numbers."""
        return self.frame.code_by_number() | self._block_code

    def fork(self, count: int) -> Trace:
        """Return a trace that goes on after so many of its nodes, and leaves it as it is.

        It is for a chain, whose nodes all stand in the plan itself.
        """
        assert not self._blocks, "a chain has no blocks"
        fork = Trace(self.workflow)
        fork.frame = self.frame.fork(count)
        fork.origins = {number: self.origins[number] for number in range(count)}
        fork._pivot = next((node.path for node in fork.nodes if node.pivot), None)
        return fork

    # Any: a block returns whatever it likes.
    def block(self, body: Callable[[Any], Any], given: TypeForm, text: str) -> Framed:
        """Run the body of a block once, with a placeholder for what a round is given."""
        self._blocks += 1
        outside = self.frame
        self.frame = frame = Frame(self._blocks, outside)
        item = Placeholder(
            Reference(
                trace=self,
                source=FromRound(frame.number),
                type=given,
                text=text,
                whole=read_input(f"@{frame.number}", codec_of(given)),
            )
        )
        try:
            returned = self.returned(body(item))
        finally:
            self.frame = outside
        self._block_code |= frame.code_by_number()
        return Framed(
            number=frame.number,
            nodes=fed(frame.nodes),
            returned=returned,
            needs=frozenset(frame.needed_outside),
            gives=frozenset(frame.given_outside | frame.outside_of(returned.needs)),
        )

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
        path = self.take_path(wiring.name or recipe.node.path)
        if recipe.node.pivot:
            self._take_pivot(path)
        needs: set[int] = set()
        arguments, readers = self._arguments(path, recipe, args, kwargs, needs)
        behind = (self._waited_for(path, result) for result in wiring.after)
        needs.update(number for number in behind if number is not None)
        guard = self._guard(path, wiring.when, needs)
        kind = recipe.signature.returns
        otherwise = self._otherwise(path, kind, wiring.otherwise, needs)
        node = msgspec.structs.replace(
            recipe.node,
            path=path,
            arguments=arguments,
            when=guard and guard.source,
            otherwise=otherwise and otherwise.source,
        )
        code = NodeCode(
            body=recipe.body,
            result=recipe.result,
            arguments=gather(readers, path),
            holds=guard.read if guard else always,
            otherwise=otherwise.read if otherwise else None,
            undo=recipe.undo,
            compensate=recipe.compensate,
            record=recipe.record,
        )
        is_maybe = node.optional or (guard is not None and otherwise is None)
        number = self.place(node, code, needs, recipe=recipe)
        return self.result_of(number, or_none(kind) if is_maybe else kind)

    # Any: a branch returns whatever it likes.
    def within(self, branch: Branch, prefix: str, body: Callable[[], Any]) -> Traced:
        """Run the body of a branch, whose nodes are in it, and return what it returns."""
        frame = self.frame
        outside = frame.inside, frame.prefix
        frame.inside, frame.prefix = (*outside[0], branch), f"{prefix}/"
        try:
            return self.returned(body())
        finally:
            frame.inside, frame.prefix = outside

    def returned(self, value: object, what: str = "the result of the workflow") -> Traced:
        """Return what a body returns, or gives to something, whatever its shape."""
        return returned(self, value, what)

    def take_path(self, name: str, remedy: str = 'call .named("…") on one of them') -> str:
        """Return the path of a node with this name here; refuse one that is taken."""
        path = self.frame.prefix + name
        why = misnamed(name) or overlong(path)
        if why is not None:
            message = f"{caller()}: {why}"
            raise DefinitionError(message)
        if path in self.frame.places:
            message = (
                f"{caller()}: two nodes are named `{path}`, the first on line "
                f"{self.frame.places[path].line}; {remedy}"
            )
            raise DefinitionError(message)
        if self.frame.nodes_around + len(self._block_code) >= NODES_PER_PLAN_MAX:
            message = (
                f"{caller()}: `{self.workflow}` has more than {NODES_PER_PLAN_MAX:,} nodes; "
                "split it into several workflows"
            )
            raise DefinitionError(message)
        self.frame.places[path] = caller()
        return path

    def _take_pivot(self, path: str) -> None:
        if self.frame.number:
            message = (
                f"{caller()}: `{path}` is the pivot, but it may happen in several rounds, and a "
                "run has one point of no return; move it out of each(…) or repeat(…)"
            )
            raise DefinitionError(message)
        if self._pivot is not None:
            message = (
                f"{caller()}: `{path}` and `{self._pivot}` are both the pivot, but a run has one "
                "point of no return; keep one"
            )
            raise DefinitionError(message)
        self._pivot = path

    def keep(
        self,
        node: Node,
        code: NodeCode,
        kind: TypeForm,
        needs: Collection[int] = (),
        *,
        gives: Collection[int] = (),
    ) -> Placeholder:
        """Add a node that needs others, and return the placeholder of its result."""
        return self.result_of(self.place(node, code, needs, gives=gives), kind)

    def place(
        self,
        node: Node,
        code: NodeCode,
        needs: Collection[int] = (),
        *,
        gives: Collection[int] = (),
        recipe: Recipe | None = None,
        chooses_by: TypeForm = None,
    ) -> int:
        """Add a node that needs others where the body is, and return its number."""
        number = self.frame.add(node, code, needs, gives=gives)
        place = self.frame.places[node.path]
        self.origins[number] = Origin(place=place, recipe=recipe, chooses_by=chooses_by)
        return number

    def result_of(self, number: int, kind: TypeForm) -> Placeholder:
        """Return the placeholder of a node's result."""
        place = number % BLOCK_SPAN
        node, code = self.frame.nodes[place], self.frame.code[place]
        is_carried = kind is NEVER or kind == code.result.type
        codec = code.result if is_carried else codec_of(kind)
        return Placeholder(
            Reference(
                trace=self,
                source=FromNode(number),
                type=kind,
                text=f"{node.path}(…)",
                whole=read_result(number, codec),
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

    def scalar(self, where: str, value: object, needs: set[int]) -> Traced:
        """Return a value of the run by which something is chosen, having checked that it can."""
        if not is_placeholder(value):
            message = (
                f"{caller()}: {where} is {value!r:.80}, but it must be an input, a result or a "
                "part of one; make it with pure(…)"
            )
            raise DefinitionError(message)
        return self.placed(value, where, needs)

    def constant(self, value: object, kind: TypeForm, where: str) -> Traced:
        """Return a constant, proven to be carried as this type."""
        return constant_of(value, kind, where)

    def _given(self, path: str, item: Parameter, value: object, needs: set[int]) -> Traced:
        """Return what a parameter is given, having checked that it fits."""
        where = f"`{item.name}: {type_name(item.type)}` of `{path}`"
        if not is_placeholder(value):
            return constant_of(value, item.type, where)
        given = self.placed(value, where, needs)
        if not fits(given.type, item.type):
            text = reveal(value).text
            message = f"{caller()}: {where} is given `{text}`, {_misfit(given.type, item.type)}"
            raise DefinitionError(message)
        return given

    def placed(self, value: Placeholder, where: str, needs: set[int] | None = None) -> Traced:
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
        self._require_in_sight(reference, where)
        read = reference.whole
        if not isinstance(reference.source, Constant) and reference.source.path:
            read = read_inside(read, reference.source.path, f"`{reference.text}` for {where}")
        return Traced(source=reference.source, type=reference.type, read=read)

    def _require_in_sight(self, reference: Reference, where: str) -> None:
        """Refuse what is only there in a branch that this is not in."""
        frame = self.frame.frame_of(reference.block)
        if frame is None:
            message = (
                f"{caller()}: {where} is given `{reference.text}`, which is only there in its "
                "round; let the round return it"
            )
            raise DefinitionError(message)
        hidden = None if reference.node is None else frame.hidden_in(reference.node)
        if hidden is not None:
            message = (
                f"{caller()}: {where} is given `{reference.text}`, which is only there in the case "
                f"`{hidden.case}` of `{frame.nodes[hidden.node].path}`; let the branch return it"
            )
            raise DefinitionError(message)

    def _guard(self, path: str, flags: Sequence[object], needs: set[int]) -> Traced | None:
        if not flags:
            return None
        if len(flags) > 1:
            message = (
                f"{caller()}: `{path}` is guarded by .when(…) {len(flags)} times; combine the "
                "flags in pure(…)"
            )
            raise DefinitionError(message)
        return self.flag(f"the guard of `{path}`", flags[0], needs)

    def _otherwise(
        self, path: str, kind: TypeForm, value: object, needs: set[int]
    ) -> Traced | None:
        """Return what a guarded node gives when it does not happen, if that is said."""
        if value is NOTHING_INSTEAD:
            return None
        where = f"`otherwise: {type_name(kind)}` of `{path}`"
        if not is_placeholder(value):
            return constant_of(value, kind, where)
        given = self.placed(value, where, needs)
        if not fits(given.type, kind):
            message = (
                f"{caller()}: {where} is given `{reveal(value).text}`, which is "
                f"{type_name(given.type)}; give it {type_name(kind)}, or convert it in pure(…)"
            )
            raise DefinitionError(message)
        return given

    def flag(self, where: str, flag: object, needs: set[int]) -> Traced:
        """Return a flag of the run, having checked that it is one."""
        if not is_placeholder(flag):
            message = (
                f"{caller()}: {where} is given {flag!r:.80}, but its flag must be an input, a "
                "result or a part of one; make it with pure(…)"
            )
            raise DefinitionError(message)
        given = self.placed(flag, where, needs)
        if not fits(given.type, bool):
            text = reveal(flag).text
            message = (
                f"{caller()}: {where} is given `{text}`, which is {type_name(given.type)} and "
                "not bool; make a bool of it with pure(…)"
            )
            raise DefinitionError(message)
        return given

    def _waited_for(self, path: str, result: object) -> int | None:
        if not is_placeholder(result):
            message = (
                f"{caller()}: `{path}`.after(…) is given {result!r:.80}; give it the result of "
                "a step"
            )
            raise DefinitionError(message)
        self.placed(result, f"`{path}`.after(…)")
        node = reveal(result).node
        if node is None and not isinstance(reveal(result).source, Constant):
            message = (
                f"{caller()}: `{path}`.after(…) is given the input `{reveal(result).text}`, "
                "which is there from the start; give it the result of a step"
            )
            raise DefinitionError(message)
        return node


def constant_of(value: object, kind: TypeForm, where: str) -> Traced:
    """Return a constant, proven to be written and read back as the declared type."""
    if holds_placeholder(value):
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


def _misfit(given: object, wanted: object) -> str:
    """Say why one type does not fit another, and what to do."""
    if fits(given, or_none(wanted)):
        return (
            f"which may be None; let the parameter be {type_name(or_none(wanted))}, or guard "
            "this step too"
        )
    return f"which is {type_name(given)}; give it {type_name(wanted)}, or convert it in pure(…)"
