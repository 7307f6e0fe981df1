"""What is to happen, as data: a plan is a frozen graph that can be stored, drawn and decided on.

A plan holds no function and no type object, only names and policies, so that the journal can
keep it and a command line can draw, preview and explain a run without the user's code. The
functions of a plan live beside it, in `makegood.definition.code`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from makegood.definition.lifecycle.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BLOCK_SPAN",
    "DEFAULT",
    "Argument",
    "Backoff",
    "Block",
    "Branch",
    "Case",
    "Constant",
    "FromInput",
    "FromNode",
    "FromRound",
    "Input",
    "Items",
    "Kind",
    "Node",
    "Pairs",
    "Plan",
    "Remedy",
    "Source",
    "fingerprint_of",
    "numbered_nodes",
]

BLOCK_SPAN = 10_000
"""How many numbers a block has for its nodes: more than a plan may have nodes."""

DEFAULT = "default"
"""The label of the branch of a switch that happens in no case that is named."""

_GROWTHS_MAX = 64
"""How often a delay grows, in attempts, so that a long policy cannot overflow the float."""

_SECONDS_MAX = 1e9
"""What a delay is cut to before it becomes a duration, which holds no more than so many days."""

PathPart = str | int
"""One part of a sub-path: `.name` for an attribute, a bare name or a number for an item."""


class Kind(StrEnum):
    """What a node is."""

    STEP = "step"
    """It does something outside, and can be in doubt."""
    LOCAL = "local"
    """It writes only in the journal's own database, by `Transaction`: never in doubt."""
    QUERY = "query"
    """It only asks: safe to repeat, never in doubt, nothing to undo."""
    PURE = "pure"
    """A function of values, computed inside the turn and recorded."""
    EXPECT = "expect"
    """A flag that must hold, or the run fails with the error given."""
    NOTE = "note"
    """A value that is put on record for people to see."""
    SWITCH = "switch"
    """A value that says which of several branches is to happen; its result is that branch's."""
    SLEEP = "sleep"
    """A time that must have come."""
    WAIT = "wait"
    """A message that must have come; its function is the name of the message's class."""
    SEND = "send"
    """A message that goes out; its function is the name of the message's class."""
    EACH = "each"
    """A block of nodes that is to happen for each of several items; its result is a list."""
    REPEAT = "repeat"
    """A block of nodes that is to happen again and again, each time with the value before."""
    CHILD = "child"
    """Another workflow, as a run of its own; its function is that workflow's name."""
    LIFECYCLE = "lifecycle"
    """A record that goes from status to status. It is the only node of its plan, and its blocks
    are its handlers: every call of one is a round."""


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how soon something is tried again. Attempts count the first one too."""

    attempts: int = 3
    delay: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    delay_max: timedelta = timedelta(seconds=60)
    jitter: bool = True
    linear: bool = False
    """Each delay is `delay` longer than the one before, instead of `factor` times as long."""

    def pause_after(self, attempt: int) -> timedelta:
        """Return how long to wait after that many attempts, before chance shortens it."""
        seconds = self.delay.total_seconds()
        seconds *= attempt if self.linear else self.factor ** min(attempt - 1, _GROWTHS_MAX)
        return min(timedelta(seconds=min(seconds, _SECONDS_MAX)), self.delay_max)


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """An undo or a compensate: its function's name and its policy."""

    function: str
    retry: Backoff
    timeout: timedelta
    local: bool = False
    """It takes a `Transaction`: it writes only in the journal's database, and is never in doubt."""
    services: tuple[str, ...] = ()
    """The types of the services that it is given, by name."""


class FromInput(msgspec.Struct, frozen=True, tag="input"):
    """A value that comes from the run's input, or from inside it."""

    name: str
    path: tuple[PathPart, ...] = ()


class FromNode(msgspec.Struct, frozen=True, tag="node"):
    """A value that comes from a node's result, or from inside it."""

    node: int
    path: tuple[PathPart, ...] = ()


class FromRound(msgspec.Struct, frozen=True, tag="round"):
    """The value that a round of a block is given: an item, or what the round before gave."""

    block: int
    path: tuple[PathPart, ...] = ()


class Constant(msgspec.Struct, frozen=True, tag="constant"):
    """A value that stands in the body, as JSON text."""

    json: str


class Items(msgspec.Struct, frozen=True, tag="items"):
    """Several values, to be returned as a list or a tuple."""

    items: tuple[Source, ...]
    kind: str = "tuple"


class Pairs(msgspec.Struct, frozen=True, tag="pairs"):
    """Several named values, to be returned as a dict."""

    pairs: tuple[tuple[str, Source], ...]


Source = FromInput | FromNode | FromRound | Constant | Items | Pairs
"""Where a value comes from."""


