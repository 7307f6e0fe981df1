"""What a user's function takes, is injected with and returns, read from its annotations.

Reading collects every problem at once. It knows nothing of steps or plans: what a function may
take, depending on what it is declared as, is for the caller to judge.
"""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from makegood.definition.code import Injection
from makegood.definition.reading.fit import UNKNOWN, TypeForm, type_name
from makegood.definition.reading.parts import fields_of
from makegood.definition.reading.place import Place, caller_names, place_of
from makegood.values.codec import uncarried
from makegood.values.injectable import (
    Attempt,
    CompletionToken,
    Deadline,
    Emit,
    IdempotencyKey,
    MessageInfo,
    Once,
    Record,
    RunInfo,
    injected,
)

__all__ = ["MISSING", "Parameter", "Signature", "first_line", "name_of", "read_signature"]

Function = Callable[..., object]

MISSING: object = inspect.Parameter.empty
"""The default of a parameter that has none."""

_ONLY_INJECTED: frozenset[object] = frozenset(
    {IdempotencyKey, Attempt, CompletionToken, Deadline, MessageInfo, Once, RunInfo}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter that is given a value, as against injected ones."""

    name: str
    type: TypeForm
    default: object = MISSING
    is_keyword_only: bool = False

    @property
    def is_required(self) -> bool:
        """Whether a call must give it."""
        return self.default is MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes and gives."""

    name: str
    place: Place
    parameters: tuple[Parameter, ...]
    injections: tuple[Injection, ...]
    returns: TypeForm
    summary: str
    problems: tuple[str, ...]
    """What is wrong with it, each a sentence with its place."""
    calls: bool = False
    """Whether it may return a call instead, which `returns` then leaves out."""

    def parameter(self, name: str) -> Parameter | None:
        """Return the parameter of that name, if there is one."""
        return next((item for item in self.parameters if item.name == name), None)

    def injects(self, wanted: object) -> bool:
        """Say whether the function is injected with a value of this type."""
        return any(item.wants is wanted for item in self.injections)

    def received_only(self) -> list[str]:
        """Return a problem for each parameter that can be filled in for a receptor only."""
        return [
            f"{self.place}: `{self.name}` injects `{item.name}: {type_name(item.wants)}`, which "
            "only a receptor has; remove it"
            for item in self.injections
            if item.wants is MessageInfo or item.wants is Once
        ]

    def uncarried(self) -> list[str]:
        """Return a problem for each parameter and result whose type has no codec."""
        found = [
            f"{self.place}: `{item.name}` of `{self.name}`: {why}"
            for item in self.parameters
            if (why := uncarried(item.type)) is not None
        ]
        why = uncarried(self.returns)
        if why is not None:
            found.append(f"{self.place}: the result of `{self.name}`: {why}")
        return found


def read_signature(function: Function) -> Signature:
    """Read a function or a class that is called like one."""
    return _Reading(function).signature()


def name_of(function: object) -> str:
    """Return the name by which messages and plans call a function."""
    return str(getattr(function, "__name__", None) or type(function).__qualname__)


def first_line(documented: object) -> str:
    """Return the first line of a docstring, or nothing."""
    doc = documented.__doc__ or ""
    if isinstance(documented, type) and doc.startswith(f"{documented.__name__}("):
        return ""  # What dataclass writes when there is no docstring.
    return doc.strip().partition("\n")[0].strip()


class _Reading:
    """One reading of one function, gathering its problems."""

    def __init__(self, function: Function) -> None:
        self.function: Function = function
        self.name: str = name_of(function)
        self.place: Place = place_of(function)
        self.problems: list[str] = []
        self.names: dict[str, object] = {**caller_names(), **_closure_names(function)}
        self.annotations: Mapping[str, object] = _annotations(function)

    def signature(self) -> Signature:
        parameters: list[Parameter] = []
        injections: list[Injection] = []
        for item in self._items():
            if item.default is injected:
                injections.extend(self._injection(item))
            else:
                parameters.extend(self._parameter(item))
        return Signature(
            name=self.name,
            place=self.place,
            parameters=tuple(parameters),
            injections=tuple(injections),
            returns=self._returns(),
            summary=first_line(self.function),
            problems=tuple(self.problems),
        )

    def _items(self) -> list[inspect.Parameter]:
        try:
            if not inspect.isbuiltin(self.function):
                return [*inspect.signature(self.function).parameters.values()]
        except (TypeError, ValueError):
            pass
        self._problem("is built in and has no annotations; wrap it in a function of your own")
        return []

    def _parameter(self, item: inspect.Parameter) -> list[Parameter]:
        if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
            self._problem(f"takes `{item}`; name each parameter, so that each can be wired")
            return []
        if item.kind is item.POSITIONAL_ONLY:
            self._problem(f"takes `{item.name}` by position only; remove the `/`")
            return []
        kind = self._type(item.name)
        origin: object = typing.get_origin(kind)
        if any(kind is wanted for wanted in _ONLY_INJECTED) or (origin is Record or origin is Emit):
            self._problem(
                f"takes `{item.name}: {type_name(kind)}` as an argument; write "
                f"`*, {item.name}: {type_name(kind)} = injected`"
            )
        return [
            Parameter(
                name=item.name,
                type=kind,
                default=item.default,
                is_keyword_only=item.kind is item.KEYWORD_ONLY,
            )
        ]

    def _injection(self, item: inspect.Parameter) -> list[Injection]:
        if item.kind is not item.KEYWORD_ONLY:
            self._problem(
                f"takes `{item.name} = injected` by position; put it after a `*`, "
                "because injected parameters are keyword-only"
            )
            return []
        problems = len(self.problems)
        kind = self._type(item.name)
        if kind in (UNKNOWN, object) and len(self.problems) == problems:
            self._problem(
                f"injects `{item.name}: {type_name(kind)}`; annotate it with the service's type"
            )
        if kind is Record:
            self._problem(
                f"injects `{item.name}: Record`; say what it stores, as in `Record[Hold]`"
            )
        if kind is Emit:
            self._problem(
                f"injects `{item.name}: Emit`; say which messages it sends, as in `Emit[OrderPaid]`"
            )
        return [Injection(name=item.name, wants=kind)]

    def _returns(self) -> TypeForm:
        if isinstance(self.function, type):
            return self.function
        if "return" not in self.annotations:
            self._problem("does not say what it returns; annotate it, with `-> None` for nothing")
            return UNKNOWN
        return self._resolve("return", "what it returns")

    def _type(self, name: str) -> TypeForm:
        if name not in self.annotations:
            self._problem(f"does not say what type `{name}` has; annotate it")
            return UNKNOWN
        return self._resolve(name, f"`{name}`")

    def _resolve(self, name: str, what: str) -> TypeForm:
        annotation = self.annotations[name]
        scope = getattr(inspect.unwrap(self.function), "__globals__", {})
        # get_type_hints reads the annotations of whatever it is given: here, of just one.
        one = cast("object", SimpleNamespace(__annotations__={name: annotation}))
        try:
            return typing.get_type_hints(
                cast("type", one),
                globalns=scope,
                localns=self.names,
                include_extras=True,
            )[name]
        except NameError as error:
            self._problem(
                f"says that {what} is `{annotation}`, but {_unknown(error, self.function)}"
            )
        except (TypeError, SyntaxError, AttributeError) as error:
            self._problem(f"says that {what} is `{annotation}`, which is no type: {error}")
        return UNKNOWN

    def _problem(self, sentence: str) -> None:
        self.problems.append(f"{self.place}: `{self.name}` {sentence}")


def _annotations(function: Function) -> Mapping[str, object]:
    """Return annotations as they were written, those of a class being its constructor's."""
    if not isinstance(function, type):
        return typing.cast("Mapping[str, object]", getattr(function, "__annotations__", {}))
    constructor = getattr(inspect.getattr_static(function, "__init__"), "__annotations__", {})
    return {**constructor, **fields_of(function)}


def _closure_names(function: Function) -> dict[str, object]:
    """Return the names that a nested function takes from around it, where they have a value."""
    unwrapped = inspect.unwrap(function)
    if not inspect.isfunction(unwrapped):
        return {}
    found: dict[str, object] = {}
    for name, cell in zip(unwrapped.__code__.co_freevars, unwrapped.__closure__ or (), strict=True):
        with suppress(ValueError):  # The cell is still empty.
            found[name] = cell.cell_contents
    return found


def _unknown(error: NameError, function: Function) -> str:
    name = error.name or str(error)
    if name in _checked_only(function):
        return (
            f"`{name}` is not known when the module is imported; move its import out of "
            "`if TYPE_CHECKING:`, because values are read and written by their types"
        )
    return f"`{name}` is not known when the module is imported; import it above the declaration"


def _checked_only(function: Function) -> set[str]:
    """Return the names that a function's module imports for type checkers only."""
    try:
        lines, _ = inspect.findsource(function)
        tree = ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError):
        return set()
    return {
        alias.asname or alias.name
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test).endswith("TYPE_CHECKING")
        for statement in branch.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    }
