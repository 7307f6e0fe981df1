"""What is to happen, as data: a plan is a frozen graph that can be stored, drawn and decided on.

A plan holds no function and no type object, only names and policies, so that the journal can
keep it and a command line can draw, preview and explain a run without the user's code. The
functions of a plan live beside it, in `makegood.definition.code`.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

import msgspec

__all__ = [
    "Argument",
    "Backoff",
    "Constant",
    "FromInput",
    "FromNode",
    "Input",
    "Items",
    "Kind",
    "Node",
    "Pairs",
    "Plan",
    "Remedy",
    "Source",
    "fingerprint_of",
]

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


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how soon something is tried again. Attempts count the first one too."""

    attempts: int = 3
    delay: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    delay_max: timedelta = timedelta(seconds=60)
    jitter: bool = True


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """An undo or a compensate: its function's name and its policy."""

    function: str
    retry: Backoff
    timeout: timedelta
    local: bool = False
    """It takes a `Transaction`: it writes only in the journal's database, and is never in doubt."""


class FromInput(msgspec.Struct, frozen=True, tag="input"):
    """A value that comes from the run's input, or from inside it."""

    name: str
    path: tuple[PathPart, ...] = ()


class FromNode(msgspec.Struct, frozen=True, tag="node"):
    """A value that comes from a node's result, or from inside it."""

    node: int
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


Source = FromInput | FromNode | Constant | Items | Pairs
"""Where a value comes from."""


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

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each path stands in `nodes`."""
        return {node.path: index for index, node in enumerate(self.nodes)}

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """The nodes that wait for nothing."""
        return tuple(index for index, node in enumerate(self.nodes) if not node.needs)

    @cached_property
    def pivot(self) -> int | None:
        """The node after which the run only goes forward, or None."""
        return next((index for index, node in enumerate(self.nodes) if node.pivot), None)

    def __repr__(self) -> str:
        return f"<Plan {self.workflow} {self.fingerprint}: {len(self.nodes)} nodes>"


def fingerprint_of(plan: Plan) -> str:
    """Return 16 characters that change when what is to happen changes.

    They cover paths, kinds, edges, sub-paths, types, constants, presence and names of undo and
    compensate, pivot and optional; not policies, docs or function bodies.
    """
    shape = (
        plan.workflow,
        [(item.name, item.type, item.required) for item in plan.inputs],
        [
            (
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
            )
            for node in plan.nodes
        ],
        plan.returns,
        plan.returns_type,
    )
    return blake2b(msgspec.json.encode(shape), digest_size=8, person=b"makegood.plan").hexdigest()
