"""What a run says to other runs: to the children that it calls, and to its parent.

Everything follows from the facts of one turn and the state after it, so that a turn which is
decided anew says the same. Whoever appends those facts remembers what is said with them, and it
is delivered once they are durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import ControlAnswer, EndStatus, Fact, Parent
from makegood.decision.people.failures import failures_in
from makegood.values.codec import NULL
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from makegood.values.limits import CHILD_FAILURES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.state import RunState

__all__ = ["Said", "StartChild", "TellChild", "TellParent", "said"]


class StartChild(msgspec.Struct, frozen=True, gc=False):
    """A child is to begin."""

    run: RunId
    started: facts.RunStarted
    input_hash: str
    refused: facts.ChildRefused
    """What this run is told when the child cannot begin."""
    is_lifecycle: bool = False
    """Whether its key is free again when it has ended."""


class TellChild(msgspec.Struct, frozen=True, gc=False):
    """A child is to go back: it is cancelled at work, or undone after it has completed."""

    run: RunId
    what: Literal["cancel", "undo"]
    at: Instant
    refused: facts.ChildRefused | None
    """What this run is told when nothing is remembered of the child."""


class TellParent(msgspec.Struct, frozen=True, gc=False):
    """The parent is to know how a child stands."""

    run: RunId
    told: facts.ChildEnded | facts.ChildMoved | facts.ChildRefused


Said = StartChild | TellChild | TellParent
"""Everything that a run can say to another one."""


def said(state: RunState, run: RunId, recorded: Sequence[Fact], now: Instant) -> tuple[Said, ...]:
    """Return what a run says because of the facts of a turn, in their order."""
    to_children = _to_children(state, run, recorded)
    return (*to_children, *_to_parent(state, run, recorded, now))


def _to_children(state: RunState, run: RunId, recorded: Sequence[Fact]) -> Iterator[Said]:
    for fact in recorded:
        match fact:
            case facts.ChildStarted():
                yield _start(state, run, fact)
            case facts.ChildCancelled():
                child = _child_of(state, fact.node)
                assert child is not None, "only a node with a child tells it something"
                yield TellChild(child, "cancel", fact.at, None)
            case facts.UndoStarted():
                child = _child_of(state, fact.node)
                if child is not None:
                    refused = facts.ChildRefused(node=fact.node, run=child, at=fact.at)
                    yield TellChild(child, "undo", fact.at, refused)
            case _:
                continue


def _start(state: RunState, run: RunId, fact: facts.ChildStarted) -> StartChild:
    started = facts.RunStarted(
        workflow=fact.workflow,
        fingerprint=fact.fingerprint,
        key=fact.key,
        inputs=fact.inputs,
        deadline=fact.deadline,
        at=fact.at,
        context={**state.context},
        subject=state.family.subject,
        parent=Parent(run, fact.node),
        depth=state.family.depth + 1,
        root=state.family.root or run,
        schema=fact.schema,
        beginning=state.family.handed_on(run),
    )
    refused = facts.ChildRefused(node=fact.node, run=fact.run, at=fact.at)
    return StartChild(fact.run, started, fact.input_hash, refused, fact.is_lifecycle)


def _child_of(state: RunState, path: str) -> RunId | None:
    """Return the child of a node, unless that is undone: then only the step itself goes back."""
    node = state.nodes[state.positions[path]]
    return None if node.child_is_undone else node.child


def _to_parent(
    state: RunState, run: RunId, recorded: Sequence[Fact], now: Instant
) -> Iterator[Said]:
    parent = state.family.parent
    if parent is None:
        return
    node = parent.node
    for fact in recorded:
        match fact:
            case facts.RunEnded():
                yield TellParent(parent.run, _ended(state, run, node, fact))
            case facts.Parked():
                moved = facts.ChildMoved(node=node, run=run, reason=fact.reason, at=fact.at)
                yield TellParent(parent.run, moved)
            case facts.Unparked():
                yield TellParent(parent.run, facts.ChildMoved(node=node, run=run, at=fact.at))
            case facts.ControlAnswered() if (
                fact.post in state.family.parents_posts
                and fact.answer is not ControlAnswer.ACCEPTED
            ):
                refused = facts.ChildRefused(node=node, run=run, answer=fact.answer, at=now)
                yield TellParent(parent.run, refused)
            case _:
                continue


def _ended(state: RunState, run: RunId, node: str, fact: facts.RunEnded) -> facts.ChildEnded:
    is_completed = fact.status is EndStatus.COMPLETED
    failures = () if is_completed else failures_in(state)
    result = state.returned if is_completed and isinstance(state.returned, Raw) else NULL
    return facts.ChildEnded(
        node=node,
        run=run,
        status=fact.status,
        cause=fact.cause,
        result=result,
        failures=tuple(each.failure for each in failures[:CHILD_FAILURES_MAX]),
        at=fact.at,
    )
