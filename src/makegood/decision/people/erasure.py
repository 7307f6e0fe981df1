"""What may be kept of a run that is erased? What happened, when, where and by whom; no value.

A value is whatever came from outside or went there: inputs, results, what an error says, what
somebody wrote as a reason. The facts stay as many as they were and in their order, so that the run
still adds up to where it stood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from makegood.decision import facts
from makegood.values.codec import NULL
from makegood.values.verdict import (
    Abort,
    ItDidNotHappen,
    ItHappened,
    Kept,
    RetryFresh,
    RetryNow,
    Undecided,
    UndoneByHand,
)

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.values.verdict import Failure, Settlement

__all__ = ["without_values"]

_NOTHING = NULL


_Bare = (
    facts.Claimed
    | facts.MovedOn
    | facts.NodeStarted
    | facts.CompletionAwaited
    | facts.NodeDelayed
    | facts.RetryScheduled
    | facts.Guarded
    | facts.Chosen
    | facts.SleepBegan
    | facts.WaitBegan
    | facts.WaitRefused
    | facts.Moved
    | facts.HandlingBegan
    | facts.Stayed
    | facts.Listened
    | facts.ChildMoved
    | facts.ChildRefused
    | facts.ChildCancelled
    | facts.RoundGaveUp
    | facts.NodeStopped
    | facts.NodeGaveUp
    | facts.NodeStuck
    | facts.CompensateStarted
    | facts.CompensateRetryScheduled
    | facts.ControlAnswered
    | facts.DeadlinePassed
    | facts.RollbackBegan
    | facts.UndoStarted
    | facts.UndoDone
    | facts.UndoRetryScheduled
    | facts.UndoLeft
    | facts.NodeKept
    | facts.Parked
    | facts.AttemptsGranted
    | facts.Unparked
    | facts.Retraced
    | facts.RunEnded
    | facts.Erased
)
"""Facts that hold no value."""


def without_values(fact: Fact) -> Fact:
    """Return a fact of an erased run as it may be kept."""
    if isinstance(fact, _Bare):
        return fact
    if isinstance(fact, facts.Request):
        return _request(fact)
    match fact:
        case facts.RunStarted():
            # Parameters are named by the program, and the key is what finds the run again.
            inputs = dict.fromkeys(fact.inputs, _NOTHING)
            return replace(fact, inputs=inputs, context={}, subject=None)
        case (
            facts.NodeDone()
            | facts.NodeSkipped()
            | facts.Recorded()
            | facts.ItemsListed()
            | facts.RoundBegan()
            | facts.RoundDone()
            | facts.ChildStarted()
            | facts.ChildEnded()
            | facts.CompletionGiven()
            | facts.Returned()
            | facts.MessageCame()
            | facts.MessageSent()
        ):
            return _valueless(fact)
        case (
            facts.NodeFailed()
            | facts.RoundFailed()
            | facts.EffectUnrecorded()
            | facts.NodeRefused()
            | facts.CompensateFailed()
            | facts.UndoFailed()
        ):
            return replace(fact, failure=_named(fact.failure))
        case facts.VerdictGiven():
            return replace(fact, verdict=_verdict(fact.verdict))
        case (
            facts.NodeSettled()
            | facts.Paused()
            | facts.Resumed()
            | facts.SkipGranted()
            | facts.ResultGranted()
            | facts.RetraceBegan()
        ):
            return _word_of_a_person(fact)
        case _:
            assert_never(fact)


_Valued = (
    facts.NodeDone
    | facts.NodeSkipped
    | facts.Recorded
    | facts.ItemsListed
    | facts.RoundBegan
    | facts.RoundDone
    | facts.ChildStarted
    | facts.ChildEnded
    | facts.CompletionGiven
    | facts.Returned
    | facts.MessageCame
    | facts.MessageSent
)


def _valueless(fact: _Valued) -> _Valued:
    """Return what a step recorded, or a round or a child was given or gave, without it."""
    match fact:
        case facts.NodeDone():
            return replace(fact, result=_NOTHING)
        case facts.NodeSkipped():
            return replace(fact, instead=_NOTHING)
        case facts.ItemsListed():
            return replace(fact, items=(_NOTHING,) * len(fact.items))
        case facts.Recorded() | facts.RoundBegan() | facts.RoundDone() | facts.MessageSent():
            return replace(fact, value=_NOTHING)
        case facts.ChildStarted():
            return replace(fact, inputs=dict.fromkeys(fact.inputs, _NOTHING))
        case facts.ChildEnded():
            failures = tuple(_named(failure) for failure in fact.failures)
            return replace(fact, result=_NOTHING, failures=failures)
        case facts.CompletionGiven():
            failure = None if fact.failure is None else _named(fact.failure)
            misfit = None if fact.misfit is None else ""
            return replace(fact, result=_NOTHING, failure=failure, misfit=misfit)
        case facts.Returned():
            failure = None if fact.failure is None else _named(fact.failure)
            return facts.Returned(value=_NOTHING, failure=failure)
        case facts.MessageCame():
            # Where it has no misfit it has none afterwards, and so the same is made of it.
            return replace(fact, value=_NOTHING, misfit=None if fact.misfit is None else "")
        case _:
            assert_never(fact)


def _request(fact: facts.Request) -> facts.Request:
    """Return what somebody has asked for: neither why, nor with which value."""
    match fact:
        case facts.SettleRequested():
            misfit = None if fact.misfit is None else ""
            settlement = _settlement(fact.settlement)
            return replace(fact, settlement=settlement, reason="", misfit=misfit)
        case facts.SetResultRequested():
            misfit = None if fact.misfit is None else ""
            return replace(fact, result=_NOTHING, reason="", misfit=misfit)
        case _:
            return replace(fact, reason="")


def _word_of_a_person(
    fact: facts.NodeSettled
    | facts.Paused
    | facts.Resumed
    | facts.SkipGranted
    | facts.ResultGranted
    | facts.RetraceBegan,
) -> Fact:
    match fact:
        case facts.NodeSettled():
            return replace(fact, settlement=_settlement(fact.settlement), reason="")
        case facts.ResultGranted():
            return replace(fact, result=_NOTHING, reason="")
        case _:
            return replace(fact, reason="")


def _named(failure: Failure) -> Failure:
    """Return a failure by the name of its class alone."""
    return replace(failure, message="", traceback="")


Verdict = facts.Proceeded | RetryNow | Abort | Undecided | RetryFresh


def _verdict(given: Verdict) -> Verdict:
    match given:
        case facts.Proceeded():
            return facts.Proceeded(_NOTHING)
        case Abort():
            return Abort()
        case RetryFresh():
            return RetryFresh("")
        case RetryNow() | Undecided():
            return given
        case _:
            assert_never(given)


def _settlement(given: Settlement) -> Settlement:
    match given:
        case ItHappened():
            return ItHappened(_NOTHING)
        case ItDidNotHappen() | UndoneByHand() | Kept():
            return given
        case _:
            assert_never(given)
