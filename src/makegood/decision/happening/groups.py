"""Facts by what they are about, for whoever takes them apart one kind after another."""

from __future__ import annotations

from makegood.decision import facts

__all__ = [
    "OfChildren",
    "OfFlow",
    "OfLifecycle",
    "OfMail",
    "OfNode",
    "OfPeople",
    "OfRounds",
    "OfRun",
    "Outcome",
]

Outcome = (
    facts.NodeDone
    | facts.NodeFailed
    | facts.CompletionAwaited
    | facts.EffectUnrecorded
    | facts.NodeRefused
    | facts.VerdictGiven
    | facts.CompensateFailed
    | facts.UndoDone
    | facts.UndoFailed
)
OfRounds = (
    facts.ItemsListed | facts.RoundBegan | facts.RoundDone | facts.RoundFailed | facts.RoundGaveUp
)
OfFlow = facts.Chosen | facts.SleepBegan | OfRounds
OfNode = (
    OfFlow
    | facts.Guarded
    | facts.Recorded
    | facts.NodeDelayed
    | facts.NodeSkipped
    | facts.NodeStopped
    | facts.NodeGaveUp
    | facts.NodeStuck
    | facts.UndoLeft
    | facts.NodeKept
    | facts.NodeSettled
)
OfPeople = (
    facts.Request
    | facts.ControlAnswered
    | facts.CompletionGiven
    | facts.AttemptsGranted
    | facts.Unparked
    | facts.Paused
    | facts.Resumed
    | facts.SkipGranted
    | facts.ResultGranted
    | facts.RetraceBegan
    | facts.Retraced
    | facts.Erased
)
OfRun = (
    facts.RunStarted
    | facts.Claimed
    | facts.MovedOn
    | facts.DeadlinePassed
    | facts.RollbackBegan
    | facts.Returned
    | facts.Parked
    | facts.RunEnded
)
OfChildren = (
    facts.ChildStarted
    | facts.ChildEnded
    | facts.ChildMoved
    | facts.ChildRefused
    | facts.ChildCancelled
)
OfLifecycle = facts.Moved | facts.HandlingBegan | facts.Stayed | facts.Listened
OfMail = facts.WaitBegan | facts.WaitRefused | facts.MessageCame | facts.MessageSent
