"""How the facts are stored of what runs say to one another: for ever as they stand here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Raw

from makegood.decision import facts
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from makegood.values.verdict import Failure, FailureKind

if TYPE_CHECKING:
    from makegood.decision.facts import Fact

AT = Instant(1_700_000_000_000_000)
RUN = RunId("r-1")
FAILURE = Failure(
    kind=FailureKind.TRANSIENT,
    type="shop.Busy",
    message="come back",
    traceback="Traceback …",
    retry_after=timedelta(seconds=1),
)
FAILURE_JSON = (
    '{"kind":"transient","type":"shop.Busy","message":"come back","traceback":"Traceback …",'
    '"retry_after":"PT1S"}'
)

GOLDEN_OF_CHILDREN: list[tuple[Fact, str]] = [
    (
        facts.ChildStarted(
            node="ship",
            run=RUN,
            workflow="ship",
            fingerprint="f",
            key="k",
            input_hash="h",
            inputs={"n": Raw(b"1")},
            at=AT,
        ),
        '{"type":"child_started","node":"ship","run":"r-1","workflow":"ship","fingerprint":"f",'
        '"key":"k","input_hash":"h","inputs":{"n":1},"at":1700000000000000}',
    ),
    (
        facts.ChildEnded(
            node="ship",
            run=RUN,
            status=facts.EndStatus.FAILED,
            cause=facts.Cause.ERROR,
            failures=(FAILURE,),
            at=AT,
        ),
        '{"type":"child_ended","node":"ship","run":"r-1","status":"failed","cause":"error",'
        f'"failures":[{FAILURE_JSON}],"at":1700000000000000}}',
    ),
    (
        facts.ChildMoved(node="ship", run=RUN, reason=facts.ParkReason.POISON, at=AT),
        '{"type":"child_moved","node":"ship","run":"r-1","reason":"poison","at":1700000000000000}',
    ),
    (
        facts.ChildRefused(node="ship", run=RUN, answer=facts.ControlAnswer.PARKED, at=AT),
        '{"type":"child_refused","node":"ship","run":"r-1","answer":"parked",'
        '"at":1700000000000000}',
    ),
    (
        facts.ChildCancelled("ship", AT),
        '{"type":"child_cancelled","node":"ship","at":1700000000000000}',
    ),
]
