"""What children say to a run that is driven by hand, and what it says to them."""

from __future__ import annotations

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.facts import (
    Cause,
    ControlAnswer,
    EndStatus,
    ParkReason,
)
from makegood.decision.outgoing import said
from makegood.values.ids import RunId
from makegood.values.verdict import (
    Failure,
    FailureKind,
)
from tests.decision.driver import Run

__all__ = ["ERROR", "ME", "ended", "failed", "moved", "refused", "spoken", "undone"]

ME = RunId("me")
ERROR = Failure(kind=FailureKind.DECLINED, type="bank.Refused", message="no")


def ended(
    run: Run,
    path: str,
    status: EndStatus = EndStatus.COMPLETED,
    cause: Cause | None = None,
    *failures: Failure,
) -> facts.ChildEnded:
    called = run.node(path).child
    assert called is not None
    result = Raw(b"8" if status is EndStatus.COMPLETED else b"null")
    return facts.ChildEnded(
        node=path,
        run=called,
        status=status,
        cause=cause,
        result=result,
        failures=failures,
        at=run.now,
    )


def failed(run: Run, path: str, *failures: Failure) -> facts.ChildEnded:
    return ended(run, path, EndStatus.FAILED, Cause.ERROR, *(failures or (ERROR,)))


def undone(run: Run, path: str) -> facts.ChildEnded:
    return ended(run, path, EndStatus.CANCELLED, Cause.REVERSED)


def moved(run: Run, path: str, reason: ParkReason | None = None) -> facts.ChildMoved:
    called = run.node(path).child
    assert called is not None
    return facts.ChildMoved(node=path, run=called, reason=reason, at=run.now)


def refused(run: Run, path: str, answer: ControlAnswer | None = None) -> facts.ChildRefused:
    called = run.node(path).child
    assert called is not None
    return facts.ChildRefused(node=path, run=called, answer=answer, at=run.now)


def spoken(run: Run) -> list[object]:
    """Return what the last append says to other runs."""
    return [*said(run.state, ME, run.history[-1], run.now)]
