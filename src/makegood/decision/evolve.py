"""How each fact changes the state. One small function per fact, chosen by the fact's class.

`evolve` trusts the facts: they were decided. It decides nothing itself, and folding the same
facts always gives the same state.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Any, assert_never

from makegood.decision import facts
from makegood.decision.facts import EndStatus, Proceeded, SkipReason
from makegood.decision.state import (
    DECIDED,
    IN_FLIGHT,
    LEFT_TO_A_PERSON,
    TIMED,
    NodeState,
    Phase,
    RunState,
)
from makegood.definition.plan import Kind
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    ItDidNotHappen,
    ItHappened,
    Kept,
    RetryFresh,
    Undecided,
    UndoneByHand,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from msgspec import Raw

    from makegood.decision.facts import Fact
    from makegood.decision.state import Request
    from makegood.definition.plan import Plan

__all__ = ["evolve", "expects", "fold", "fold_appends"]

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


def fold(plan: Plan, history: Iterable[Fact]) -> RunState:
    """Return the state that a run's facts add up to."""
    state = RunState(plan)
    for fact in history:
        evolve(plan, state, fact)
    return state


def fold_appends(plan: Plan, appends: Iterable[bytes]) -> RunState:
    """Return the state that a run's stored appends add up to, a JSON array of facts each."""
    return fold(plan, (fact for append in appends for fact in facts.read_facts(append)))


def evolve(plan: Plan, state: RunState, fact: Fact) -> RunState:
    """Fold one fact into the state, in place, and return it."""
    _FOLDS[type(fact)](plan, state, fact)
    return state


def expects(plan: Plan, state: RunState, fact: Fact) -> bool:
    """Say whether an outcome is still awaited; a late or doubled one is dropped, never folded."""
    match fact:
        case facts.NodeDone() | facts.NodeFailed() | facts.EffectUnrecorded():
            phase = state.nodes[plan.positions[fact.node]].phase
            return phase is Phase.RUNNING
        case facts.VerdictGiven() | facts.CompensateFailed():
            return state.nodes[plan.positions[fact.node]].phase is Phase.ASKING
        case facts.UndoDone() | facts.UndoFailed():
            return state.nodes[plan.positions[fact.node]].phase is Phase.UNDOING
        case _:
            return True


# The run ------------------------------------------------------------------------------------


def _run_started(_plan: Plan, state: RunState, fact: facts.RunStarted) -> None:
    state.inputs = fact.inputs
    state.key = fact.key
    state.deadline = fact.deadline


def _claimed(plan: Plan, state: RunState, fact: facts.Claimed) -> None:
    state.claims = fact.claims
    for index, node in enumerate(state.nodes):
        match node.phase:
            case Phase.RUNNING:
                is_step = plan.nodes[index].kind is Kind.STEP
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


def _deadline_passed(_plan: Plan, state: RunState, _fact: facts.DeadlinePassed) -> None:
    state.deadline_passed = True


def _rollback_began(_plan: Plan, state: RunState, fact: facts.RollbackBegan) -> None:
    state.rolling_back = fact.cause
    state.ready.clear()
    # A completed run that is undone is at work again.
    state.ended = state.ended_at = state.cause = state.rollback = None


def _returned(_plan: Plan, state: RunState, fact: facts.Returned) -> None:
    state.returned = fact.value if fact.failure is None else fact.failure


def _parked(_plan: Plan, state: RunState, fact: facts.Parked) -> None:
    state.parked = fact.reason


def _run_ended(_plan: Plan, state: RunState, fact: facts.RunEnded) -> None:
    state.ended = fact.status
    state.ended_at = fact.at
    state.cause = fact.cause
    state.rollback = fact.rollback


def _erased(_plan: Plan, state: RunState, _fact: facts.Erased) -> None:
    state.ended = EndStatus.ERASED


def _unparked(_plan: Plan, state: RunState, _fact: facts.Unparked) -> None:
    state.parked = None
    state.claims = 0


def _requested(_plan: Plan, state: RunState, fact: Request) -> None:
    state.requests.append(fact)


def _control_answered(_plan: Plan, state: RunState, fact: facts.ControlAnswered) -> None:
    state.requests = [request for request in state.requests if request.post != fact.post]
    state.answers[fact.post] = fact.answer
    # Whoever took the run has lived to give the answer.
    state.claims = 0


# A node, forward ----------------------------------------------------------------------------


def _node_started(plan: Plan, state: RunState, fact: facts.NodeStarted) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.RUNNING
    node.attempt = fact.attempt
    if node.began_at is None:
        node.began_at = fact.at
    if node.first_at is None:
        node.first_at = fact.at
    state.in_flight += 1


