"""The one place that says what next: a run's state in, facts and commands out.

The questions are asked in a fixed order, and the first that has an answer gives it; `decide` is
called again until nothing is added. What has just ended and what doubt makes due is settled
first, then whether the run has arrived or turns back, then what people ask, and only then does
anything new start. So a completion beats a control that arrived in the same turn, whatever the
order of arrival.

While a run is paused only people are answered. Outcomes are folded, and decided about when it goes
on; what falls due meanwhile, its deadline too, is found then to have passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import NOTHING, Decision, Evaluate
from makegood.decision.direction import is_held_back, is_past_pivot, is_turning_back
from makegood.decision.doubt import settle
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.decision.forward import begin
from makegood.decision.lifecycle.advancing import advance
from makegood.decision.people.completing import hear
from makegood.decision.people.control import answer
from makegood.decision.rollback import reason_to_park, retrace, roll_back, wind_back
from makegood.decision.state import Phase
from makegood.definition.plan import Constant, FromNode, Kind
from makegood.values.verdict import Failure

if TYPE_CHECKING:
    from makegood.decision.retry import Chance
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["CLAIMS_MAX", "decide"]

CLAIMS_MAX = 5
"""How often a run may be claimed without progress before it is parked as poison."""


_PARKED_FOR_CHILDREN = frozenset({ParkReason.CHILD_PARKED, ParkReason.UNDO_GAVE_UP})
"""What a run is no longer parked for when a child moves again."""

_NOTHING_FOLLOWS = frozenset({Phase.RETRYING, Phase.ASLEEP, Phase.LISTENING})
"""Phases whose due time begins nothing while the run is held where it is."""


def decide(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Say what is to be recorded and done next. It changes nothing and may be asked again."""
    if state.fingerprint != plan.fingerprint:
        # Whoever hands a run to another plan has looked whether it fits; see `moving`.
        return Decision((facts.MovedOn(plan.fingerprint, now),))
    is_settled = state.ended is not None or state.parked is not None
    if is_settled and state.parked in _PARKED_FOR_CHILDREN and state.family.child_has_moved:
        return Decision((facts.Unparked(now),))
    if state.given:
        decision = hear(state, now)
        if decision.facts:
            return decision
    is_moving = not (is_settled or state.is_paused)
    if is_moving:
        if state.todo or state.timers or state.claims > CLAIMS_MAX:
            decision = _settle(plan, state, now, chance)
            if decision.facts or decision.commands:
                return decision
        decision = _arrive_or_turn(plan, state, now)
        if decision.facts or decision.commands:
            return decision
    if state.requests:
        decision = answer(plan, state, now)
        if decision.facts:
            return decision
    if not is_moving:
        return _resume(plan, state, now)
    if state.rolling_back is not None:
        return roll_back(state, now)
    if state.retracing:
        return retrace(state, now)
    return _go_forward(plan, state, now)


def _resume(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Let a paused run go on that does so by itself, once its time has come."""
    until = None if state.lifecycle is None else state.lifecycle.paused_until
    if until is None or now < until:
        return NOTHING
    return Decision((facts.Resumed(plan.workflow, "its time has come", now),))


def _settle(plan: Plan, state: RunState, now: Instant, chance: Chance) -> Decision:
    """Decide about what has ended or fallen due, unless the run kills whoever takes it."""
    if state.claims > CLAIMS_MAX and _is_poison(state, now):
        return Decision((facts.Parked(ParkReason.POISON, now),))
    return settle(plan, state, now, chance)


def _is_poison(state: RunState, now: Instant) -> bool:
    """Say whether the workers that claimed the run can have died of it.

    They had begun something, or stood before something that leaves no trace of its beginning:
    what is evaluated, and local bodies. A run that only waited is not to blame.
    """
    if state.in_flight:
        return False
    return bool(
        state.todo
        or state.ready
        or not (state.awaits_time or state.family.children or state.mailbox.waits)
        or any(due <= now and _is_local(state, i) for i, due in state.timers.items())
    )


def _is_local(state: RunState, index: int) -> bool:
    node = state.graph[index]
    if state.nodes[index].phase is Phase.UNDO_AGAIN:
        return node.undo is not None and node.undo.local
    return node.kind is Kind.LOCAL


def _arrive_or_turn(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Decide whether the run has arrived, or must turn back."""
    if state.rolling_back is not None:
        return NOTHING
    if state.unended == 0 and not state.retracing:
        return _finish(plan, state, now)
    if state.deadline is not None and now >= state.deadline and not state.deadline_passed:
        return Decision((facts.DeadlinePassed(now),))
    if (state.unwilling or state.deadline_passed) and is_turning_back(plan, state):
        cause = Cause.ERROR if state.unwilling else Cause.DEADLINE
        return Decision((facts.RollbackBegan(cause, now),))
    return NOTHING


def _finish(plan: Plan, state: RunState, now: Instant) -> Decision:
    """End a run whose every node has ended, once its value is known to exist."""
    if state.returned is None and (_is_built(plan) or state.family.parent is not None):
        # A parent reads it by the type that the workflow declares, so it is written by that.
        return Decision(commands=(Evaluate(-1, "result"),))
    if isinstance(state.returned, Failure):
        if is_past_pivot(plan, state):
            return Decision((facts.Parked(ParkReason.FORWARD_USED_UP, now),))
        return Decision((facts.RollbackBegan(Cause.ERROR, now),))
    ended = facts.RunEnded(EndStatus.COMPLETED, None, Rollback.NONE, now)
    return Decision((ended,), is_last=not state.requests)


def _is_built(plan: Plan) -> bool:
    """Say whether the run's value is more than one node's whole result."""
    match plan.returns:
        case Constant():
            return False
        case FromNode(path=path):
            return bool(path)
        case _:
            return True


def _go_forward(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Begin what may begin; park a run of which nothing is at work and nothing may begin."""
    if state.failing:
        decision = wind_back(state, now)
        if decision.facts or decision.commands:
            return decision
    is_held = is_held_back(plan, state)
    if not is_held:
        if state.lifecycle is not None:
            decision = advance(state, now)
            if decision.facts or decision.commands:
                return decision
        decision = begin(state, now)
        if decision.facts or decision.commands:
            return decision
    # While its handler has not ended, a status listens to nothing, whatever is open.
    is_deaf = is_held or (state.lifecycle is not None and state.lifecycle.busy is not None)
    is_heard = bool(state.family.children) or (bool(state.mailbox.waits) and not is_deaf)
    if state.in_flight or is_heard or _is_time_awaited(state, is_held=is_held):
        return NOTHING
    reason = reason_to_park(state)
    if reason is None and state.unwilling:
        reason = ParkReason.FORWARD_USED_UP
    return NOTHING if reason is None else Decision((facts.Parked(reason, now),))


def _is_time_awaited(state: RunState, *, is_held: bool) -> bool:
    """Say whether something begins when its time comes.

    While held a definite retry does not begin, and after a sleep nothing does.
    """
    if not is_held:
        return state.awaits_time
    waiting = (state.nodes[index] for index in state.timers)
    return any(node.doubt or node.phase not in _NOTHING_FOLLOWS for node in waiting)
