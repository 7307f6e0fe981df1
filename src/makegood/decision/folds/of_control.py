"""What it makes of a run that people hold it up, or say what becomes of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds.moving import at, leave
from makegood.decision.state import TO_COME, NodeState, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from makegood.decision.facts import Request
    from makegood.decision.state import RunState

__all__ = ["FOLDS"]

_ENDED = frozenset({Phase.DONE, Phase.UNDONE, Phase.SKIPPED})
"""Phases of nodes that no longer count among those that have not ended."""


def _requested(state: RunState, fact: Request) -> None:
    state.requests.append(fact)


def _paused(state: RunState, fact: facts.Paused) -> None:
    state.is_paused = True
    if state.lifecycle is not None:
        state.lifecycle.paused_until = fact.until


def _resumed(state: RunState, fact: facts.Resumed) -> None:
    state.is_paused = False
    lifecycle = state.lifecycle
    if lifecycle is not None:
        is_by_itself = lifecycle.paused_until is not None and fact.at >= lifecycle.paused_until
        lifecycle.resumes = lifecycle.resumes + 1 if is_by_itself else 0
        lifecycle.paused_until = None


def _granted(state: RunState, fact: facts.SkipGranted | facts.ResultGranted) -> None:
    _index, node = at(state, fact.node)
    node.granted = fact


def _retrace_began(state: RunState, fact: facts.RetraceBegan) -> None:
    state.retracing = dict.fromkeys(state.positions[path] for path in fact.nodes)


def _retraced(state: RunState, _fact: facts.Retraced) -> None:
    retraced, state.retracing = state.retracing, {}
    state.returned = None
    for index in retraced:
        leave(state, index, state.nodes[index])
        state.unended += state.nodes[index].phase in _ENDED
    for index in retraced:
        state.nodes[index] = _afresh(state, index, retraced)
        state.results[index] = None
        if state.nodes[index].phase is Phase.READY:
            state.ready.append(index)
    _await_again(state, retraced)


def _await_again(state: RunState, retraced: Container[int]) -> None:
    """Let nodes that have not begun wait for what is done again.

    There are some where the run goes by another plan than the one by which it was asked to.
    """
    for index, node in enumerate(state.nodes):
        if node.phase not in TO_COME or index in retraced:
            continue
        needs = state.graph[index].needs
        if any(each in retraced for each in needs):
            leave(state, index, node)
            node.phase, node.guarded = Phase.IDLE, False
            node.unmet = sum(state.nodes[each].phase not in _ENDED for each in needs)


def _afresh(state: RunState, index: int, retraced: Container[int]) -> NodeState:
    """Return a node as if it had never begun, but under a new key where it had."""
    before = state.nodes[index]
    needs = state.graph[index].needs
    unmet = [each for each in needs if each in retraced or state.nodes[each].phase not in _ENDED]
    node = NodeState(len(unmet))
    node.attempt = node.forgiven = before.attempt
    node.undo_attempt = node.undo_forgiven = before.undo_attempt
    # What it did is undone, or it definitely failed: either way nothing of it is left.
    has_begun = before.attempt > 0 or before.phase is Phase.UNDONE
    node.generation = before.generation + has_begun
    return node


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.PauseRequested: _requested,
    facts.ResumeRequested: _requested,
    facts.SkipRequested: _requested,
    facts.SetResultRequested: _requested,
    facts.RetryFromRequested: _requested,
    facts.RetraceBegan: _retrace_began,
    facts.Retraced: _retraced,
    facts.Paused: _paused,
    facts.Resumed: _resumed,
    facts.SkipGranted: _granted,
    facts.ResultGranted: _granted,
}
