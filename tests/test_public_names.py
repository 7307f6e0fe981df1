"""What is public: the whole list, so that a name comes or goes only on purpose."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

import pytest

PUBLIC: dict[str, frozenset[str]] = {
    "makegood": frozenset(
        {
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
            "TooDeep",
            "StrandedRun",
            "Stuck",
            "Succeeded",
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
        }
    ),
    "makegood.errors": frozenset(
        {
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
        }
    ),
    "makegood.extension": frozenset(
        {
            "Command",
            "Extension",
            "Migration",
        }
    ),
    "makegood.testing": frozenset(
        {
            "AfterEffect",
            "Exploration",
            "Explored",
            "Discovery",
            "Returns",
            "Script",
            "Scripted",
            "TurnableClock",
            "explore",
            "explore_for_real",
            "finish",
            "replay",
            "run",
        }
    ),
    "makegood.testing.servers": frozenset({"PostgresServer"}),
    "makegood.picture": frozenset(
        {
            "Attempted",
            "Ending",
            "Entry",
            "Happened",
            "Happening",
            "NodeStory",
            "Standing",
            "Timeline",
            "mermaid",
            "chart",
            "svg",
            "text",
            "timeline",
        }
    ),
    "makegood.payments": frozenset(
        {
            "AnswerContradicts",
            "Authorization",
            "AuthorizeRequest",
            "Capabilities",
            "Gateway",
            "GatewayMisconfigured",
            "GatewayRef",
            "GatewayUnavailable",
            "Money",
            "Op",
            "OperationKind",
            "Outcome",
            "Payment",
            "PaymentDeclined",
            "PaymentDetails",
            "PaymentInDoubt",
            "PaymentRefused",
            "Snapshot",
            "Status",
            "authorize_payment",
            "capture_payment",
            "find_authorization",
            "find_capture",
            "outcome",
            "refund_payment",
            "split",
            "void_authorization",
        }
    ),
    "makegood.commerce": frozenset(
        {
            "CustomerId",
            "Delivery",
            "Line",
            "Mailer",
            "Order",
            "OrderId",
            "OrderRefused",
            "Orders",
            "OutOfStock",
            "Reservation",
            "Shipment",
            "ShipmentRefused",
            "Sku",
            "fulfil_order",
            "place_order",
            "recall_shipment",
            "release_inventory",
            "reserve_inventory",
            "send_confirmation",
            "stock_up",
            "validate_order",
        }
    ),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_module_offers_exactly_these_names(name: str) -> None:
    module = importlib.import_module(name)
    assert frozenset(module.__all__) == PUBLIC[name]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_imported(name: str) -> None:
    module = importlib.import_module(name)
    missing = [public for public in PUBLIC[name] if not hasattr(module, public)]
    assert missing == []


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_thing_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    silent = [
        f"{public}: {part}"
        for public in sorted(PUBLIC[name])
        for part, thing in parts_of(getattr(module, public))
        if not (thing.__doc__ or "").strip()
    ]
    assert silent == []


def parts_of(thing: object) -> Iterator[tuple[str, object]]:
    """Yield a class with its own public methods and properties, or a function; values have none."""
    if inspect.isroutine(thing):
        yield "itself", thing
    if inspect.isclass(thing) and thing.__module__.startswith("makegood"):
        yield "itself", thing
        for name, member in vars(thing).items():
            if not name.startswith("_") and (
                inspect.isroutine(member) or isinstance(member, property)
            ):
                yield name, member
