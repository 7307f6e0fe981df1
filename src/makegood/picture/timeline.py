"""What became of a run, told in order and node by node, for people who did not see it happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from makegood.decision.facts import Moved
from makegood.decision.people.control import waited_for
from makegood.decision.state import Phase
from makegood.picture import words
from makegood.picture.graph import resolved
from makegood.picture.story import NodeStory, RoundStory, Standing, Timeline, Visit
from makegood.picture.telling.teller import Teller
from makegood.runtime.report import STOPPED, report_on
from makegood.values.instants import as_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from makegood.decision.facts import Fact
    from makegood.decision.state import NodeState, RunState, Scope
    from makegood.definition.plan import Plan
    from makegood.journal.protocol import RunRow
    from makegood.runtime.report import NodeReport
    from makegood.values.instants import Instant

__all__ = ["timeline"]


def timeline(row: RunRow, plan: Plan, facts: Sequence[Fact]) -> Timeline:
    """Return what became of a run, from its row, its plan and every fact recorded of it.

    A run of which nothing is recorded yet has an empty story, and its nodes have not begun.
    """
    teller = Teller(row, plan)
    for fact in facts:
        teller.tell(fact)
    state = teller.state
    report = report_on(row, state)
    return Timeline(
        run=report.id,
        workflow=report.workflow,
        key=report.key,
        fingerprint=report.fingerprint,
        status=report.status,
        cause=report.cause,
        rollback=report.rollback,
        reason=report.reason,
        began=report.created_at,
        ended=report.ended_at,
        took=None if report.ended_at is None else report.ended_at - report.created_at,
        claims=report.claims,
        parent=report.parent,
        undone=tuple(state.graph[index].path for index in state.undone_order),
        kept=tuple(
            node.path
            for node, current in zip(state.graph, state.nodes, strict=True)
            if current.phase is Phase.KEPT
        ),
        left=tuple(state.graph[index].path for index in waited_for(plan, state)),
        story=teller.story(),
        nodes=tuple(_node_story(node, index, teller) for index, node in enumerate(report.nodes)),
        rounds=tuple(_rounds(state)),
        visits=tuple(_visit(fact) for fact in facts if isinstance(fact, Moved)),
        plan=_grown(plan, state),
    )


def _visit(fact: Moved) -> Visit:
    return Visit(
        status=fact.status,
        origin=fact.origin,
        handler=fact.handler,
        version=fact.version,
        at=as_datetime(fact.at),
    )


def _grown(plan: Plan, state: RunState) -> Plan:
    """Return the plan with the nodes of all rounds that have begun, each as one of this run's."""
    if len(state.graph) == len(plan.nodes):
        return plan
    rounds = (
        resolved(state.graph[index], _bases(state.scopes[index]))
        for index in range(len(plan.nodes), len(state.graph))
    )
    return replace(plan, nodes=(*plan.nodes, *rounds))


def _bases(scope: Scope | None) -> dict[int, int]:
    """Return where the nodes of each block begin that a round is within, its own among them."""
    bases: dict[int, int] = {}
    while scope is not None:
        bases[scope.block.number] = scope.base
        scope = scope.outer
    return bases


def _rounds(state: RunState) -> Iterator[RoundStory]:
    """Return the rounds that have begun, in the order in which the graph has grown."""
    for scope in dict.fromkeys(state.scopes.values()):
        yield RoundStory(
            node=scope.node, number=scope.number, first=scope.base, count=len(scope.block.nodes)
        )


def _node_story(report: NodeReport, index: int, teller: Teller) -> NodeStory:
    current = teller.state.nodes[index]
    began = _moment(current.began_at)
    ended = None if current.phase in _OPEN else _moment(teller.ended.get(report.path))
    undo_began = _moment(current.undo_first_at)
    undo_ended = _moment(teller.undo_ended.get(report.path))
    return NodeStory(
        path=report.path,
        standing=_standing(report, current),
        state=report.state,
        attempts=report.attempts,
        undo_attempts=report.undo_attempts,
        is_in_doubt=report.is_in_doubt,
        began=began,
        ended=ended,
        took=_between(began, ended),
        undo_began=undo_began,
        undo_ended=undo_ended,
        undo_took=_between(undo_began, undo_ended),
        due=report.due,
        child=report.child,
        failure=report.failure,
        undo_failure=report.undo_failure,
        note=_completed_with(report) or teller.notes.get(report.path) or _note(teller.state, index),
    )


