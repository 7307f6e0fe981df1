"""What a timeline is made of: what became of a run, in order and node by node, in plain records.

Everything here can be written as JSON by `msgspec.json.encode`, and holds no value that a step
was given or returned: a timeline is shown to whoever looks, and results may be personal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

import msgspec

from makegood.definition.plan import Plan
from makegood.values.verdict import Failure

__all__ = [
    "Attempted",
    "Ending",
    "Entry",
    "Happened",
    "Happening",
    "NodeStory",
    "RoundStory",
    "Standing",
    "Timeline",
    "Visit",
]


class Standing(StrEnum):
    """Where a node stands, as coarsely as a picture shows it."""

    IDLE = "idle"
    """It has not begun, and waits for others."""
    AT_WORK = "at work"
    WAITING = "waiting"
    """For its time to come: it is tried or asked again."""
    DONE = "done"
    KEPT = "kept"
    """It stays done, though the run went back: it declares no undo, or a person kept it."""
    UNDONE = "undone"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    """It never happened and is not wanted any more."""
    FAILED = "failed"
    """Definitely: nothing of it is left."""
    IN_DOUBT = "in doubt"
    """A person must settle whether it happened, or what its result was."""
    LEFT = "left"
    """It is done, and its undo gave up: a person must settle it."""


class Ending(StrEnum):
    """How one execution of a function ended."""

    AT_WORK = "at work"
    """It has not ended, or its end is not on record yet."""
    DONE = "done"
    ANSWERED = "answered"
    """A compensate gave its verdict."""
    FAILED = "failed"
    """Definitely: it had no effect."""
    IN_DOUBT = "in doubt"
    """It may or may not have had its effect."""
    UNRECORDED = "unrecorded"
    """It had its effect, and its result cannot be recorded."""
    REFUSED = "refused"
    """It has ended, and what it gave is not as declared."""
    INTERRUPTED = "interrupted"
    """Its worker died or gave up the run before the end was recorded."""
    STOPPED = "stopped"
    """It has no effect, and was not wanted any more."""
    AWAITING = "awaiting"
    """Its body has ended, and somebody outside is to say how it ended."""


class Happening(StrEnum):
    """What kind of thing happened that is not the execution of a user's async function."""

    STARTED = "started"
    CLAIMED = "claimed"
    MOVED_ON = "moved on"
    """To another plan."""
    COMPUTED = "computed"
    FAILED = "failed"
    """A value, a guard or a flag could not be computed, or a flag does not hold."""
    GUARD_HELD = "guard held"
    DELAYED = "delayed"
    """A service that it is given is halted."""
    RECORDED = "recorded"
    """What an undo will need was stored."""
    NOTED = "noted"
    """A value was put on record for people to see."""
    CHOSEN = "chosen"
    ASLEEP = "asleep"
    AWAITING = "awaiting"
    """It waits for a message."""
    MESSAGE = "message"
    """It was given one."""
    SENT = "sent"
    ROUNDS = "rounds"
    MOVED = "moved"
    """The record of a lifecycle has entered a status."""
    CALLED = "called"
    """A handler is called for it, though it has not entered one."""
    STAYED = "stayed"
    """A handler has let it stay in its status."""
    REFUSED = "refused"
    """What it gave, or was to be given, is not as declared."""
    CHILD = "child"
    """Something about the run that a node has called."""
    SKIPPED = "skipped"
    STOPPED = "stopped"
    GAVE_UP = "gave up"
    DOUBT_OPENED = "doubt opened"
    DOUBT_RESOLVED = "doubt resolved"
    STUCK = "stuck"
    CANCEL_REQUESTED = "cancel requested"
    UNDO_REQUESTED = "undo requested"
    SETTLE_REQUESTED = "settle requested"
    RETRY_REQUESTED = "retry requested"
    COMPLETION_GIVEN = "completion given"
    """Somebody outside has said how a step ended."""
    PAUSE_REQUESTED = "pause requested"
    RESUME_REQUESTED = "resume requested"
    SKIP_REQUESTED = "skip requested"
    SET_RESULT_REQUESTED = "set result requested"
    RETRY_FROM_REQUESTED = "retry from requested"
    RETRACE_BEGAN = "retrace began"
    RETRACED = "retraced"
    PAUSED = "paused"
    RESUMED = "resumed"
    SKIP_GRANTED = "skip granted"
    RESULT_GRANTED = "result granted"
    """Given to a node by a person, instead of its body."""
    SETTLED = "settled"
    """By a person."""
    GRANTED = "granted"
    """Fresh attempts, by a person."""
    UNPARKED = "unparked"
    DEADLINE_PASSED = "deadline passed"
    ROLLBACK_BEGAN = "rollback began"
    KEPT = "kept"
    LEFT = "left"
    PARKED = "parked"
    ENDED = "ended"
    ERASED = "erased"
    """Every value was taken out of what is recorded of the run."""