def _node_done(plan: Plan, state: RunState, fact: facts.NodeDone) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    _complete(plan, state, index, fact.result)


def _node_failed(plan: Plan, state: RunState, fact: facts.NodeFailed) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.FAILED
    node.failure = fact.failure
    node.asked = 0
    state.claims = 0
    if plan.nodes[index].kind is Kind.STEP:
        if fact.failure.kind is FailureKind.IN_DOUBT:
            node.doubt = True
        elif fact.failure.kind is FailureKind.DECLINED:
            node.doubt = False
    state.todo.append(index)


def _effect_unrecorded(plan: Plan, state: RunState, fact: facts.EffectUnrecorded) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.UNRECORDED
    node.failure = fact.failure
    node.doubt = True
    state.claims = 0
    state.stuck.append(index)


def _retry_scheduled(plan: Plan, state: RunState, fact: facts.RetryScheduled) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    if isinstance(node.verdict, RetryFresh):
        node.generation += 1
        node.first_at = None
        node.doubt = False
    node.verdict = None
    node.phase = Phase.RETRYING
    state.timers[index] = fact.due


def _guarded(plan: Plan, state: RunState, fact: facts.Guarded) -> None:
    _index, node = _at(plan, state, fact.node)
    node.guarded = True


def _node_skipped(plan: Plan, state: RunState, fact: facts.NodeSkipped) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.SKIPPED
    if fact.reason is SkipReason.IN_DOUBT:
        state.skipped_in_doubt.append(index)
    else:
        node.doubt = False
    _release(plan, state, index)


def _node_stopped(plan: Plan, state: RunState, fact: facts.NodeStopped) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.STOPPED


def _node_gave_up(plan: Plan, state: RunState, fact: facts.NodeGaveUp) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.GAVE_UP
    node.doubt = False
    state.unwilling.append(index)


def _node_stuck(plan: Plan, state: RunState, fact: facts.NodeStuck) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.STUCK
    state.stuck.append(index)


# A node in doubt, or asked about --------------------------------------------------------------


def _compensate_started(plan: Plan, state: RunState, fact: facts.CompensateStarted) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.ASKING
    node.asked = fact.attempt
    state.in_flight += 1


def _verdict_given(plan: Plan, state: RunState, fact: facts.VerdictGiven) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    state.claims = 0
    if isinstance(fact.verdict, Proceeded):
        _complete(plan, state, index, fact.verdict.result)
        return
    node.phase = Phase.ANSWERED
    node.verdict = fact.verdict
    node.answered_at = fact.at
    if isinstance(fact.verdict, Undecided):
        # Whatever the failure said of itself: now nobody knows.
        node.doubt = True
    state.todo.append(index)


def _compensate_failed(plan: Plan, state: RunState, fact: facts.CompensateFailed) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.ASK_FAILED
    node.verdict = fact.failure
    state.claims = 0
    state.todo.append(index)


def _compensate_retry(plan: Plan, state: RunState, fact: facts.CompensateRetryScheduled) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.ASK_AGAIN
    state.timers[index] = fact.due


# A node, backward ---------------------------------------------------------------------------


def _undo_started(plan: Plan, state: RunState, fact: facts.UndoStarted) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.UNDOING
    node.undo_attempt = fact.attempt
    if node.undo_first_at is None:
        node.undo_first_at = fact.at
    state.in_flight += 1


def _undo_done(plan: Plan, state: RunState, fact: facts.UndoDone) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.UNDONE
    state.claims = 0
    state.done_order.remove(index)
    state.undone_order.append(index)


def _undo_failed(plan: Plan, state: RunState, fact: facts.UndoFailed) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.UNDO_FAILED
    node.undo_failure = fact.failure
    remedy = plan.nodes[index].undo
    if fact.failure.kind is FailureKind.IN_DOUBT and remedy is not None and not remedy.local:
        node.undo_doubt = True
    state.claims = 0
    state.todo.append(index)


def _undo_retry(plan: Plan, state: RunState, fact: facts.UndoRetryScheduled) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.UNDO_AGAIN
    state.timers[index] = fact.due


def _undo_left(plan: Plan, state: RunState, fact: facts.UndoLeft) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    node.phase = Phase.LEFT
    state.done_order.remove(index)
    state.stuck.append(index)


def _node_kept(plan: Plan, state: RunState, fact: facts.NodeKept) -> None:
    index, node = _at(plan, state, fact.node)
    node.phase = Phase.KEPT
    state.done_order.remove(index)


# A node that waits for a person --------------------------------------------------------------


