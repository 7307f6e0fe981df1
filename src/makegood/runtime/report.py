"""What a run looks like from outside at this moment: a report that a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from makegood.decision.state import Phase
from makegood.definition.plan import Kind
from makegood.runtime.asking.completing import token_of
from makegood.values.instants import as_datetime
from makegood.values.verdict import ItDidNotHappen, ItHappened, Kept, UndoneByHand

if TYPE_CHECKING:
    from datetime import datetime

    from makegood.decision.state import NodeState, RunState
    from makegood.definition.plan import Node
    from makegood.journal.protocol import RunRow
    from makegood.values.verdict import Failure, Settlement

__all__ = ["STOPPED", "NodeReport", "RunReport", "Settled", "report_on", "settled_in"]

STOPPED = "stopped"
"""The state of what never came to its end, and is not wanted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """Where one node stands."""

    path: str
    kind: str
    state: str
    """In words: `ready`, `running`, `retrying`, `asleep`, `done`, `undone`, `stuck`, …"""
    attempts: int
    undo_attempts: int
    is_in_doubt: bool
    due: datetime | None
    """When it is tried again, or its sleep is over."""
    case: str | None
    """Which branch a switch has taken."""
    rounds: int | None
    """How many rounds an each or a repeat has that has begun."""
    rounds_done: int | None
    failure: Failure | None
    undo_failure: Failure | None
    child: str | None = None
    """The run that it has called."""
    token: str | None = None
    """By what somebody outside completes it, while it waits for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a person has settled, and why."""

    node: str
    settlement: str
    """In words: `it happened`, `it did not happen`, `undone by hand` or `kept`."""
    actor: str
    reason: str
    at: datetime

    def __str__(self) -> str:
        """Return it as a line of text."""
        return f"{self.node}: {self.settlement}, says {self.actor} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """Where one run stands."""

    id: str
    workflow: str
    key: str | None
    fingerprint: str
    status: str
    cause: str | None
    rollback: str | None
    reason: str | None
    worker: str | None
    claims: int
    created_at: datetime
    ended_at: datetime | None
    nodes: tuple[NodeReport, ...]
    parent: str | None = None
    """The run that called it; None for one that was started from outside."""
    settled: tuple[Settled, ...] = ()
    """What people have settled, in order."""

    def __str__(self) -> str:
        """Return the report as lines of text."""
        why = self.reason or self.cause
        head = f"{self.workflow} {self.id}: {self.status}{f' ({why})' if why else ''}"
        head += f", called by {self.parent}" if self.parent else ""
        width = max((len(node.path) for node in self.nodes), default=0)
        nodes = (_line(node, width) for node in self.nodes)
        return "\n".join([head, *nodes, *(f"  settled: {each}" for each in self.settled)])


def report_on(row: RunRow, state: RunState) -> RunReport:
    """Return the report of a run as it was read."""
    return RunReport(
        id=row.run,
        workflow=row.workflow,
        key=row.key,
        fingerprint=row.fingerprint,
        status=row.status,
        cause=row.cause,
        rollback=row.rollback,
        reason=row.reason,
        worker=row.owner,
        claims=row.claims,
        created_at=as_datetime(row.created_at),
        ended_at=None if row.ended_at is None else as_datetime(row.ended_at),
        nodes=tuple(
            _on_node(node, current, state, index, row)
            for index, (node, current) in enumerate(zip(state.graph, state.nodes, strict=True))
        ),
        parent=None if state.family.parent is None else state.family.parent.run,
        settled=settled_in(state),
    )


def settled_in(state: RunState) -> tuple[Settled, ...]:
    """Return what people have settled of a run, in order."""
    if not state.settled:
        return ()
    return tuple(
        Settled(
            node=fact.node,
            settlement=_words(fact.settlement),
            actor=fact.actor,
            reason=fact.reason,
            at=as_datetime(fact.at),
        )
        for fact in state.settled
    )


def _words(settlement: Settlement) -> str:
    match settlement:
        case ItHappened():
            return "it happened"
        case ItDidNotHappen():
            return "it did not happen"
        case UndoneByHand():
            return "undone by hand"
        case Kept():
            return "kept"
        case _:
            assert_never(settlement)


def _on_node(
    node: Node, current: NodeState, state: RunState, index: int, row: RunRow
) -> NodeReport:
    due, rounds = state.timers.get(index), state.rounds.get(index)
    return NodeReport(
        path=node.path,
        kind=node.kind.value,
        state=_state_of(current, state, index),
        attempts=current.attempt,
        undo_attempts=current.undo_attempt,
        is_in_doubt=current.doubt,
        due=None if due is None else as_datetime(due),
        case=current.case,
        rounds=None if rounds is None else len(rounds.given),
        rounds_done=None if rounds is None else rounds.done,
        child=current.child,
        failure=current.failure,
        undo_failure=current.undo_failure,
        token=token_of(row, state, index) if current.phase is Phase.AWAITING else None,
    )


def _state_of(current: NodeState, state: RunState, index: int) -> str:
    """Return a node's phase in words; a switch or a loop has no end once its run goes back."""
    is_over = state.ended is not None or state.rolling_back is not None
    has_begun = current.case is not None or index in state.rounds
    if is_over and has_begun and current.phase in _UNDER_WAY:
        return STOPPED
    return current.phase.name.lower().replace("_", " ")


_UNDER_WAY = frozenset({Phase.IDLE, Phase.READY, Phase.CHOSEN, Phase.IN_ROUNDS})


def _line(node: NodeReport, width: int) -> str:
    parts = [f"  {node.path:<{width}}  {node.kind:<6}  {node.state}"]
    if node.attempts > 1:
        parts.append(f"{node.attempts} attempts")
    if node.is_in_doubt:
        parts.append("in doubt")
    if node.due is not None:
        is_asleep = node.kind in {Kind.SLEEP, Kind.WAIT} or node.token is not None
        parts.append(
            f"until {node.due:%Y-%m-%d %H:%M:%S}" if is_asleep else f"again at {node.due:%H:%M:%S}"
        )
    if node.token is not None:
        parts.append(f"to be completed with {node.token}")
    if node.case is not None:
        parts.append(f"case {node.case}")
    if node.rounds is not None:
        parts.append(f"{node.rounds_done} of {node.rounds} rounds done")
    if node.child is not None:
        parts.append(f"run {node.child}")
    if node.failure is not None:
        parts.append(str(node.failure))
    if node.undo_failure is not None:
        parts.append(f"undo: {node.undo_failure}")
    return ", ".join(parts)
