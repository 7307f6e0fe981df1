"""What going back would do, foreseen: the run is driven on, and all goes well.

Nothing is restated here. The run's facts are folded into a state of its own, the request is
added, and the run is imagined from there on, every body succeeding at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.decision import facts
from makegood.decision.commands import Compensate, Start, Undo
from makegood.decision.facts import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.decision.imagined import ImaginedRun
from makegood.decision.state import IN_FLIGHT, WITH_CHILD, Phase
from makegood.definition.plan import Kind
from makegood.values.codec import NULL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.decision.commands import Evaluate, Local
    from makegood.decision.facts import Fact
    from makegood.decision.imagined import Body
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan
    from makegood.values.instants import Instant

__all__ = ["ForeseenKept", "ForeseenUndo", "UndoPreview", "preview_cancel", "preview_undo"]

Request = facts.UndoRequested | facts.CancelRequested

_NOBODYS = -1
"""The post of an answer that nobody has given."""


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
    run = ImaginedRun(plan, _ALL_WELL, request.at, history=history)
    awaits = _awaited(run.state)
    foreseen = _foresee(run, request)
    state = run.state
    answer = state.answers[request.post]
    if answer is not ControlAnswer.ACCEPTED:
        return UndoPreview(answer=answer, awaits=awaits)
    undos: list[ForeseenUndo] = []
    kept: list[ForeseenKept] = []
    for fact in foreseen:
        match fact:
            case facts.UndoDone(node=path):
                node = state.graph[state.positions[path]]
                # A child is undone as one unit; what its steps come to is for it to say.
                by = node.function if node.undo is None else node.undo.function
                undos.append(ForeseenUndo(node=path, function=by))
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
        or current.phase in WITH_CHILD
        or current.phase is Phase.AWAITING
        or (current.doubt and index in state.timers)
    )


def _foresee(run: ImaginedRun, request: Request) -> list[Fact]:
    """Drive the run until it has gone back, or is not allowed to; return what came about."""
    before = len(run.facts)
    run.take(request)
    while _is_open(run.state, request):
        # Each round ends at least one node's phase, and a node has a bounded number of them.
        assert len(run.facts) - before < 100 + 20 * len(run.state.graph), "a run comes to rest"
        if run.ask():
            continue
        local = run.begin()
        if local is not None:
            run.take(*_ALL_WELL.local(run, local))
        elif run.work:
            run.take(_well(run, run.work.pop(0)))
        elif run.state.family.children:
            run.take(_child_well(run, run.state.family.children[0]))
        elif awaited := _answered(run.state, run.now):
            run.take(awaited)
        elif _is_open(run.state, request):
            is_due = run.turn_clock()
            assert is_due, "a run that is not settled waits for a body, or for time"
    return run.facts[before:]


def _answered(state: RunState, now: Instant) -> Fact | None:
    """Return how the first step ends that waits for somebody outside: well."""
    for node, current in zip(state.graph, state.nodes, strict=True):
        if current.phase is Phase.AWAITING:
            return facts.CompletionGiven(
                post=_NOBODYS, node=node.path, number=len(current.told), at=now
            )
    return None


def _is_open(state: RunState, request: Request) -> bool:
    answer = state.answers.get(request.post)
    if answer is ControlAnswer.ACCEPTED:
        return not state.is_settled
    return answer is None


class _AllWell:
    """What comes of what a run wants at once on its way back: it succeeds."""

    def computed(self, _run: ImaginedRun, command: Evaluate, /) -> Fact:
        assert command.what == "result", "nothing new begins before the answer or after it"
        return facts.Returned(NULL)

    def local(self, run: ImaginedRun, command: Local, /) -> Sequence[Fact]:
        assert command.direction == "undo", "nothing new begins before the answer or after it"
        path = run.state.graph[command.node].path
        return facts.UndoStarted(path, command.attempt, run.now), facts.UndoDone(path, run.now)


_ALL_WELL = _AllWell()


def _well(run: ImaginedRun, body: Body) -> Fact:
    """Return how a body at work ends: well."""
    path = run.state.graph[body.node].path
    match body:
        case Start():
            return facts.NodeDone(path, NULL, run.now)
        case Compensate():
            return facts.VerdictGiven(path, facts.Proceeded(NULL), run.now)
        case Undo():
            return facts.UndoDone(path, run.now)
        case _:
            assert_never(body)


def _child_well(run: ImaginedRun, index: int) -> Fact:
    """Return how a child ends that is at work, or is told to go back: well."""
    current = run.state.nodes[index]
    assert current.child is not None, "it waits for a child"
    is_at_work = current.phase is Phase.IN_CHILD
    return facts.ChildEnded(
        node=run.state.graph[index].path,
        run=current.child,
        status=EndStatus.COMPLETED if is_at_work else EndStatus.CANCELLED,
        cause=None if is_at_work else Cause.REVERSED,
        at=run.now,
    )
