"""Why is a request to a run refused? One sentence for each answer, which says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.words import ControlAnswer
from makegood.errors import ControlRefused, NotUndoable, PastPivot
from makegood.runtime.asking.post import (
    CancelPost,
    PausePost,
    ResumePost,
    RetryFromPost,
    RetryPost,
    SetResultPost,
    SettlePost,
    SkipPost,
    UndoPost,
)

if TYPE_CHECKING:
    from makegood.runtime.asking.post import Control
    from makegood.values.ids import RunId

__all__ = ["refusal_of", "unless_refused"]

_ASKED: dict[type[Control], str] = {
    CancelPost: "be cancelled",
    UndoPost: "be undone",
    PausePost: "be paused",
    ResumePost: "be resumed",
    SettlePost: "be settled",
    RetryPost: "be tried again",
    RetryFromPost: "be done again",
    SkipPost: "be skipped",
    SetResultPost: "be given a result",
}

_RACES_LOST = frozenset({ControlAnswer.TOO_LATE, ControlAnswer.ALREADY_UNDOING})

_REFUSALS = {
    ControlAnswer.TOO_LATE: "the run has ended; its description says how",
    ControlAnswer.ALREADY_UNDOING: "it is going back already; wait until it has",
    ControlAnswer.PAST_PIVOT: (
        "it has passed its pivot and only goes forward; retry, skip or settle what holds it up"
    ),
    ControlAnswer.NOT_COMPLETED: "only a completed run can be undone; cancel one that is under way",
    ControlAnswer.PARKED: "it is parked; settle or retry what is left first",
    ControlAnswer.NOT_PARKED: (
        "it is not parked, so nothing of it waits for a person; its description says what it does"
    ),
    ControlAnswer.UNKNOWN_NODE: "it has no such node; its description names them",
    ControlAnswer.NOT_WAITED_FOR: "that is not what it waits for; its description says what is",
    ControlAnswer.DOES_NOT_FIT: (
        "that it was undone or kept is said of an undo that gave up, and that it happened or did "
        "not of everything else"
    ),
    ControlAnswer.NOT_A_RESULT: "the result given is not of the type that the node returns",
    ControlAnswer.KEY_EXPIRED: (
        "the other side may not know its key any more, so it can only be settled"
    ),
    ControlAnswer.ONLY_SETTLED: "it did happen, and trying it again would double it; settle it",
    ControlAnswer.IS_A_CHILD: (
        "another run has called it, and it is undone as a part of that; undo that one"
    ),
    ControlAnswer.SETTLE_THE_CHILD: (
        "what waits is the run that it has called; settle or retry that one"
    ),
    ControlAnswer.SAID_BEFORE: "it is said before",
    ControlAnswer.SAID_OTHERWISE: "it is said otherwise",
    ControlAnswer.NOT_AWAITED: "it is not awaited",
    ControlAnswer.ALREADY_PAUSED: "it is paused already; resume it when it may go on",
    ControlAnswer.NOT_PAUSED: (
        "it is not paused; a workflow or an engine that is halted is resumed by lifting its halt"
    ),
    ControlAnswer.NO_BODY: (
        "it has no body of its own; only a step, a query, a value or a sleep has"
    ),
    ControlAnswer.NODE_ENDED: "it has ended; its description says how",
    ControlAnswer.AT_WORK: "it is at work; wait for its outcome",
    ControlAnswer.IN_DOUBT: "it may have happened; settle it first",
    ControlAnswer.NOT_BEGUN: "it has not begun, so there is nothing to go back for",
    ControlAnswer.NO_UNDO: (
        "something that is done would have to be undone, and declares no undo; name a node after it"
    ),
    ControlAnswer.NESTED: (
        "a run does not go back into a branch, a round or a child, nor through rounds or a child "
        "that have begun; name a node before them, or cancel the run"
    ),
    ControlAnswer.NEEDED: (
        "others need what it gives and cannot do with None; give it a result instead"
    ),
}


def refusal_of(answer: ControlAnswer) -> str:
    """Say why a request is refused, and what to do instead."""
    return _REFUSALS[answer]


def unless_refused(run: RunId, control: Control, answer: ControlAnswer) -> ControlAnswer:
    """Return an answer that is no refusal; raise `ControlRefused`, of the kind that it is, else.

    Whoever cancels a run that has ended, or goes back already, has lost a race and asked for
    nothing wrong.
    """
    if answer is ControlAnswer.ACCEPTED:
        return answer
    if isinstance(control, CancelPost) and answer in _RACES_LOST:
        return answer
    node: str | None = getattr(control, "node", None)
    whom = f"run {run}" if node is None else f"`{node}` of run {run}"
    message = f"{whom} cannot {_ASKED[type(control)]}: {refusal_of(answer)}"
    if answer is ControlAnswer.PAST_PIVOT:
        raise PastPivot(message, answer=answer.value)
    if isinstance(control, CancelPost | UndoPost):
        raise NotUndoable(message, answer=answer.value)
    raise ControlRefused(message, answer=answer.value)
