"""How is a refusal told at a terminal? In the words of the engine, or of the commands."""

from __future__ import annotations

from makegood import ControlAnswer
from makegood.runtime.asking import refusals

__all__ = ["refusal_of"]

_IN_COMMANDS = {
    ControlAnswer.TOO_LATE: "the run has ended; `makegood show` says how",
    ControlAnswer.UNKNOWN_NODE: "it has no such node; `makegood show` names them",
    ControlAnswer.NOT_WAITED_FOR: "that is not what it waits for; `makegood show` says what is",
    ControlAnswer.DOES_NOT_FIT: (
        "--undone and --kept are for an undo that gave up, --happened and "
        "--did-not-happen for everything else"
    ),
    ControlAnswer.NOT_PAUSED: (
        "it is not paused; a workflow that is halted is resumed with --workflow"
    ),
    ControlAnswer.NOT_PARKED: (
        "it is not parked, so nothing of it waits for a person; `makegood show` says what it does"
    ),
    ControlAnswer.NODE_ENDED: "it has ended; `makegood show` says how",
}


def refusal_of(answer: ControlAnswer) -> str:
    """Say why a request is refused, and what to do instead."""
    return _IN_COMMANDS.get(answer) or refusals.refusal_of(answer)
