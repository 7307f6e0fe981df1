"""Plans in a few words, for tests of the decision core: `step("pay", "hold", undo=True)`."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, TypedDict, Unpack

import msgspec

from makegood.definition.flow.frame import fed
from makegood.definition.plan import (
    BLOCK_SPAN,
    Backoff,
    Block,
    Branch,
    Case,
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Kind,
    Node,
    Plan,
    Remedy,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLAG = FromInput("flag")
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
STEADY = Backoff(delay=timedelta(seconds=1), factor=2.0, jitter=False)
ONCE = Backoff(attempts=1)


class Policy(TypedDict, total=False):
    """What a step may say of itself."""

    attempts: int
    undo: bool
    undo_local: bool
    undo_attempts: int
    compensate: bool
    ask_attempts: int
    optional: bool
    pivot: bool
    guard: bool
    key_valid_for: timedelta | None
    timeout: timedelta | None
    timeout_total: timedelta | None
    services: tuple[str, ...]
    calls: bool


class Sketch(msgspec.Struct, frozen=True):
    """A node before its place in a plan is known."""

    node: Node
    after: tuple[str, ...]
    branches: tuple[tuple[str, tuple[Sketch, ...]], ...] = ()
    block: tuple[Sketch, ...] = ()
    block_returns: str | None = None
    """The node whose whole result a round gives; else it is computed."""


def step(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    """Return a step that follows the nodes named."""
    return sketch(Kind.STEP, path, after, policy)


def query(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    return sketch(Kind.QUERY, path, after, policy)


def local(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    return sketch(Kind.LOCAL, path, after, policy)


def pure(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    return sketch(Kind.PURE, path, after, policy)


def expect(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    return sketch(Kind.EXPECT, path, after, policy)


def note(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    return sketch(Kind.NOTE, path, after, policy)


def child(path: str, *after: str, **policy: Unpack[Policy]) -> Sketch:
    return sketch(Kind.CHILD, path, after, policy)


def sketch(kind: Kind, path: str, after: tuple[str, ...], policy: Policy) -> Sketch:
    undo_local = policy.get("undo_local", False)
    undo = Remedy(
        function=f"undo_{path}",
        retry=msgspec.structs.replace(STEADY, attempts=policy.get("undo_attempts", 3)),
        timeout=timedelta(seconds=30),
        local=undo_local,
        services=policy.get("services", ()),
    )
    compensate = Remedy(
        function=f"find_{path}",
        retry=msgspec.structs.replace(STEADY, attempts=policy.get("ask_attempts", 3)),
        timeout=timedelta(seconds=30),
        services=policy.get("services", ()),
    )
    node = Node(
        path=path,
        kind=kind,
        function=path,
        when=FLAG if policy.get("guard") else None,
        retry=msgspec.structs.replace(STEADY, attempts=policy.get("attempts", 3)),
        timeout=policy.get("timeout", timedelta(seconds=30)),
        timeout_total=policy.get("timeout_total"),
        undo=undo if undo_local or policy.get("undo") else None,
        compensate=compensate if policy.get("compensate") else None,
        optional=policy.get("optional", False),
        pivot=policy.get("pivot", False),
        key_valid_for=policy.get("key_valid_for", DAY),
        services=policy.get("services", ()),
        calls=policy.get("calls", False),
    )
    return Sketch(node, after)


def switch_(path: str, *after: str, cases: Mapping[str, tuple[Sketch, ...]]) -> Sketch:
    """Return a switch; a node of a branch names others of it, or of the plan, by their paths."""
    return Sketch(_flow(Kind.SWITCH, path), after, branches=tuple(cases.items()))


def sleep_(path: str, *after: str) -> Sketch:
    return Sketch(_flow(Kind.SLEEP, path), after)


def wait_(path: str, *after: str, optional: bool = False) -> Sketch:
    node = msgspec.structs.replace(_flow(Kind.WAIT, path), function="Shipped", optional=optional)
    return Sketch(node, after)


def send_(path: str, *after: str) -> Sketch:
    return Sketch(msgspec.structs.replace(_flow(Kind.SEND, path), function="Shipped"), after)


def each_(
    path: str,
    *after: str,
    block: tuple[Sketch, ...],
    returns: str | None = None,
    at_once: int = 2,
    keeps: bool = False,
    done_min: int = 0,
    quorum: int | None = None,
) -> Sketch:
    """Return an each, whose rounds give the whole result of a node or what is computed.

    With `keeps`, `done_min` or a `quorum` the failures of its rounds are kept.
    """
    shape = Block(
        number=1,
        nodes=(),
        returns=Constant("null"),
        at_once=at_once,
        rounds_max=10_000,
        keeps_failures=keeps or done_min > 0 or quorum is not None,
        done_min=done_min if quorum is None else quorum,
        is_quorum=quorum is not None,
    )
    return Sketch(_flow(Kind.EACH, path, shape), after, block=block, block_returns=returns)


def repeat_(
    path: str,
    *after: str,
    block: tuple[Sketch, ...],
    returns: str | None = None,
    times_max: int = 3,
) -> Sketch:
    shape = Block(
        number=1, nodes=(), returns=Constant("null"), rounds_max=times_max, is_judged=True
    )
    return Sketch(_flow(Kind.REPEAT, path, shape), after, block=block, block_returns=returns)


def _flow(kind: Kind, path: str, block: Block | None = None) -> Node:
    return Node(path=path, kind=kind, function=kind.value, retry=ONCE, timeout=None, block=block)


def plan_of(*sketches: Sketch, returns: Source | None = None) -> Plan:
    """Return the plan of these nodes, which stand in the order of the body."""
    return Plan(
        workflow="shop",
        fingerprint="0" * 16,
        nodes=_placed(sketches, count(1)),
        returns=Constant("null") if returns is None else returns,
    )


def _placed(sketches: tuple[Sketch, ...], blocks: Iterator[int]) -> tuple[Node, ...]:
    """Return the nodes of a plan or of a block, each with its place and its edges."""
    nodes: list[Node] = []
    positions: dict[str, int] = {}

    def place(each: Sketch, prefix: str, branch: Branch | None) -> None:
        position, path = len(nodes), prefix + each.node.path
        known = {name: positions.get(prefix + name, positions.get(name)) for name in each.after}
        needs = {needed for needed in known.values() if needed is not None}
        assert len(needs) == len(known), "a node follows what stands before it"
        if branch is not None:
            needs.add(branch.node)
        positions[path] = position
        nodes.append(
            msgspec.structs.replace(
                each.node,
                path=path,
                needs=tuple(sorted(needs)),
                branch=branch,
                cases=tuple(Case(label=case, returns=FLAG) for case, _ in each.branches),
                block=_block(each, blocks),
            )
        )
        for case, inside in each.branches:
            for inner in inside:
                place(inner, f"{path}/{case}/", Branch(position, case))

    for each in sketches:
        place(each, "", None)
    return fed(nodes)


def _block(each: Sketch, blocks: Iterator[int]) -> Block | None:
    if each.node.block is None:
        return None
    number = next(blocks)
    nodes = _placed(each.block, blocks)
    returns: Source = FromRound(number, ("id",))
    for place, node in enumerate(nodes):
        if node.path == each.block_returns:
            returns = FromNode(number * BLOCK_SPAN + place)
    return msgspec.structs.replace(each.node.block, number=number, nodes=nodes, returns=returns)
