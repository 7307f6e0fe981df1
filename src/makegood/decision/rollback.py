"""How a run goes back: stop, wait until nothing is in doubt, undo in exact reverse order.

Effects in flight are awaited, never cancelled, because a cancelled effect is in doubt. What has
no effect is stopped. While a single node is in doubt nothing is undone, since undoing its
neighbours could contradict an effect that did happen. A child at work is told to go back, and
awaited like an effect. Then everything done is undone, the last completed first, one at a time; an
undo that gives up does not stop the others. A child that has completed is undone as one unit, at
its place: it is told to, and awaited.

A round whose failure is kept goes back in the same way, by itself, while the run goes forward: what
is said of the run above holds of the round and of all that has happened within it. And so do the
nodes that a person wants done again: they begin afresh once what is done of them is undone.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.decision import facts
from makegood.decision.commands import NOTHING, Decision, Local, Stop, Undo
from makegood.decision.facts import Cause, EndStatus, ParkReason, Rollback
from makegood.decision.retry import delayed, is_key_known
from makegood.decision.standing.done import is_done
from makegood.decision.state import IN_FLIGHT, TIMED, WITH_CHILD, Phase
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState, Scope
    from makegood.values.instants import Instant

__all__ = ["reason_to_park", "retrace", "roll_back", "wind_back"]

_ONLY_WAITING = frozenset({Phase.ASLEEP, Phase.LISTENING})
_UNRESOLVED = frozenset({Phase.STUCK, Phase.UNRECORDED, Phase.CHILD_PARKED, Phase.REFUSED})
_AWAITED = IN_FLIGHT | TIMED | WITH_CHILD


def roll_back(state: RunState, now: Instant) -> Decision:
    """Say what the rollback does next."""
    if state.in_flight or state.timers or state.family.children or state.mailbox.waits:
        return _stop(state, _stoppable(state), now)
    reason = _reason_of(state, state.stuck) if state.stuck else None
    if reason is not None and reason is not ParkReason.UNDO_GAVE_UP:
        return Decision((facts.Parked(reason, now),))
    done = state.done_order
    kept = _kept(state, done)
    if len(kept) < len(done):
        return _undo(state, done[-1 - len(kept)], kept, now)
    last = facts.Parked(reason, now) if reason is not None else _ended(state, now)
    return Decision((*kept, last), is_last=not state.requests)


def wind_back(state: RunState, now: Instant) -> Decision:
    """Say what the rounds do next that have failed by themselves."""
    for scope in state.failing:
        decision = _wind_back(state, scope, now)
        if decision.facts or decision.commands:
            return decision
    return NOTHING


def _wind_back(state: RunState, scope: Scope, now: Instant) -> Decision:
    within = [*state.nodes_within(scope)]
    stopped = _stop(state, within, now)
    phases = {state.nodes[index].phase for index in within}
    if stopped.facts or phases & _UNRESOLVED or phases & _AWAITED:
        return stopped
    done = [index for index in within if is_done(state, index)]
    done.sort(key=lambda index: state.nodes[index].place)
    kept = _kept(state, done)
    if len(kept) < len(done):
        # Other rounds and all that goes forward are decided in the same turn.
        return replace(_undo(state, done[-1 - len(kept)], kept, now), is_last=False)
    if Phase.LEFT in phases:
        return Decision(kept)
    gave_up = facts.RoundGaveUp(state.graph[scope.node].path, scope.number, now)
    return Decision((*kept, gave_up))


def retrace(state: RunState, now: Instant) -> Decision:
    """Say what is undone next of what is to be done again, or that the run goes forward again."""
    waiting = (state.nodes[index].phase for index in state.timers if index in state.retracing)
    if state.in_flight or Phase.UNDO_AGAIN in waiting:
        return NOTHING
    reason = reason_to_park(state)
    if reason is not None and reason is not ParkReason.UNDO_GAVE_UP:
        return Decision((facts.Parked(reason, now),))
    last = next((index for index in reversed(state.done_order) if index in state.retracing), None)
    if last is not None:
        return _undo(state, last, (), now)
    if reason is not None:
        return Decision((facts.Parked(reason, now),))
    return Decision((facts.Retraced(now),))


def reason_to_park(state: RunState) -> ParkReason | None:
    """Return what to park for when only a person can say what became of a node."""
    return _reason_of(state, state.stuck)


def _reason_of(state: RunState, stuck: Iterable[int]) -> ParkReason | None:
    phases = {state.nodes[index].phase for index in stuck}
    if Phase.UNRECORDED in phases:
        return ParkReason.UNRECORDED
    if Phase.REFUSED in phases:
        return ParkReason.DEFINITION
    if Phase.STUCK in phases:
        return ParkReason.IN_DOUBT
    if Phase.CHILD_PARKED in phases:
        return ParkReason.CHILD_PARKED
    return ParkReason.UNDO_GAVE_UP if Phase.LEFT in phases else None


def _stoppable(state: RunState) -> list[int]:
    """Return the nodes that may have to be stopped: all others are at rest, or have an effect."""
    waits = (index for waiting in state.mailbox.waits.values() for index in waiting)
    return sorted({*state.queries, *state.timers, *state.family.children, *waits})


def _stop(state: RunState, indices: Iterable[int], now: Instant) -> Decision:
    """Stop what has no effect and what waits, and what is tried again though nothing happened."""
    added: list[Fact] = []
    commands: list[Command] = []
    for index in indices:
        node, current = state.graph[index], state.nodes[index]
        if current.phase is Phase.RUNNING and node.kind is Kind.QUERY:
            added.append(facts.NodeStopped(node.path, now))
            commands.append(Stop(index))
        elif current.phase in _ONLY_WAITING or (
            current.phase is Phase.RETRYING and not current.doubt
        ):
            added.append(facts.NodeStopped(node.path, now))
        elif current.phase is Phase.IN_CHILD and not current.child_is_cancelled:
            added.append(facts.ChildCancelled(node.path, now))
    return Decision(tuple(added), tuple(commands))


def _kept(state: RunState, done: Sequence[int]) -> tuple[Fact, ...]:
    """Say of what completed last, up to what is to be undone next, that it stays done."""
    without_undo = takewhile(lambda index: _stays(state, index), reversed(done))
    return tuple(facts.NodeKept(state.graph[index].path) for index in without_undo)


def _stays(state: RunState, index: int) -> bool:
    return state.graph[index].undo is None and state.nodes[index].child is None


def _undo(state: RunState, index: int, kept: tuple[Fact, ...], now: Instant) -> Decision:
    """Begin to undo a node, after what is kept."""
    node, current = state.graph[index], state.nodes[index]
    attempt = current.undo_attempt + 1
    if current.child is not None and not current.child_is_undone:
        return Decision((*kept, facts.UndoStarted(node.path, attempt, now)), is_last=True)
    if node.undo is None:
        # Its child was undone before it was to be told again.
        return Decision((*kept, facts.UndoDone(node.path, now)))
    if current.undo_doubt and not is_key_known(node, current.undo_first_at, now):
        # It was granted fresh attempts, and its key died while others were undone.
        return Decision((*kept, facts.UndoLeft(node.path, now)))
    wait = delayed(state, index, "undo", now, attempt=attempt)
    if wait is not None:
        return Decision((*kept, wait), is_last=True)
    if not node.undo.local:
        started = facts.UndoStarted(node.path, attempt, now)
        return Decision((*kept, started), (Undo(index, attempt),), is_last=True)
    # A local undo is an append of its own, which follows the facts that come before it.
    return Decision(kept) if kept else Decision(commands=(Local(index, attempt, "undo"),))


def _ended(state: RunState, now: Instant) -> facts.RunEnded:
    cause = state.rolling_back
    has_failed = cause in {Cause.ERROR, Cause.DEADLINE}
    return facts.RunEnded(
        EndStatus.FAILED if has_failed else EndStatus.CANCELLED,
        cause,
        Rollback.UNDONE if state.undone_order else Rollback.NONE,
        now,
    )