class Attempted(msgspec.Struct, frozen=True, kw_only=True, tag="attempt"):
    """One execution of a step, of its undo or of its compensate."""

    node: str
    direction: Literal["do", "undo", "compensate"]
    function: str
    attempt: int
    """Counted from 1; for a compensate, how often it was asked about the same failure."""
    generation: int
    """How often there was proof that nothing had happened, each a new idempotency key."""
    key: str | None
    """The idempotency key that it was given; None where there is none to give."""
    began: datetime
    ended: datetime | None = None
    took: timedelta | None = None
    ending: Ending = Ending.AT_WORK
    failure: Failure | None = None
    verdict: str | None = None
    """What a compensate answered, in words."""
    again_at: datetime | None = None
    """When the next attempt falls due because of how this one ended."""
    text: str = ""
    """All of that in words, but for the node."""


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """Something else that happened to the run or to one of its nodes."""

    at: datetime
    what: Happening
    node: str | None = None
    """None when it is about the whole run."""
    actor: str | None = None
    reason: str | None = None
    """What the actor gave as the reason."""
    answer: str | None = None
    """What became of what the actor asked for; None while nobody has answered."""
    failure: Failure | None = None
    text: str = ""
    """What happened, in words, but for the node."""


Entry = Attempted | Happened
"""One line of the story; an attempt stands where it began."""


class NodeStory(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one node."""

    path: str
    standing: Standing
    state: str
    """The same more exactly, in the words of a run's report: `ready`, `retrying`, `stuck`, …"""
    attempts: int
    undo_attempts: int
    is_in_doubt: bool
    began: datetime | None
    """The intent of its first attempt."""
    ended: datetime | None
    """When its last attempt or its doubt ended; None while it is not known how."""
    took: timedelta | None
    undo_began: datetime | None
    undo_ended: datetime | None
    undo_took: timedelta | None
    due: datetime | None
    """When it is tried, asked or undone again."""
    child: str | None = None
    """The run that it has called."""
    failure: Failure | None
    """Its last failure."""
    undo_failure: Failure | None
    note: str
    """Why it was skipped or kept, or what is left of it, in words."""


class RoundStory(msgspec.Struct, frozen=True, kw_only=True):
    """One round of an each or of a repeat: where its nodes stand among those of the run."""

    node: int
    """The each or the repeat, by its place."""
    number: int
    """Counted from 0, as in the paths of its nodes."""
    first: int
    """The place of the first of its nodes; the others follow."""
    count: int


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the record of a lifecycle into a status."""

    status: str
    origin: str | None
    """The status that it has left; None where it has begun."""
    handler: str
    """Which handler has led it there; empty where it has begun."""
    version: int
    at: datetime


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one run: its head, its story in order, and its nodes in the plan's order."""

    run: str
    workflow: str
    key: str | None
    fingerprint: str
    status: str
    cause: str | None
    rollback: str | None
    reason: str | None
    """Why it is parked."""
    began: datetime
    ended: datetime | None
    took: timedelta | None
    """From its beginning to its last end."""
    claims: int
    """How often it has been claimed since its last progress."""
    parent: str | None = None
    """The run that called it."""
    undone: tuple[str, ...]
    """What was undone, in the order in which it was undone."""
    kept: tuple[str, ...]
    """What stays done although the run went back."""
    left: tuple[str, ...]
    """What only a person can move on."""
    story: tuple[Entry, ...]
    nodes: tuple[NodeStory, ...]
    rounds: tuple[RoundStory, ...] = ()
    """The rounds that have begun, in the order in which they did."""
    visits: tuple[Visit, ...] = ()
    """The statuses that a lifecycle has entered, in order."""
    plan: Plan
    """What was to happen; the nodes of the rounds that have begun stand behind all others."""
