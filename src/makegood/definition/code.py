"""The functions of a plan: what the runtime calls, beside what the plan says.

A plan can be stored; its code cannot. `Code` has one entry per node of the plan, in the same
order, with everything read and compiled when the workflow was declared, so that nothing is
inspected while a run is moving. It takes journal JSON in and gives fresh values out; it knows
nothing of runs, attempts or stores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, get_origin

from msgspec import Raw

from makegood.errors import InvalidInput
from makegood.values.codec import AnyCodec, Codec, NotCarried
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
    Transaction,
    Writes,
)

if TYPE_CHECKING:
    from datetime import datetime
    from enum import Enum

    from makegood.definition.lifecycle.announcing import Announcement
    from makegood.definition.lifecycle.carrying import RecordCodec
    from makegood.definition.receiving.messages import Schemas

__all__ = [
    "BodyCode",
    "Code",
    "CompensateCode",
    "Injection",
    "Inputs",
    "LifecycleCode",
    "NodeCode",
    "Read",
    "RemedyCode",
    "Results",
    "RoundsCode",
    "always",
    "gather",
    "never",
    "read_constant",
    "read_input",
    "read_inside",
    "read_result",
]

Inputs = Mapping[str, Raw]
"""The JSON of each input of a run."""


class Results(Protocol):
    """The JSON of each node's result, by the node's number; None for one that was skipped."""

    def __getitem__(self, number: int, /) -> Raw | None: ...


# Any: what is read has the type that the user declared, which is not known here.
Read = Callable[[Inputs, Results], Any]
"""Decodes one value of a run afresh."""

# Any: each argument has the type that the user declared.
ReadAll = Callable[[Inputs, Results], dict[str, Any]]
"""Decodes the arguments of one node afresh."""

# Any: a user's function takes and returns whatever it declares.
Function = Callable[..., Any]

_BUILT_IN: frozenset[object] = frozenset(
    {
        IdempotencyKey,
        Attempt,
        CompletionToken,
        Deadline,
        MessageInfo,
        Once,
        RunInfo,
        Writes,
        Transaction,
    }
)


_ACTING: frozenset[object] = frozenset({CompletionToken, IdempotencyKey, Transaction, Writes})
"""What a function is given only to do something with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A keyword-only parameter that the runtime fills in."""

    name: str
    wants: object
    """What is injected: a built-in injectable such as `IdempotencyKey`, or a service's type."""
    is_recorded: bool = False
    """Whether it is what was stored by the step's `Record`."""

    @property
    def is_record(self) -> bool:
        """Whether it stores what an undo will need."""
        return get_origin(self.wants) is Record

    @property
    def is_emit(self) -> bool:
        """Whether it sends messages."""
        return get_origin(self.wants) is Emit

    @property
    def is_to_act(self) -> bool:
        """Whether whoever is given it may do something with it outside of its own values."""
        return self.is_service or self.is_record or self.wants in _ACTING

    @property
    def is_service(self) -> bool:
        """Whether it is found among the engine's services."""
        if self.is_record or self.is_recorded or self.is_emit:
            return False
        return self.wants not in _BUILT_IN


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyCode:
    """The function of a step, a query or a pure."""

    function: Function
    injections: tuple[Injection, ...] = ()
    retry_on: tuple[type[BaseException], ...] = ()
    sends: Schemas = field(default_factory=dict[type, Any])
    """Which messages it may emit, by their classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyCode:
    """The function of an undo: it takes the step's result by position."""

    function: Function
    injections: tuple[Injection, ...] = ()
    retry_on: tuple[type[BaseException], ...] = ()
    sends: Schemas = field(default_factory=dict[type, Any])
    """Which messages it may emit, by their classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensateCode:
    """The function of a compensate: it takes the failure by position, then `parameters`."""

    function: Function
    injections: tuple[Injection, ...] = ()
    retry_on: tuple[type[BaseException], ...] = ()
    sends: Schemas = field(default_factory=dict[type, Any])
    """Which messages it may emit, by their classes."""
    parameters: tuple[str, ...] = ()
    """Which of the step's arguments it takes, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsCode:
    """What the runtime needs to go from round to round of an each or a repeat."""

    # Any: what a round is given, and what it gives, have the types that the user declares.
    given: Codec[Any]
    """Writes and reads what one round is given."""
    value: Read
    """Builds what a round gives, from what its nodes gave."""
    value_codec: Codec[Any]
    until: Callable[[Any], bool] | None = None
    """Says of what a round of a repeat gave whether it was the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCode:
    """What the runtime needs to carry out one node."""

    body: BodyCode
    result: AnyCodec
    """Writes and reads the node's result by the declared type."""
    arguments: ReadAll
    """Decodes the node's arguments by name, afresh at every call.

    An argument whose producer was skipped is None. Raises `InvalidInput`, naming the step, the
    argument and the path, when a value does not have the part that is asked for.
    """
    holds: Callable[[Inputs, Results], bool]
    """Says whether the node is to happen: its `.when` guard, or the flag of an expect."""
    otherwise: Read | None = None
    """Reads the node's result where its guard does not hold, if that is not None."""
    undo: RemedyCode | None = None
    compensate: CompensateCode | None = None
    error: BaseException | None = None
    """What an expect raises when its flag does not hold."""
    choose: Callable[[Inputs, Results], str] | None = None
    """Says which case of a switch is to happen."""
    branches: Mapping[str, Read] | None = None
    """Builds the value of each branch of a switch."""
    rounds: RoundsCode | None = None
    """How the rounds of an each or a repeat are computed."""
    # Any: what is recorded has the type that the user's functions declare.
    record: Codec[Any] | None = None
    """Writes and reads what the step's `Record` stores."""
    # Any: a record has the type that the lifecycle declares.
    left: Callable[[Raw, Inputs], Any] | None = None
    """Reads what its undo is given, where that is not its result: the record as it has left it."""

    @property
    def function(self) -> Function:
        """The function to call."""
        return self.body.function

    @property
    def injections(self) -> tuple[Injection, ...]:
        """What the function is to be injected with."""
        return self.body.injections

    @property
    def retry_on(self) -> tuple[type[BaseException], ...]:
        """The exceptions that are worth another attempt, besides `Unavailable`."""
        return self.body.retry_on


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleCode:
    """What the runtime needs of a lifecycle besides the code of its handlers."""

    statuses: type[Enum]
    # Any: as for the record.
    key: Callable[[Any], str]
    """Says of the record with which a run began by which key messages find it."""
    began: Callable[[Inputs], Any]
    """Reads that record."""
    record: RecordCodec
    """Writes and reads the record."""
    # Any: each message has the type that the user declares.
    messages: Mapping[str, Codec[Any]]
    """Reads messages, by the names of their classes."""
    due: Mapping[str, Callable[[Any], datetime | None]]
    """Says of a record when a timer is due, by its handler; for those whose record says."""
    announcements: tuple[Announcement, ...] = ()
    """What is sent of what happens to a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The functions of a whole plan."""

    nodes: Mapping[int, NodeCode]
    """By the numbers of the plan: its own nodes from 0, and those of its blocks."""
    result: Read
    """Builds the value of the workflow from the results, afresh at every call."""
    # Any: the workflow returns whatever it declares.
    result_codec: Codec[Any]
    """Writes and reads the value of the workflow by its declared type."""
    lifecycle: LifecycleCode | None = None
    """What the runtime needs besides to carry out a lifecycle."""

    def needs(self) -> frozenset[object]:
        """Return the types of all services that any function of the plan asks for."""
        return frozenset(
            injection.wants
            for node in self.nodes.values()
            for code in (node.body, node.undo, node.compensate)
            if code is not None
            for injection in code.injections
            if injection.is_service
        )