def _completed_with(report: NodeReport) -> str:
    return "" if report.token is None else f"to be completed with {report.token}"


def _standing(report: NodeReport, current: NodeState) -> Standing:
    # What has begun to branch or to go round, and is no more to end, stands in no phase of its own.
    return Standing.STOPPED if report.state == STOPPED else _STANDINGS[current.phase]


def _note(state: RunState, index: int) -> str:
    """Say which case a switch has taken, or how far an each or a repeat has come."""
    current, rounds = state.nodes[index], state.rounds.get(index)
    if current.case is not None:
        return f"took the case {current.case}"
    if rounds is None:
        return ""
    many = words.rounds(len(rounds.given))
    return many if rounds.done == len(rounds.given) else f"{rounds.done:,} of {many} done"


def _moment(instant: Instant | None) -> datetime | None:
    return None if instant is None else as_datetime(instant)


def _between(began: datetime | None, ended: datetime | None) -> timedelta | None:
    return None if began is None or ended is None else ended - began


_OPEN = frozenset(
    {
        Phase.IDLE,
        Phase.READY,
        Phase.RUNNING,
        Phase.FAILED,
        Phase.INTERRUPTED,
        Phase.RETRYING,
        Phase.ASKING,
        Phase.ASK_FAILED,
        Phase.ASK_INTERRUPTED,
        Phase.ANSWERED,
        Phase.ASK_AGAIN,
        Phase.CHOSEN,
        Phase.ASLEEP,
        Phase.AWAITING,
        Phase.LISTENING,
        Phase.IN_ROUNDS,
        Phase.IN_CHILD,
        Phase.CHILD_PARKED,
        Phase.STANDING,
        Phase.HANDLED,
    }
)
"""Phases in which it is not known yet how the node ends."""

_STANDINGS: dict[Phase, Standing] = {
    Phase.IDLE: Standing.IDLE,
    Phase.READY: Standing.IDLE,
    Phase.RUNNING: Standing.AT_WORK,
    Phase.FAILED: Standing.AT_WORK,
    Phase.INTERRUPTED: Standing.AT_WORK,
    Phase.RETRYING: Standing.WAITING,
    Phase.ASKING: Standing.AT_WORK,
    Phase.ASK_FAILED: Standing.AT_WORK,
    Phase.ASK_INTERRUPTED: Standing.AT_WORK,
    Phase.ANSWERED: Standing.AT_WORK,
    Phase.ASK_AGAIN: Standing.WAITING,
    Phase.DONE: Standing.DONE,
    Phase.SKIPPED: Standing.SKIPPED,
    Phase.STOPPED: Standing.STOPPED,
    Phase.GAVE_UP: Standing.FAILED,
    Phase.STUCK: Standing.IN_DOUBT,
    Phase.UNRECORDED: Standing.IN_DOUBT,
    Phase.UNDOING: Standing.AT_WORK,
    Phase.UNDO_FAILED: Standing.AT_WORK,
    Phase.UNDO_INTERRUPTED: Standing.AT_WORK,
    Phase.UNDO_AGAIN: Standing.WAITING,
    Phase.UNDONE: Standing.UNDONE,
    Phase.KEPT: Standing.KEPT,
    Phase.LEFT: Standing.LEFT,
    Phase.CHOSEN: Standing.AT_WORK,
    Phase.ASLEEP: Standing.WAITING,
    Phase.AWAITING: Standing.WAITING,
    Phase.LISTENING: Standing.WAITING,
    Phase.IN_ROUNDS: Standing.AT_WORK,
    Phase.IN_CHILD: Standing.AT_WORK,
    Phase.CHILD_PARKED: Standing.WAITING,
    Phase.CHILD_UNDOING: Standing.AT_WORK,
    Phase.CHILD_UNDONE: Standing.AT_WORK,
    Phase.STANDING: Standing.AT_WORK,
    Phase.HANDLED: Standing.AT_WORK,
    Phase.REFUSED: Standing.IN_DOUBT,
}
