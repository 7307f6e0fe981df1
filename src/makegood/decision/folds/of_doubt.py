"""What is asked about a node that failed or is in doubt, and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.facts import Proceeded
from makegood.decision.folds.moving import at, complete, leave
from makegood.decision.state import (
    Phase,
    RunState,
)
from makegood.values.verdict import (
    Undecided,
)

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["FOLDS"]


def _compensate_started(state: RunState, fact: facts.CompensateStarted) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.ASKING
    node.asked = fact.attempt
    state.in_flight += 1


def _verdict_given(state: RunState, fact: facts.VerdictGiven) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    state.claims = 0
    if isinstance(fact.verdict, Proceeded):
        complete(state, index, fact.verdict.result)
        return
    node.phase = Phase.ANSWERED
    node.verdict = fact.verdict
    node.answered_at = fact.at
    if isinstance(fact.verdict, Undecided):
        # Whatever the failure said of itself: now nobody knows.
        node.doubt = True
    state.todo.append(index)


def _compensate_failed(state: RunState, fact: facts.CompensateFailed) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.ASK_FAILED
    node.verdict = fact.failure
    state.claims = 0
    state.todo.append(index)


def _compensate_retry(state: RunState, fact: facts.CompensateRetryScheduled) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.ASK_AGAIN
    state.timers[index] = fact.due


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.CompensateStarted: _compensate_started,
    facts.VerdictGiven: _verdict_given,
    facts.CompensateFailed: _compensate_failed,
    facts.CompensateRetryScheduled: _compensate_retry,
}