class Branch(msgspec.Struct, frozen=True):
    """Where a node stands that is to happen in one case only."""

    node: int
    """The switch."""
    case: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case of a switch, and what its branch gives."""

    label: str
    returns: Source


class Block(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What each round of an each or of a repeat gets afresh.

    Its nodes need each other by their places in it; what they need of the outside, the node that
    has the block needs. As sources they are known by `number * BLOCK_SPAN + place`.
    """

    number: int
    """Which block of the plan it is, from 1."""
    nodes: tuple[Node, ...]
    returns: Source
    at_once: int = 1
    """How many rounds are at work at once."""
    rounds_max: int
    """How many rounds there may be."""
    is_judged: bool = False
    """Whether a function says when a repeat is over, and not the number of rounds alone."""
    keeps_failures: bool = False
    """Whether a round that fails is undone by itself, and its failure is one of the outcomes."""
    done_min: int = 0
    """How many rounds must be done where failures are kept; with fewer the node itself fails."""
    is_quorum: bool = False
    """Whether no further round begins once so many are done."""

    @cached_property
    def placed(self) -> dict[str, Node]:
        """A place for nodes as they stand in the graphs of runs, by path: the same in every run."""
        return {}

    @property
    def whole(self) -> int | None:
        """The place of the node whose whole result is what a round gives, or None."""
        match self.returns:
            case FromNode(node=node, path=()) if node // BLOCK_SPAN == self.number:
                return node % BLOCK_SPAN
            case _:
                return None


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a node's function, and where its value comes from."""

    name: str
    source: Source
    type: str


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One input of a workflow."""

    name: str
    type: str
    required: bool = True


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is to happen: what it is, what it waits for, what it is given, its policy."""

    path: str
    kind: Kind
    function: str
    arguments: tuple[Argument, ...] = ()
    needs: tuple[int, ...] = ()
    """The nodes that must have ended first, in order of index, each once."""
    feeds: tuple[int, ...] = ()
    """The nodes that wait for this one, in order of index, each once."""
    when: Source | None = None
    otherwise: Source | None = None
    """What its result is where its guard does not hold; without it, None."""
    returns: str = "None"
    retry: Backoff = Backoff()
    timeout: timedelta | None = timedelta(seconds=30)
    """For one attempt."""
    timeout_total: timedelta | None = None
    """For all attempts together."""
    undo: Remedy | None = None
    compensate: Remedy | None = None
    irreversible: str | None = None
    optional: bool = False
    pivot: bool = False
    key_valid_for: timedelta | None = None
    """How long the other side is trusted to know the key; None: it does not."""
    summary: str = ""
    """The first line of the function's docstring."""
    branch: Branch | None = None
    """Set on a node of a branch: it waits for the choice, and is skipped if it is another's."""
    cases: tuple[Case, ...] = ()
    """The cases of a switch, in the order of the body; the default is the last one."""
    block: Block | None = None
    """What the rounds of an each or a repeat are made of."""
    machine: Machine | None = None
    """The statuses of a lifecycle."""
    blocks: tuple[Block, ...] = ()
    """What the rounds of a lifecycle are made of: one for each of its handlers."""
    record: str | None = None
    """The type of what the step's `Record` stores."""
    services: tuple[str, ...] = ()
    """The types of the services that the body is given, by name."""
    calls: bool = False
    """Set on a step that may return a call, which is then run in its place."""
    keeps_failure: bool = False
    """Set on a child whose failure is an outcome: whoever waits for it is given that."""

    @property
    def inner(self) -> tuple[Block, ...]:
        """What its rounds may be made of, whatever goes round."""
        return self.blocks if self.block is None else (self.block,)


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A workflow's frozen graph. `nodes` are in the order of the body, which is a valid order."""

    workflow: str
    fingerprint: str
    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...] = ()
    returns: Source = Constant("null")
    returns_type: str = "None"
    deadline: timedelta | None = None
    strict: bool = False
    summary: str = ""
    version: str | None = None
    """Tells definitions of one name apart that are served side by side."""

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each path stands in `nodes`."""
        return {node.path: index for index, node in enumerate(self.nodes)}

    def number_of(self, path: str) -> int | None:
        """Return the number of the node that has this path in a run, be it in a round of a block.

        None where no node of any run has it.
        """
        return self._numbers.get(_ROUND.sub("[]/", path))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {path: number for path, number, _node in _numbered(self.nodes, "", 0)}

    @cached_property
    def branches(self) -> dict[tuple[int, str], tuple[int, ...]]:
        """The nodes that stand in each branch itself, by the switch and the case."""
        inside: dict[tuple[int, str], list[int]] = {
            (index, case.label): [] for index, node in enumerate(self.nodes) for case in node.cases
        }
        for index, node in enumerate(self.nodes):
            if node.branch is not None:
                inside[node.branch.node, node.branch.case].append(index)
        return {branch: tuple(nodes) for branch, nodes in inside.items()}

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """The nodes that wait for nothing."""
        return tuple(index for index, node in enumerate(self.nodes) if not node.needs)

    @cached_property
    def pivot(self) -> int | None:
        """The node after which the run only goes forward, or None."""
        return next((index for index, node in enumerate(self.nodes) if node.pivot), None)

    @property
    def machine(self) -> Machine | None:
        """The statuses of a lifecycle; None for every other plan."""
        return self.nodes[0].machine if self.nodes else None

    @cached_property
    def heard(self) -> frozenset[str]:
        """The names of all messages that a run of it may wait for."""
        waited = {node.function for _, node in numbered_nodes(self) if node.kind is Kind.WAIT}
        return frozenset(waited) if self.machine is None else self.machine.heard

    @cached_property
    def speaks(self) -> bool:
        """Whether a run of it may have something to say to other runs: most have not."""
        return bool(self.heard) or any(
            node.calls or node.kind in _SPEAKING for _, node in numbered_nodes(self)
        )

    def __repr__(self) -> str:
        return f"<Plan {self.workflow} {self.fingerprint}: {len(self.nodes)} nodes>"


_SPEAKING = frozenset({Kind.CHILD, Kind.WAIT, Kind.SEND})

_ROUND = re.compile(r"\[\d+\]/")
"""What stands in a path between a block and a node of one of its rounds."""


def numbered_nodes(plan: Plan) -> Iterator[tuple[int, Node]]:
    """Give every node of a plan, those of its blocks too, with the number that its code has."""
    for _path, number, node in _numbered(plan.nodes, "", 0):
        yield number, node


def _numbered(nodes: Sequence[Node], prefix: str, base: int) -> Iterator[tuple[str, int, Node]]:
    """Give nodes and those in their blocks, whatever the round, with their paths and numbers."""
    for place, node in enumerate(nodes):
        path = prefix + node.path
        yield path, base + place, node
        for block in node.inner:
            yield from _numbered(block.nodes, f"{path}[]/", block.number * BLOCK_SPAN)


def fingerprint_of(plan: Plan) -> str:
    """Return 16 characters that change when what is to happen changes.

    They cover paths, kinds, edges, sub-paths, types, constants, presence and names of undo and
    compensate, pivot, optional and the version; not policies, docs or function bodies. Of a child
    they cover what it is called, takes and gives, and not what it does: it has a fingerprint of
    its own.
    """
    shape = (
        plan.workflow,
        [(item.name, item.type, item.required) for item in plan.inputs],
        [_shape_of(node) for node in plan.nodes],
        plan.returns,
        plan.returns_type,
        *(() if plan.version is None else (plan.version,)),
    )
    return blake2b(msgspec.json.encode(shape), digest_size=8, person=b"makegood.plan").hexdigest()


def _shape_of(node: Node) -> tuple[object, ...]:
    """Return what the fingerprint covers of a node."""
    block = node.block
    return (
        node.path,
        node.kind,
        [(item.name, item.source, item.type) for item in node.arguments],
        node.needs,
        node.when,
        node.returns,
        node.undo and node.undo.function,
        node.compensate and node.compensate.function,
        node.optional,
        node.pivot,
        # What a plan does without has no part in its fingerprint, which stays as it was.
        *([("otherwise", node.otherwise)] if node.otherwise else ()),
        *([node.branch] if node.branch else ()),
        *([node.cases] if node.cases else ()),
        *(
            [[_shape_of(each) for each in block.nodes], block.returns, block.is_judged]
            if block
            else ()
        ),
        *([["record", node.record]] if node.record else ()),
        # Which messages it is about: the type alone is no address.
        *([node.function] if node.kind in {Kind.WAIT, Kind.SEND} else ()),
        *([(block.done_min, block.is_quorum)] if block and block.keeps_failures else ()),
        # Which workflow it is, and by the above what that takes and gives; not what it does.
        *([node.function] if node.kind is Kind.CHILD else ()),
        *(() if node.machine is None else _shape_of_machine(node.machine, node.blocks)),
    )


def _shape_of_machine(machine: Machine, blocks: Sequence[Block]) -> Iterator[object]:
    """Give what the fingerprint covers of a lifecycle: where it may go, by what, and its schema."""
    yield machine.statuses, machine.start, machine.terminal, machine.pivots, machine.schema
    for handler, block in zip(machine.handlers, blocks, strict=True):
        yield handler.name, handler.trigger, handler.statuses, handler.to, handler.message
        yield [_shape_of(node) for node in block.nodes]
