"""The one place that says what next: a run's state in, facts and commands out.

The questions are asked in a fixed order, and the first that has an answer gives it; `decide` is
called again until nothing is added. What has just ended is settled first, then due times, then
whether the run turns back, then what people ask, and only then does anything new start. So a
completion beats a control that arrived in the same turn, whatever the order of arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import Decision, Evaluate, Local
from makegood.decision.doubt import settle
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason, Rollback
from makegood.decision.forward import begin, begin_ready, is_past_pivot, is_pivot_open
from makegood.decision.rollback import next_undo, roll_back
from makegood.decision.state import Phase
from makegood.definition.plan import Constant, FromNode, Kind
from makegood.values.verdict import Failure

if TYPE_CHECKING:
    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["CLAIMS_MAX", "decide"]

CLAIMS_MAX = 5
"""How often a run may be claimed without progress before it is parked as poison."""

_NOTHING = Decision()


def decide(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Say what is to be recorded and done next. It changes nothing and may be asked again."""
    decision = _NOTHING
    if not state.is_settled:
        decision = _settle_what_ended(plan, state, now, chance) or _turn(plan, state, now)
    if not decision.facts and not decision.commands and state.requests:
        decision = _answer(plan, state, now) or _NOTHING
    if decision.facts or decision.commands or state.is_settled:
        return decision
    if state.rolling_back is not None:
        decision = roll_back(plan, state, now)
    elif not _is_held_back(plan, state):
        decision = begin_ready(plan, state, now)
    if decision.facts or decision.commands:
        return decision
    return _local(plan, state, now) or _park_if_stuck(plan, state, now)


def _settle_what_ended(
    plan: Plan, state: RunState, now: Instant, chance: Chance
) -> Decision | None:
    """Decide about nodes whose last outcome, or due time, calls for it."""
    if state.todo:
        if state.claims > CLAIMS_MAX:
            return Decision((facts.Parked(ParkReason.POISON, now),))
        return settle(plan, state, now, chance)
    due = sorted(index for index, instant in state.timers.items() if instant <= now)
    added: list[Fact] = []
    commands: list[Command] = []
    for index in due:
        begun = begin(plan, state, index, now)
        added += begun.facts
        commands += begun.commands
    return Decision(tuple(added), tuple(commands)) if added else None


def _turn(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Decide whether the run has arrived, or must turn back."""
    if state.rolling_back is not None:
        return _NOTHING
    if state.unended == 0:
        return _finish(plan, state, now)
    if state.deadline is not None and now >= state.deadline and not state.deadline_passed:
        return Decision((facts.DeadlinePassed(now),))
    if state.unwilling or state.deadline_passed:
        if is_pivot_open(plan, state) or is_past_pivot(plan, state):
            return _NOTHING
        cause = Cause.ERROR if state.unwilling else Cause.DEADLINE
        return Decision((facts.RollbackBegan(cause, now),))
    return _NOTHING


def _finish(plan: Plan, state: RunState, now: Instant) -> Decision:
    """End a run whose every node has ended, once its value is known to exist."""
    if state.returned is None and _is_built(plan):
        return Decision(commands=(Evaluate(-1, "result"),))
    if isinstance(state.returned, Failure):
        if is_past_pivot(plan, state):
            return Decision((facts.Parked(ParkReason.FORWARD_USED_UP, now),))
        return Decision((facts.RollbackBegan(Cause.ERROR, now),))
    return Decision((facts.RunEnded(EndStatus.COMPLETED, None, Rollback.NONE, now),))


def _is_built(plan: Plan) -> bool:
    """Say whether the run's value is more than one node's whole result."""
    match plan.returns:
        case Constant():
            return False
        case FromNode(path=path):
            return bool(path)
        case _:
            return True


def _answer(plan: Plan, state: RunState, now: Instant) -> Decision | None:
    """Answer the first request that can be answered."""
    for request in state.requests:
        if isinstance(request, facts.CancelRequested):
            answer = _answer_to_cancel(plan, state)
            cause = Cause.CANCELLED
        else:
            answer = _answer_to_undo(plan, state)
            cause = Cause.REVERSED
        if answer is None:
            continue
        answered = facts.ControlAnswered(request.post, answer)
        if answer is ControlAnswer.ACCEPTED:
            return Decision((answered, facts.RollbackBegan(cause, now)))
        return Decision((answered,))
    return None


def _answer_to_cancel(plan: Plan, state: RunState) -> ControlAnswer | None:
    """Return the answer, or None while the pivot is open: its outcome decides."""
    if state.ended is not None:
        return ControlAnswer.TOO_LATE
    if state.parked is not None:
        return ControlAnswer.PARKED
    if state.rolling_back is not None:
        return ControlAnswer.ALREADY_UNDOING
    if is_past_pivot(plan, state):
        return ControlAnswer.PAST_PIVOT
    if is_pivot_open(plan, state):
        return None
    return ControlAnswer.ACCEPTED


def _answer_to_undo(plan: Plan, state: RunState) -> ControlAnswer:
    if state.rolling_back is not None and state.ended is None and state.parked is None:
        return ControlAnswer.ALREADY_UNDOING
    if state.parked is not None:
        return ControlAnswer.PARKED
    if state.ended is not EndStatus.COMPLETED:
        return ControlAnswer.NOT_COMPLETED
    if is_past_pivot(plan, state):
        return ControlAnswer.PAST_PIVOT
    return ControlAnswer.ACCEPTED


def _is_held_back(plan: Plan, state: RunState) -> bool:
    """Say whether nothing new may start, though the run is not being rolled back."""
    if is_past_pivot(plan, state):
        return False
    return bool(state.unwilling or state.deadline_passed or state.requests or state.stuck)


def _local(plan: Plan, state: RunState, now: Instant) -> Decision | None:
    """Give the one local body that may run now: they take an append each, so one at a time."""
    if state.rolling_back is not None:
        undo = next_undo(plan, state)
        remedy = None if undo is None else plan.nodes[undo].undo
        if undo is not None and remedy is not None and remedy.local:
            again = state.timers.get(undo, now) <= now
            attempt = state.nodes[undo].undo_attempt + 1
            return Decision(commands=(Local(undo, attempt, "undo"),)) if again else None
        return None
    if _is_held_back(plan, state):
        return None
    for index, due in sorted(state.timers.items()):
        if due <= now and plan.nodes[index].kind is Kind.LOCAL:
            return Decision(commands=(Local(index, state.nodes[index].attempt + 1, "do"),))
    for index in sorted(state.ready):
        node = state.nodes[index]
        if plan.nodes[index].kind is Kind.LOCAL and (
            plan.nodes[index].when is None or node.guarded
        ):
            return Decision(commands=(Local(index, node.attempt + 1, "do"),))
    return None


def _park_if_stuck(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Park a run that goes forward no further, once nothing of it is at work any more."""
    if state.rolling_back is not None or state.in_flight or state.timers:
        return _NOTHING
    if state.stuck:
        unrecorded = any(state.nodes[index].phase is Phase.UNRECORDED for index in state.stuck)
        reason = ParkReason.UNRECORDED if unrecorded else ParkReason.IN_DOUBT
        return Decision((facts.Parked(reason, now),))
    if state.unwilling and is_past_pivot(plan, state):
        return Decision((facts.Parked(ParkReason.FORWARD_USED_UP, now),))
    return _NOTHING
