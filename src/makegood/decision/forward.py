"""What may start: nodes whose needs are met, and bodies whose time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.commands import Compensate, Decision, Evaluate, Start, Undo
from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.values.instants import Instant, after, micros

if TYPE_CHECKING:
    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import NodeState, RunState
    from makegood.definition.plan import Node, Plan

__all__ = ["attempt_ends_at", "begin", "begin_ready", "is_past_pivot", "is_pivot_open"]

_NOTHING = Decision()
_CLOSED = frozenset({Phase.IDLE, Phase.READY, Phase.SKIPPED, Phase.STOPPED, Phase.GAVE_UP})


def is_past_pivot(plan: Plan, state: RunState) -> bool:
    """Say whether the pivot is done, after which a run only goes forward."""
    return plan.pivot is not None and state.nodes[plan.pivot].phase is Phase.DONE


def is_pivot_open(plan: Plan, state: RunState) -> bool:
    """Say whether the pivot is begun and not yet decided: neither direction is taken."""
    if plan.pivot is None:
        return False
    phase = state.nodes[plan.pivot].phase
    return phase not in _CLOSED and phase is not Phase.DONE


def begin_ready(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Start every node that may start, in the order of the plan."""
    if not state.ready:
        return _NOTHING
    added: list[Fact] = []
    commands: list[Command] = []
    for index in sorted(state.ready):
        node = plan.nodes[index]
        if node.when is not None and not state.nodes[index].guarded:
            commands.append(Evaluate(index, "guard"))
            continue
        match node.kind:
            case Kind.STEP | Kind.QUERY:
                begun = _start(node, state.nodes[index], index, now)
                added += begun.facts
                commands += begun.commands
            case Kind.PURE:
                commands.append(Evaluate(index, "value"))
            case Kind.EXPECT:
                commands.append(Evaluate(index, "expect"))
            case Kind.LOCAL:
                # It carries its own start: see `decide._local`.
                continue
    return Decision(tuple(added), tuple(commands))


def begin(plan: Plan, state: RunState, index: int, now: Instant) -> Decision:
    """Begin again what waited for its time. Local bodies carry their own start."""
    node, current = plan.nodes[index], state.nodes[index]
    match current.phase:
        case Phase.RETRYING if node.kind is not Kind.LOCAL:
            return _start(node, current, index, now)
        case Phase.ASK_AGAIN:
            attempt = current.asked + 1
            return Decision(
                (facts.CompensateStarted(node.path, attempt, now),),
                (Compensate(index, attempt, current.generation),),
            )
        case Phase.UNDO_AGAIN if node.undo is not None and not node.undo.local:
            attempt = current.undo_attempt + 1
            return Decision(
                (facts.UndoStarted(node.path, attempt, now),), (Undo(index, attempt),)
            )
        case _:
            return _NOTHING


def attempt_ends_at(node: Node, current: NodeState, now: Instant) -> Instant | None:
    """Say when an attempt that begins now is cancelled: the tighter of its two timeouts."""
    ends = None if node.timeout is None else after(now, node.timeout)
    if node.timeout_total is None:
        return ends
    total = after(current.first_at or now, node.timeout_total)
    return total if ends is None else min(ends, total)


def _start(node: Node, current: NodeState, index: int, now: Instant) -> Decision:
    attempt = current.attempt + 1
    until = attempt_ends_at(node, current, now)
    return Decision(
        (facts.NodeStarted(node.path, attempt, now),),
        (Start(index, attempt, current.generation, until),),
    )


def key_is_valid(node: Node, first_at: Instant | None, when: Instant) -> bool:
    """Say whether the other side is trusted to know the key still, at the time given."""
    if node.key_valid_for is None:
        return False
    return first_at is None or when - first_at < micros(node.key_valid_for)
