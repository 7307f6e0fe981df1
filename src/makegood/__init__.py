"""Durable workflows for work that touches money: every step is carried out or made good again.

This is the public face: what a user of workflows imports. Payments and commerce are in
`makegood.payments` and `makegood.commerce`, tools for tests in `makegood.testing`, drawing in
`makegood.picture`.
"""

from makegood.decision.facts import ControlAnswer
from makegood.definition.policy import Retry
from makegood.definition.step import (
    Pure,
    Query,
    Step,
    expect,
    pure,
    query,
    step,
)
from makegood.definition.workflow import Call, Workflow, workflow
from makegood.errors import (
    Declined,
    DefinitionError,
    EngineClosed,
    InvalidInput,
    KeyConflict,
    MakegoodError,
    NotUndoable,
    OutcomeUnknown,
    PastPivot,
    PayloadTooLarge,
    RemoteError,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunParked,
    ServiceError,
    StepTimeout,
    StoreBusy,
    StoreError,
    StoreFailed,
    StoreFull,
    StoreRefused,
    Unavailable,
    UnknownRun,
    WritesRefused,
)
from makegood.journal.protocol import Filter, Page, RunRow
from makegood.runtime.calling.threads import threaded
from makegood.runtime.config import Config
from makegood.runtime.engine import Engine
from makegood.runtime.outcome import Outcome
from makegood.runtime.ports import Event, Executor, Interceptor, Invocation, Observer
from makegood.runtime.report import NodeReport, RunReport
from makegood.runtime.run import Run
from makegood.values.injectable import (
    Attempt,
    Deadline,
    IdempotencyKey,
    RunInfo,
    Transaction,
    Writes,
    injected,
)
from makegood.values.verdict import (
    Abort,
    Failure,
    FailureKind,
    Proceed,
    RetryFresh,
    RetryNow,
    Undecided,
    Verdict,
)

__all__ = [
    "Abort",
    "Attempt",
    "Call",
    "Config",
    "ControlAnswer",
    "Deadline",
    "Declined",
    "DefinitionError",
    "Engine",
    "EngineClosed",
    "Event",
    "Executor",
    "Failure",
    "FailureKind",
    "Filter",
    "IdempotencyKey",
    "Interceptor",
    "InvalidInput",
    "Invocation",
    "KeyConflict",
    "MakegoodError",
    "NodeReport",
    "NotUndoable",
    "Observer",
    "Outcome",
    "OutcomeUnknown",
    "Page",
    "PastPivot",
    "PayloadTooLarge",
    "Proceed",
    "Pure",
    "Query",
    "RemoteError",
    "Retry",
    "RetryFresh",
    "RetryNow",
    "Run",
    "RunCancelled",
    "RunEnded",
    "RunFailed",
    "RunInfo",
    "RunParked",
    "RunReport",
    "RunRow",
    "ServiceError",
    "Step",
    "StepTimeout",
    "StoreBusy",
    "StoreError",
    "StoreFailed",
    "StoreFull",
    "StoreRefused",
    "Transaction",
    "Unavailable",
    "Undecided",
    "UnknownRun",
    "Verdict",
    "Workflow",
    "Writes",
    "WritesRefused",
    "expect",
    "injected",
    "pure",
    "query",
    "step",
    "threaded",
    "workflow",
]
