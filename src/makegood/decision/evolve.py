"""How each fact changes the state: one small function per fact, in the room `folds`.

`evolve` trusts the facts: they were decided. It decides nothing itself, and folding the same
facts always gives the same state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds import (
    of_attempts,
    of_children,
    of_completion,
    of_control,
    of_doubt,
    of_flow,
    of_lifecycle,
    of_mail,
    of_people,
    of_run,
    of_undo,
)
from makegood.decision.state import AT_WORK, IN_FLIGHT, RUNNING, Phase, RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan

__all__ = ["evolve", "evolve_all", "expects", "fold", "fold_appends"]


def fold(plan: Plan, history: Iterable[Fact]) -> RunState:
    """Return the state that a run's facts add up to."""
    state = RunState(plan)
    evolve_all(state, history)
    return state


def fold_appends(plan: Plan, appends: Iterable[bytes]) -> RunState:
    """Return the state that a run's stored appends add up to, a JSON array of facts each."""
    return fold(plan, (fact for append in appends for fact in facts.read_facts(append)))


def evolve(state: RunState, fact: Fact) -> RunState:
    """Fold one fact into the state, in place, and return it."""
    _FOLDS[type(fact)](state, fact)
    state.fact_count += 1
    return state


def evolve_all(state: RunState, added: Iterable[Fact]) -> None:
    """Fold facts into the state, in place and in order."""
    for fact in added:
        _FOLDS[type(fact)](state, fact)
        state.fact_count += 1


def expects(state: RunState, fact: Fact) -> bool:
    """Say whether an outcome is still awaited; a late or doubled one is dropped, never folded."""
    match fact:
        case (
            facts.NodeDone()
            | facts.NodeFailed()
            | facts.EffectUnrecorded()
            | facts.NodeRefused()
            | facts.CompletionAwaited()
            | facts.ChildStarted()
        ):
            phase = state.nodes[state.positions[fact.node]].phase
            return phase is RUNNING
        case facts.VerdictGiven() | facts.CompensateFailed():
            return state.nodes[state.positions[fact.node]].phase is Phase.ASKING
        case facts.UndoDone() | facts.UndoFailed():
            return state.nodes[state.positions[fact.node]].phase is Phase.UNDOING
        case facts.NodeDelayed():
            # As an outcome: what waited for its turn at a service is handed back.
            return state.nodes[state.positions[fact.node]].phase is AT_WORK[fact.direction]
        case facts.Recorded():
            return state.nodes[state.positions[fact.node]].phase in IN_FLIGHT
        case _:
            return True


# Any: each fold takes the one class of fact that it is registered for.
_FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    **of_run.FOLDS,
    **of_attempts.FOLDS,
    **of_flow.FOLDS,
    **of_lifecycle.FOLDS,
    **of_children.FOLDS,
    **of_completion.FOLDS,
    **of_mail.FOLDS,
    **of_doubt.FOLDS,
    **of_undo.FOLDS,
    **of_people.FOLDS,
    **of_control.FOLDS,
}
