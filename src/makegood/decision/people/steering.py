"""What a person may say becomes of a node instead of its body: it is skipped, or has this result.

| where the node stands | skipped, or given its result |
|---|---|
| it has not begun | when its turn comes |
| it definitely failed, and is to be tried again | at once |
| it sleeps | skipped at once: the sleep is over |
| it gave up past the pivot | at once, and the run goes on |
| its body, its compensate, a child or somebody outside is at work | refused: it is to end |
| it is in doubt, or happened unrecorded | refused: it is settled |
| it has begun, and the run is parked for another reason | refused |
| it has ended, or the run goes back or has ended | refused |

Only what has a body of its own is skipped or given a result. A skipped node gives None, so it is
refused where somebody needs what it gives: unless the declaration says that it may be skipped
(`optional`, `.when`), nothing may be wired to it. A result must be one of the node's type.

Nothing is said of the effect: an effect that happened is never skipped, and what is given a result
by hand is undone with that result, as if its body had returned it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from makegood.decision import facts
from makegood.decision.direction import is_past_pivot
from makegood.decision.facts import ControlAnswer, SkipReason
from makegood.decision.state import IN_FLIGHT, TO_COME, WITH_CHILD, Phase
from makegood.definition.plan import (
    Constant,
    FromInput,
    FromNode,
    FromRound,
    Items,
    Kind,
    Pairs,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.plan import Node, Plan, Source
    from makegood.values.instants import Instant

__all__ = ["answer_to_set_result", "answer_to_skip", "end_as_granted", "needed_by"]

_Answer = tuple[ControlAnswer, tuple["Fact", ...]]

_SKIPPED = frozenset({Kind.STEP, Kind.QUERY, Kind.LOCAL, Kind.SLEEP})
_GIVEN = frozenset({Kind.STEP, Kind.QUERY, Kind.LOCAL, Kind.PURE})
"""The kinds of nodes that have a body of their own, or a time to wait for."""

_AT_WORK = IN_FLIGHT | WITH_CHILD | {Phase.AWAITING}
_OPEN = frozenset(
    {
        Phase.STUCK,
        Phase.UNRECORDED,
        Phase.REFUSED,
        Phase.INTERRUPTED,
        Phase.ASK_FAILED,
        Phase.ASK_INTERRUPTED,
        Phase.ANSWERED,
        Phase.ASK_AGAIN,
        Phase.CHILD_PARKED,
    }
)
"""Phases in which it is not known what is left of it."""
_MOVABLE = TO_COME | {Phase.FAILED, Phase.RETRYING, Phase.ASLEEP, Phase.GAVE_UP}


def answer_to_skip(
    plan: Plan, state: RunState, request: facts.SkipRequested, now: Instant
) -> _Answer:
    """Answer a request to skip a node."""
    refusal = _refusal(state, request.node, _SKIPPED)
    if refusal is not None:
        return refusal, ()
    if state.lifecycle is not None or needed_by(plan, state, request.node):
        # Without what its handler gives, the record of a lifecycle would stand still.
        return ControlAnswer.NEEDED, ()
    granted = facts.SkipGranted(request.node, request.actor, request.reason, now)
    return _accepted(plan, state, granted, now)


def answer_to_set_result(
    plan: Plan, state: RunState, request: facts.SetResultRequested, now: Instant
) -> _Answer:
    """Answer a request to give a node its result."""
    refusal = _refusal(state, request.node, _GIVEN)
    if refusal is not None:
        return refusal, ()
    if request.misfit is not None:
        return ControlAnswer.NOT_A_RESULT, ()
    granted = facts.ResultGranted(request.node, request.result, request.actor, request.reason, now)
    return _accepted(plan, state, granted, now)


def end_as_granted(granted: facts.SkipGranted | facts.ResultGranted, now: Instant) -> Fact:
    """Return how a node ends that a person has said so of, when its turn has come."""
    match granted:
        case facts.SkipGranted(node=path):
            return facts.NodeSkipped(path, SkipReason.PERSON, now)
        case facts.ResultGranted(node=path, result=result):
            return facts.NodeDone(path, result, now)
        case _:
            assert_never(granted)


def needed_by(plan: Plan, state: RunState, path: str) -> tuple[str, ...]:
    """Return who needs what a node gives and cannot do with None: paths, and `return`."""
    index = state.positions[path]
    node, number = state.graph[index], state.number_of(index)
    if node.optional or node.when is not None or node.returns == "None":
        # Whoever is wired to it was found to take None when it was declared.
        return ()
    found = [each for each, sources in _wired(plan.nodes) if _names(sources, number)]
    return (*found, *(("return",) if _names((plan.returns,), number) else ()))


def _refusal(state: RunState, path: str, kinds: frozenset[Kind]) -> ControlAnswer | None:
    """Say why nothing can be said about a node by a person now, or None."""
    if state.ended is not None:
        return ControlAnswer.TOO_LATE
    if state.rolling_back is not None or state.retracing:
        return ControlAnswer.ALREADY_UNDOING
    index = state.positions.get(path)
    if index is None:
        return ControlAnswer.UNKNOWN_NODE
    if state.is_in_failing_round(index):
        return ControlAnswer.ALREADY_UNDOING
    if state.graph[index].kind not in kinds:
        return ControlAnswer.NO_BODY
    current = state.nodes[index]
    if current.phase in _AT_WORK:
        return ControlAnswer.AT_WORK
    if current.doubt or current.phase in _OPEN:
        return ControlAnswer.IN_DOUBT
    return None if current.phase in _MOVABLE else ControlAnswer.NODE_ENDED


def _accepted(
    plan: Plan, state: RunState, granted: facts.SkipGranted | facts.ResultGranted, now: Instant
) -> _Answer:
    """Grant it: at once where the node has begun before, else when its turn comes."""
    index = state.positions[granted.node]
    current = state.nodes[index]
    if current.phase in TO_COME:
        return ControlAnswer.ACCEPTED, (granted,)
    unparked: tuple[Fact, ...] = ()
    if state.parked is not None:
        if current.phase is not Phase.GAVE_UP or not is_past_pivot(plan, state):
            # Nothing ends in a run that stands still for another reason.
            return ControlAnswer.PARKED, ()
        unparked = (facts.Unparked(now),)
    return ControlAnswer.ACCEPTED, (*unparked, granted, end_as_granted(granted, now))


def _wired(nodes: Sequence[Node]) -> Iterator[tuple[str, tuple[Source, ...]]]:
    """Give every node of a plan, those of its blocks too, with all that is wired to it."""
    for node in nodes:
        sources = [argument.source for argument in node.arguments]
        sources += [case.returns for case in node.cases]
        if node.when is not None:
            sources.append(node.when)
        for block in node.inner:
            sources.append(block.returns)
            yield from _wired(block.nodes)
        yield node.path, tuple(sources)


def _names(sources: Sequence[Source], number: int) -> bool:
    """Say whether a node, by its number in the plan, is among the sources or inside them."""
    return any(_is_from(source, number) for source in sources)


def _is_from(source: Source, number: int) -> bool:
    match source:
        case FromNode(node=node):
            return node == number
        case Items(items=items):
            return _names(items, number)
        case Pairs(pairs=pairs):
            return _names([each for _name, each in pairs], number)
        case FromInput() | FromRound() | Constant():
            return False
        case _:
            assert_never(source)
