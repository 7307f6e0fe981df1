"""What going back would do, foreseen: the heart itself is driven on, with imagined outcomes.

Nothing is restated here. The run's facts are folded into a state of its own, the request is
added, and `decide` and `evolve` go on from there as they would in an engine, except that every
body succeeds at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.decision import facts
from makegood.decision.commands import Compensate, Evaluate, Local, Start, Stop, Undo
from makegood.decision.decide import decide
from makegood.decision.evolve import evolve, fold
from makegood.decision.facts import ControlAnswer, ParkReason
from makegood.decision.retry import Chance
from makegood.decision.state import IN_FLIGHT, Phase
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from makegood.decision.commands import Command
    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["ForeseenKept", "ForeseenUndo", "UndoPreview", "preview_cancel", "preview_undo"]

Request = facts.UndoRequested | facts.CancelRequested

_NULL = msgspec.Raw(b"null")


class ForeseenUndo(msgspec.Struct, frozen=True, kw_only=True):
    """A node that would be undone."""

    node: str
    function: str
    """The undo's name."""


class ForeseenKept(msgspec.Struct, frozen=True, kw_only=True):
    """A node that would stay done, because it declares no undo."""

    node: str
    why: str | None
    """What its declaration says (`irreversible`); None where it says nothing."""


class UndoPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo or a cancel would do now, if all goes well."""

    answer: ControlAnswer
    """What the request would be answered: `accepted`, or what prevents it."""
    awaits: tuple[str, ...] = ()
    """What is at work or in doubt, and is awaited first. The preview takes it to succeed."""
    undos: tuple[ForeseenUndo, ...] = ()
    """What would be undone, in this order."""
    kept: tuple[ForeseenKept, ...] = ()
    """What would stay, the last completed first."""
    parks: ParkReason | None = None
    """Why the run would be parked instead of being undone: something waits for a person."""

    @property
    def is_possible(self) -> bool:
        """Whether the run would go back."""
        return self.answer is ControlAnswer.ACCEPTED


def preview_undo(plan: Plan, history: Iterable[Fact], now: Instant) -> UndoPreview:
    """Say what an undo of the run with these facts would do, asked for at this moment."""
    return _preview(plan, history, facts.UndoRequested(0, "", "", now))


def preview_cancel(plan: Plan, history: Iterable[Fact], now: Instant) -> UndoPreview:
    """Say what a cancel of the run with these facts would do, asked for at this moment."""
    return _preview(plan, history, facts.CancelRequested(0, "", "", now))


def _preview(plan: Plan, history: Iterable[Fact], request: Request) -> UndoPreview:
    state = fold(plan, history)
    awaits = _awaited(state)
    evolve(state, request)
    foreseen = _foresee(plan, state, request)
    answer = state.answers[request.post]
    if answer is not ControlAnswer.ACCEPTED:
        return UndoPreview(answer=answer, awaits=awaits)
    undos: list[ForeseenUndo] = []
    kept: list[ForeseenKept] = []
    for fact in foreseen:
        match fact:
            case facts.UndoDone(node=path):
                undo = state.graph[state.positions[path]].undo
                assert undo is not None, "only what declares an undo is undone"
                undos.append(ForeseenUndo(node=path, function=undo.function))
            case facts.NodeKept(node=path):
                why = state.graph[state.positions[path]].irreversible
                kept.append(ForeseenKept(node=path, why=why))
            case _:
                continue
    return UndoPreview(
        answer=answer, awaits=awaits, undos=tuple(undos), kept=tuple(kept), parks=state.parked
    )


def _awaited(state: RunState) -> tuple[str, ...]:
    return tuple(
        node.path
        for index, (node, current) in enumerate(zip(state.graph, state.nodes, strict=True))
        if (current.phase in IN_FLIGHT and node.kind is not Kind.QUERY)
        or (current.doubt and index in state.timers)
    )


def _foresee(plan: Plan, state: RunState, request: Request) -> list[Fact]:
    """Drive the run until it has gone back, or is not allowed to; return what came about."""
    foreseen: list[Fact] = []
    now, chance = request.at, Chance(0)
    while _is_open(state, request):
        # Each round ends at least one node's phase, and a node has a bounded number of them.
        assert len(foreseen) < 100 + 20 * len(state.graph), "a run comes to rest"
        decision = decide(plan, state, now, chance)
        following = [*decision.facts]
        for command in decision.commands:
            following += _at_once(state, command, now)
        following = following or _next_outcome(state, now)
        if not following:
            due = state.next_due(now)
            assert due is not None, "a run that is not settled waits for a body, or for time"
            now = due
        for fact in following:
            evolve(state, fact)
        foreseen += following
    return foreseen


def _is_open(state: RunState, request: Request) -> bool:
    answer = state.answers.get(request.post)
    if answer is ControlAnswer.ACCEPTED:
        return not state.is_settled
    return answer is None


def _at_once(state: RunState, command: Command, now: Instant) -> list[Fact]:
    """Return what comes of a command that has no fact of its beginning."""
    match command:
        case Evaluate():
            assert command.what == "result", "nothing new begins before the answer or after it"
            return [facts.Returned(_NULL)]
        case Local():
            assert command.direction == "undo", "nothing new begins before the answer or after it"
            path = state.graph[command.node].path
            return [facts.UndoStarted(path, command.attempt, now), facts.UndoDone(path, now)]
        case Start() | Compensate() | Undo() | Stop():
            return []
        case _:
            assert_never(command)


def _next_outcome(state: RunState, now: Instant) -> list[Fact]:
    """Return how the first body at work ends: well."""
    for node, current in zip(state.graph, state.nodes, strict=True):
        match current.phase:
            case Phase.RUNNING:
                return [facts.NodeDone(node.path, _NULL, now)]
            case Phase.ASKING:
                return [facts.VerdictGiven(node.path, facts.Proceeded(_NULL), now)]
            case Phase.UNDOING:
                return [facts.UndoDone(node.path, now)]
            case _:
                continue
    return []
