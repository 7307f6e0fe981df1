"""What comes of one call of a step's function, its undo or its compensate, as a fact.

Every call ends in exactly one arrival: a fact, the statements that are to be written with it,
and the exception behind it. Nothing here decides what follows from an outcome.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import msgspec

from makegood.decision import facts
from makegood.decision.facts import Fact, Proceeded
from makegood.definition.call import Call
from makegood.definition.plan import Kind
from makegood.errors import DefinitionError, InvalidInput, MakegoodError, OutcomeUnknown
from makegood.journal.protocol import Statement
from makegood.runtime.calling.failing import as_failure, classify
from makegood.runtime.telemetry import log
from makegood.values.envelope import Envelope
from makegood.values.instants import after
from makegood.values.verdict import Abort, FailureKind, Proceed, RetryFresh, RetryNow, Undecided

if TYPE_CHECKING:
    from makegood.runtime.calling.jobs import Job
    from makegood.values.instants import Instant
    from makegood.values.later import Later

__all__ = ["Arrival", "awaiting", "effect_of", "failed", "outcome_of"]


class Arrival(msgspec.Struct, frozen=True):
    """What comes of one call of a user's function: its outcome, or a value on the way there."""

    path: str
    """Of the node that it is about."""
    fact: Fact
    writes: tuple[Statement, ...] = ()
    error: BaseException | None = None
    stored: asyncio.Future[None] | None = None
    """Done when it is durable, where it is no outcome but a value that a body records."""
    messages: tuple[Envelope, ...] = ()
    """What goes out because of it."""


def outcome_of(job: Job, value: object, now: Instant) -> Arrival:
    """Return the arrival of a call that returned."""
    match job.direction:
        case "do":
            return _done(job, value, now)
        case "undo":
            return _brought(job, facts.UndoDone(job.path, now))
        case "compensate":
            return _answered(job, value, now)


def _done(job: Job, value: object, now: Instant) -> Arrival:
    path = job.path
    if job.node.calls and isinstance(value, Call):
        return _called(job, cast("Call[object]", value), now)
    try:
        result = job.code.result.write(value)
        job.require_way_on(value, result)
    except Exception as error:  # noqa: BLE001 - a user's value may do anything when it is asked
        if job.is_handler or job.node.kind is Kind.STEP:
            return _unrecorded(job, error, now)
        return failed(job, error, now)
    return _brought(job, facts.NodeDone(path, result, now))


def _brought(job: Job, fact: Fact) -> Arrival:
    """Return the arrival of a call that is to be recorded with all that it wants written."""
    emission = job.emission
    if emission is None:
        return Arrival(job.path, fact, _writes(job))
    return Arrival(job.path, fact, _writes(job), messages=emission.messages)


def _writes(job: Job) -> tuple[Statement, ...]:
    return () if job.writes is None else tuple(job.writes.statements)


def _unrecorded(job: Job, error: BaseException, now: Instant) -> Arrival:
    """Return the arrival of a body whose outcome cannot be put on record."""
    if job.is_handler:
        failure = as_failure(error, FailureKind.PERMANENT)
        return Arrival(job.path, facts.NodeRefused(job.path, failure, now), error=error)
    # The effect has happened: it is neither failed nor repeated.
    failure = as_failure(error, FailureKind.IN_DOUBT)
    return Arrival(job.path, facts.EffectUnrecorded(job.path, failure, now), error=error)


def _called(job: Job, call: Call[object], now: Instant) -> Arrival:
    """Return the arrival of a body that returned a call: what it calls is its outcome."""
    try:
        return _brought(job, job.calls(call, now))
    except MakegoodError as error:
        failure = as_failure(error, FailureKind.PERMANENT)
        return Arrival(job.path, facts.NodeFailed(job.path, failure, now), error=error)


def awaiting(job: Job, said: Later, now: Instant) -> Arrival:
    """Return the arrival of a body whose result comes from outside."""
    if job.direction == "do" and job.node.kind is Kind.STEP:
        awaited = facts.CompletionAwaited(job.path, after(now, said.within), now)
        return _brought(job, awaited)
    message = f"the {job.direction} of `{job.path}` calls later(…), which only a step's body may"
    is_step = effect_of(job) is Kind.STEP
    return failed(job, OutcomeUnknown(message) if is_step else InvalidInput(message), now)


def _answered(job: Job, value: object, now: Instant) -> Arrival:
    path = job.path
    match value:
        case Proceed():
            try:
                result = job.code.result.write(cast("Proceed[object]", value).result)
            except Exception as error:  # noqa: BLE001 - as above
                # It happened, so it must not end as a definite failure: it stays in doubt.
                log.error("the compensate of %s found a result that cannot be recorded", path)
                return Arrival(path, facts.VerdictGiven(path, Undecided(), now), error=error)
            return _brought(job, facts.VerdictGiven(path, Proceeded(result), now))
        case RetryNow() | Abort() | Undecided() | RetryFresh():
            # Nothing is done by that, so nothing is sent.
            return Arrival(path, facts.VerdictGiven(path, value, now), _writes(job))
        case _:
            message = (
                f"the compensate of `{path}` returned a `{type(value).__qualname__}`; return "
                "Proceed(result), RetryNow(), Abort(), Undecided() or RetryFresh(proof)"
            )
            return failed(job, InvalidInput(message), now)


def failed(job: Job, error: BaseException, now: Instant) -> Arrival:
    """Return the arrival of a call that raised."""
    path = job.path
    if job.is_handler and job.direction == "do" and isinstance(error, DefinitionError):
        refused = facts.NodeRefused(path, as_failure(error, FailureKind.PERMANENT), now)
        return Arrival(path, refused, error=error)
    kind = effect_of(job)
    is_unsent = job.emission is not None and error is job.emission.refused
    if is_unsent and job.direction == "do" and kind is Kind.STEP:
        return _unrecorded(job, error, now)
    failure = as_failure(error, classify(error, kind, job.bound.retry_on))
    match job.direction:
        case "do":
            return Arrival(path, facts.NodeFailed(path, failure, now), error=error)
        case "undo":
            return Arrival(path, facts.UndoFailed(path, failure, now), error=error)
        case "compensate":
            return Arrival(path, facts.CompensateFailed(path, failure, now), error=error)


def effect_of(job: Job) -> Kind:
    """Return what the effect is like: an undo may reach outside where its step did not."""
    undo = job.node.undo
    if job.direction == "undo" and undo is not None:
        return Kind.LOCAL if undo.local else Kind.STEP
    return job.node.kind
