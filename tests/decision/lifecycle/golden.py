"""How the facts of lifecycles are stored: for ever as they stand here."""

from __future__ import annotations

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

GOLDEN_OF_LIFECYCLES: list[tuple[Fact, str]] = [
    (
        facts.Moved("order", None, "NEW", "start", 1, AT),
        '{"type":"moved","node":"order","origin":null,"status":"NEW","cause":"start","version":1,'
        '"at":1700000000000000}',
    ),
    (
        facts.Moved("order", "NEW", "PAID", "message", 2, AT, "pay"),
        '{"type":"moved","node":"order","origin":"NEW","status":"PAID","cause":"message",'
        '"version":2,"at":1700000000000000,"handler":"pay"}',
    ),
    (
        facts.HandlingBegan("order", "pay", 3, "timer", AT),
        '{"type":"handling_began","node":"order","handler":"pay","round":3,"cause":"timer",'
        '"at":1700000000000000}',
    ),
    (
        facts.HandlingBegan("order", "pay", 3, "message", AT, "m1"),
        '{"type":"handling_began","node":"order","handler":"pay","round":3,"cause":"message",'
        '"at":1700000000000000,"message":"m1"}',
    ),
    (
        facts.Stayed("order", "pay", 4, AT),
        '{"type":"stayed","node":"order","handler":"pay","version":4,"at":1700000000000000}',
    ),
    (
        facts.Stayed("order", "pay", 4, AT, rearms=True, again=AT),
        '{"type":"stayed","node":"order","handler":"pay","version":4,"at":1700000000000000,'
        '"rearms":true,"again":1700000000000000}',
    ),
    (
        facts.Listened("order", "k", AT, ("shop.Paid",), {"late": AT}),
        '{"type":"listened","node":"order","key":"k","at":1700000000000000,'
        '"messages":["shop.Paid"],"timers":{"late":1700000000000000}}',
    ),
    (
        facts.NodeRefused("order", Failure(kind=FailureKind.PERMANENT, type="shop.Lost"), AT),
        '{"type":"node_refused","node":"order","failure":{"kind":"permanent","type":"shop.Lost"},'
        '"at":1700000000000000}',
    ),
    (
        facts.Paused("order/pay", "closed", AT, AT),
        '{"type":"paused","actor":"order/pay","reason":"closed","at":1700000000000000,'
        '"until":1700000000000000}',
    ),
    (
        facts.WaitRefused("order", AT, "shop.Paid"),
        '{"type":"wait_refused","node":"order","at":1700000000000000,"message":"shop.Paid"}',
    ),
    (
        facts.RunStarted(
            workflow="order",
            fingerprint="f",
            key="k",
            inputs={"record": Raw(b"1")},
            deadline=None,
            at=AT,
            schema=2,
        ),
        '{"type":"run_started","workflow":"order","fingerprint":"f","key":"k",'
        '"inputs":{"record":1},"deadline":null,"at":1700000000000000,"schema":2}',
    ),
    (
        facts.ChildStarted(
            node="sell",
            run=RUN,
            workflow="order",
            fingerprint="f",
            key="k",
            input_hash="h",
            inputs={},
            at=AT,
            schema=2,
            is_lifecycle=True,
        ),
        '{"type":"child_started","node":"sell","run":"r-1","workflow":"order","fingerprint":"f",'
        '"key":"k","input_hash":"h","inputs":{},"at":1700000000000000,"schema":2,'
        '"is_lifecycle":true}',
    ),
]
