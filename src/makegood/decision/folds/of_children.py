"""What comes of the child runs that nodes call.

What a child says may come late: the node may have called another one since, or a person may have
settled it. Then it says nothing about the node any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.facts import Cause, EndStatus
from makegood.decision.folds.moving import at, complete, leave
from makegood.decision.standing.done import note_done
from makegood.decision.state import NodeState, Phase, RunState
from makegood.definition.plan import Kind
from makegood.values.verdict import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FOLDS"]

_REFUSED = Failure(
    kind=FailureKind.PERMANENT,
    type="makegood.errors.KeyConflict",
    message="the key of the child belongs to another run, which nothing may be added to",
)


def _child_started(state: RunState, fact: facts.ChildStarted) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    node.phase = Phase.IN_CHILD
    node.child = fact.run
    node.children += 1
    node.child_is_cancelled = node.child_is_undone = False
    node.child_failures = ()
    if state.graph[index].kind is Kind.CHILD:
        node.attempt += 1
    if node.began_at is None:
        node.began_at = fact.at
    node.doubt = False
    node.verdict = None
    state.claims = 0
    state.family.children.append(index)


def _child_ended(state: RunState, fact: facts.ChildEnded) -> None:
    index, node = at(state, fact.node)
    if node.child != fact.run:
        return
    state.claims = 0
    if node.phase in _AWAITED:
        leave(state, index, node)
        state.family.child_has_moved = True
        if fact.status is EndStatus.COMPLETED:
            complete(state, index, fact.result)
        else:
            _fail(state, index, node, _failure_of(fact))
            node.child_failures = fact.failures[1:]
    elif fact.status is EndStatus.CANCELLED and fact.cause is Cause.REVERSED:
        _undone(state, index, node)


def _undone(state: RunState, index: int, node: NodeState) -> None:
    """Note that the child is undone; what the step did besides is undone next."""
    if node.phase not in _MAY_BE_UNDONE:
        return
    node.child_is_undone = True
    node.undo_forgiven = node.undo_attempt
    node.undo_first_at = None
    node.undo_failure = None
    if node.phase is Phase.DONE:
        # It was about to be told again, which is not needed any more.
        return
    was_left = node.phase is Phase.LEFT
    leave(state, index, node)
    node.phase = Phase.CHILD_UNDONE
    state.todo.append(index)
    if was_left:
        note_done(state, index)
        state.family.child_has_moved = True


def _child_moved(state: RunState, fact: facts.ChildMoved) -> None:
    index, node = at(state, fact.node)
    if node.child != fact.run:
        return
    state.claims = 0
    match node.phase, fact.reason:
        case Phase.IN_CHILD, reason if reason is not None:
            leave(state, index, node)
            node.phase = Phase.CHILD_PARKED
            state.stuck.append(index)
        case Phase.CHILD_PARKED, None:
            leave(state, index, node)
            node.phase = Phase.IN_CHILD
            # What is parked refuses to be cancelled: if this run goes back it is told again.
            node.child_is_cancelled = False
            state.family.children.append(index)
            state.family.child_has_moved = True
        case Phase.CHILD_UNDOING, reason if reason is not None:
            _fail_undo(state, index, node, f"the child {fact.run} is parked: {reason.value}")
        case Phase.UNDO_FAILED, None if not node.child_is_undone:
            leave(state, index, node)
            node.phase = Phase.CHILD_UNDOING
            state.family.children.append(index)
        case _:
            return


def _child_refused(state: RunState, fact: facts.ChildRefused) -> None:
    index, node = at(state, fact.node)
    if node.child != fact.run:
        return
    state.claims = 0
    if node.phase is Phase.IN_CHILD:
        leave(state, index, node)
        _fail(state, index, node, _REFUSED)
    elif node.phase is Phase.CHILD_UNDOING:
        why = "its history was pruned" if fact.answer is None else fact.answer.value
        _fail_undo(state, index, node, f"the child {fact.run} cannot be undone: {why}")


def _child_cancelled(state: RunState, fact: facts.ChildCancelled) -> None:
    _index, node = at(state, fact.node)
    node.child_is_cancelled = True


_AWAITED = frozenset({Phase.IN_CHILD, Phase.CHILD_PARKED})
_MAY_BE_UNDONE = frozenset({Phase.CHILD_UNDOING, Phase.UNDO_FAILED, Phase.LEFT, Phase.DONE})


def _fail(state: RunState, index: int, node: NodeState, failure: Failure) -> None:
    node.phase = Phase.FAILED
    node.failure = failure
    node.asked = 0
    state.todo.append(index)


def _fail_undo(state: RunState, index: int, node: NodeState, message: str) -> None:
    leave(state, index, node)
    node.phase = Phase.UNDO_FAILED
    node.undo_failure = Failure(
        kind=FailureKind.PERMANENT, type="makegood.errors.NotUndoable", message=message
    )
    state.todo.append(index)


def _failure_of(fact: facts.ChildEnded) -> Failure:
    """Return what failed the child, as a failure of its node: the child has had its attempts."""
    if fact.failures:
        return replace(fact.failures[0], kind=FailureKind.PERMANENT, retry_after=None)
    if fact.status is EndStatus.CANCELLED:
        name, message = "RunCancelled", f"the child {fact.run} was cancelled"
    else:
        name, message = "RunFailed", f"the child {fact.run} took longer than it may"
    return Failure(kind=FailureKind.PERMANENT, type=f"makegood.errors.{name}", message=message)


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.ChildStarted: _child_started,
    facts.ChildEnded: _child_ended,
    facts.ChildMoved: _child_moved,
    facts.ChildRefused: _child_refused,
    facts.ChildCancelled: _child_cancelled,
}
