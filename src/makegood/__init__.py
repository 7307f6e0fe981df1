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
    from makegood.definition.lint.finding import Finding
    from makegood.definition.lint.linting import lint
    from makegood.definition.policy import Retry
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
        ControlRefused,
        Declined,
        DefinitionError,
        EngineClosed,
        HoldTimedOut,
        InvalidInput,
        KeyConflict,
        MakegoodError,
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
    from makegood.runtime.asking.halting import HaltPreview
    from makegood.runtime.asking.keeping import ErasureReport
    from makegood.runtime.asking.messages import KeptMessage, Messages, SentMessage, WaitingRun
    from makegood.runtime.asking.sticking import ParkedRun, Stuck
    from makegood.runtime.calling.threads import threaded
    from makegood.runtime.config import Config
    from makegood.runtime.engine import Engine
    from makegood.runtime.moving.stranding import StrandedRun
    from makegood.runtime.observing.carrying import carried
    from makegood.runtime.observing.progress import Progress
    from makegood.runtime.observing.tracing import Tracing
    from makegood.runtime.operator import Operator, RunHistory
    from makegood.runtime.outcome import Outcome
    from makegood.runtime.ports import Carrier, Event, Executor, Interceptor, Invocation, Observer
    from makegood.runtime.protecting.policy import Breaker, Rate, Service
    from makegood.runtime.report import (
        NodeReport,
        RunReport,
        Settled,
    )
    from makegood.runtime.run import Run
    from makegood.values.held import Held
    from makegood.values.injectable import (
        Attempt,
        CompletionToken,
        Deadline,
        IdempotencyKey,
        Record,
        RunInfo,
        Transaction,
        Writes,
        injected,
    )
    from makegood.values.later import Later, later
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
    "Attempt",
    "Breaker",
    "Call",
    "Carrier",
    "Chain",
    "Collect",
    "CompletionToken",
    "Config",
    "ControlAnswer",
    "ControlPreview",
    "ControlRefused",
    "Deadline",
    "Declined",
    "DefinitionError",
    "Done",
    "Engine",
    "EngineClosed",
    "ErasureReport",
    "Event",
    "Executor",
    "Failed",
    "Failure",
    "FailureKind",
    "Filter",
    "Finding",
    "ForeseenKept",
    "ForeseenUndo",
    "Halt",
    "HaltKind",
    "HaltPreview",
    "Held",
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
    "KeyConflict",
    "Later",
    "Lifting",
    "MakegoodError",
    "Messages",
    "NodeReport",
    "NotAwaited",
    "NotPaused",
    "NotUndoable",
    "Observer",
    "Operator",
    "Outcome",
    "OutcomeUnknown",
    "Page",
    "ParkedRun",
    "PastPivot",
    "PayloadTooLarge",
    "Proceed",
    "Progress",
    "Pure",
    "Query",
    "Quorum",
    "QuorumMissed",
    "Rate",
    "Record",
    "RemoteError",
    "Retry",
    "RetryFresh",
    "RetryNow",
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
    "SentMessage",
    "Service",
    "ServiceError",
    "Settled",
    "Settlement",
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
    "Tracing",
    "Transaction",
    "Unavailable",
    "Undecided",
    "UndoPreview",
    "UndoneByHand",
    "UnknownMessage",
    "UnknownRun",
    "UnknownToken",
    "Unneeded",
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
    "makegood.decision.facts": ("ControlAnswer",),
    "makegood.decision.people.foresight": ("ControlPreview",),
    "makegood.decision.people.preview": (
        "ForeseenKept",
        "ForeseenUndo",
        "UndoPreview",
    ),
    "makegood.definition.chain": (
        "Chain",
        "Done",
        "chain",
    ),
    "makegood.definition.flow.branching": ("switch",),
    "makegood.definition.flow.failing": (
        "expect",
        "fail",
    ),
    "makegood.definition.flow.holding": ("hold",),
    "makegood.definition.flow.hooking": (
        "Hook",
        "hook",
    ),
    "makegood.definition.flow.looping": (
        "Collect",
        "Quorum",
        "each",
        "repeat",
    ),
    "makegood.definition.flow.noting": ("note",),
    "makegood.definition.flow.messaging": ("send", "wait"),
    "makegood.definition.flow.sleeping": ("sleep",),
    "makegood.definition.lint.finding": ("Finding",),
    "makegood.definition.lint.linting": ("lint",),
    "makegood.definition.policy": ("Retry",),
    "makegood.definition.step": (
        "Pure",
        "Query",
        "Step",
        "pure",
        "query",
        "step",
    ),
    "makegood.definition.workflow": (
        "Call",
        "Workflow",
        "workflow",
    ),
    "makegood.errors": (
        "ControlRefused",
        "Declined",
        "DefinitionError",
        "EngineClosed",
        "HoldTimedOut",
        "InvalidInput",
        "KeyConflict",
        "MakegoodError",
        "NotAwaited",
        "NotPaused",
        "NotUndoable",
        "OutcomeUnknown",
        "PastPivot",
        "PayloadTooLarge",
        "QuorumMissed",
        "RemoteError",
        "RunCancelled",
        "RunEnded",
        "RunErased",
        "RunFailed",
        "RunParked",
        "ServiceError",
        "StepTimeout",
        "StoreBusy",
        "StoreError",
        "StoreFailed",
        "StoreFull",
        "StoreRefused",
        "TooDeep",
        "Unavailable",
        "UnknownMessage",
        "UnknownRun",
        "UnknownToken",
        "UnreadableRun",
        "WaitTimedOut",
        "WritesRefused",
    ),
    "makegood.journal.halting": (
        "Halt",
        "HaltKind",
        "Lifting",
    ),
    "makegood.journal.protocol": (
        "Filter",
        "Page",
        "RunRow",
    ),
    "makegood.runtime.asking.messages": ("KeptMessage", "Messages", "SentMessage", "WaitingRun"),
    "makegood.runtime.asking.halting": ("HaltPreview",),
    "makegood.runtime.asking.keeping": ("ErasureReport",),
    "makegood.runtime.calling.threads": ("threaded",),
    "makegood.runtime.config": ("Config",),
    "makegood.runtime.engine": ("Engine",),
    "makegood.runtime.observing.carrying": ("carried",),
    "makegood.runtime.observing.progress": ("Progress",),
    "makegood.runtime.observing.tracing": ("Tracing",),
    "makegood.runtime.asking.sticking": ("ParkedRun", "Stuck"),
    "makegood.runtime.operator": ("Operator", "RunHistory"),
    "makegood.runtime.moving.stranding": ("StrandedRun",),
    "makegood.runtime.outcome": ("Outcome",),
    "makegood.runtime.ports": (
        "Carrier",
        "Event",
        "Executor",
        "Interceptor",
        "Invocation",
        "Observer",
    ),
    "makegood.runtime.protecting.policy": (
        "Breaker",
        "Rate",
        "Service",
    ),
    "makegood.runtime.report": (
        "NodeReport",
        "RunReport",
        "Settled",
    ),
    "makegood.runtime.run": ("Run",),
    "makegood.values.held": ("Held",),
    "makegood.values.injectable": (
        "Attempt",
        "CompletionToken",
        "Deadline",
        "IdempotencyKey",
        "Record",
        "RunInfo",
        "Transaction",
        "Writes",
        "injected",
    ),
    "makegood.values.later": (
        "Later",
        "later",
    ),
    "makegood.values.rounds": (
        "Failed",
        "Succeeded",
        "Unneeded",
    ),
    "makegood.values.verdict": (
        "Abort",
        "Failure",
        "FailureKind",
        "ItDidNotHappen",
        "ItHappened",
        "Kept",
        "Proceed",
        "RetryFresh",
        "RetryNow",
        "Settlement",
        "Undecided",
        "UndoneByHand",
        "Verdict",
    ),
}
"""Which names are taken from which module."""

_PLACES = {name: room for room, names in _ROOMS.items() for name in names}

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
