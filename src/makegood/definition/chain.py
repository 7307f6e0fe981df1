"""The linear builder: one step after another, for a workflow in which nothing branches.

A chain is a value: each `.then` gives a new one, so two chains may share a beginning. Each link is
traced as it is added, like one line of a body: a chain and the body that says the same have the
same plan. Nothing here traces or parses; it says only what follows what.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeVar,
    TypeVarTuple,
    cast,
    overload,
)

from makegood.definition.body import read_passing
from makegood.definition.links import Done, Link, Links, listed
from makegood.definition.reading.fit import NONE, TypeForm, type_name
from makegood.definition.reading.place import caller
from makegood.definition.reading.signature import Parameter, Signature
from makegood.definition.recipe import NOTHING, misnamed, out_of_bounds
from makegood.definition.step import Pure, Query, Step
from makegood.definition.trace import Trace
from makegood.definition.workflow import Workflow, workflow_of
from makegood.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from makegood.definition.arity import (
        Definition,
        OfNames,
        OfNone,
        OfOne,
        OfSeveral,
        OfThree,
        OfTwo,
    )
    from makegood.definition.placeholder import Placeholder
    from makegood.definition.recipe import Recipe

__all__ = ["Chain", "Done", "chain"]

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Chain(Generic[T, R]):
    """Steps that happen one after another; made by `chain`, and never changed.

    It is no workflow yet: `.workflow()` makes one of what has been added.
    """

    signature: Signature
    links: Links
    group: tuple[str, ...] = ()
    """The links that were added last, and happen at the same time."""
    before: tuple[str, ...] = ()
    """What all of the group wait for."""

    @property
    def name(self) -> str:
        """The name that its workflow has."""
        return self.signature.name

    @overload
    def then(self, step: OfNone[S], /) -> Chain[T, S]: ...
    @overload
    def then(self, step: OfOne[A, S], /, *, using: Callable[[T, Done], A]) -> Chain[T, S]: ...
    @overload
    def then(
        self, step: OfTwo[A, B, S], /, *, using: Callable[[T, Done], tuple[A, B]]
    ) -> Chain[T, S]: ...
    @overload
    def then(
        self, step: OfThree[A, B, C, S], /, *, using: Callable[[T, Done], tuple[A, B, C]]
    ) -> Chain[T, S]: ...
    @overload
    def then(
        self, step: OfSeveral[S, *Ts], /, *, using: Callable[[T, Done], tuple[*Ts]]
    ) -> Chain[T, S]: ...
    @overload
    def then(
        self, step: OfNames[S], /, *, using: Callable[[T, Done], dict[str, object]]
    ) -> Chain[T, S]: ...
    # Any: the overloads above say what is taken and returned.
    def then(self, step: Any, /, *, using: Callable[..., Any] | None = None) -> Chain[T, Any]:
        """Return a chain with one more step, a query or a pure, after all that it has.

        `using` says what the step is given, of the chain's input and of what is done: one value,
        a tuple of values in the order of the step's parameters, or a dict of values by their
        names. It is called once, now, and may only pass values, attributes and items on.

        Raises `DefinitionError` with the place and the remedy.
        """
        return _added(self, step, using, is_beside=False)

    @overload
    def beside(self, step: OfNone[S], /) -> Chain[T, S]: ...
    @overload
    def beside(self, step: OfOne[A, S], /, *, using: Callable[[T, Done], A]) -> Chain[T, S]: ...
    @overload
    def beside(
        self, step: OfTwo[A, B, S], /, *, using: Callable[[T, Done], tuple[A, B]]
    ) -> Chain[T, S]: ...
    @overload
    def beside(
        self, step: OfThree[A, B, C, S], /, *, using: Callable[[T, Done], tuple[A, B, C]]
    ) -> Chain[T, S]: ...
    @overload
    def beside(
        self, step: OfSeveral[S, *Ts], /, *, using: Callable[[T, Done], tuple[*Ts]]
    ) -> Chain[T, S]: ...
    @overload
    def beside(
        self, step: OfNames[S], /, *, using: Callable[[T, Done], dict[str, object]]
    ) -> Chain[T, S]: ...
    # Any: the overloads above say what is taken and returned.
    def beside(self, step: Any, /, *, using: Callable[..., Any] | None = None) -> Chain[T, Any]:
        """Return a chain with one more step, at the same time as the one that was added last.

        It waits for what that one waits for, and what is added by the next `.then` waits for both.
        `using` is that of `.then`, but sees only what is done before both.

        Raises `DefinitionError` with the place and the remedy.
        """
        return _added(self, step, using, is_beside=True)

    @overload
    def workflow(
        self,
        *,
        deadline: timedelta | None = None,
        strict: bool = False,
        allow: Mapping[str, str] = NOTHING,
    ) -> Workflow[[T], R]: ...
    @overload
    def workflow(
        self,
        *,
        returning: Callable[[T, Done], A],
        deadline: timedelta | None = None,
        strict: bool = False,
        allow: Mapping[str, str] = NOTHING,
    ) -> Workflow[[T], A]: ...
    # Any: the overloads above say what it returns.
    def workflow(
        self,
        *,
        returning: Callable[[T, Done], Any] | None = None,
        deadline: timedelta | None = None,
        strict: bool = False,
        allow: Mapping[str, str] = NOTHING,
    ) -> Workflow[[T], Any]:
        """Return the workflow of this chain, which takes the chain's one input.

        It returns what the last step returned, or what `returning` says, which is written like a
        `using` and may have any shape. `deadline`, `strict` and `allow` are those of `@workflow`.

        Raises `DefinitionError` with every problem that is found at once.
        """
        found = [f"{caller()}: {why}" for why in out_of_bounds("deadline", deadline)]
        if found:
            raise DefinitionError(*found)
        links = self.links.forked()
        trace = links.trace
        value: object
        if returning is None:
            value = trace.adopt(links.last().result)
        else:
            value = _passed("returning", returning, input=_input(self, trace), done=Done(links))
        returned = trace.returned(value)
        signature = replace(self.signature, returns=returned.type)
        if found := signature.uncarried():
            raise DefinitionError(*found)
        return workflow_of(
            signature, trace, returned, deadline=deadline, strict=strict, allow=allow
        )

    def __repr__(self) -> str:
        takes = type_name(self.signature.parameters[0].type)
        links = "".join(
            f"{' + ' if link.is_beside else ' → '}{link.name}" for link in self.links.all()
        )
        return f"<chain {self.name}({takes}): {links.removeprefix(' → ')}>"


@overload
def chain(name: str, first: OfOne[T, S], /) -> Chain[T, S]: ...
@overload
def chain(
    name: str, first: OfOne[A, S], /, *, takes: type[T], using: Callable[[T], A]
) -> Chain[T, S]: ...
@overload
def chain(
    name: str, first: OfTwo[A, B, S], /, *, takes: type[T], using: Callable[[T], tuple[A, B]]
) -> Chain[T, S]: ...
@overload
def chain(
    name: str,
    first: OfThree[A, B, C, S],
    /,
    *,
    takes: type[T],
    using: Callable[[T], tuple[A, B, C]],
) -> Chain[T, S]: ...
@overload
def chain(
    name: str,
    first: OfSeveral[S, *Ts],
    /,
    *,
    takes: type[T],
    using: Callable[[T], tuple[*Ts]],
) -> Chain[T, S]: ...
@overload
def chain(
    name: str, first: OfNames[S], /, *, takes: type[T], using: Callable[[T], dict[str, object]]
) -> Chain[T, S]: ...
# Any: the overloads above say what is taken and returned.
def chain(
    name: str,
    first: Any,
    /,
    *,
    takes: TypeForm | None = None,
    using: Callable[..., Any] | None = None,
) -> Chain[Any, Any]:
    """Begin a chain with its first step, a query or a pure.

    A chain takes one input, called `input`: what its first step takes, or a value of the type
    `takes`, of which `using` says what the first step is given, as in `Chain.then`.

    Raises `DefinitionError` with the place and the remedy.
    """
    _expect_name(name)
    definition = _definition(first)
    if (takes is None) != (using is None):
        message = (
            f"{caller()}: takes= and using= need each other: the type of the chain's input, and "
            "what the first step is given of it; give both, or neither"
        )
        raise DefinitionError(message)
    kind = _taken(definition.recipe) if takes is None else takes
    signature = Signature(
        name=name,
        place=caller(),
        parameters=(Parameter(name="input", type=kind),),
        injections=(),
        returns=NONE,
        summary="",
        problems=(),
    )
    if problems := signature.uncarried():
        raise DefinitionError(*problems)
    trace = Trace(name)
    given: object = trace.input(signature.parameters[0])
    if using is not None:
        given = _passed("using", using, input=given)
    begun: Chain[Any, Any] = Chain(signature=signature, links=Links(trace=trace))
    return _linked(begun, begun.links, definition, given, is_beside=False)


def _expect_name(name: object) -> None:
    if not isinstance(name, str):
        message = f'{caller()}: chain({name!r:.80}, …) begins without a name; write chain("…", …)'
        raise DefinitionError(message)
    if (why := misnamed(name)) is not None:
        message = f"{caller()}: {why}"
        raise DefinitionError(message)


def _definition(given: object) -> Definition:
    if isinstance(given, Step | Query | Pure):
        return cast("Definition", given)
    name = getattr(given, "__name__", None) or f"{given!r:.80}"
    message = (
        f"{caller()}: a chain is given `{name}`, which is neither a step, a query nor a pure; "
        f"declare it with step(…), query(…) or pure(…)"
    )
    raise DefinitionError(message)


def _taken(recipe: Recipe) -> TypeForm:
    """Return the type of the one value that the first step of a chain takes."""
    parameters = recipe.signature.parameters
    if (
        not parameters
        or parameters[0].is_keyword_only
        or any(item.is_required for item in parameters[1:])
    ):
        message = (
            f"{caller()}: `{recipe.node.path}` takes {listed(item.name for item in parameters)}, "
            "but a chain takes one input; say its type with takes=…, and what the first step is "
            "given of it with using=lambda input: …"
        )
        raise DefinitionError(message)
    return parameters[0].type


def _takes_nothing(recipe: Recipe) -> None:
    wanted = [item.name for item in recipe.signature.parameters if item.is_required]
    if wanted:
        message = (
            f"{caller()}: `{recipe.node.path}` takes {listed(wanted)}, but nothing says what it "
            "is given; add using=lambda input, done: …"
        )
        raise DefinitionError(message)


def _passed(option: str, function: object, **values: object) -> object:
    """Call a `using` or a `returning`, having read that it only passes values on."""
    written = f"write {option}=lambda {', '.join(values)}: …"
    if not callable(function) or isinstance(function, Step | Query | Pure):
        message = f"{caller()}: {option}={function!r:.80} is no function; {written}"
        raise DefinitionError(message)
    if inspect.iscoroutinefunction(function):
        message = f"{caller()}: {option}= is async, but it only passes values on; {written}"
        raise DefinitionError(message)
    try:
        inspect.signature(function).bind(*values)
    except (TypeError, ValueError) as error:
        message = (
            f"{caller()}: {option}= cannot be called with {listed(values)}: {error}; {written}"
        )
        raise DefinitionError(message) from None
    if problems := read_passing(function):
        raise DefinitionError(*problems)
    return function(*values.values())


def _added(
    chain: Chain[T, Any], step: object, using: Callable[..., Any] | None, *, is_beside: bool
) -> Chain[T, Any]:
    """Return the chain with one more step, after or beside what was added last."""
    definition = _definition(step)
    links = chain.links.continued()
    if using is None:
        _takes_nothing(definition.recipe)
        return _linked(chain, links, definition, (), is_beside=is_beside)
    done = Done(links, but=chain.group if is_beside else ())
    given = _passed("using", using, input=_input(chain, links.trace), done=done)
    return _linked(chain, links, definition, given, is_beside=is_beside)


def _linked(
    chain: Chain[Any, Any],
    links: Links,
    definition: Definition,
    given: object,
    *,
    is_beside: bool,
) -> Chain[Any, Any]:
    """Return the chain with one more link, added to links that it may add to."""
    trace, recipe, wiring = links.trace, definition.recipe, definition.wiring
    args, kwargs = _arguments(wiring.name or recipe.node.path, given)
    before = chain.before if is_beside else chain.group
    waited_for = (trace.adopt(links.named(name).result) for name in before)
    wiring = replace(wiring, after=(*wiring.after, *waited_for))
    result = trace.add(recipe, wiring, args, kwargs)
    path = trace.nodes[-1].path
    link = Link(name=path, recipe=recipe, result=result, is_beside=is_beside)
    group = (*chain.group, path) if is_beside else (path,)
    return replace(chain, links=links.added(link), group=group, before=before)


def _input(chain: Chain[Any, Any], trace: Trace) -> Placeholder:
    return trace.input(chain.signature.parameters[0])


def _arguments(path: str, given: object) -> tuple[tuple[object, ...], dict[str, object]]:
    """Return what a step is given, by position and by name."""
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = {}
    if type(given) is tuple:
        args = cast("tuple[object, ...]", given)
    elif type(given) is dict:
        kwargs = cast("dict[str, object]", given)
    else:
        args = (given,)
    for value in (*args, *kwargs.values()):
        if isinstance(value, Done | Step | Query | Pure):
            message = (
                f"{caller()}: `{path}` is given {value!r:.80}, which is no value; give it what a "
                "step returned, such as done[charge]"
            )
            raise DefinitionError(message)
    for key in kwargs:
        if type(key) is not str:
            message = f"{caller()}: `{path}` is given {key!r:.80} by name; write the name as text"
            raise DefinitionError(message)
    return args, kwargs
