"""Declaring what a workflow is made of: `step`, `query`, `pure` and `expect`.

A plain function goes in and a frozen definition comes out. For a type checker, calling the
definition is calling the function, so wiring is checked like ordinary calls; when a body runs,
the call adds a node to the workflow that is being declared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    TypeVar,
    cast,
    overload,
)

from makegood.definition.call import Call, Workflow
from makegood.definition.flow.nesting import child_recipe
from makegood.definition.recipe import (
    COMPENSATE_RETRY,
    COMPENSATE_TIMEOUT,
    KEY_VALID_FOR,
    NOTHING,
    RETRY,
    TIMEOUT,
    UNDO_RETRY,
    UNDO_TIMEOUT,
    Recipe,
    StepPolicy,
    pure_recipe,
    query_recipe,
    step_recipe,
)
from makegood.definition.trace import NOTHING_INSTEAD, UNWIRED, Wiring, current_trace, guarded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import timedelta

    from makegood.definition.policy import Retry
    from makegood.values.verdict import Failure, Verdict

__all__ = ["Pure", "Query", "Step", "pure", "query", "step"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Step(Generic[P, R]):
    """A function that does something, and its policy; made by `step`.

    Call it in the body of a workflow. `named`, `after` and `when` return copies that are wired
    differently; the step itself never changes.
    """

    recipe: Recipe
    wiring: Wiring = UNWIRED

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add the step to the workflow whose body is running."""
        return cast("R", _call(self.recipe, self.wiring, args, kwargs))

    def named(self, name: str) -> Step[P, R]:
        """Return a copy with a name of its own, for a step that is used more than once."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Step[P, R]:
        """Return a copy that waits for these results without taking them."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    @overload
    def when(self, flag: bool) -> Step[P, R | None]: ...  # noqa: FBT001 - a placeholder
    @overload
    def when(self, flag: bool, *, otherwise: R) -> Step[P, R]: ...  # noqa: FBT001 - as above
    def when(
        self,
        flag: bool,  # noqa: FBT001 - as above
        *,
        otherwise: object = NOTHING_INSTEAD,
    ) -> Step[P, R | None] | Step[P, R]:
        """Return a copy that happens only if the flag holds, and else gives `otherwise`, or None.

        `otherwise` is a constant, an input, a result or a part of one: a value that is known
        already, such as one that was kept from before. What does not happen is not undone.
        """
        wiring = guarded(self.wiring, flag, otherwise)
        return cast("Step[P, R | None]", replace(self, wiring=wiring))

    def __repr__(self) -> str:
        return _repr("step", self.recipe, self.wiring)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Query(Generic[P, R]):
    """A function that only asks; made by `query`. It is wired like a `Step`."""

    recipe: Recipe
    wiring: Wiring = UNWIRED

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add the query to the workflow whose body is running."""
        return cast("R", _call(self.recipe, self.wiring, args, kwargs))

    def named(self, name: str) -> Query[P, R]:
        """Return a copy with a name of its own, for a query that is used more than once."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Query[P, R]:
        """Return a copy that waits for these results without taking them."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    @overload
    def when(self, flag: bool) -> Query[P, R | None]: ...  # noqa: FBT001 - a placeholder
    @overload
    def when(self, flag: bool, *, otherwise: R) -> Query[P, R]: ...  # noqa: FBT001 - as above
    def when(
        self,
        flag: bool,  # noqa: FBT001 - as above
        *,
        otherwise: object = NOTHING_INSTEAD,
    ) -> Query[P, R | None] | Query[P, R]:
        """Return a copy that happens only if the flag holds, and else gives `otherwise`, or None.

        `otherwise` is a constant, an input, a result or a part of one: a value that is known
        already, such as one that was kept from before. What does not happen is not undone.
        """
        wiring = guarded(self.wiring, flag, otherwise)
        return cast("Query[P, R | None]", replace(self, wiring=wiring))

    def __repr__(self) -> str:
        return _repr("query", self.recipe, self.wiring)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Pure(Generic[P, R]):
    """A plain function of values; made by `pure`. It is wired like a `Step`."""

    recipe: Recipe
    wiring: Wiring = UNWIRED

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add the function to the workflow whose body is running."""
        return cast("R", _call(self.recipe, self.wiring, args, kwargs))

    def named(self, name: str) -> Pure[P, R]:
        """Return a copy with a name of its own, for a function that is used more than once."""
        return replace(self, wiring=replace(self.wiring, name=name))

    def after(self, *results: object) -> Pure[P, R]:
        """Return a copy that waits for these results without taking them."""
        return replace(self, wiring=replace(self.wiring, after=(*self.wiring.after, *results)))

    @overload
    def when(self, flag: bool) -> Pure[P, R | None]: ...  # noqa: FBT001 - a placeholder
    @overload
    def when(self, flag: bool, *, otherwise: R) -> Pure[P, R]: ...  # noqa: FBT001 - as above
    def when(
        self,
        flag: bool,  # noqa: FBT001 - as above
        *,
        otherwise: object = NOTHING_INSTEAD,
    ) -> Pure[P, R | None] | Pure[P, R]:
        """Return a copy that happens only if the flag holds, and else gives `otherwise`, or None.

        `otherwise` is a constant, an input, a result or a part of one: a value that is known
        already, such as one that was kept from before. What does not happen is not undone.
        """
        wiring = guarded(self.wiring, flag, otherwise)
        return cast("Pure[P, R | None]", replace(self, wiring=wiring))

    def __repr__(self) -> str:
        return _repr("pure", self.recipe, self.wiring)


