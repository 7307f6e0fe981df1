"""A workflow, and a workflow with its inputs: both inert until an engine starts a run.

Inputs are parsed here, at the door: each is written by its declared type, proven to be read back
by it, and refused with its name when it is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

import msgspec

from makegood.definition.plan import fingerprint_of
from makegood.definition.reading.binding import bind
from makegood.definition.reading.fit import UNKNOWN, members, type_name
from makegood.definition.reading.place import caller
from makegood.errors import DefinitionError, InvalidInput, PayloadTooLarge
from makegood.values.codec import Codec, writes_json
from makegood.values.ids import parse_run_key
from makegood.values.limits import KEPT_MAX, PAYLOAD_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from msgspec import Raw

    from makegood.definition.code import Code
    from makegood.definition.flow.hooking import Hook
    from makegood.definition.lint.finding import Finding
    from makegood.definition.plan import Plan
    from makegood.definition.reading.signature import Parameter, Signature
    from makegood.definition.step import Query, Step

__all__ = ["Call", "Door", "Workflow", "uncalled"]

_LABEL_CHARACTERS_MAX = 40
_LABEL = re.compile(rf"[\w.-]{{1,{_LABEL_CHARACTERS_MAX}}}", re.ASCII)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Workflow(Generic[P, R]):
    """A declared graph of steps; made by `workflow`, or by `chain`.

    Calling it with its inputs gives a `Call`, which does nothing until an engine starts it. Given
    to `step`, it is a step of another workflow.
    """

    plan: Plan
    code: Code
    signature: Signature
    """What it takes and returns."""
    findings: tuple[Finding, ...]
    """What looks wrong, and which of it is allowed for a reason; see `lint`."""
    door: Door
    hooks: tuple[Hook, ...] = ()
    """Where its body leaves room for steps, in the order of the body; see `bind`."""
    rebound: Callable[[Mapping[str, object]], Workflow[P, R]] | None = None
    """Declares it once more with these in its hooks; None for a chain, which has none."""
    key: Callable[P, str] | None = None
    """Says by which key the run of a lifecycle is known."""
    period: timedelta | None = None
    """For how long its runs are kept once they have ended; see `kept_for`."""

    @property
    def name(self) -> str:
        """The workflow's name: that of its function, or of its chain."""
        return self.plan.workflow

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Return a call with these inputs; raise `InvalidInput` when they do not fit."""
        given, input_hash = self.door.admit(args, kwargs)
        key = None if self.key is None else parse_run_key(self.key(*args, **kwargs))
        workflow = cast("Workflow[..., R]", self)
        return Call(workflow=workflow, input=given, input_hash=input_hash, key=key)

    # Any: a step takes and returns whatever it declares; whether it fits is found out here.
    def bind(self, **handlers: Step[..., Any] | Query[..., Any]) -> Workflow[P, R]:
        """Return this workflow with steps in its hooks, by their names; this one stays as it is.

        Each hook takes one step, which is then a node like any other: it is recorded, retried and
        undone, and the new workflow has a fingerprint of its own. Serve the one or the other.

        Raises `DefinitionError` for a hook that there is not, one that has a step already, and a
        step that does not fit.
        """
        if self.rebound is None:
            message = f"{caller()}: `{self.name}` is a chain, which has no hooks; add a link to it"
            raise DefinitionError(message)
        return replace(self.rebound(handlers), period=self.period)

    # Any: each takes and returns whatever it declares.
    def children(self) -> tuple[Workflow[..., Any], ...]:
        """Return the workflows that are steps of it, each once; not those that a step returns."""
        found: dict[str, Workflow[..., Any]] = {}
        for node in self.code.nodes.values():
            called: object = node.function
            if isinstance(called, Workflow):
                child = cast("Workflow[..., Any]", called)
                found[child.plan.fingerprint] = child
        return tuple(found.values())

    def version(self, label: str) -> Workflow[P, R]:
        """Return the same workflow as a definition of its own, to be served beside others.

        Runs stay with the version under which they began: none moves on to another one, however
        alike they are. Raises `DefinitionError` for a label that is none.
        """
        given = cast("object", label)  # It is met at run time, whatever the annotation says.
        if not (isinstance(given, str) and _LABEL.fullmatch(given)):
            message = (
                f"{caller()}: the version {label!r:.80} of `{self.name}` is no label; use letters, "
                f"digits, `.`, `_` and `-`, at most {_LABEL_CHARACTERS_MAX}"
            )
            raise DefinitionError(message)
        plan = msgspec.structs.replace(self.plan, version=label)
        plan = msgspec.structs.replace(plan, fingerprint=fingerprint_of(plan))
        return replace(self, plan=plan)

    def kept_for(self, period: timedelta) -> Workflow[P, R]:
        """Return the same workflow, whose runs are kept for so long once they have ended.

        `makegood prune` takes them when that is over, and never before, whatever the age is that
        it is given for all others. The key of a run stays taken all the same; that of a lifecycle
        is free from its end on. It has no part in the definition: it may be changed at any time,
        and is from then on that of all runs that have ended. What is served last counts.

        Raises `DefinitionError` for what is no duration above zero, or more than a century.
        """
        given = cast("object", period)  # It is met at run time, whatever the annotation says.
        if not (isinstance(given, timedelta) and timedelta(0) < given <= KEPT_MAX):
            message = (
                f"{caller()}: the runs of `{self.name}` are to be kept for {period!r:.80}; give a "
                f"duration above zero and of at most {KEPT_MAX.days:,} days"
            )
            raise DefinitionError(message)
        return replace(self, period=period)

    def __repr__(self) -> str:
        version = "" if self.plan.version is None else f" {self.plan.version}"
        takes = ", ".join(item.name for item in self.plan.inputs)
        wrong = sum(finding.reason is None for finding in self.findings)
        found = f", {wrong} finding{'s' if wrong > 1 else ''}" if wrong else ""
        return (
            f"<workflow {self.name}{version}({takes}) -> {self.plan.returns_type}: "
            f"{len(self.plan.nodes)} nodes{found}>"
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Call(Generic[R]):
    """A workflow with its inputs: hand it to `Engine.start`, or let a step return it."""

    # Any: once called, a workflow's parameters do not matter any more.
    workflow: Workflow[..., R]
    input: dict[str, Raw]
    """The JSON of each input, by name, in the order of the workflow's parameters."""
    input_hash: str
    """The same for the same inputs, however they were given."""
    key: str | None = None
    """By which key the run of a lifecycle is known, unless whoever starts it gives another."""

    def __repr__(self) -> str:
        # Names only: what an input holds may not be for whoever reads a log.
        return f"<call {self.workflow.name}({', '.join(self.input)}) {self.input_hash[:8]}>"


