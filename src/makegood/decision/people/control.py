"""What people are answered: whether what they ask can be done now, and what follows from it.

| what it waits for | settled as | tried again |
|---|---|---|
| a step in doubt | it happened, it did not | asked about; else run while its key is known |
| an unrecorded effect | it happened, it did not | refused: it did happen |
| an undo that gave up | undone by hand, kept | undone; in doubt, while its key is known |
| what gave up past the pivot | it happened, by hand | run |
| the value, past the pivot | - | built |
| poison | - | claimed as often as before |
| a child that is parked | refused: settle what it waits for | refused: try that again |
| a child that could not be undone | undone by hand, kept | told again to go back |
| a handler whose outcome was refused | it happened, it did not | as a step in doubt |
| what a lifecycle cannot listen for | - | listened for again |
| a lifecycle that was paused or has moved too often | - | it goes on, and may as often again |

A run that is paused goes on where it was when it is resumed; a cancel that is accepted resumes it,
for it can only go back when it goes on. What may be said of single nodes stands in `steering`.

What is tried again has its whole policy again, as if it had never been tried; doubt stays doubt,
and a key is as old as it is. A settlement or a retry that is accepted unparks the run, and the
ordinary rules go on: the run may be parked again at once for what else it waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.commands import Decision
from makegood.decision.direction import is_past_pivot, is_pivot_open
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.decision.people.retracing import answer_to_retry_from
from makegood.decision.people.steering import answer_to_set_result, answer_to_skip
from makegood.decision.retry import is_key_known
from makegood.decision.state import Phase
from makegood.values.verdict import Failure, ItDidNotHappen, ItHappened, Kept, UndoneByHand

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant
    from makegood.values.verdict import Settlement

__all__ = ["answer", "waited_for"]

_TOO_OFTEN = frozenset({ParkReason.PAUSED_TOO_OFTEN, ParkReason.MOVED_TOO_OFTEN})
"""What a lifecycle is parked for with nothing of it unresolved: it can go on, and go back."""

_UNRESOLVED_NOTHING = _TOO_OFTEN | {None}

_Answer = tuple[ControlAnswer, tuple["Fact", ...]]
"""What is answered, and what follows from it."""


def answer(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Answer the first request that can be answered.

    What is poison may be so because something that was asked could not be read. Now it stands
    among the requests, and is to find the run as it was, so the retry comes first.
    """
    if state.parked is ParkReason.POISON and (again := _claimed_again(state, now)):
        return Decision(again)
    for request in state.requests:
        match request:
            case facts.CancelRequested():
                given = _answer_to_cancel(plan, state, now)
                if state.is_paused and (given is None or given[0] is ControlAnswer.ACCEPTED):
                    # It goes back, or waits for its pivot first, and neither happens in a pause.
                    return Decision((facts.Resumed(request.actor, request.reason, now),))
            case facts.UndoRequested():
                given = _answer_to_undo(plan, state, request, now)
            case facts.SettleRequested():
                given = _answer_to_settle(plan, state, request, now)
            case facts.RetryRequested():
                given = _answer_to_retry(plan, state, request, now)
            case facts.PauseRequested():
                given = _answer_to_pause(state, request, now)
            case facts.ResumeRequested():
                given = _answer_to_resume(state, request, now)
            case facts.RetryFromRequested():
                given = answer_to_retry_from(plan, state, request, now)
            case facts.SkipRequested():
                given = answer_to_skip(plan, state, request, now)
            case facts.SetResultRequested():
                given = answer_to_set_result(plan, state, request, now)
            case _:
                assert_never(request)
        if given is not None:
            said, following = given
            return Decision((facts.ControlAnswered(request.post, said), *following))
    return Decision()


def waited_for(plan: Plan, state: RunState) -> list[int]:
    """Return the nodes that only a person can move on."""
    # Before the pivot a node that gave up needs nobody: the run goes back for it.
    return [*state.stuck, *(state.unwilling if is_past_pivot(plan, state) else ())]


# Going back ---------------------------------------------------------------------------------


def _answer_to_cancel(plan: Plan, state: RunState, now: Instant) -> _Answer | None:
    """Return the answer, or None while the pivot is open: its outcome decides."""
    if state.ended is not None:
        return _refused(ControlAnswer.TOO_LATE)
    if state.parked not in _UNRESOLVED_NOTHING:
        return _refused(ControlAnswer.PARKED)
    if state.rolling_back is not None:
        return _refused(ControlAnswer.ALREADY_UNDOING)
    if is_past_pivot(plan, state):
        return _refused(ControlAnswer.PAST_PIVOT)
    if is_pivot_open(plan, state):
        return None
    return _accepted(*_unparked(state, now), facts.RollbackBegan(Cause.CANCELLED, now))


def _answer_to_undo(
    plan: Plan, state: RunState, request: facts.UndoRequested, now: Instant
) -> _Answer:
    if state.family.parent is not None and not request.is_parents:
        return _refused(ControlAnswer.IS_A_CHILD)
    if state.parked is not None:
        return _refused(ControlAnswer.PARKED)
    if state.ended is None and state.rolling_back is not None:
        return _refused(ControlAnswer.ALREADY_UNDOING)
    if state.ended is not EndStatus.COMPLETED:
        return _refused(ControlAnswer.NOT_COMPLETED)
    if is_past_pivot(plan, state):
        return _refused(ControlAnswer.PAST_PIVOT)
    return _accepted(facts.RollbackBegan(Cause.REVERSED, now))


# Holding up ---------------------------------------------------------------------------------


