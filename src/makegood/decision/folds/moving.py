"""How a node leaves one phase for another, and what that lets go: what all folds share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.folds.growing import (
    begin_round_of,
    begin_rounds,
    end_in_round,
    is_enough,
    is_over,
)
from makegood.decision.state import (
    DECIDED,
    DONE,
    IN_FLIGHT,
    LEFT_TO_A_PERSON,
    READY,
    RUNNING,
    TIMED,
    WITH_CHILD,
    NodeState,
    Phase,
    RunState,
)
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw


__all__ = ["at", "complete", "drop", "go_round", "leave", "meet", "release"]

_STANDING_STILL = frozenset({Phase.ASLEEP, Phase.AWAITING})
"""Phases in which a run waits for what may be long in coming, and not for its next attempt."""

_QUERY = Kind.QUERY

_EFFECTFUL = frozenset({Kind.STEP, Kind.LOCAL, Kind.CHILD})


def at(state: RunState, path: str) -> tuple[int, NodeState]:
    """Return where the node of this path stands in the graph, and how it stands."""
    try:
        index = state.positions[path]
    except KeyError:
        state.ready += begin_round_of(state, path)
        index = state.positions[path]
    return index, state.nodes[index]


def leave(state: RunState, index: int, node: NodeState) -> None:
    """Take the node off the worklist of the phase that it leaves."""
    phase = node.phase
    if phase in IN_FLIGHT:
        state.in_flight -= 1
        if state.queries and phase is RUNNING and state.graph[index].kind is _QUERY:
            state.queries.remove(index)
    elif phase is READY:
        state.ready.remove(index)
    elif phase in DECIDED:
        state.todo.remove(index)
    elif phase in TIMED:
        del state.timers[index]
        node.next_attempt = node.awaits = None
        if phase in _STANDING_STILL:
            state.has_waited = True
    elif phase in WITH_CHILD:
        state.family.children.remove(index)
    elif phase is Phase.LISTENING:
        _wait_no_more(state, index, node)
    elif phase in LEFT_TO_A_PERSON:
        state.stuck.remove(index)
    elif phase is Phase.GAVE_UP:
        state.unwilling.remove(index)


def _wait_no_more(state: RunState, index: int, node: NodeState) -> None:
    assert node.message is not None, "it waits for something"
    waiting = state.mailbox.waits[node.message]
    waiting.remove(index)
    if not waiting:
        del state.mailbox.waits[node.message]
    state.timers.pop(index, None)
    state.has_waited = True


def complete(state: RunState, index: int, result: Raw) -> None:
    """Give a node its result."""
    node = state.nodes[index]
    node.phase = DONE
    state.results[index] = result
    node.doubt = False
    node.verdict = None
    state.claims = 0
    planned = state.graph[index]
    if planned.kind in _EFFECTFUL:
        node.place = state.fact_count
        state.done_order.append(index)
    if planned.pivot:
        # From here the run only goes forward, however long it takes.
        state.deadline = None
    release(state, index)


def release(state: RunState, index: int) -> None:
    """Let go the nodes that waited for this one, which has a result or was skipped."""
    state.unended -= 1
    node = state.graph[index]
    for follower in node.feeds:
        meet(state, follower)
    if node.branch is not None:
        meet(state, node.branch.node)
    if state.scopes and index in state.scopes:
        looping = end_in_round(state, index)
        if looping is not None:
            go_round(state, looping)


def go_round(state: RunState, index: int) -> None:
    """Begin further rounds; when all are over, or one is to be valued, that is decided next."""
    node, rounds = state.nodes[index], state.rounds[index]
    if node.phase is not Phase.IN_ROUNDS:
        # Something of it is about to be computed, or could not be: that comes first.
        return
    is_last, goes_on = is_over(state, index), _goes_forward(state, index)
    if goes_on and not is_last and not is_enough(state, index):
        state.ready += begin_rounds(state, index)
    if rounds.unbuilt or is_last:
        node.phase = READY
        if goes_on:
            state.ready.append(index)


def meet(state: RunState, index: int) -> None:
    """Let a node know that one thing that it waits for has come about."""
    node = state.nodes[index]
    node.unmet -= 1
    if node.unmet == 0:
        node.phase = READY
        if _goes_forward(state, index):
            state.ready.append(index)


def _goes_forward(state: RunState, index: int) -> bool:
    return state.rolling_back is None and not (state.failing and state.is_in_failing_round(index))


def drop(state: RunState, inside: Sequence[int]) -> None:
    """Skip the nodes of a branch that was not chosen, and all that branches off from them."""
    for index in inside:
        state.nodes[index].phase = Phase.SKIPPED
        state.unended -= 1
        if index in state.scopes:
            # It is never the last of its round, which the switch itself outlasts.
            state.scopes[index].unended -= 1
        for case in state.graph[index].cases:
            drop(state, state.branches[index, case.label])
