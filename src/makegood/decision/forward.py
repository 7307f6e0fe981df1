"""What may start: nodes whose needs are met, and definite failures whose next attempt is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.commands import Decision, Evaluate, Local, Start
from makegood.definition.plan import Kind
from makegood.values.instants import after

if TYPE_CHECKING:
    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import NodeState, RunState
    from makegood.definition.plan import Node, Plan
    from makegood.values.instants import Instant

__all__ = ["begin", "start"]

_NOTHING = Decision()


def begin(plan: Plan, state: RunState, now: Instant) -> Decision:
    """Begin every node that may begin, in the order of the plan.

    A local body takes an append of its own, so one is given at a time, when nothing else begins.
    """
    # What is due and still waits here has definitely failed: doubt is settled before.
    due = [index for index, instant in state.timers.items() if instant <= now]
    if not state.ready and not due:
        return _NOTHING
    added: list[Fact] = []
    commands: list[Command] = []
    local: Local | None = None
    for index in sorted(state.ready + due):
        node, current = plan.nodes[index], state.nodes[index]
        if node.when is not None and not current.guarded:
            commands.append(Evaluate(index, "guard"))
            continue
        match node.kind:
            case Kind.STEP | Kind.QUERY:
                started = start(node, current, index, now, attempt=current.attempt + 1)
                added += started.facts
                commands += started.commands
            case Kind.PURE:
                commands.append(Evaluate(index, "value"))
            case Kind.EXPECT:
                commands.append(Evaluate(index, "expect"))
            case Kind.LOCAL:
                local = local or Local(index, current.attempt + 1, "do")
            case _:
                assert_never(node.kind)
    if local is not None and not commands:
        return Decision(commands=(local,))
    only_starts = len(added) == len(commands) and local is None
    return Decision(tuple(added), tuple(commands), is_last=only_starts)


def start(node: Node, current: NodeState, index: int, now: Instant, *, attempt: int) -> Decision:
    """Start the node's body: the intent, and the command that may follow once it is durable."""
    return Decision(
        (facts.NodeStarted(node.path, attempt, now),),
        (Start(index, attempt, current.generation, _ends_at(node, current, now)),),
    )


def _ends_at(node: Node, current: NodeState, now: Instant) -> Instant | None:
    """Say when an attempt that begins now is cancelled: the tighter of its two timeouts."""
    ends = None if node.timeout is None else after(now, node.timeout)
    if node.timeout_total is None:
        return ends
    began = current.timed_from
    total = after(now if began is None else began, node.timeout_total)
    return total if ends is None else min(ends, total)
