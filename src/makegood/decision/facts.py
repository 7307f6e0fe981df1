"""What has happened to a run: frozen records, stored once; only an erasure ever changes them.

A fact names nodes by path, so that it outlives the order of the plan, and instants in
microseconds. The journal stores the facts of one turn as one JSON array; nothing else is ever
stored of a run's history.
"""

from __future__ import annotations

import msgspec

from makegood.decision.words import (
    Cause,
    ControlAnswer,
    EndStatus,
    ParkReason,
    Rollback,
    SkipReason,
)
from makegood.values.instants import Instant
from makegood.values.verdict import Abort, Failure, RetryFresh, RetryNow, Settlement, Undecided

__all__ = [
    "AttemptsGranted",
    "CancelRequested",
    "Cause",
    "Chosen",
    "Claimed",
    "CompensateFailed",
    "CompensateRetryScheduled",
    "CompensateStarted",
    "ControlAnswer",
    "ControlAnswered",
    "DeadlinePassed",
    "EffectUnrecorded",
    "EndStatus",
    "Erased",
    "Fact",
    "Guarded",
    "ItemsListed",
    "NodeDone",
    "NodeFailed",
    "NodeGaveUp",
    "NodeKept",
    "NodeSettled",
    "NodeSkipped",
    "NodeStarted",
    "NodeStopped",
    "NodeStuck",
    "ParkReason",
    "Parked",
    "Proceeded",
    "RetryRequested",
    "RetryScheduled",
    "Returned",
    "Rollback",
    "RollbackBegan",
    "RoundBegan",
    "RoundDone",
    "RunEnded",
    "RunStarted",
    "SettleRequested",
    "SkipReason",
    "SleepBegan",
    "UndoDone",
    "UndoFailed",
    "UndoLeft",
    "UndoRequested",
    "UndoRetryScheduled",
    "UndoStarted",
    "Unparked",
    "VerdictGiven",
    "read_facts",
    "write_facts",
]


class RunStarted(msgspec.Struct, frozen=True, tag="run_started", kw_only=True, gc=False):
    """The run exists: what it runs, and its inputs as JSON."""

    workflow: str
    fingerprint: str
    key: str | None
    inputs: dict[str, msgspec.Raw]
    deadline: Instant | None
    at: Instant


class Claimed(msgspec.Struct, frozen=True, tag="claimed", gc=False):
    """Another worker holds the run now; what was in flight was interrupted."""

    claims: int
    """How often it has been claimed since its last progress."""
    at: Instant


class NodeStarted(msgspec.Struct, frozen=True, tag="node_started", gc=False):
    """The intent: from here on the effect may happen. Durable before the body is entered."""

    node: str
    attempt: int
    at: Instant


class NodeDone(msgspec.Struct, frozen=True, tag="node_done", gc=False):
    """The node has its result."""

    node: str
    result: msgspec.Raw
    at: Instant


class NodeFailed(msgspec.Struct, frozen=True, tag="node_failed", gc=False):
    """An attempt ended without a result."""

    node: str
    failure: Failure
    at: Instant


class EffectUnrecorded(msgspec.Struct, frozen=True, tag="effect_unrecorded", gc=False):
    """The effect happened, but its result cannot be recorded."""

    node: str
    failure: Failure
    at: Instant


class RetryScheduled(msgspec.Struct, frozen=True, tag="retry_scheduled", gc=False):
    """The next attempt is due."""

    node: str
    due: Instant


class Guarded(msgspec.Struct, frozen=True, tag="guarded", gc=False):
    """The node's guard was evaluated and holds."""

    node: str


class Chosen(msgspec.Struct, frozen=True, tag="chosen", gc=False):
    """The switch has chosen a case: its branch is to happen, and the others are skipped."""

    node: str
    case: str


class ItemsListed(msgspec.Struct, frozen=True, tag="items_listed", gc=False):
    """The items of an each are known: a round is to happen for every one of them."""

    node: str
    items: tuple[msgspec.Raw, ...]


class RoundBegan(msgspec.Struct, frozen=True, tag="round_began", gc=False):
    """Another round of a repeat is to happen, with this value."""

    node: str
    value: msgspec.Raw


class RoundDone(msgspec.Struct, frozen=True, tag="round_done", gc=False):
    """What a round has given, where it is not simply the result of one of its nodes."""

    node: str
    round: int
    value: msgspec.Raw


class SleepBegan(msgspec.Struct, frozen=True, tag="sleep_began", gc=False):
    """The node waits for a time to come."""

    node: str
    due: Instant


class NodeSkipped(msgspec.Struct, frozen=True, tag="node_skipped", gc=False):
    """The node has no result: None."""

    node: str
    reason: SkipReason
    at: Instant


class NodeStopped(msgspec.Struct, frozen=True, tag="node_stopped", gc=False):
    """A node without effect was stopped because the run is being rolled back."""

    node: str
    at: Instant


class NodeGaveUp(msgspec.Struct, frozen=True, tag="node_gave_up", gc=False):
    """The node has definitely failed: nothing of it is left and nothing more is tried."""

    node: str
    at: Instant


class NodeStuck(msgspec.Struct, frozen=True, tag="node_stuck", gc=False):
    """The node is in doubt and nothing more can be asked or tried."""

    node: str
    at: Instant


class CompensateStarted(msgspec.Struct, frozen=True, tag="compensate_started", gc=False):
    """The node's compensate is being asked."""

    node: str
    attempt: int
    at: Instant


class Proceeded(msgspec.Struct, frozen=True, tag="proceed", gc=False):
    """The verdict that it happened, with its result as JSON."""

    result: msgspec.Raw


