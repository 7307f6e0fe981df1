"""Where a body leaves room for a step of somebody else's: `hook`, and what may be bound to it.

A workflow that is shipped to others is declared once, and each of them may put a step of their own
where it says so. Binding makes a new workflow, whose plan has that step like any other: it is
recorded, retried, asked about and undone. Where nothing is bound there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar, cast, overload

from makegood.definition.code import read_constant
from makegood.definition.placeholder import Placeholder, Reference, reveal
from makegood.definition.plan import Constant, FromInput, Items, Pairs
from makegood.definition.reading.fit import NONE, fits, or_none, type_name
from makegood.definition.reading.place import caller
from makegood.definition.step import Query, Step
from makegood.definition.trace import UNWIRED, Trace, Wiring, current_trace
from makegood.errors import DefinitionError
from makegood.values.codec import NULL, codec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from makegood.definition.plan import Source
    from makegood.definition.reading.fit import TypeForm
    from makegood.definition.recipe import Recipe

__all__ = ["Hook", "handlers_of", "hook"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A place in a workflow for a step of somebody else's."""

    name: str
    given: tuple[str, ...]
    """The types of what the step is given, in order."""
    returns: str
    """The type of what it is to return; `None` where that is of no interest."""
    bound: str | None
    """The function of the step that is bound to it, or None."""


@overload
def hook(name: str, /, *given: object) -> object: ...
@overload
def hook(name: str, /, *given: object, returns: type[R]) -> R | None: ...
def hook(name: str, /, *given: object, returns: TypeForm = None) -> object:
    """Leave room, in the body of a workflow, for a step that `Workflow.bind` puts there.

    The step is called with what is given here, in this order; its node has the hook's name. With
    `returns` it gives what it returns, or None where nothing is bound: what takes that must admit
    None. What this gives can stand in `.after(…)`, which waits for the step if there is one.

    Raises `DefinitionError` for a name that is taken, and for a step that does not fit.
    """
    trace = current_trace("hook(…) is called", "call it inside a function under @workflow")
    bound = trace.bound.get(name)
    if name in trace.hooks:
        message = f"{caller()}: two hooks are named `{name}`; give one of them another name"
        raise DefinitionError(message)
    what = f"the hook `{name}`"
    offered = [trace.returned(value, what) for value in given]
    kind: TypeForm = NONE if returns is None else or_none(returns)
    trace.offered.update(input for each in offered for input in _inputs(each.source))
    trace.hooks[name] = Hook(
        name=name,
        given=tuple(type_name(each.type) for each in offered),
        returns=type_name(NONE if returns is None else returns),
        bound=None if bound is None else bound.node.function,
    )
    if bound is None:
        trace.take_path(name, remedy="give one of them another name")
        return _nothing(trace, kind, name)
    added = trace.add(bound, Wiring(name=name), given, {})
    node = reveal(added).node
    assert node is not None, "a step gives the result of its node"
    if returns is None:
        return _nothing(trace, kind, name, behind=node)
    if not fits(reveal(added).type, kind):
        message = (
            f"{caller()}: {what} takes {type_name(returns)}, and `{bound.signature.name}` returns "
            f"{type_name(reveal(added).type)}; bind a step that fits"
        )
        raise DefinitionError(message)
    return trace.result_of(node, kind)


def handlers_of(
    workflow: str, hooks: tuple[Hook, ...], handlers: Mapping[str, object]
) -> dict[str, Recipe]:
    """Return what is to be bound, having checked that the workflow has room for it."""
    by_name = {each.name: each for each in hooks}
    problems: list[str] = []
    recipes: dict[str, Recipe] = {}
    for name, handler in handlers.items():
        known = by_name.get(name)
        if known is None:
            problems.append(f"`{workflow}` has no hook `{name}`; {_nearest(name, by_name)}")
        elif known.bound is not None:
            problems.append(
                f"the hook `{name}` of `{workflow}` has `{known.bound}` already; bind another one "
                "to the workflow as it was declared"
            )
        elif not isinstance(handler, Step | Query):
            problems.append(
                f"bind({name}=…) is given a `{type(handler).__qualname__}`; give it step(…) or "
                "query(…)"
            )
        else:
            # Any: a step takes and returns whatever it declares.
            given = cast("Step[..., object] | Query[..., object]", handler)
            if given.wiring is not UNWIRED:
                problems.append(
                    f"bind({name}=…) is given a step that is wired; give it the step as it was "
                    "declared, because the body wires it"
                )
            recipes[name] = given.recipe
    if problems:
        raise DefinitionError(*(f"{caller()}: {problem}" for problem in problems))
    return recipes


def _nothing(trace: Trace, kind: TypeForm, name: str, *, behind: int | None = None) -> Placeholder:
    """Return what stands for None, be it behind a node that gives nothing."""
    return Placeholder(
        Reference(
            trace=trace,
            source=Constant("null"),
            type=kind,
            text=f"hook({name!r}, …)",
            whole=read_constant(NULL, codec_of(NONE)),
            behind=behind,
        )
    )


def _inputs(source: Source) -> Iterator[str]:
    """Give the inputs of which a value is made."""
    match source:
        case FromInput(name=name):
            yield name
        case Items(items):
            for item in items:
                yield from _inputs(item)
        case Pairs(pairs):
            for _key, item in pairs:
                yield from _inputs(item)
        case _:
            return


def _nearest(name: str, names: Mapping[str, Hook]) -> str:
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    if not names:
        return "it has none: leave room for a step by hook(…) in its body"
    return f"it has {', '.join(f'`{each}`' for each in names)}"
