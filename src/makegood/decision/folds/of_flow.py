"""Which branch is chosen, what sleeps, and which rounds there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds.growing import fail_round, take_rounds
from makegood.decision.folds.moving import at, drop, go_round, leave, meet
from makegood.decision.state import Phase, RunState, Scope

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["FOLDS"]


def _chosen(state: RunState, fact: facts.Chosen) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.CHOSEN
    node.case = fact.case
    for case in state.graph[index].cases:
        inside = state.branches[index, case.label]
        if case.label != fact.case:
            drop(state, inside)
            continue
        # The switch itself ends after the last node of its branch, or at once after none.
        node.unmet = len(inside) + 1
        for each in inside:
            meet(state, each)
    meet(state, index)


def _sleep_began(state: RunState, fact: facts.SleepBegan) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.ASLEEP
    state.timers[index] = fact.due


def _items_listed(state: RunState, fact: facts.ItemsListed) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.IN_ROUNDS
    take_rounds(state, index, fact.items)
    go_round(state, index)


def _round_began(state: RunState, fact: facts.RoundBegan) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.IN_ROUNDS
    take_rounds(state, index, (fact.value,))
    go_round(state, index)


def _round_done(state: RunState, fact: facts.RoundDone) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.IN_ROUNDS
    rounds = state.rounds[index]
    rounds.unbuilt.remove(fact.round)
    rounds.values[fact.round] = fact.value
    rounds.ended += 1
    go_round(state, index)


def _round_failed(state: RunState, fact: facts.RoundFailed) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.IN_ROUNDS
    rounds = state.rounds[index]
    rounds.unbuilt.remove(fact.round)
    fail_round(state, rounds.scopes[fact.round], fact.node, fact.failure)
    go_round(state, index)


def _round_gave_up(state: RunState, fact: facts.RoundGaveUp) -> None:
    index, _node = at(state, fact.node)
    rounds = state.rounds[index]
    scope = rounds.scopes[fact.round]
    assert scope.failed is not None, "a round turns back because of a failure"
    state.failing.remove(scope)
    state.unended -= _unended_in(state, scope)
    rounds.failures[fact.round] = scope.failed
    rounds.ended += 1
    go_round(state, index)


def _unended_in(state: RunState, scope: Scope) -> int:
    """Return how many nodes of a round are counted as unended, and never end now.

    Those of rounds within it that were given up before are not counted any more.
    """
    number = 0
    for index in range(scope.base, scope.base + len(scope.block.nodes)):
        number += state.nodes[index].phase not in _COUNTED
        rounds = state.rounds.get(index)
        if rounds is not None:
            going_on = (inner for inner in rounds.scopes if inner.number not in rounds.failures)
            number += sum(_unended_in(state, inner) for inner in going_on)
    return number


_COUNTED = frozenset({Phase.DONE, Phase.SKIPPED, Phase.UNDONE, Phase.KEPT})
"""Phases of nodes that are no longer counted as unended."""


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.Chosen: _chosen,
    facts.SleepBegan: _sleep_began,
    facts.ItemsListed: _items_listed,
    facts.RoundBegan: _round_began,
    facts.RoundDone: _round_done,
    facts.RoundFailed: _round_failed,
    facts.RoundGaveUp: _round_gave_up,
}