class VerdictGiven(msgspec.Struct, frozen=True, tag="verdict_given", gc=False):
    """What the compensate answered."""

    node: str
    verdict: Proceeded | RetryNow | Abort | Undecided | RetryFresh
    at: Instant


class CompensateFailed(msgspec.Struct, frozen=True, tag="compensate_failed", gc=False):
    """The compensate raised."""

    node: str
    failure: Failure
    at: Instant


class CompensateRetryScheduled(
    msgspec.Struct, frozen=True, tag="compensate_retry_scheduled", gc=False
):
    """The compensate is to be asked again."""

    node: str
    due: Instant


class CancelRequested(msgspec.Struct, frozen=True, tag="cancel_requested", gc=False):
    """Somebody wants the run cancelled."""

    post: int
    actor: str
    reason: str
    at: Instant


class UndoRequested(msgspec.Struct, frozen=True, tag="undo_requested", gc=False):
    """Somebody wants the completed run undone."""

    post: int
    actor: str
    reason: str
    at: Instant


class SettleRequested(msgspec.Struct, frozen=True, tag="settle_requested", omit_defaults=True):
    """Somebody says what became of a node that the run waits for."""

    post: int
    node: str
    settlement: Settlement
    actor: str
    reason: str
    at: Instant
    misfit: str | None = None
    """Why the result given is none of the node's, as whoever took the request found."""


class RetryRequested(msgspec.Struct, frozen=True, tag="retry_requested", gc=False):
    """Somebody wants what the run waits for tried again: a node, or None for all of it."""

    post: int
    node: str | None
    actor: str
    reason: str
    at: Instant


class ControlAnswered(msgspec.Struct, frozen=True, tag="control_answered", gc=False):
    """What became of a request, named by the number of its post."""

    post: int
    answer: ControlAnswer


class DeadlinePassed(msgspec.Struct, frozen=True, tag="deadline_passed", gc=False):
    """The run took longer than it may."""

    at: Instant


class RollbackBegan(msgspec.Struct, frozen=True, tag="rollback_began", gc=False):
    """The run goes back from here: no step starts any more, and what is done is undone."""

    cause: Cause
    at: Instant


class UndoStarted(msgspec.Struct, frozen=True, tag="undo_started", gc=False):
    """The intent of an undo."""

    node: str
    attempt: int
    at: Instant


class UndoDone(msgspec.Struct, frozen=True, tag="undo_done", gc=False):
    """The node is undone."""

    node: str
    at: Instant


class UndoFailed(msgspec.Struct, frozen=True, tag="undo_failed", gc=False):
    """An attempt to undo ended otherwise."""

    node: str
    failure: Failure
    at: Instant


class UndoRetryScheduled(msgspec.Struct, frozen=True, tag="undo_retry_scheduled", gc=False):
    """The next attempt to undo is due."""

    node: str
    due: Instant


class UndoLeft(msgspec.Struct, frozen=True, tag="undo_left", gc=False):
    """The undo gave up: the node stays done, for a person to settle."""

    node: str
    at: Instant


class NodeKept(msgspec.Struct, frozen=True, tag="node_kept", gc=False):
    """The node declares no undo: it stays done, as was declared."""

    node: str


class Returned(msgspec.Struct, frozen=True, tag="returned", gc=False):
    """The run's value, or why it could not be built from the results."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None
    """Set where there is no value."""


class Parked(msgspec.Struct, frozen=True, tag="parked", gc=False):
    """Only a person may move the run on."""

    reason: ParkReason
    at: Instant


class NodeSettled(msgspec.Struct, frozen=True, tag="node_settled"):
    """A person has said what became of the node."""

    node: str
    settlement: Settlement
    actor: str
    reason: str
    at: Instant


class AttemptsGranted(msgspec.Struct, frozen=True, tag="attempts_granted", gc=False):
    """A person has granted fresh attempts: to the node, or with None to the run's value."""

    node: str | None
    at: Instant


class Unparked(msgspec.Struct, frozen=True, tag="unparked", gc=False):
    """The run goes on, because a person has moved it on."""

    at: Instant


class RunEnded(msgspec.Struct, frozen=True, tag="run_ended", gc=False):
    """The run is final."""

    status: EndStatus
    cause: Cause | None
    rollback: Rollback
    at: Instant


class Erased(msgspec.Struct, frozen=True, tag="erased", gc=False):
    """Every value was taken out of the run's facts, after it had ended; see `erasure`."""

    actor: str
    reason: str
    at: Instant


Fact = (
    RunStarted
    | Claimed
    | NodeStarted
    | NodeDone
    | NodeFailed
    | EffectUnrecorded
    | RetryScheduled
    | Guarded
    | Chosen
    | SleepBegan
    | ItemsListed
    | RoundBegan
    | RoundDone
    | NodeSkipped
    | NodeStopped
    | NodeGaveUp
    | NodeStuck
    | CompensateStarted
    | VerdictGiven
    | CompensateFailed
    | CompensateRetryScheduled
    | CancelRequested
    | UndoRequested
    | SettleRequested
    | RetryRequested
    | ControlAnswered
    | DeadlinePassed
    | RollbackBegan
    | UndoStarted
    | UndoDone
    | UndoFailed
    | UndoRetryScheduled
    | UndoLeft
    | NodeKept
    | Returned
    | Parked
    | NodeSettled
    | AttemptsGranted
    | Unparked
    | RunEnded
    | Erased
)
"""Everything that can have happened."""

write_facts = msgspec.json.Encoder().encode
"""Return facts as a JSON array."""

read_facts = msgspec.json.Decoder(tuple[Fact, ...]).decode
"""Return the facts of a JSON array."""
