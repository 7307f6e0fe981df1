"""Durable workflows for work that touches money: every step is carried out or made good again.

This is the public face: what a user of workflows imports. Payments and commerce are in
`makegood.payments` and `makegood.commerce`, tools for tests in `makegood.testing`, drawing in
`makegood.picture`.

A name is imported from its room when it is first used, so that the command line tells its help
without waking the engine. Type checkers read the imports below, and `_ROOMS` says the same to the
running program.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.decision.facts import ControlAnswer
    from makegood.decision.people.foresight import ControlPreview
    from makegood.decision.people.preview import ForeseenKept, ForeseenUndo, UndoPreview
    from makegood.definition.chain import Chain, Done, chain
    from makegood.definition.flow.branching import switch
    from makegood.definition.flow.failing import expect, fail
    from makegood.definition.flow.holding import hold
    from makegood.definition.flow.hooking import Hook, hook
    from makegood.definition.flow.looping import Collect, Quorum, each, repeat
    from makegood.definition.flow.messaging import send, wait
    from makegood.definition.flow.noting import note
    from makegood.definition.flow.sleeping import sleep
    from makegood.definition.lifecycle.builder import Lifecycle
    from makegood.definition.lint.finding import Finding
    from makegood.definition.lint.linting import lint
    from makegood.definition.policy import Retry
    from makegood.definition.receiving.projection import Projection
    from makegood.definition.receiving.receptors import Receptors
    from makegood.definition.schedule import Misfire, Overlap, Schedule
    from makegood.definition.step import (
        Pure,
        Query,
        Step,
        pure,
        query,
        step,
    )
    from makegood.definition.workflow import Call, Workflow, workflow
    from makegood.errors import (
        BadSignature,
        ControlRefused,
        Declined,
        DefinitionError,
        EngineClosed,
        HoldTimedOut,
        InvalidInput,
        KeyConflict,
        MailboxFull,
        MakegoodError,
        ModelBehind,
        NotAwaited,
        NotPaused,
        NotUndoable,
        OutcomeUnknown,
        PastPivot,
        PayloadTooLarge,
        QuorumMissed,
        RemoteError,
        RunCancelled,
        RunEnded,
        RunErased,
        RunFailed,
        RunParked,
        ServiceError,
        StepTimeout,
        StoreBusy,
        StoreError,
        StoreFailed,
        StoreFull,
        StoreRefused,
        TooDeep,
        TransportDown,
        Unavailable,
        UnknownMessage,
        UnknownRun,
        UnknownToken,
        UnreadableRun,
        WaitTimedOut,
        WritesRefused,
    )
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.protocol import Filter, Page, RunRow
    from makegood.journal.staging import Move, MoveCount, StageCount
    from makegood.runtime.asking.census import Census
    from makegood.runtime.asking.halting import HaltPreview
    from makegood.runtime.asking.keeping import ErasureReport
    from makegood.runtime.asking.messages import KeptMessage, Messages, SentMessage, WaitingRun
    from makegood.runtime.asking.reading import RunHistory
    from makegood.runtime.asking.schedules import KeptSchedule
    from makegood.runtime.asking.sticking import ParkedRun, Stuck
    from makegood.runtime.asking.unread import UnreadPost
    from makegood.runtime.calling.threads import threaded
    from makegood.runtime.config import Config
    from makegood.runtime.emitting.trace import TracedDelivery, TracedMessage, TracedRun
    from makegood.runtime.engine import Engine
    from makegood.runtime.moving.stranding import StrandedRun
    from makegood.runtime.observing.carrying import carried
    from makegood.runtime.observing.holds import HeldKey, KeyClaim
    from makegood.runtime.observing.metering import Metering
    from makegood.runtime.observing.progress import Progress
    from makegood.runtime.observing.standing import Awaited, Standing
    from makegood.runtime.observing.tracing import Tracing
    from makegood.runtime.operator import Operator
    from makegood.runtime.outcome import Outcome
    from makegood.runtime.ports import Carrier, Event, Executor, Interceptor, Invocation, Observer
    from makegood.runtime.projecting.operating import ModelEdition, ModelOperator
    from makegood.runtime.projecting.reading import ModelPage, ReadModel
    from makegood.runtime.protecting.policy import Breaker, Rate, Service
    from makegood.runtime.receiving.operating import (
        DeadLetter,
        MessageOperator,
        ReceptorLag,
    )
    from makegood.runtime.receiving.publishing import Receipt
    from makegood.runtime.report import NodeReport, RunReport, Settled
    from makegood.runtime.run import Run
    from makegood.runtime.transporting.linking import MissingMessage
    from makegood.runtime.transporting.route import Route
    from makegood.runtime.transporting.transport import Transport
    from makegood.values.held import Held
    from makegood.values.injectable import (
        Attempt,
        CompletionToken,
        Deadline,
        Emit,
        IdempotencyKey,
        MessageInfo,
        Once,
        Record,
        RunInfo,
        Transaction,
        Writes,
        injected,
    )
    from makegood.values.later import Later, later
    from makegood.values.lifecycle.announced import LifecycleEvent, Occasion
    from makegood.values.outcomes import (
        Again,
        CancelRun,
        FailRun,
        Goto,
        Next,
        PauseRun,
        Rearm,
        Stay,
    )
    from makegood.values.rounds import Failed, Succeeded, Unneeded
    from makegood.values.verdict import (
        Abort,
        Failure,
        FailureKind,
        ItDidNotHappen,
        ItHappened,
        Kept,
        Proceed,
        RetryFresh,
        RetryNow,
        Settlement,
        Undecided,
        UndoneByHand,
        Verdict,
    )

__all__ = [
    "Abort",
    "Again",
    "Attempt",
    "Awaited",
    "BadSignature",
    "Breaker",
    "Call",
    "CancelRun",
    "Carrier",
    "Census",
    "Chain",
    "Collect",
    "CompletionToken",
    "Config",
    "ControlAnswer",
    "ControlPreview",
    "ControlRefused",
    "DeadLetter",
    "Deadline",
    "Declined",
    "DefinitionError",
    "Done",
    "Emit",
    "Engine",
    "EngineClosed",
    "ErasureReport",
    "Event",
    "Executor",
    "FailRun",
    "Failed",
    "Failure",
    "FailureKind",
    "Filter",
    "Finding",
    "ForeseenKept",
    "ForeseenUndo",
    "Goto",
    "Halt",
    "HaltKind",
    "HaltPreview",
    "Held",
    "HeldKey",
    "HoldTimedOut",
    "Hook",
    "IdempotencyKey",
    "Interceptor",
    "InvalidInput",
    "Invocation",
    "ItDidNotHappen",
    "ItHappened",
    "Kept",
    "KeptMessage",
    "KeptSchedule",
    "KeyClaim",
    "KeyConflict",
    "Later",
    "Lifecycle",
    "LifecycleEvent",
    "Lifting",
    "MailboxFull",
    "MakegoodError",
    "MessageInfo",
    "MessageOperator",
    "Messages",
    "Metering",
    "Misfire",
    "MissingMessage",
    "ModelBehind",
    "ModelEdition",
    "ModelOperator",
    "ModelPage",
    "Move",
    "MoveCount",
    "Next",
    "NodeReport",
    "NotAwaited",
    "NotPaused",
    "NotUndoable",
    "Observer",
    "Occasion",
    "Once",
    "Operator",
    "Outcome",
    "OutcomeUnknown",
    "Overlap",
    "Page",
    "ParkedRun",
    "PastPivot",
    "PauseRun",
    "PayloadTooLarge",
    "Proceed",
    "Progress",
    "Projection",
    "Pure",
    "Query",
    "Quorum",
    "QuorumMissed",
    "Rate",
    "ReadModel",
    "Rearm",
    "Receipt",
    "ReceptorLag",
    "Receptors",
    "Record",
    "RemoteError",
    "Retry",
    "RetryFresh",
    "RetryNow",
    "Route",
    "Run",
    "RunCancelled",
    "RunEnded",
    "RunErased",
    "RunFailed",
    "RunHistory",
    "RunInfo",
    "RunParked",
    "RunReport",
    "RunRow",
    "Schedule",
    "SentMessage",
    "Service",
    "ServiceError",
    "Settled",
    "Settlement",
    "StageCount",
    "Standing",
    "Stay",
    "Step",
    "StepTimeout",
    "StoreBusy",
    "StoreError",
    "StoreFailed",
    "StoreFull",
    "StoreRefused",
    "StrandedRun",
    "Stuck",
    "Succeeded",
    "TooDeep",
    "TracedDelivery",
    "TracedMessage",
    "TracedRun",
    "Tracing",
    "Transaction",
    "Transport",
    "TransportDown",
    "Unavailable",
    "Undecided",
    "UndoPreview",
    "UndoneByHand",
    "UnknownMessage",
    "UnknownRun",
    "UnknownToken",
    "Unneeded",
    "UnreadPost",
    "UnreadableRun",
    "Verdict",
    "WaitTimedOut",
    "WaitingRun",
    "Workflow",
    "Writes",
    "WritesRefused",
    "carried",
    "chain",
    "each",
    "expect",
    "fail",
    "hold",
    "hook",
    "injected",
    "later",
    "lint",
    "note",
    "pure",
    "query",
    "repeat",
    "send",
    "sleep",
    "step",
    "switch",
    "threaded",
    "wait",
    "workflow",
]

_ROOMS = {
    "makegood.decision.facts": "ControlAnswer",
    "makegood.decision.people.foresight": "ControlPreview",
    "makegood.decision.people.preview": "ForeseenKept ForeseenUndo UndoPreview",
    "makegood.definition.chain": "Chain Done chain",
    "makegood.definition.flow.branching": "switch",
    "makegood.definition.flow.failing": "expect fail",
    "makegood.definition.flow.holding": "hold",
    "makegood.definition.flow.hooking": "Hook hook",
    "makegood.definition.flow.looping": "Collect Quorum each repeat",
    "makegood.definition.flow.noting": "note",
    "makegood.definition.flow.messaging": "send wait",
    "makegood.definition.flow.sleeping": "sleep",
    "makegood.definition.lifecycle.builder": "Lifecycle",
    "makegood.definition.lint.finding": "Finding",
    "makegood.definition.lint.linting": "lint",
    "makegood.definition.policy": "Retry",
    "makegood.definition.schedule": "Misfire Overlap Schedule",
    "makegood.definition.receiving.projection": "Projection",
    "makegood.definition.receiving.receptors": "Receptors",
    "makegood.definition.step": "Pure Query Step pure query step",
    "makegood.definition.workflow": "Call Workflow workflow",
    "makegood.errors": (
        "BadSignature ControlRefused Declined DefinitionError EngineClosed HoldTimedOut "
        "InvalidInput KeyConflict MailboxFull MakegoodError ModelBehind NotAwaited NotPaused "
        "NotUndoable OutcomeUnknown PastPivot PayloadTooLarge QuorumMissed RemoteError "
        "RunCancelled RunEnded RunErased RunFailed RunParked ServiceError StepTimeout StoreBusy "
        "StoreError StoreFailed StoreFull StoreRefused TooDeep TransportDown Unavailable "
        "UnknownMessage UnknownRun UnknownToken UnreadableRun WaitTimedOut WritesRefused"
    ),
    "makegood.journal.staging": "Move MoveCount StageCount",
    "makegood.runtime.asking.census": "Census",
    "makegood.journal.halting": "Halt HaltKind Lifting",
    "makegood.journal.protocol": "Filter Page RunRow",
    "makegood.runtime.asking.messages": "KeptMessage Messages SentMessage WaitingRun",
    "makegood.runtime.asking.halting": "HaltPreview",
    "makegood.runtime.asking.keeping": "ErasureReport",
    "makegood.runtime.calling.threads": "threaded",
    "makegood.runtime.config": "Config",
    "makegood.runtime.engine": "Engine",
    "makegood.runtime.observing.carrying": "carried",
    "makegood.runtime.observing.holds": "HeldKey KeyClaim",
    "makegood.runtime.observing.metering": "Metering",
    "makegood.runtime.observing.progress": "Progress",
    "makegood.runtime.observing.standing": "Awaited Standing",
    "makegood.runtime.observing.tracing": "Tracing",
    "makegood.runtime.asking.schedules": "KeptSchedule",
    "makegood.runtime.asking.sticking": "ParkedRun Stuck",
    "makegood.runtime.asking.reading": "RunHistory",
    "makegood.runtime.asking.unread": "UnreadPost",
    "makegood.runtime.operator": "Operator",
    "makegood.runtime.moving.stranding": "StrandedRun",
    "makegood.runtime.outcome": "Outcome",
    "makegood.runtime.ports": "Carrier Event Executor Interceptor Invocation Observer",
    "makegood.runtime.projecting.operating": "ModelEdition ModelOperator",
    "makegood.runtime.projecting.reading": "ModelPage ReadModel",
    "makegood.runtime.protecting.policy": "Breaker Rate Service",
    "makegood.runtime.emitting.trace": "TracedDelivery TracedMessage TracedRun",
    "makegood.runtime.receiving.operating": "DeadLetter MessageOperator ReceptorLag",
    "makegood.runtime.receiving.publishing": "Receipt",
    "makegood.runtime.report": "NodeReport RunReport Settled",
    "makegood.runtime.run": "Run",
    "makegood.runtime.transporting.linking": "MissingMessage",
    "makegood.runtime.transporting.route": "Route",
    "makegood.runtime.transporting.transport": "Transport",
    "makegood.values.held": "Held",
    "makegood.values.injectable": (
        "Attempt CompletionToken Deadline Emit IdempotencyKey MessageInfo Once Record RunInfo "
        "Transaction Writes injected"
    ),
    "makegood.values.later": "Later later",
    "makegood.values.lifecycle.announced": "LifecycleEvent Occasion",
    "makegood.values.outcomes": "Again CancelRun FailRun Goto Next PauseRun Rearm Stay",
    "makegood.values.rounds": "Failed Succeeded Unneeded",
    "makegood.values.verdict": (
        "Abort Failure FailureKind ItDidNotHappen ItHappened Kept Proceed RetryFresh RetryNow "
        "Settlement Undecided UndoneByHand Verdict"
    ),
}
"""Which names are taken from which module, with a space between two of them."""

_PLACES = {name: room for room, names in _ROOMS.items() for name in names.split()}

# Hidden from type checkers, to which a name that is not above must stay a mistake.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name from its room, once."""
        room = _PLACES.get(name)
        if room is None:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        found = getattr(import_module(room), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        """List the public names, those that were not used yet too."""
        return sorted({*globals(), *__all__})
