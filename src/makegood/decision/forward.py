"""What may start: nodes whose needs are met, and definite failures whose next attempt is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from makegood.decision import facts
from makegood.decision.commands import NOTHING, Decision, Evaluate, Local, Start
from makegood.decision.people.steering import end_as_granted
from makegood.decision.retry import delayed
from makegood.definition.plan import Kind
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import NodeState, RunState
    from makegood.definition.plan import Node
    from makegood.values.instants import Instant

__all__ = ["CALLED", "begin", "start", "start_anew"]


CALLED = frozenset({Kind.STEP, Kind.QUERY})
"""What is begun by calling a function of the user's."""


def begin(state: RunState, now: Instant) -> Decision:
    """Begin every node that may begin, in the order of the plan.

    What a person has said of them comes first. Then whatever is computed, for it may fail the run:
    nothing starts beside a demand that does not hold. A local body takes an append of its own, so
    one is given at a time, when nothing else begins. A child begins like a step, though what it
    is given is computed here.
    """
    # What is due and still waits here has definitely failed: doubt is settled before.
    due = state.due_at(now) if state.timers else []
    if not due:
        if not state.ready:
            return NOTHING
        if len(state.ready) == 1:
            (index,) = state.ready
            node, current = state.graph[index], state.nodes[index]
            if node.kind in CALLED and node.when is None and current.granted is None:
                # Mostly it is one step, and then there is nothing to be put in order.
                return start(state, index, now, current.attempt + 1)
    return _begin_all(state, sorted(state.ready + due), now)


def _begin_all(state: RunState, indices: Sequence[int], now: Instant) -> Decision:
    granted: tuple[Fact, ...] = ()
    added: list[Fact] = []
    commands: list[Command] = []
    computed: list[Evaluate] = []
    called: list[Evaluate] = []
    sent: list[Evaluate] = []
    local: Local | None = None
    for index in indices:
        node, current = state.graph[index], state.nodes[index]
        if current.granted is not None:
            granted += (end_as_granted(current.granted, now),)
            continue
        if node.when is not None and not current.guarded:
            computed.append(Evaluate(index, "guard"))
            continue
        match node.kind:
            case Kind.STEP | Kind.QUERY:
                attempt = current.next_attempt or current.attempt + 1
                started = start(state, index, now, attempt)
                added += started.facts
                commands += started.commands
            case Kind.PURE | Kind.NOTE | Kind.EXPECT | Kind.SWITCH | Kind.SLEEP | Kind.WAIT:
                computed.append(Evaluate(index, _computed_of(node.kind, current)))
            case Kind.SEND:
                sent.append(Evaluate(index, "letter"))
            case Kind.EACH | Kind.REPEAT | Kind.LIFECYCLE:
                assert node.kind is not Kind.LIFECYCLE, "a lifecycle has begun before"
                computed.append(_next_of_rounds(state, index, node))
            case Kind.CHILD:
                called.append(Evaluate(index, "call"))
            case Kind.LOCAL:
                local = local or Local(index, current.attempt + 1, "do")
            case _:
                assert_never(node.kind)
    if granted:
        return Decision(granted)
    if computed or sent:
        # What is sent cannot be unsent, so it waits until nothing more may fail beside it.
        return Decision(commands=tuple(computed or sent))
    if local is not None and not commands and not called:
        return Decision(commands=(local,))
    commands += called
    return Decision(tuple(added), tuple(commands), is_last=local is None and not called)


def _computed_of(
    kind: Literal[Kind.PURE, Kind.NOTE, Kind.EXPECT, Kind.SWITCH, Kind.SLEEP, Kind.WAIT],
    current: NodeState,
) -> Literal["value", "note", "expect", "case", "branch", "due", "wait"]:
    """Say what is computed of a node that is neither called nor goes round."""
    match kind:
        case Kind.PURE:
            return "value"
        case Kind.NOTE:
            return "note"
        case Kind.EXPECT:
            return "expect"
        case Kind.SWITCH:
            return "case" if current.case is None else "branch"
        case Kind.SLEEP:
            return "due"
        case Kind.WAIT:
            return "wait"
        case _:
            assert_never(kind)


def _next_of_rounds(state: RunState, index: int, node: Node) -> Evaluate:
    """Say what is to be computed of an each or a repeat: its beginning, its rounds, its end."""
    rounds = state.rounds.get(index)
    if rounds is None:
        return Evaluate(index, "items" if node.kind is Kind.EACH else "start")
    if rounds.unbuilt:
        # One at a time: when it cannot be computed, that is what becomes of all of them.
        return Evaluate(index, "round", rounds.unbuilt[0])
    return Evaluate(index, "list" if node.kind is Kind.EACH else "until")


def start(state: RunState, index: int, now: Instant, attempt: int) -> Decision:
    """Start the node's body: the intent, and the command that may follow once it is durable.

    Nothing more is to be asked where nothing else begins.
    """
    if state.halted:
        wait = delayed(state, index, "do", now, attempt=attempt)
        if wait is not None:
            return Decision((wait,), (), is_last=True)
    node, current = state.graph[index], state.nodes[index]
    ends = None if node.timeout is None else after(now, node.timeout)
    if node.timeout_total is not None:
        ends = _ends_at(node.timeout_total, current.timed_from, now, ends)
    return Decision(
        (facts.NodeStarted(node.path, attempt, now),),
        (Start(index, attempt, current.generation, ends),),
        is_last=True,
    )


def start_anew(
    planned: Node, path: str, index: int, now: Instant
) -> tuple[facts.NodeStarted, Start]:
    """Start the body of a node that is about to be added to the graph, under this path."""
    ends = None if planned.timeout is None else after(now, planned.timeout)
    if planned.timeout_total is not None:
        ends = _ends_at(planned.timeout_total, None, now, ends)
    return facts.NodeStarted(path, 1, now), Start(index, 1, 0, ends)


def _ends_at(
    timeout_total: timedelta, began: Instant | None, now: Instant, ends: Instant | None
) -> Instant:
    """Say when an attempt that begins now is cancelled: the tighter of its two timeouts."""
    total = after(now if began is None else began, timeout_total)
    return total if ends is None else min(ends, total)