def _answer_to_pause(state: RunState, request: facts.PauseRequested, now: Instant) -> _Answer:
    if state.ended is not None:
        return _refused(ControlAnswer.TOO_LATE)
    if state.parked is not None:
        return _refused(ControlAnswer.PARKED)
    if state.is_paused:
        return _refused(ControlAnswer.ALREADY_PAUSED)
    return _accepted(facts.Paused(request.actor, request.reason, now))


def _answer_to_resume(state: RunState, request: facts.ResumeRequested, now: Instant) -> _Answer:
    if not state.is_paused:
        return _refused(ControlAnswer.NOT_PAUSED)
    return _accepted(facts.Resumed(request.actor, request.reason, now))


# Settling -----------------------------------------------------------------------------------


def _answer_to_settle(
    plan: Plan, state: RunState, request: facts.SettleRequested, now: Instant
) -> _Answer:
    index = state.positions.get(request.node)
    if index is None:
        return _refused(ControlAnswer.UNKNOWN_NODE)
    if index not in waited_for(plan, state):
        return _not_waited_for(state)
    if state.nodes[index].phase is Phase.CHILD_PARKED:
        return _refused(ControlAnswer.SETTLE_THE_CHILD)
    is_to_be_done_again = index in state.retracing and isinstance(request.settlement, Kept)
    if is_to_be_done_again or not _fits(state.nodes[index].phase, request.settlement):
        return _refused(ControlAnswer.DOES_NOT_FIT)
    if request.misfit is not None:
        return _refused(ControlAnswer.NOT_A_RESULT)
    settled = facts.NodeSettled(
        request.node, request.settlement, request.actor, request.reason, now
    )
    return _accepted(*_unparked(state, now), settled)


def _fits(phase: Phase, settlement: Settlement) -> bool:
    match settlement:
        case ItHappened():
            return phase is not Phase.LEFT
        case ItDidNotHappen():
            return phase in {Phase.STUCK, Phase.UNRECORDED, Phase.REFUSED}
        case UndoneByHand() | Kept():
            return phase is Phase.LEFT
        case _:
            assert_never(settlement)


# Trying again -------------------------------------------------------------------------------


def _answer_to_retry(
    plan: Plan, state: RunState, request: facts.RetryRequested, now: Instant
) -> _Answer | None:
    """Return the answer, or None for what is left while others are still being undone."""
    if request.node is None:
        return _all_again(plan, state, now)
    index = state.positions.get(request.node)
    if index is None:
        return _refused(ControlAnswer.UNKNOWN_NODE)
    if index not in waited_for(plan, state):
        return _not_waited_for(state)
    return _again_together([_again(state, index, now)], state, now)


def _claimed_again(state: RunState, now: Instant) -> tuple[Fact, ...]:
    """Let a poisoned run go on; whoever has asked for that in vain before is answered too."""
    accepted = tuple(
        facts.ControlAnswered(request.post, ControlAnswer.ACCEPTED)
        for request in state.requests
        if isinstance(request, facts.RetryRequested) and request.node is None
    )
    return (*accepted, facts.Unparked(now)) if accepted else ()


def _all_again(plan: Plan, state: RunState, now: Instant) -> _Answer | None:
    """Try everything again that can be; refuse only where nothing can."""
    if state.parked in _TOO_OFTEN:
        return _accepted(*_unparked(state, now))
    answers = [_again(state, index, now) for index in waited_for(plan, state)]
    if state.parked is ParkReason.FORWARD_USED_UP and isinstance(state.returned, Failure):
        answers.append(_accepted(facts.AttemptsGranted(None, now)))
    return _again_together(answers, state, now) if answers else _not_waited_for(state)


def _again_together(answers: list[_Answer | None], state: RunState, now: Instant) -> _Answer | None:
    """Accept when one of these is; a single one that must wait makes all of them wait."""
    following: list[Fact] = []
    for each in answers:
        if each is None:
            return None
        following += each[1]
    return _accepted(*_unparked(state, now), *following) if following else answers[0]


def _again(state: RunState, index: int, now: Instant) -> _Answer | None:
    """Say whether one node can be tried again, and how."""
    node, current = state.graph[index], state.nodes[index]
    granted = facts.AttemptsGranted(node.path, now)
    match current.phase:
        case Phase.UNRECORDED:
            return _refused(ControlAnswer.ONLY_SETTLED)
        case Phase.CHILD_PARKED:
            return _refused(ControlAnswer.SETTLE_THE_CHILD)
        case Phase.LEFT if state.parked is None:
            # What completed last is undone first, so it would have to overtake.
            return None
        case Phase.LEFT:
            if current.undo_doubt and not is_key_known(node, current.undo_first_at, now):
                return _refused(ControlAnswer.KEY_EXPIRED)
            return _accepted(granted)
        case Phase.STUCK | Phase.REFUSED if current.doubt and node.compensate is not None:
            return _accepted(granted, facts.CompensateRetryScheduled(node.path, now))
        case Phase.STUCK | Phase.REFUSED if current.doubt and not is_key_known(
            node, current.first_at, now
        ):
            return _refused(ControlAnswer.KEY_EXPIRED)
        case _:
            return _accepted(granted, facts.RetryScheduled(node.path, now))


# What the answers share ---------------------------------------------------------------------


def _accepted(*following: Fact) -> _Answer:
    return ControlAnswer.ACCEPTED, following


def _refused(answer: ControlAnswer) -> _Answer:
    return answer, ()


def _not_waited_for(state: RunState) -> _Answer:
    if state.ended is not None:
        return _refused(ControlAnswer.TOO_LATE)
    is_parked = state.parked is not None
    return _refused(ControlAnswer.NOT_WAITED_FOR if is_parked else ControlAnswer.NOT_PARKED)


def _unparked(state: RunState, now: Instant) -> tuple[Fact, ...]:
    """Unpark the run; another answer of the same turn may have done so already."""
    return () if state.parked is None else (facts.Unparked(now),)
