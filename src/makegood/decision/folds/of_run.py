"""What the facts about the whole run make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.decision.folds.of_lifecycle import turn_back
from makegood.decision.state import (
    Phase,
    RunState,
)
from makegood.definition.lifecycle.machine import SCHEMA
from makegood.definition.plan import Kind
from makegood.values.verdict import (
    Failure,
    FailureKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["FOLDS"]

_INTERRUPTED = Failure(
    kind=FailureKind.IN_DOUBT,
    type="makegood.errors.OutcomeUnknown",
    message="the worker that ran it gave up the run or died before the outcome was recorded",
)
_CUT_SHORT = Failure(
    kind=FailureKind.TRANSIENT,
    type="makegood.errors.Unavailable",
    message="the worker that ran it gave up the run or died; it has no effect and can run again",
)


def _run_started(state: RunState, fact: facts.RunStarted) -> None:
    state.inputs = fact.inputs
    state.key = fact.key
    state.fingerprint = fact.fingerprint
    state.deadline = fact.deadline
    state.context = fact.context
    state.family.subject = fact.subject
    state.family.parent = fact.parent
    state.family.depth = fact.depth
    state.family.root = fact.root
    state.family.beginning = fact.beginning
    lifecycle = state.lifecycle
    if lifecycle is not None:
        (lifecycle.record,), lifecycle.schema = fact.inputs.values(), fact.schema
        lifecycle.began_at = fact.at
        if fact.schema != lifecycle.machine.schema:
            state.inputs = {**fact.inputs, SCHEMA: Raw(str(fact.schema).encode())}


def _claimed(state: RunState, fact: facts.Claimed) -> None:
    state.claims = fact.claims
    for index, node in enumerate(state.nodes):
        match node.phase:
            case Phase.RUNNING:
                is_step = state.graph[index].kind is Kind.STEP
                node.phase = Phase.INTERRUPTED
                node.doubt = is_step
                node.failure = _INTERRUPTED if is_step else _CUT_SHORT
            case Phase.ASKING:
                node.phase = Phase.ASK_INTERRUPTED
            case Phase.UNDOING:
                node.phase = Phase.UNDO_INTERRUPTED
                node.undo_doubt = True
                node.undo_failure = _INTERRUPTED
            case _:
                continue
        state.todo.append(index)
    state.in_flight = 0
    state.queries.clear()


def _moved_on(state: RunState, fact: facts.MovedOn) -> None:
    state.fingerprint = fact.fingerprint
    if state.lifecycle is not None:
        state.lifecycle.move_on()


def _deadline_passed(state: RunState, _fact: facts.DeadlinePassed) -> None:
    state.deadline_passed = True


def _rollback_began(state: RunState, fact: facts.RollbackBegan) -> None:
    state.rolling_back = fact.cause
    state.mailbox.held_back.clear()
    state.retracing = {}
    if state.lifecycle is not None:
        # A record that has entered no status yet is among what is ready.
        turn_back(state, state.lifecycle)
    state.ready.clear()
    state.failing.clear()
    # A completed run that is undone is at work again.
    state.ended = state.ended_at = state.cause = state.rollback = None


def _returned(state: RunState, fact: facts.Returned) -> None:
    state.returned = fact.value if fact.failure is None else fact.failure


def _parked(state: RunState, fact: facts.Parked) -> None:
    state.parked = fact.reason
    state.family.child_has_moved = False


def _run_ended(state: RunState, fact: facts.RunEnded) -> None:
    state.ended = fact.status
    state.ended_at = fact.at
    state.cause = fact.cause
    state.rollback = fact.rollback


def _erased(state: RunState, _fact: facts.Erased) -> None:
    state.ended = EndStatus.ERASED


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.RunStarted: _run_started,
    facts.Claimed: _claimed,
    facts.MovedOn: _moved_on,
    facts.DeadlinePassed: _deadline_passed,
    facts.RollbackBegan: _rollback_began,
    facts.Returned: _returned,
    facts.Parked: _parked,
    facts.RunEnded: _run_ended,
    facts.Erased: _erased,
}
