"""How a run goes back: stop, wait until nothing is in doubt, undo in exact reverse order.

Effects in flight are awaited, never cancelled, because a cancelled effect is in doubt. What has
no effect is stopped. While a single node is in doubt nothing is undone, since undoing its
neighbours could contradict an effect that did happen. Then everything done is undone, the last
completed first, one at a time; an undo that gives up does not stop the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import Decision, Stop, Undo
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.decision.state import Phase
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["next_undo", "roll_back"]

_NOTHING = Decision()
_AT_WORK_ON_UNDO = frozenset({Phase.UNDOING, Phase.UNDO_AGAIN})


def roll_back(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Say what the rollback does next."""
    stopped = _stop(plan, state, now)
    if stopped.facts or state.in_flight or state.timers:
        return stopped
    in_doubt = [index for index in state.stuck if state.nodes[index].phase is not Phase.LEFT]
    if in_doubt:
        unrecorded = any(state.nodes[index].phase is Phase.UNRECORDED for index in in_doubt)
        reason = ParkReason.UNRECORDED if unrecorded else ParkReason.IN_DOUBT
        return Decision((facts.Parked(reason, now),))
    return _undo(plan, state, now)


def next_undo(plan: Plan, state: RunState) -> int | None:
    """Return the node whose undo is next or at work, or None: the last one completed.

    It is None while anything is unsettled, and when all that is left declares no undo.
    """
    unsettled = any(
        state.nodes[index].phase not in _AT_WORK_ON_UNDO for index in state.timers
    ) or any(state.nodes[index].phase is not Phase.LEFT for index in state.stuck)
    if state.in_flight or unsettled:
        return None
    return next(
        (index for index in reversed(state.done_order) if plan.nodes[index].undo is not None),
        None,
    )


def _stop(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Stop what has no effect, and drop retries of what definitely did not happen."""
    added: list[Fact] = []
    commands: list[Command] = []
    for index, current in enumerate(state.nodes):
        node = plan.nodes[index]
        if current.phase is Phase.RUNNING and node.kind is Kind.QUERY:
            added.append(facts.NodeStopped(node.path, now))
            commands.append(Stop(index))
        elif current.phase is Phase.RETRYING and not current.doubt:
            added.append(facts.NodeStopped(node.path, now))
    return Decision(tuple(added), tuple(commands))


def _undo(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Begin the next undo, or end the run when there is none."""
    added: list[Fact] = []
    for index in reversed(state.done_order):
        node = plan.nodes[index]
        if node.undo is None:
            added.append(facts.NodeKept(node.path))
            continue
        if node.undo.local:
            # It carries its own start: see `decide._local`.
            return Decision(tuple(added))
        attempt = state.nodes[index].undo_attempt + 1
        added.append(facts.UndoStarted(node.path, attempt, now))
        return Decision(tuple(added), (Undo(index, attempt),))
    if any(current.phase is Phase.LEFT for current in state.nodes):
        added.append(facts.Parked(ParkReason.UNDO_GAVE_UP, now))
    else:
        added.append(_ended(state, now))
    return Decision(tuple(added))


def _ended(state: RunState, now: Instant) -> facts.RunEnded:
    cause = state.rolling_back
    has_failed = cause in {Cause.ERROR, Cause.DEADLINE}
    return facts.RunEnded(
        EndStatus.FAILED if has_failed else EndStatus.CANCELLED,
        cause,
        Rollback.UNDONE if state.undone_order else Rollback.NONE,
        now,
    )