def uncalled(signature: Signature) -> Signature:
    """Return the signature of a function with what its calls give in the place of the calls."""
    kinds = members(signature.returns)
    if not any(_is_call(kind) for kind in kinds):
        return signature
    given = [_given_by(kind) if _is_call(kind) else kind for kind in kinds]
    # Any: a union of type forms is one, and no static type says that.
    together: Any = given[0]
    for kind in given[1:]:
        together = Union[together, kind]  # noqa: UP007 - `|` is not defined for every type form
    return replace(signature, returns=together, calls=True)


def _is_call(kind: object) -> bool:
    return kind is Call or get_origin(kind) is Call


def _given_by(kind: object) -> object:
    inner = get_args(kind)
    return inner[0] if inner else UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the inputs of a workflow are parsed."""

    workflow: str
    parameters: tuple[Parameter, ...]
    # Any: each input has the type that the user declares.
    codecs: tuple[tuple[str, Codec[Any]], ...]

    def admit(
        self, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> tuple[dict[str, Raw], str]:
        """Return the JSON of each input, and their hash; raise `InvalidInput` with the reason."""
        if kwargs or len(args) != len(self.codecs):
            args = self._arranged(args, kwargs)
        given: dict[str, Raw] = {}
        digest = blake2b(digest_size=16, person=b"makegood.input")
        size = 0
        for (name, codec), value in zip(self.codecs, args, strict=True):
            try:
                raw = codec.write(value)
            except PayloadTooLarge as error:
                raise PayloadTooLarge(self._about(name, str(error))) from None
            except InvalidInput as error:
                raise InvalidInput(self._about(name, str(error))) from None
            given[name] = raw
            size += len(raw)
            # Canonical JSON has no line break, so the break tells the inputs apart.
            digest.update(writes_json(value) + b"\n")
        if size > PAYLOAD_BYTES_MAX:
            message = (
                f"the inputs of `{self.workflow}` have {size:,} bytes as JSON; at most "
                f"{PAYLOAD_BYTES_MAX:,} are allowed: store them elsewhere and carry an id"
            )
            raise PayloadTooLarge(message)
        return given, digest.hexdigest()

    def _arranged(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[object]:
        """Return a value for every parameter, in their order, defaults filled in."""
        bound, problems = bind(self.workflow, self.parameters, args, kwargs)
        if problems:
            raise InvalidInput("\n".join(problems))
        return [bound.get(item.name, item.default) for item in self.parameters]

    def _about(self, name: str, why: str) -> str:
        kind = next(item.type for item in self.parameters if item.name == name)
        return f"the input `{name}: {type_name(kind)}` of `{self.workflow}`: {why}"
