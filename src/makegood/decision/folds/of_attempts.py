"""How a node goes forward: its attempts, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.facts import SkipReason
from makegood.decision.folds.growing import catch_giving_up, turn_round_back
from makegood.decision.folds.moving import at, complete, leave, release
from makegood.decision.state import RUNNING, Phase, RunState
from makegood.definition.lifecycle.machine import FAILED
from makegood.definition.plan import Kind
from makegood.values.rounds import Failed
from makegood.values.verdict import (
    FailureKind,
    RetryFresh,
)

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["FOLDS"]


_QUERY = Kind.QUERY

_DELAYED = {"do": Phase.RETRYING, "undo": Phase.UNDO_AGAIN, "compensate": Phase.ASK_AGAIN}


def _node_started(state: RunState, fact: facts.NodeStarted) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = RUNNING
    node.attempt = fact.attempt
    if node.began_at is None:
        node.began_at = fact.at
    if node.first_at is None:
        node.first_at = fact.at
    state.in_flight += 1
    if state.graph[index].kind is _QUERY:
        state.queries.append(index)


def _node_delayed(state: RunState, fact: facts.NodeDelayed) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = _DELAYED[fact.direction]
    node.next_attempt = fact.attempt
    node.awaits = fact.service
    state.timers[index] = fact.due


def _recorded(state: RunState, fact: facts.Recorded) -> None:
    _index, node = at(state, fact.node)
    node.recorded = fact.value


def _node_done(state: RunState, fact: facts.NodeDone) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    complete(state, index, fact.result)


def _node_failed(state: RunState, fact: facts.NodeFailed) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.FAILED
    node.failure = fact.failure
    node.asked = 0
    state.claims = 0
    if state.graph[index].kind is Kind.STEP:
        if fact.failure.kind is FailureKind.IN_DOUBT:
            node.doubt = True
        elif fact.failure.kind is FailureKind.DECLINED:
            node.doubt = False
    state.todo.append(index)


def _effect_unrecorded(state: RunState, fact: facts.EffectUnrecorded) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.UNRECORDED
    node.failure = fact.failure
    node.doubt = True
    state.claims = 0
    state.stuck.append(index)


def _node_refused(state: RunState, fact: facts.NodeRefused) -> None:
    index, node = at(state, fact.node)
    has_ended = node.phase is Phase.RUNNING
    leave(state, index, node)
    node.phase = Phase.REFUSED
    node.failure = fact.failure
    # Its body has returned, so what it was to do may be done.
    node.doubt = has_ended and state.graph[index].kind is Kind.STEP
    state.claims = 0
    state.stuck.append(index)


def _retry_scheduled(state: RunState, fact: facts.RetryScheduled) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    if isinstance(node.verdict, RetryFresh):
        node.generation += 1
        node.first_at = None
        node.doubt = False
        # It is about what is proven not to have happened.
        node.recorded = None
    node.verdict = None
    node.phase = Phase.RETRYING
    state.timers[index] = fact.due


def _guarded(state: RunState, fact: facts.Guarded) -> None:
    _index, node = at(state, fact.node)
    node.guarded = True


def _node_skipped(state: RunState, fact: facts.NodeSkipped) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.SKIPPED
    if state.graph[index].keeps_failure:
        assert node.failure is not None, "what is given instead of a result is how it failed"
        failed = Failed(fact.node, replace(node.failure, traceback=""))
        state.scopes[index].inputs[FAILED] = Raw(msgspec.json.encode(failed))
    if bytes(fact.instead) != b"null":
        state.results[index] = fact.instead
    if fact.reason is SkipReason.IN_DOUBT:
        state.skipped_in_doubt.append(index)
    else:
        node.doubt = False
    release(state, index)


def _node_stopped(state: RunState, fact: facts.NodeStopped) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.STOPPED


def _node_gave_up(state: RunState, fact: facts.NodeGaveUp) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.GAVE_UP
    node.doubt = False
    assert node.failure is not None, "what gave up has failed"
    if catch_giving_up(state, index):
        return
    if not turn_round_back(state, index, fact.node, node.failure):
        state.unwilling.append(index)


def _node_stuck(state: RunState, fact: facts.NodeStuck) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.STUCK
    state.stuck.append(index)


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.NodeStarted: _node_started,
    facts.NodeDelayed: _node_delayed,
    facts.Recorded: _recorded,
    facts.NodeDone: _node_done,
    facts.NodeFailed: _node_failed,
    facts.EffectUnrecorded: _effect_unrecorded,
    facts.NodeRefused: _node_refused,
    facts.RetryScheduled: _retry_scheduled,
    facts.Guarded: _guarded,
    facts.NodeSkipped: _node_skipped,
    facts.NodeStopped: _node_stopped,
    facts.NodeGaveUp: _node_gave_up,
    facts.NodeStuck: _node_stuck,
}
