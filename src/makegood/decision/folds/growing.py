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

from makegood.decision.state import NodeState, Phase, Rounds, Scope
from makegood.definition.plan import BLOCK_SPAN, Block, Branch, FromNode, Kind, Node
from makegood.values.outcomes import UNSAID, StoredPause, read_next

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState
    from makegood.values.verdict import Failure

__all__ = [
    "begin_handling",
    "begin_round_of",
    "begin_rounds",
    "block_of_handler",
    "catch_giving_up",
    "end_in_round",
    "fail_round",
    "is_enough",
    "is_over",
    "take_rounds",
    "turn_round_back",
]


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


def begin_round_of(state: RunState, path: str) -> list[int]:
    """Begin the rounds that a node is in, which has happened; return those that wait for nothing.

    A run may be folded under a plan in which fewer rounds are at work at once than when it began:
    that is a policy, which may change. What has begun has begun.
    """
    ready: list[int] = []
    for bracket in (place for place, character in enumerate(path) if character == "["):
        index = state.positions[path[:bracket]]
        number = int(path[bracket + 1 : path.index("]", bracket)])
        rounds = state.rounds[index]
        while len(rounds.scopes) <= number:
            ready += _grow(state, index, _block_of(state, index), rounds)
    return ready


def block_of_handler(state: RunState, lifecycle: LifecycleState, name: str) -> Block:
    """Return what a round of a handler is made of.

    One that the definition does not have any more stands for itself: a node that can be done and
    cannot be undone. No more is needed of a call that is over, and other calls do not fit.
    """
    node = state.graph[lifecycle.index]
    place = lifecycle.machine.places.get(name)
    if place is not None:
        return node.blocks[place]
    number = len(node.blocks) + 1
    gone = Node(path=name, kind=Kind.STEP, function=name)
    return Block(number=number, nodes=(gone,), returns=FromNode(number * BLOCK_SPAN), rounds_max=1)


def begin_handling(
    state: RunState, lifecycle: LifecycleState, block: Block, inputs: dict[str, Raw]
) -> int:
    """Begin a round of a lifecycle, of a handler; return the node of its function."""
    index, base = lifecycle.index, len(state.nodes)
    scope = Scope(block, index, lifecycle.rounds, base, None, inputs, len(block.nodes))
    lifecycle.rounds += 1
    if len(block.nodes) == 1:
        _add_alone(state, scope, base)
    else:
        state.ready += _add_nodes(state, scope)
    return base + len(block.nodes) - 1


def catch_giving_up(state: RunState, index: int) -> bool:
    """Note that a handler has given up where that pauses the run; say whether it does."""
    lifecycle = state.lifecycle
    if lifecycle is None or index != lifecycle.busy or not lifecycle.machine.pauses:
        return False
    # Nothing of it is to come any more.
    state.unended -= 1
    lifecycle.has_given_up = True
    _handled(state, lifecycle)
    return True


def is_over(state: RunState, index: int) -> bool:
    """Say whether no round of it will begin any more, and none is to be waited for."""
    rounds, block = state.rounds[index], _block_of(state, index)
    many = len(rounds.given)
    if rounds.ended == many or many - len(rounds.failures) < block.done_min:
        return True
    return is_enough(state, index) and rounds.ended == len(rounds.scopes)


def is_enough(state: RunState, index: int) -> bool:
    """Say whether so many rounds are done that no further one is to begin."""
    block = _block_of(state, index)
    return block.is_quorum and state.rounds[index].done >= block.done_min


def turn_round_back(state: RunState, index: int, path: str, failure: Failure) -> bool:
    """Let the round that keeps the failure of this node turn back; say whether there is one.

    It is the innermost one that keeps failures. A round that turns back takes all rounds within
    it along, also those that turned back by themselves.
    """
    scope = state.scopes.get(index)
    while scope is not None and not scope.block.keeps_failures:
        scope = scope.outer
    if scope is None or state.rolling_back is not None:
        return False
    if not state.is_in_failing_round(index):
        fail_round(state, scope, path, failure)
    return True