def never(_inputs: Inputs, _results: Results) -> bool:
    """Say no: the flag of what is declared to fail."""
    return False


def always(_inputs: Inputs, _results: Results) -> bool:
    """Say yes: the guard of a node that has none."""
    return True


def read_input(name: str, codec: AnyCodec) -> Read:
    """Return a reader of one input."""
    read = codec.read
    return lambda inputs, _results: read(inputs[name])


def read_result(position: int, codec: AnyCodec) -> Read:
    """Return a reader of one node's result, which is None when the node was skipped."""
    read = codec.read

    def read_it(_inputs: Inputs, results: Results) -> Any:
        raw = results[position]
        return None if raw is None else read(raw)

    return read_it


def read_constant(raw: Raw, codec: Codec[Any]) -> Read:
    """Return a reader of a constant: a fresh value every time, as for everything else."""
    read = codec.read
    return lambda _inputs, _results: read(raw)


def read_inside(whole: Read, path: tuple[str | int, ...], what: str) -> Read:
    """Return a reader of a part of a value; `what` names it in errors."""
    attributes = tuple(
        (True, part[1:]) if isinstance(part, str) and part.startswith(".") else (False, part)
        for part in path
    )

    def read_it(inputs: Inputs, results: Results) -> Any:
        value = whole(inputs, results)
        try:
            for is_attribute, part in attributes:
                value = getattr(value, str(part)) if is_attribute else value[part]
        except (AttributeError, LookupError, TypeError) as error:
            message = f"{what} is not there: {error}"
            raise InvalidInput(message) from error
        return value

    return read_it


def gather(readers: Sequence[tuple[str, Read]], step: str) -> ReadAll:
    """Return a function that reads all arguments of a step.

    It is called before every attempt, hence the two short forms.
    """
    match readers:
        case []:
            return _nothing
        case [(name, read)]:
            return _named(lambda inputs, results: {name: read(inputs, results)}, step)
        case _:
            several = tuple(readers)
            return _named(
                lambda inputs, results: {name: read(inputs, results) for name, read in several},
                step,
            )


def _nothing(_inputs: Inputs, _results: Results) -> dict[str, Any]:
    return {}


def _named(read_all: ReadAll, step: str) -> ReadAll:
    """Name the step in the error of a value that cannot be read as its type any more."""

    def read_them(inputs: Inputs, results: Results) -> dict[str, Any]:
        try:
            return read_all(inputs, results)
        except NotCarried as error:
            message = f"an argument of `{step}` cannot be read: {error}"
            raise NotCarried(message) from error

    return read_them
