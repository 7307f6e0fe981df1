"""What it makes of a run that people hold it up, or say what becomes of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from makegood.decision import facts
from makegood.decision.folds.moving import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.decision.facts import Request
    from makegood.decision.state import RunState

__all__ = ["FOLDS"]


def _requested(state: RunState, fact: Request) -> None:
    state.requests.append(fact)


def _paused(state: RunState, _fact: facts.Paused) -> None:
    state.is_paused = True


def _resumed(state: RunState, _fact: facts.Resumed) -> None:
    state.is_paused = False


def _granted(state: RunState, fact: facts.SkipGranted | facts.ResultGranted) -> None:
    _index, node = at(state, fact.node)
    node.granted = fact


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.PauseRequested: _requested,
    facts.ResumeRequested: _requested,
    facts.SkipRequested: _requested,
    facts.SetResultRequested: _requested,
    facts.Paused: _paused,
    facts.Resumed: _resumed,
    facts.SkipGranted: _granted,
    facts.ResultGranted: _granted,
}
