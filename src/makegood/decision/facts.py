"""What has happened to a run: frozen records, stored once; only an erasure ever changes them.

A fact names nodes by path, so that it outlives the order of the plan, and instants in
microseconds. The journal stores the facts of one turn as one JSON array; nothing else is ever
stored of a run's history.
"""

from __future__ import annotations

import msgspec

from makegood.decision.happening.of_attempts import (
    EffectUnrecorded,
    Guarded,
    NodeDelayed,
    NodeDone,
    NodeFailed,
    NodeGaveUp,
    NodeRefused,
    NodeSkipped,
    NodeStarted,
    NodeStopped,
    NodeStuck,
    Recorded,
    RetryScheduled,
)
from makegood.decision.happening.of_children import (
    ChildCancelled,
    ChildEnded,
    ChildMoved,
    ChildRefused,
    ChildStarted,
    Parent,
)
from makegood.decision.happening.of_completion import CompletionAwaited, CompletionGiven
from makegood.decision.happening.of_control import (
    Paused,
    PauseRequested,
    ResultGranted,
    Resumed,
    ResumeRequested,
    RetraceBegan,
    Retraced,
    RetryFromRequested,
    SetResultRequested,
    SkipGranted,
    SkipRequested,
)
from makegood.decision.happening.of_doubt import (
    CompensateFailed,
    CompensateRetryScheduled,
    CompensateStarted,
    Proceeded,
    VerdictGiven,
)
from makegood.decision.happening.of_flow import (
    Chosen,
    ItemsListed,
    RoundBegan,
    RoundDone,
    RoundFailed,
    RoundGaveUp,
    SleepBegan,
)
from makegood.decision.happening.of_lifecycle import (
    HandlingBegan,
    Listened,
    MoveCause,
    Moved,
    Stayed,
)
from makegood.decision.happening.of_mail import (
    MessageCame,
    MessageSent,
    WaitBegan,
    WaitRefused,
)
from makegood.decision.happening.of_people import (
    AttemptsGranted,
    CancelRequested,
    ControlAnswered,
    NodeSettled,
    RetryRequested,
    SettleRequested,
    UndoRequested,
    Unparked,
)
from makegood.decision.happening.of_run import (
    Beginning,
    Claimed,
    DeadlinePassed,
    Erased,
    MovedOn,
    Parked,
    Returned,
    RollbackBegan,
    RunEnded,
    RunStarted,
)
from makegood.decision.happening.of_undo import (
    NodeKept,
    UndoDone,
    UndoFailed,
    UndoLeft,
    UndoRetryScheduled,
    UndoStarted,
)
from makegood.decision.words import (
    Cause,
    ControlAnswer,
    EndStatus,
    ParkReason,
    Rollback,
    SkipReason,
)

__all__ = [
    "PROGRESS",
    "AttemptsGranted",
    "Beginning",
    "CancelRequested",
    "Cause",
    "ChildCancelled",
    "ChildEnded",
    "ChildMoved",
    "ChildRefused",
    "ChildStarted",
    "Chosen",
    "Claimed",
    "CompensateFailed",
    "CompensateRetryScheduled",
    "CompensateStarted",
    "CompletionAwaited",
    "CompletionGiven",
    "ControlAnswer",
    "ControlAnswered",
    "DeadlinePassed",
    "EffectUnrecorded",
    "EndStatus",
    "Erased",
    "Fact",
    "Guarded",
    "HandlingBegan",
    "ItemsListed",
    "Listened",
    "MessageCame",
    "MessageSent",
    "MoveCause",
    "Moved",
    "MovedOn",
    "NodeDelayed",
    "NodeDone",
    "NodeFailed",
    "NodeGaveUp",
    "NodeKept",
    "NodeRefused",
    "NodeSettled",
    "NodeSkipped",
    "NodeStarted",
    "NodeStopped",
    "NodeStuck",
    "Parent",
    "ParkReason",
    "Parked",
    "PauseRequested",
    "Paused",
    "Proceeded",
    "Recorded",
    "Request",
    "ResultGranted",
    "ResumeRequested",
    "Resumed",
    "RetraceBegan",
    "Retraced",
    "RetryFromRequested",
    "RetryRequested",
    "RetryScheduled",
    "Returned",
    "Rollback",
    "RollbackBegan",
    "RoundBegan",
    "RoundDone",
    "RoundFailed",
    "RoundGaveUp",
    "RunEnded",
    "RunStarted",
    "SetResultRequested",
    "SettleRequested",
    "SkipGranted",
    "SkipReason",
    "SkipRequested",
    "SleepBegan",
    "Stayed",
    "UndoDone",
    "UndoFailed",
    "UndoLeft",
    "UndoRequested",
    "UndoRetryScheduled",
    "UndoStarted",
    "Unparked",
    "VerdictGiven",
    "WaitBegan",
    "WaitRefused",
    "read_facts",
    "write_facts",
]

Fact = (
    RunStarted
    | Claimed
    | MovedOn
    | NodeStarted
    | NodeDelayed
    | Recorded
    | CompletionAwaited
    | CompletionGiven
    | NodeDone
    | NodeFailed
    | EffectUnrecorded
    | NodeRefused
    | RetryScheduled
    | Guarded
    | Chosen
    | SleepBegan
    | ChildStarted
    | ChildEnded
    | ChildMoved
    | ChildRefused
    | ChildCancelled
    | WaitBegan
    | WaitRefused
    | MessageCame
    | MessageSent
    | Moved
    | HandlingBegan
    | Stayed
    | Listened
    | ItemsListed
    | RoundBegan
    | RoundDone
    | RoundFailed
    | RoundGaveUp
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
    | PauseRequested
    | ResumeRequested
    | SkipRequested
    | SetResultRequested
    | RetryFromRequested
    | RetraceBegan
    | Retraced
    | Paused
    | Resumed
    | SkipGranted
    | ResultGranted
    | RunEnded
    | Erased
)
"""Everything that can have happened."""

PROGRESS = frozenset(
    {
        RunStarted,
        NodeDone,
        NodeFailed,
        CompletionAwaited,
        EffectUnrecorded,
        NodeRefused,
        WaitRefused,
        MessageCame,
        VerdictGiven,
        CompensateFailed,
        ControlAnswered,
        UndoDone,
        UndoFailed,
        Parked,
        NodeSettled,
        Unparked,
        ChildStarted,
        ChildEnded,
        ChildMoved,
        ChildRefused,
        RunEnded,
    }
)
"""What shows that a run does not end every worker that takes it."""
Request = (
    CancelRequested
    | UndoRequested
    | SettleRequested
    | RetryRequested
    | PauseRequested
    | ResumeRequested
    | SkipRequested
    | SetResultRequested
    | RetryFromRequested
)
"""What people ask of a run; each is answered by a `ControlAnswered` of its post."""

write_facts = msgspec.json.Encoder().encode
"""Return facts as a JSON array."""

read_facts = msgspec.json.Decoder(tuple[Fact, ...]).decode
"""Return the facts of a JSON array."""
