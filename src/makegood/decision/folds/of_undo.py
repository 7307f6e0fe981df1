"""How a node goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds.moving import at, leave
from makegood.decision.standing.done import take_done
from makegood.decision.state import (
    Phase,
    RunState,
)
from makegood.values.verdict import (
    FailureKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["FOLDS"]


def _undo_started(state: RunState, fact: facts.UndoStarted) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.undo_attempt = fact.attempt
    if node.child is not None and not node.child_is_undone:
        # The child comes first, and is told to go back; what the step itself did comes after it.
        node.phase = Phase.CHILD_UNDOING
        state.family.children.append(index)
        return
    node.phase = Phase.UNDOING
    if node.undo_first_at is None:
        node.undo_first_at = fact.at
    state.in_flight += 1


def _undo_done(state: RunState, fact: facts.UndoDone) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.UNDONE
    state.claims = 0
    take_done(state, index)
    state.undone_order.append(index)


def _undo_failed(state: RunState, fact: facts.UndoFailed) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.UNDO_FAILED
    node.undo_failure = fact.failure
    remedy = state.graph[index].undo
    if fact.failure.kind is FailureKind.IN_DOUBT and remedy is not None and not remedy.local:
        node.undo_doubt = True
    state.claims = 0
    state.todo.append(index)


def _undo_retry(state: RunState, fact: facts.UndoRetryScheduled) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.UNDO_AGAIN
    state.timers[index] = fact.due


def _undo_left(state: RunState, fact: facts.UndoLeft) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.LEFT
    take_done(state, index)
    state.stuck.append(index)


def _node_kept(state: RunState, fact: facts.NodeKept) -> None:
    index, node = at(state, fact.node)
    node.phase = Phase.KEPT
    take_done(state, index)


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.UndoStarted: _undo_started,
    facts.UndoDone: _undo_done,
    facts.UndoFailed: _undo_failed,
    facts.UndoRetryScheduled: _undo_retry,
    facts.UndoLeft: _undo_left,
    facts.NodeKept: _node_kept,
}
