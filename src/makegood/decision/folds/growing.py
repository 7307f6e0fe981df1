"""How the graph of a run grows: every round of a block gets nodes of its own.

A plan says once what is to happen for each item, or again and again. When a round begins, the nodes
of the block are copied into the graph behind all others, with their paths and edges made their own.
From there on they are nodes like any other: they are retried, asked about and undone in the one
order of the whole run. Everything here follows from facts, so that folding them again grows the
same graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.state import NodeState, Rounds, Scope
from makegood.definition.plan import Branch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from makegood.decision.state import RunState
    from makegood.definition.plan import Block, Node

__all__ = ["begin_rounds", "end_in_round", "take_rounds"]


def take_rounds(state: RunState, index: int, given: Sequence[Raw]) -> Rounds:
    """Note what the rounds of an each or a repeat are given; more may come for a repeat."""
    rounds = state.rounds.get(index)
    if rounds is None:
        rounds = state.rounds[index] = Rounds(given)
    else:
        rounds.given += given
        rounds.values += [None] * len(given)
    return rounds


def begin_rounds(state: RunState, index: int) -> list[int]:
    """Begin as many rounds as may be at work at once; return the nodes that wait for nothing."""
    block = _block_of(state, index)
    rounds = state.rounds[index]
    ready: list[int] = []
    while len(rounds.scopes) < min(len(rounds.given), rounds.ended + block.at_once):
        ready += _grow(state, index, block, rounds)
    return ready


def end_in_round(state: RunState, index: int) -> int | None:
    """Note that a node of a round has ended; return the each or repeat whose round is over now."""
    scope = state.scopes[index]
    scope.unended -= 1
    if scope.unended:
        return None
    rounds = state.rounds[scope.node]
    whole = scope.block.whole
    if whole is None:
        rounds.unbuilt.append(scope.number)
    else:
        rounds.values[scope.number] = state.results[scope.base + whole]
        rounds.ended += 1
    return scope.node


def _block_of(state: RunState, index: int) -> Block:
    block = state.graph[index].block
    assert block is not None, "only what has a block has rounds"
    return block


def _grow(state: RunState, index: int, block: Block, rounds: Rounds) -> list[int]:
    """Add the nodes of a round to the graph; return those that wait for nothing."""
    base, number = len(state.nodes), len(rounds.scopes)
    if isinstance(state.graph, tuple):
        # It was the plan's own until here.
        state.graph = list(state.graph)
        state.positions = dict(state.positions)
        state.branches = dict(state.branches)
    assert isinstance(state.graph, list)
    assert isinstance(state.positions, dict)
    assert isinstance(state.branches, dict)
    outer = state.scopes.get(index)
    inputs = state.inputs if outer is None else outer.inputs
    scope = Scope(
        block,
        node=index,
        number=number,
        base=base,
        outer=outer,
        inputs={**inputs, f"@{block.number}": rounds.given[number]},
    )
    rounds.scopes.append(scope)
    prefix = f"{state.graph[index].path}[{number}]/"
    ready: list[int] = []
    for place, planned in enumerate(block.nodes):
        node = _placed(planned, prefix, base)
        position = base + place
        state.graph.append(node)
        state.positions[node.path] = position
        state.nodes.append(NodeState(len(node.needs)))
        state.results.append(None)
        state.scopes[position] = scope
        if not node.needs:
            ready.append(position)
        for case in node.cases:
            state.branches[position, case.label] = []
        if node.branch is not None:
            inside = state.branches[node.branch.node, node.branch.case]
            assert isinstance(inside, list)
            inside.append(position)
    state.unended += len(block.nodes)
    return ready


def _placed(planned: Node, prefix: str, base: int) -> Node:
    """Return a node of a block as one of the graph."""
    branch = planned.branch
    return msgspec.structs.replace(
        planned,
        path=prefix + planned.path,
        needs=tuple(base + place for place in planned.needs),
        feeds=tuple(base + place for place in planned.feeds),
        branch=None if branch is None else Branch(base + branch.node, branch.case),
    )
