"""What people have asked for, and what was answered or settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from makegood.decision import facts
from makegood.decision.facts import ControlAnswer
from makegood.decision.folds.moving import at, complete, leave
from makegood.decision.standing.done import note_done
from makegood.decision.state import (
    Phase,
    RunState,
)
from makegood.values.verdict import (
    Abort,
    ItDidNotHappen,
    ItHappened,
    Kept,
    UndoneByHand,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.decision.facts import Request

__all__ = ["FOLDS"]


def _unparked(state: RunState, _fact: facts.Unparked) -> None:
    state.parked = None
    lifecycle = state.lifecycle
    if lifecycle is not None:
        lifecycle.visits_granted = lifecycle.visits
        lifecycle.resumes = 0
        lifecycle.repeated = {}
    state.family.child_has_moved = False
    state.claims = 0


def _requested(state: RunState, fact: Request) -> None:
    state.requests.append(fact)
    if isinstance(fact, facts.UndoRequested) and fact.is_parents:
        state.family.parents_posts.append(fact.post)


def _control_answered(state: RunState, fact: facts.ControlAnswered) -> None:
    if state.lifecycle is not None and fact.answer is ControlAnswer.ACCEPTED:
        # What is asked while it goes back does not change who has wanted that.
        state.lifecycle.cancelled_by = (
            _who_turns_back(state, fact.post) or state.lifecycle.cancelled_by
        )
    state.requests = [request for request in state.requests if request.post != fact.post]
    state.answers[fact.post] = fact.answer
    if state.given:
        _heard(state, fact)
    # Whoever took the run has lived to give the answer.
    state.claims = 0


def _who_turns_back(state: RunState, post: int) -> tuple[str, str] | None:
    """Return who has asked for the run to go back, and why, if that is what was asked."""
    return next(
        (
            (request.actor, request.reason)
            for request in state.requests
            if request.post == post
            and isinstance(request, facts.CancelRequested | facts.UndoRequested)
        ),
        None,
    )


def _heard(state: RunState, fact: facts.ControlAnswered) -> None:
    """Let go of an answer from outside; one that was taken has used its token up."""
    for given in state.given:
        if given.post == fact.post and fact.answer is ControlAnswer.ACCEPTED:
            state.nodes[state.positions[given.node]].told += (given,)
    state.given = [given for given in state.given if given.post != fact.post]


def _node_settled(state: RunState, fact: facts.NodeSettled) -> None:
    index, node = at(state, fact.node)
    leave(state, index, node)
    state.settled.append(fact)
    match fact.settlement:
        case ItHappened(result=result):
            complete(state, index, result)
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


def _attempts_granted(state: RunState, fact: facts.AttemptsGranted) -> None:
    if fact.node is None:
        state.returned = None
        return
    index, node = at(state, fact.node)
    if node.phase is Phase.LEFT:
        leave(state, index, node)
        node.phase = Phase.DONE
        node.undo_forgiven = node.undo_attempt
        note_done(state, index)
    else:
        if state.lifecycle is not None and state.lifecycle.index == index:
            # What it is to listen for is asked once more.
            state.lifecycle.ask_anew()
        # The fact that follows says whether it is run or asked about.
        node.forgiven = node.attempt
        node.granted_at = fact.at
        node.asked = 0


# Any: each fold takes the one class of fact that it is registered for.
FOLDS: dict[type, Callable[[RunState, Any], None]] = {
    facts.CancelRequested: _requested,
    facts.UndoRequested: _requested,
    facts.SettleRequested: _requested,
    facts.RetryRequested: _requested,
    facts.ControlAnswered: _control_answered,
    facts.NodeSettled: _node_settled,
    facts.AttemptsGranted: _attempts_granted,
    facts.Unparked: _unparked,
}
