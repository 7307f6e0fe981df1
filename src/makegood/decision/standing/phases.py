"""Where can a node stand? Each phase says who moves it on from there."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "AT_WORK",
    "DECIDED",
    "DONE",
    "IDLE",
    "IN_FLIGHT",
    "LEFT_TO_A_PERSON",
    "READY",
    "RUNNING",
    "TIMED",
    "TO_COME",
    "WITH_CHILD",
    "Phase",
]


class Phase(IntEnum):
    """Where a node stands. The comment says who moves it on."""

    IDLE = 0  # The nodes that it needs.
    READY = 1  # The next decision.
    RUNNING = 2  # The outcome of its body.
    FAILED = 3  # The next decision: an attempt failed.
    INTERRUPTED = 4  # The next decision: its worker died or gave up the run.
    RETRYING = 5  # A due time.
    ASKING = 6  # The outcome of its compensate.
    ASK_FAILED = 7  # The next decision: its compensate raised.
    ASK_INTERRUPTED = 8  # The next decision: the worker of its compensate died.
    ANSWERED = 9  # The next decision: its compensate gave a verdict.
    ASK_AGAIN = 10  # A due time.
    DONE = 11  # Nobody, or a rollback.
    SKIPPED = 12  # Nobody.
    STOPPED = 13  # Nobody: it never happened, and is not wanted any more.
    GAVE_UP = 14  # Nobody: a definite failure. Past the pivot a person.
    STUCK = 15  # A person: in doubt.
    UNRECORDED = 16  # A person: it happened, and its result is not on record.
    UNDOING = 17  # The outcome of its undo.
    UNDO_FAILED = 18  # The next decision: an attempt to undo failed.
    UNDO_INTERRUPTED = 19  # The next decision: the worker of its undo died.
    UNDO_AGAIN = 20  # A due time.
    UNDONE = 21  # Nobody.
    KEPT = 22  # Nobody: it declares no undo, or a person accepts that it stays.
    LEFT = 23  # A person: its undo gave up.
    CHOSEN = 24  # The nodes of the branch that was chosen.
    ASLEEP = 25  # A due time.
    IN_ROUNDS = 26  # The nodes of its rounds.
    IN_CHILD = 27  # The end of its child.
    CHILD_PARKED = 28  # Its child, which a person must move on.
    CHILD_UNDOING = 29  # The end of its child, which is told to go back.
    CHILD_UNDONE = 30  # The next decision: its child is undone, and now it is itself.
    AWAITING = 31  # Somebody outside, or a due time.
    LISTENING = 32  # A message, or a due time.
    STANDING = 33  # In a status of a lifecycle: a handler, a message, or a due time.
    HANDLED = 34  # In a status of a lifecycle: the next decision, for a handler has ended.
    REFUSED = 35  # A person: what it gave, or was to be given, is not as declared.


IDLE, READY, RUNNING, DONE = Phase.IDLE, Phase.READY, Phase.RUNNING, Phase.DONE
"""Those that every node goes through. Python 3.11 takes as long to look a member up in its class as
to call a function, so what is asked at each fact has them at hand."""

AT_WORK: dict[str, Phase] = {
    "do": Phase.RUNNING,
    "compensate": Phase.ASKING,
    "undo": Phase.UNDOING,
}
"""The phase in which each body of a node's is at work."""

IN_FLIGHT = frozenset(AT_WORK.values())
"""Phases in which a body of the user's is at work."""

TIMED = frozenset({Phase.RETRYING, Phase.ASK_AGAIN, Phase.UNDO_AGAIN, Phase.ASLEEP, Phase.AWAITING})
"""Phases that end when their time comes."""

DECIDED = frozenset(
    {
        Phase.FAILED,
        Phase.INTERRUPTED,
        Phase.ASK_FAILED,
        Phase.ASK_INTERRUPTED,
        Phase.ANSWERED,
        Phase.UNDO_FAILED,
        Phase.UNDO_INTERRUPTED,
        Phase.CHILD_UNDONE,
        Phase.HANDLED,
    }
)
"""Phases that the next decision ends."""

LEFT_TO_A_PERSON = frozenset(
    {Phase.STUCK, Phase.UNRECORDED, Phase.LEFT, Phase.CHILD_PARKED, Phase.REFUSED}
)
"""Phases that a person ends."""

TO_COME = frozenset({Phase.IDLE, Phase.READY})
"""Phases of nodes that have not begun."""

WITH_CHILD = frozenset({Phase.IN_CHILD, Phase.CHILD_UNDOING})
"""Phases that end when a child says something."""
