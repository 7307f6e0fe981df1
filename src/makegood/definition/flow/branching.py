"""Which of several branches is to happen: `switch`.

The branches are traced when the workflow is declared, all of them, and are nodes of the plan. What
a switch adds is one node that records which case it is, and gives what the chosen branch gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NewType, TypeVar, cast, get_args, get_origin

import msgspec

from makegood.definition.code import BodyCode, NodeCode, Read, always, gather
from makegood.definition.plan import (
    BLOCK_SPAN,
    DEFAULT,
    Argument,
    Backoff,
    Branch,
    Case,
    Kind,
    Node,
)
from makegood.definition.reading.fit import (
    NEVER,
    TypeForm,
    fits,
    members,
    or_none,
    plain,
    possible_values,
    type_name,
)
from makegood.definition.reading.place import caller
from makegood.definition.trace import Trace, current_trace
from makegood.errors import DefinitionError
from makegood.values.codec import codec_of, writes_json

if TYPE_CHECKING:
    from makegood.definition.flow.traced import Traced

__all__ = ["switch"]

T = TypeVar("T")
R = TypeVar("R")


def switch(
    value: T,
    cases: Mapping[T, Callable[[], R]],
    *,
    default: Callable[[], R] | None = None,
    name: str = "switch",
) -> R:
    """Let a value say which branch is to happen, and return what that branch returns.

    `cases` is a dict, written out, of constants and of functions without parameters: a lambda, or a
    function that the body defines. Every branch is read when the workflow is declared; the value
    chooses one when it runs, and the nodes of the others are skipped. A value that is no case takes
    the `default`; only an enum or a bool of which every case is there does without it.

    Raises `DefinitionError` for a case that the value cannot be, or that is missing, and for
    branches that return different types.
    """
    trace = current_trace("switch(…) is called", "call it inside a function under @workflow")
    return cast("R", _Switch(trace, name, value, cases, default).placed())


class _Switch:
    """One switch, while it is being declared."""

    def __init__(
        self,
        trace: Trace,
        name: str,
        value: object,
        cases: object,
        default: Callable[[], object] | None,
    ) -> None:
        self.trace = trace
        self.path = trace.take_path(name, remedy='give one of them name="…"')
        self.needs: set[int] = set()
        self.given: Traced = trace.scalar(f"the value of `{self.path}`", value, self.needs)
        self.cases = self._checked(cases)
        self.default = default
        self.labels: dict[bytes, str] = {}

    def placed(self) -> object:
        """Add the switch and all that is in its branches, and return its placeholder."""
        branches = self._labelled()
        number = self.trace.place(
            self._node(), self._code({}, NEVER), self.needs, chooses_by=self.given.type
        )
        place = number % BLOCK_SPAN
        returned = {
            label: self.trace.within(Branch(place, label), f"{self.path}/{label}", body)
            for label, body in branches.items()
        }
        for label, each in returned.items():
            self.trace.frame.let_wait(place, label, each.needs)
        kind = self._kind(returned)
        node = msgspec.structs.replace(
            self.trace.nodes[place],
            cases=tuple(Case(label=label, returns=each.source) for label, each in returned.items()),
            returns=type_name(kind),
        )
        code = self._code({label: each.read for label, each in returned.items()}, kind)
        frame = self.trace.frame
        frame.nodes[place], frame.code[place] = node, code
        return self.trace.result_of(number, kind)

    def _checked(self, cases: object) -> Mapping[object, Callable[[], object]]:
        if not isinstance(cases, Mapping) or not cases:
            message = f"{caller()}: `{self.path}` has no cases; give it a dict of them"
            raise DefinitionError(message)
        return cast("Mapping[object, Callable[[], object]]", cases)

    def _labelled(self) -> dict[str, Callable[[], object]]:
        """Return each branch by the label of its case, having checked that it can happen."""
        kind = self.given.type
        branches: dict[str, Callable[[], object]] = {}
        problems: list[str] = []
        for case, body in self.cases.items():
            if not _can_be(kind, case):
                problems.append(
                    f"{case!r} is no case of `{self.path}`, whose value is {type_name(kind)}; "
                    "remove it"
                )
                continue
            text = writes_json(case)
            label = _label(text)
            why = _mislabelled(label)
            if why is not None:
                problems.append(f"the case {case!r} of `{self.path}` {why}")
            elif label in branches:
                problems.append(f"two cases of `{self.path}` are called `{label}`; name them apart")
            self.labels[text] = label
            branches[label] = body
        missing = _missing(kind, self.cases)
        if self.default is not None:
            branches[DEFAULT] = self.default
        elif missing is None:
            problems.append(
                f"`{self.path}` has no default, but its value may be another one; give it "
                "default=…, such as lambda: fail(…)"
            )
        elif missing:
            problems.append(
                f"`{self.path}` lacks {', '.join(map(repr, missing))}; add them, or default=…"
            )
        if problems:
            raise DefinitionError(*(f"{caller()}: {problem}" for problem in problems))
        return branches

    def _node(self) -> Node:
        return Node(
            path=self.path,
            kind=Kind.SWITCH,
            function="switch",
            arguments=(
                Argument(name="value", source=self.given.source, type=type_name(self.given.type)),
            ),
            retry=Backoff(attempts=1),
            timeout=None,
        )

    def _code(self, branches: Mapping[str, Read], kind: TypeForm) -> NodeCode:
        codec, labels, read = codec_of(self.given.type), self.labels, self.given.read

        # Any: what a run has recorded, as the reader takes it.
        def choose(inputs: Any, results: Any) -> str:
            return labels.get(bytes(codec.write(read(inputs, results))), DEFAULT)

        return NodeCode(
            body=BodyCode(function=choose),
            result=codec_of(type(None) if kind is NEVER else kind),
            arguments=gather([("value", read)], self.path),
            holds=always,
            choose=choose,
            branches=branches,
        )

    def _kind(self, returned: Mapping[str, Traced]) -> TypeForm:
        """Return the one type of all branches, those that only fail left out."""
        kinds = {label: each.type for label, each in returned.items() if each.type is not NEVER}
        if not kinds:
            return NEVER
        first, together = next(iter(kinds.items()))
        for label, kind in kinds.items():
            if fits(kind, together):
                continue
            if fits(together, kind):
                together = kind
            elif fits(kind, or_none(together)):
                together = or_none(together)
            else:
                message = (
                    f"{caller()}: the branches of `{self.path}` differ: `{first}` returns "
                    f"{type_name(together)} and `{label}` {type_name(kind)}; let them return one "
                    "type"
                )
                raise DefinitionError(message)
        return together


def _label(text: bytes) -> str:
    """Return how a case is called in paths: its JSON, without the quotes of text."""
    shown = text.decode()
    return shown[1:-1] if shown.startswith('"') else shown


def _mislabelled(label: str) -> str | None:
    """Say why a case cannot be part of a path, or None when it can."""
    if label == DEFAULT:
        return "is called like the default; give the value another name"
    if not label or not all(character.isalnum() or character in "_-" for character in label):
        return "cannot be part of a path; switch on an enum whose values are plain words"
    return None


def _can_be(kind: TypeForm, case: object) -> bool:
    """Say whether a value of this type can be the constant of a case."""
    for each in members(kind):
        whole = each
        while isinstance(whole, NewType):
            # A NewType leaves no trace in its values.
            whole = plain(whole.__supertype__)
        is_listed = get_origin(whole) is Literal and case in get_args(whole)
        if is_listed or fits(type(case), whole):
            return True
    return False


def _missing(kind: TypeForm, cases: Mapping[object, object]) -> list[object] | None:
    """Return the values that no case is for; None where they cannot be listed."""
    possible = possible_values(kind)
    return None if possible is None else [value for value in possible if value not in cases]
