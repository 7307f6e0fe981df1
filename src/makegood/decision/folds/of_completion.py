"""What becomes of a step whose result comes from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds.moving import at, leave
from makegood.decision.state import Phase, RunState
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FOLDS"]


def _completion_awaited(state: RunState, fact: facts.CompletionAwaited) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.AWAITING
    state.claims = 0
    total = state.graph[index].timeout_total
    began = node.timed_from
    assert began is not None, "what is awaited was begun"
    state.timers[index] = fact.due if total is None else min(fact.due, after(began, total))


def _completion_given(state: RunState, fact: facts.CompletionGiven) -> None:
    state.given.append(fact)


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.CompletionAwaited: _completion_awaited,
    facts.CompletionGiven: _completion_given,
}
