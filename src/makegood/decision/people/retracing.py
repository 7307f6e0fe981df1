"""May a run be retraced from a node? It goes back to it, and from there forward again.

Everything that has used what the node gave is done again with it: whatever is wired to it or comes
after it, through branches too. What of that is done is undone first, the last completed first; all
else in the run stays as it is. So nothing that is done is ever done twice, and it has a new key
when it is done again, for what it did under the old one was taken back.

| asked of | answer |
|---|---|
| a run that is under way, paused, or parked because it cannot go on past its pivot | accepted |
| a run that goes back, is retraced already, or has ended | refused |
| while a body is at work | put off until it has ended |
| while anything is in doubt, or a child or somebody outside is at work | refused |
| a node that has not begun | refused: there is nothing to go back for |
| a node within a branch or a round, or with rounds or a child to be done again | refused |
| where something is to be undone that declares no undo, or past the pivot | refused |
| where a message was sent, or is waited for or came, that would be once more | refused |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision import facts
from makegood.decision.direction import is_past_pivot
from makegood.decision.facts import ControlAnswer, ParkReason
from makegood.decision.standing.done import is_done
from makegood.decision.state import TO_COME, WITH_CHILD, Phase
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.decision.state import NodeState, RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["answer_to_retry_from"]

_Answer = tuple[ControlAnswer, tuple["Fact", ...]]

_ELSEWHERE = WITH_CHILD | {Phase.AWAITING}


def answer_to_retry_from(
    plan: Plan, state: RunState, request: facts.RetryFromRequested, now: Instant
) -> _Answer | None:
    """Answer a request to retrace a run, or None while a body is at work."""
    refusal = _refusal(state, request.node)
    if refusal is not None:
        return refusal, ()
    if state.in_flight:
        return None
    retraced = _retraced_from(state, state.positions[request.node])
    refusal = _refusal_of_all(plan, state, retraced)
    if refusal is not None:
        return refusal, ()
    unparked: tuple[Fact, ...] = () if state.parked is None else (facts.Unparked(now),)
    paths = tuple(state.graph[index].path for index in retraced)
    began = facts.RetraceBegan(request.node, paths, request.actor, request.reason, now)
    return ControlAnswer.ACCEPTED, (*unparked, began)


def _refusal(state: RunState, path: str) -> ControlAnswer | None:
    """Say why a run cannot be retraced as it stands, or not from this node."""
    if state.ended is not None:
        return ControlAnswer.TOO_LATE
    if state.rolling_back is not None or state.retracing or state.failing:
        return ControlAnswer.ALREADY_UNDOING
    index = state.positions.get(path)
    if index is None:
        return ControlAnswer.UNKNOWN_NODE
    if any(map(_is_open, state.nodes)):
        return ControlAnswer.IN_DOUBT
    if state.parked not in {None, ParkReason.FORWARD_USED_UP}:
        return ControlAnswer.PARKED
    if any(node.phase in _ELSEWHERE for node in state.nodes):
        return ControlAnswer.AT_WORK
    if index in state.scopes or state.graph[index].branch is not None:
        return ControlAnswer.NESTED
    return ControlAnswer.NOT_BEGUN if state.nodes[index].phase in TO_COME else None


def _refusal_of_all(plan: Plan, state: RunState, retraced: list[int]) -> ControlAnswer | None:
    """Say why these nodes cannot all be done again."""
    if any(_is_nested(state, index) for index in retraced):
        return ControlAnswer.NESTED
    if any(state.nodes[index].doubt for index in retraced):
        # It was skipped in doubt.
        return ControlAnswer.IN_DOUBT
    done = [index for index in retraced if is_done(state, index)]
    if done and is_past_pivot(plan, state):
        return ControlAnswer.PAST_PIVOT
    if any(state.graph[index].undo is None for index in done):
        return ControlAnswer.NO_UNDO
    if any(_is_said_or_heard(state, index) for index in retraced):
        return ControlAnswer.NO_UNDO
    return None


def _is_open(node: NodeState) -> bool:
    """Say whether a node is in doubt, and is or may be asked about."""
    return node.doubt and node.phase not in {Phase.RUNNING, Phase.SKIPPED}


def _is_nested(state: RunState, index: int) -> bool:
    """Say whether a node has grown the run's graph, or called another run."""
    if state.graph[index].kind is Kind.LIFECYCLE:
        return True
    has_child = state.nodes[index].child is not None or state.graph[index].kind is Kind.CHILD
    return index in state.rounds or (has_child and state.nodes[index].phase not in TO_COME)


def _is_said_or_heard(state: RunState, index: int) -> bool:
    """Say whether a node has begun by which runs speak with each other; nobody takes that back."""
    is_message = state.graph[index].kind in {Kind.SEND, Kind.WAIT}
    return is_message and state.nodes[index].phase not in TO_COME


def _retraced_from(state: RunState, first: int) -> list[int]:
    """Return a node and all that comes after it, in the order of the plan."""
    found: set[int] = set()
    coming = [first]
    while coming:
        index = coming.pop()
        if index in found:
            continue
        found.add(index)
        node = state.graph[index]
        coming += node.feeds
        for case in node.cases:
            coming += state.branches[index, case.label]
        if node.branch is not None:
            # The switch ends after its branch, and gives what that gives.
            coming.append(node.branch.node)
    return sorted(found)
