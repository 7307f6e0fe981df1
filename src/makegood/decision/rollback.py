"""How a run goes back: stop, wait until nothing is in doubt, undo in exact reverse order.

Effects in flight are awaited, never cancelled, because a cancelled effect is in doubt. What has
no effect is stopped. While a single node is in doubt nothing is undone, since undoing its
neighbours could contradict an effect that did happen. Then everything done is undone, the last
completed first, one at a time; an undo that gives up does not stop the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import Decision, Local, Stop, Undo
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.decision.retry import is_key_known
from makegood.decision.state import Phase
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.values.instants import Instant

__all__ = ["doubt_reason", "roll_back"]


def roll_back(state: RunState, now: Instant) -> Decision:
    """Say what the rollback does next."""
    if state.in_flight or state.timers:
        return _stop(state, now)
    reason = doubt_reason(state) if state.stuck else None
    if reason is not None:
        return Decision((facts.Parked(reason, now),))
    return _undo(state, now)


def doubt_reason(state: RunState) -> ParkReason | None:
    """Return what to park for while a node is in doubt that nobody asks about any more."""
    phases = {state.nodes[index].phase for index in state.stuck}
    if Phase.UNRECORDED in phases:
        return ParkReason.UNRECORDED
    return ParkReason.IN_DOUBT if Phase.STUCK in phases else None


def _stop(state: RunState, now: Instant) -> Decision:
    """Stop what has no effect, and drop sleeps and retries of what definitely did not happen."""
    added: list[Fact] = []
    commands: list[Command] = []
    for index, current in enumerate(state.nodes):
        node = state.graph[index]
        if current.phase is Phase.RUNNING and node.kind is Kind.QUERY:
            added.append(facts.NodeStopped(node.path, now))
            commands.append(Stop(index))
        elif current.phase is Phase.ASLEEP or (
            current.phase is Phase.RETRYING and not current.doubt
        ):
            added.append(facts.NodeStopped(node.path, now))
    return Decision(tuple(added), tuple(commands))


def _undo(state: RunState, now: Instant) -> Decision:
    """Begin the next undo, or end the run when there is none."""
    added: list[Fact] = []
    for index in reversed(state.done_order):
        node = state.graph[index]
        if node.undo is None:
            added.append(facts.NodeKept(node.path))
            continue
        current = state.nodes[index]
        if current.undo_doubt and not is_key_known(node, current.undo_first_at, now):
            # It was granted fresh attempts, and its key died while others were undone.
            return Decision((*added, facts.UndoLeft(node.path, now)))
        attempt = current.undo_attempt + 1
        if not node.undo.local:
            added.append(facts.UndoStarted(node.path, attempt, now))
            return Decision(tuple(added), (Undo(index, attempt),), is_last=True)
        # A local undo is an append of its own, which follows the facts that come before it.
        local = () if added else (Local(index, attempt, "undo"),)
        return Decision(tuple(added), local)
    if any(state.nodes[index].phase is Phase.LEFT for index in state.stuck):
        added.append(facts.Parked(ParkReason.UNDO_GAVE_UP, now))
    else:
        added.append(_ended(state, now))
    return Decision(tuple(added), is_last=not state.requests)


def _ended(state: RunState, now: Instant) -> facts.RunEnded:
    cause = state.rolling_back
    has_failed = cause in {Cause.ERROR, Cause.DEADLINE}
    return facts.RunEnded(
        EndStatus.FAILED if has_failed else EndStatus.CANCELLED,
        cause,
        Rollback.UNDONE if state.undone_order else Rollback.NONE,
        now,
    )
