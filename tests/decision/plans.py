"""Plans in a few words, for tests of the decision core: `step("pay", "hold", undo=True)`."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict, Unpack

import msgspec

from makegood.definition.plan import (
    Backoff,
    Constant,
    FromInput,
    Kind,
    Node,
    Plan,
    Remedy,
    Source,
)

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


class Sketch(msgspec.Struct, frozen=True):
    """A node before its place in a plan is known."""

    node: Node
    after: tuple[str, ...]


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


def sketch(kind: Kind, path: str, after: tuple[str, ...], policy: Policy) -> Sketch:
    undo_local = policy.get("undo_local", False)
    undo = Remedy(
        function=f"undo_{path}",
        retry=msgspec.structs.replace(STEADY, attempts=policy.get("undo_attempts", 3)),
        timeout=timedelta(seconds=30),
        local=undo_local,
    )
    compensate = Remedy(
        function=f"find_{path}",
        retry=msgspec.structs.replace(STEADY, attempts=policy.get("ask_attempts", 3)),
        timeout=timedelta(seconds=30),
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
    )
    return Sketch(node, after)


def plan_of(*sketches: Sketch, returns: Source | None = None) -> Plan:
    """Return the plan of these nodes, which stand in the order of the body."""
    positions = {each.node.path: index for index, each in enumerate(sketches)}
    needs = [tuple(sorted(positions[path] for path in each.after)) for each in sketches]
    nodes = tuple(
        msgspec.structs.replace(
            each.node,
            needs=needs[index],
            feeds=tuple(i for i, needed in enumerate(needs) if index in needed),
        )
        for index, each in enumerate(sketches)
    )
    return Plan(
        workflow="shop",
        fingerprint="0" * 16,
        nodes=nodes,
        returns=Constant("null") if returns is None else returns,
    )