@overload
def step(
    function: Workflow[P, R],
    /,
    *,
    name: str | None = None,
    timeout_total: timedelta | None = None,
    optional: Literal[False] = False,
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[P, R]: ...
@overload
def step(
    function: Workflow[P, R],
    /,
    *,
    name: str | None = None,
    timeout_total: timedelta | None = None,
    optional: Literal[True],
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[P, R | None]: ...
@overload
def step(
    function: Callable[P, Awaitable[Call[R]]],
    /,
    *,
    name: str | None = None,
    undo: Callable[[R], Awaitable[object]] | None = None,
    undo_retry: Retry = UNDO_RETRY,
    undo_timeout: timedelta = UNDO_TIMEOUT,
    compensate: Callable[Concatenate[Failure, ...], Awaitable[Verdict[R]]] | None = None,
    compensate_retry: Retry = COMPENSATE_RETRY,
    compensate_timeout: timedelta = COMPENSATE_TIMEOUT,
    retry: Retry = RETRY,
    timeout: timedelta = TIMEOUT,
    timeout_total: timedelta | None = None,
    key_valid_for: timedelta | None = KEY_VALID_FOR,
    irreversible: str | None = None,
    optional: Literal[False] = False,
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[P, R]: ...
@overload
def step(
    function: Callable[P, Awaitable[Call[R]]],
    /,
    *,
    name: str | None = None,
    undo: Callable[[R], Awaitable[object]] | None = None,
    undo_retry: Retry = UNDO_RETRY,
    undo_timeout: timedelta = UNDO_TIMEOUT,
    compensate: Callable[Concatenate[Failure, ...], Awaitable[Verdict[R]]] | None = None,
    compensate_retry: Retry = COMPENSATE_RETRY,
    compensate_timeout: timedelta = COMPENSATE_TIMEOUT,
    retry: Retry = RETRY,
    timeout: timedelta = TIMEOUT,
    timeout_total: timedelta | None = None,
    key_valid_for: timedelta | None = KEY_VALID_FOR,
    irreversible: str | None = None,
    optional: Literal[True],
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[P, R | None]: ...
@overload
def step(
    function: Callable[P, Awaitable[R | Call[R]]],
    /,
    *,
    name: str | None = None,
    undo: Callable[[R], Awaitable[object]] | None = None,
    undo_retry: Retry = UNDO_RETRY,
    undo_timeout: timedelta = UNDO_TIMEOUT,
    compensate: Callable[Concatenate[Failure, ...], Awaitable[Verdict[R]]] | None = None,
    compensate_retry: Retry = COMPENSATE_RETRY,
    compensate_timeout: timedelta = COMPENSATE_TIMEOUT,
    retry: Retry = RETRY,
    timeout: timedelta = TIMEOUT,
    timeout_total: timedelta | None = None,
    key_valid_for: timedelta | None = KEY_VALID_FOR,
    irreversible: str | None = None,
    optional: Literal[False] = False,
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[P, R]: ...
@overload
def step(
    function: Callable[P, Awaitable[R | Call[R]]],
    /,
    *,
    name: str | None = None,
    undo: Callable[[R], Awaitable[object]] | None = None,
    undo_retry: Retry = UNDO_RETRY,
    undo_timeout: timedelta = UNDO_TIMEOUT,
    compensate: Callable[Concatenate[Failure, ...], Awaitable[Verdict[R]]] | None = None,
    compensate_retry: Retry = COMPENSATE_RETRY,
    compensate_timeout: timedelta = COMPENSATE_TIMEOUT,
    retry: Retry = RETRY,
    timeout: timedelta = TIMEOUT,
    timeout_total: timedelta | None = None,
    key_valid_for: timedelta | None = KEY_VALID_FOR,
    irreversible: str | None = None,
    optional: Literal[True],
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[P, R | None]: ...
# Any: the overloads above say what is taken and returned.
def step(
    function: Callable[..., Any] | Workflow[..., Any],
    /,
    *,
    name: str | None = None,
    undo: Callable[..., Any] | None = None,
    undo_retry: Retry = UNDO_RETRY,
    undo_timeout: timedelta = UNDO_TIMEOUT,
    compensate: Callable[..., Any] | None = None,
    compensate_retry: Retry = COMPENSATE_RETRY,
    compensate_timeout: timedelta = COMPENSATE_TIMEOUT,
    retry: Retry = RETRY,
    timeout: timedelta = TIMEOUT,
    timeout_total: timedelta | None = None,
    key_valid_for: timedelta | None = KEY_VALID_FOR,
    irreversible: str | None = None,
    optional: bool = False,
    pivot: bool = False,
    allow: Mapping[str, str] = NOTHING,
) -> Step[..., Any]:
    """Declare a function that does something, with the policy by which it is made good.

    `undo` takes back what the step returned, because a later step failed or a person asks.
    `compensate` is asked what a step that failed, or is in doubt, left behind: it takes the
    failure, then any of the step's own parameters by name. `irreversible` says why there is no
    undo. `retry` and `timeout` are for one attempt, `timeout_total` is for all attempts together.
    `key_valid_for` is how long the other side knows the idempotency key; None: it does not.
    An `optional` step that fails gives None. After the `pivot` the run only goes forward.
    `allow` says why something is meant that `lint` finds wrong, by the rule's code: a reason each.

    A workflow is a step, too: it is carried out as a child run, which is undone as one unit, and
    takes only `name`, `timeout_total`, `optional`, `pivot` and `allow`. A function that returns a
    `Call` has that run in its place: what it comes to is the result of the step.

    A function that takes a `Transaction` makes a local step, which is never in doubt; it takes
    neither services nor `Writes`, and has no compensate.

    Raises `DefinitionError` with everything that is wrong, each with its place and remedy.
    """
    policy = StepPolicy(
        name=name,
        undo=undo,
        undo_retry=undo_retry,
        undo_timeout=undo_timeout,
        compensate=compensate,
        compensate_retry=compensate_retry,
        compensate_timeout=compensate_timeout,
        retry=retry,
        timeout=timeout,
        timeout_total=timeout_total,
        key_valid_for=key_valid_for,
        irreversible=irreversible,
        optional=optional,
        pivot=pivot,
        allow=allow,
    )
    if isinstance(function, Workflow):
        return Step(child_recipe(cast("Workflow[..., Any]", function), policy))
    return Step(step_recipe(function, policy))


def query(
    function: Callable[P, Awaitable[R]],
    /,
    *,
    name: str | None = None,
    retry: Retry = RETRY,
    timeout: timedelta = TIMEOUT,
    allow: Mapping[str, str] = NOTHING,
) -> Query[P, R]:
    """Declare a function that only asks: safe to repeat, never in doubt, nothing to undo.

    `allow` says why something is meant that `lint` finds wrong, by the rule's code: a reason each.

    Raises `DefinitionError` with everything that is wrong, each with its place and remedy.
    """
    return Query(query_recipe(function, name=name, retry=retry, timeout=timeout, allow=allow))


def pure(function: Callable[P, R], /, *, name: str | None = None) -> Pure[P, R]:
    """Declare a plain function or class that depends on its arguments only.

    It is computed between steps and recorded, and never computed again. Use it for whatever the
    body itself may not do: compare, calculate, build a value from results.

    Raises `DefinitionError` with everything that is wrong, each with its place and remedy.
    """
    return Pure(pure_recipe(function, name=name))


def _call(recipe: Recipe, wiring: Wiring, args: Any, kwargs: Any) -> object:
    trace = current_trace(
        f"`{recipe.node.path}` is called",
        f"call it inside a function under @workflow, or `{recipe.signature.name}` itself in a test",
    )
    return trace.add(recipe, wiring, args, kwargs)


def _repr(what: str, recipe: Recipe, wiring: Wiring) -> str:
    node = recipe.node
    notes = [
        f"undo {node.undo.function}" if node.undo else "",
        f"compensate {node.compensate.function}" if node.compensate else "",
        "irreversible" if node.irreversible else "",
        "optional" if node.optional else "",
        "pivot" if node.pivot else "",
    ]
    told = ", ".join(filter(None, notes))
    takes = ", ".join(item.name for item in recipe.signature.parameters)
    name = wiring.name or node.path
    return f"<{what} {name}({takes}) -> {node.returns}{': ' if told else ''}{told}>"