def _node_settled(plan: Plan, state: RunState, fact: facts.NodeSettled) -> None:
    index, node = _at(plan, state, fact.node)
    _leave(state, index, node)
    state.settled.append(fact)
    match fact.settlement:
        case ItHappened(result=result):
            _complete(plan, state, index, result)
        case ItDidNotHappen():
            # It is the verdict that a compensate could have given.
            node.phase = Phase.ANSWERED
            node.verdict = Abort(fact.reason)
            node.answered_at = fact.at
            state.todo.append(index)
        case UndoneByHand():
            node.phase = Phase.UNDONE
            state.undone_order.append(index)
        case Kept():
            node.phase = Phase.KEPT
        case _:
            assert_never(fact.settlement)


def _attempts_granted(plan: Plan, state: RunState, fact: facts.AttemptsGranted) -> None:
    if fact.node is None:
        state.returned = None
        return
    index, node = _at(plan, state, fact.node)
    if node.phase is Phase.LEFT:
        _leave(state, index, node)
        node.phase = Phase.DONE
        node.undo_forgiven = node.undo_attempt
        insort(state.done_order, index, key=lambda each: state.nodes[each].place)
    else:
        # The fact that follows says whether it is run or asked about.
        node.forgiven = node.attempt
        node.granted_at = fact.at
        node.asked = 0


# What the folds share -----------------------------------------------------------------------


def _at(plan: Plan, state: RunState, path: str) -> tuple[int, NodeState]:
    index = plan.positions[path]
    return index, state.nodes[index]


def _leave(state: RunState, index: int, node: NodeState) -> None:
    """Take the node off the worklist of the phase that it leaves."""
    phase = node.phase
    if phase in IN_FLIGHT:
        state.in_flight -= 1
    elif phase is Phase.READY:
        state.ready.remove(index)
    elif phase in TIMED:
        del state.timers[index]
    elif phase in DECIDED:
        state.todo.remove(index)
    elif phase in LEFT_TO_A_PERSON:
        state.stuck.remove(index)
    elif phase is Phase.GAVE_UP:
        state.unwilling.remove(index)


_EFFECTFUL = frozenset({Kind.STEP, Kind.LOCAL})


def _complete(plan: Plan, state: RunState, index: int, result: Raw) -> None:
    node = state.nodes[index]
    node.phase = Phase.DONE
    state.results[index] = result
    node.doubt = False
    node.verdict = None
    state.claims = 0
    if plan.nodes[index].kind in _EFFECTFUL:
        node.place = state.completions
        state.completions += 1
        state.done_order.append(index)
    if plan.nodes[index].pivot:
        # From here the run only goes forward, however long it takes.
        state.deadline = None
    _release(plan, state, index)


def _release(plan: Plan, state: RunState, index: int) -> None:
    """Let go the nodes that waited for this one, which has a result or was skipped."""
    state.unended -= 1
    for follower in plan.nodes[index].feeds:
        node = state.nodes[follower]
        node.unmet -= 1
        if node.unmet == 0:
            node.phase = Phase.READY
            if state.rolling_back is None:
                state.ready.append(follower)


# Any: each fold takes the one class of fact that it is registered for.
_FOLDS: dict[type, Callable[[Plan, RunState, Any], None]] = {
    facts.RunStarted: _run_started,
    facts.Claimed: _claimed,
    facts.NodeStarted: _node_started,
    facts.NodeDone: _node_done,
    facts.NodeFailed: _node_failed,
    facts.EffectUnrecorded: _effect_unrecorded,
    facts.RetryScheduled: _retry_scheduled,
    facts.Guarded: _guarded,
    facts.NodeSkipped: _node_skipped,
    facts.NodeStopped: _node_stopped,
    facts.NodeGaveUp: _node_gave_up,
    facts.NodeStuck: _node_stuck,
    facts.CompensateStarted: _compensate_started,
    facts.VerdictGiven: _verdict_given,
    facts.CompensateFailed: _compensate_failed,
    facts.CompensateRetryScheduled: _compensate_retry,
    facts.CancelRequested: _requested,
    facts.UndoRequested: _requested,
    facts.SettleRequested: _requested,
    facts.RetryRequested: _requested,
    facts.ControlAnswered: _control_answered,
    facts.DeadlinePassed: _deadline_passed,
    facts.RollbackBegan: _rollback_began,
    facts.UndoStarted: _undo_started,
    facts.UndoDone: _undo_done,
    facts.UndoFailed: _undo_failed,
    facts.UndoRetryScheduled: _undo_retry,
    facts.UndoLeft: _undo_left,
    facts.NodeKept: _node_kept,
    facts.Returned: _returned,
    facts.Parked: _parked,
    facts.NodeSettled: _node_settled,
    facts.AttemptsGranted: _attempts_granted,
    facts.Unparked: _unparked,
    facts.RunEnded: _run_ended,
    facts.Erased: _erased,
}