def fail_round(state: RunState, scope: Scope, path: str, failure: Failure) -> None:
    """Let a round turn back: nothing of it begins any more."""
    scope.failed = (path, failure)
    within = {*state.nodes_within(scope)}
    state.failing = [each for each in state.failing if each.base not in within] + [scope]
    state.ready = [each for each in state.ready if each not in within]


def end_in_round(state: RunState, index: int) -> int | None:
    """Note that a node of a round has ended; return the each or repeat whose round is over now."""
    scope = state.scopes[index]
    scope.unended -= 1
    if scope.unended:
        return None
    if state.lifecycle is not None:
        _take_outcome(state, state.lifecycle, index)
        return None
    rounds = state.rounds[scope.node]
    whole = scope.block.whole
    if whole is None:
        rounds.unbuilt.append(scope.number)
    else:
        rounds.values[scope.number] = state.results[scope.base + whole]
        rounds.ended += 1
    return scope.node


def _take_outcome(state: RunState, lifecycle: LifecycleState, index: int) -> None:
    """Take what a handler has given, with the record as it has left it."""
    result = state.results[index]
    outcome = None if result is None else read_next(result)
    lifecycle.outcome = outcome
    if outcome is not None and outcome.record is not UNSAID:
        lifecycle.record, lifecycle.schema = outcome.record, outcome.schema
    lifecycle.version += 1
    if not isinstance(outcome, StoredPause):
        lifecycle.resumes = 0
    _handled(state, lifecycle)


def _handled(state: RunState, lifecycle: LifecycleState) -> None:
    """Let it be decided what the end of a handler leads to, unless the run goes back."""
    lifecycle.busy = None
    if state.rolling_back is None:
        node = state.nodes[lifecycle.index]
        node.phase = Phase.HANDLED
        state.todo.append(lifecycle.index)


def _block_of(state: RunState, index: int) -> Block:
    block = state.graph[index].block
    assert block is not None, "only what has a block has rounds"
    return block


def _grow(state: RunState, index: int, block: Block, rounds: Rounds) -> list[int]:
    """Begin a round of a block; return its nodes that wait for nothing."""
    number = len(rounds.scopes)
    outer = state.scopes.get(index)
    inputs = state.inputs if outer is None else outer.inputs
    given = {**inputs, f"@{block.number}": rounds.given[number]}
    base, unended = len(state.nodes), len(block.nodes)
    scope = Scope(block, index, number, base, outer, given, unended)
    rounds.scopes.append(scope)
    return _add_nodes(state, scope)


def _add_nodes(state: RunState, scope: Scope) -> list[int]:
    """Add the nodes of a round to the graph; return those that wait for nothing."""
    base = scope.base
    _make_own(state)
    assert isinstance(state.graph, list)
    assert isinstance(state.positions, dict)
    assert isinstance(state.branches, dict)
    prefix = f"{state.graph[scope.node].path}[{scope.number}]/"
    ready: list[int] = []
    for place, planned in enumerate(scope.block.nodes):
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
    state.unended += len(scope.block.nodes)
    return ready


def _make_own(state: RunState) -> None:
    """Let the graph be the run's own, which was the plan's until here."""
    if isinstance(state.graph, tuple):
        state.graph = list(state.graph)
        state.positions = dict(state.positions)
        state.branches = dict(state.branches)


def _add_alone(state: RunState, scope: Scope, position: int) -> None:
    """Add the node of a round that has no other, as nearly every call of a handler is."""
    _make_own(state)
    assert isinstance(state.graph, list)
    assert isinstance(state.positions, dict)
    block = scope.block
    path = f"{state.graph[scope.node].path}[{scope.number}]/{block.nodes[0].path}"
    node = block.placed.get(path)
    if node is None:
        node = msgspec.structs.replace(block.nodes[0], path=path)
        if len(block.placed) < _PLACED_MAX:
            block.placed[path] = node
    state.graph.append(node)
    state.positions[path] = position
    state.nodes.append(NodeState(0))
    state.results.append(None)
    state.scopes[position] = scope
    state.ready.append(position)
    state.unended += 1


_PLACED_MAX = 32
"""How many nodes of a block are kept for further runs, which mostly have the same first rounds."""


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
