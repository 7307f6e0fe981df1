"""A lifecycle, a census of it, and a run of it, as the tests of its pictures draw them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from makegood import Census, MoveCount, StageCount
from makegood.definition.lifecycle.machine import Handler, Machine, Trigger
from makegood.definition.plan import (
    BLOCK_SPAN,
    Argument,
    Backoff,
    Block,
    FromInput,
    FromNode,
    Input,
    Kind,
    Node,
    Plan,
)
from makegood.picture import Timeline
from makegood.picture.story import Visit
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE = 60_000_000
NOW = Instant(1_000 * MINUTE)
BEGAN = datetime(2026, 5, 4, 9, tzinfo=UTC)


def handler(name: str, trigger: Trigger, statuses: str, to: str, **other: Any) -> Handler:
    return Handler(
        name=name,
        trigger=trigger,
        statuses=tuple(statuses.split()),
        to=tuple(to.split()),
        **other,
    )


def lifecycle(
    name: str,
    statuses: str,
    handlers: Sequence[Handler],
    *,
    terminal: str,
    pivots: str = "",
) -> Plan:
    """Return the plan of a lifecycle that begins at the first of its statuses."""
    machine = Machine(
        statuses=tuple(statuses.split()),
        start=statuses.split(maxsplit=1)[0],
        terminal=tuple(terminal.split()),
        pivots=tuple(pivots.split()),
        handlers=tuple(handlers),
        visits_max=1_000,
        repeats_max=1_000,
    )
    blocks = tuple(
        Block(
            number=number,
            nodes=(_called(each.name),),
            returns=FromNode(number * BLOCK_SPAN),
            rounds_max=2_000,
        )
        for number, each in enumerate(handlers, 1)
    )
    node = Node(
        path=name,
        kind=Kind.LIFECYCLE,
        function=name,
        arguments=(Argument(name="record", source=FromInput("record"), type="Invoice"),),
        returns="Invoice",
        retry=Backoff(attempts=1),
        timeout=None,
        machine=machine,
        blocks=blocks,
    )
    return Plan(
        workflow=name,
        fingerprint="0123456789abcdef",
        nodes=(node,),
        inputs=(Input(name="record", type="Invoice"),),
        returns=FromNode(0),
        returns_type="Invoice",
        deadline=None,
        strict=False,
        summary="A claim for money.",
    )


def _called(name: str) -> Node:
    return Node(
        path=name,
        kind=Kind.STEP,
        function=name,
        arguments=(),
        returns="Next",
        retry=Backoff(attempts=3),
        timeout=timedelta(seconds=30),
    )


INVOICE = lifecycle(
    "invoice",
    "NEW SENT REMINDED BOOKING PAID LOST",
    [
        handler("send", Trigger.ENTRY, "NEW", "SENT"),
        handler("paid", Trigger.MESSAGE, "SENT REMINDED", "BOOKING", message="shop.Paid"),
        handler("remind", Trigger.TIMER, "SENT", "REMINDED", after=timedelta(days=14)),
        handler("give_up", Trigger.TIMER, "REMINDED", "REMINDED LOST"),
        handler("booked", Trigger.CALL, "BOOKING", "PAID"),
    ],
    terminal="PAID LOST",
    pivots="BOOKING",
)


def _stage(name: str, count: int, parked: int, minutes: int) -> StageCount:
    return StageCount(
        workflow="invoice",
        stage=name,
        count=count,
        parked=parked,
        paused=0,
        since=Instant(NOW - minutes * MINUTE),
        oldest="0192",  # type: ignore[arg-type]
    )


def _moves(origin: str | None, destination: str, count: int) -> MoveCount:
    return MoveCount(workflow="invoice", origin=origin, destination=destination, count=count)


CENSUS = Census(
    lifecycle="invoice",
    at=NOW,
    since=Instant(NOW - 60 * MINUTE),
    stages=(_stage("REMINDED", 2, 1, 90), _stage("SENT", 1_200, 0, 3)),
    moves=(
        _moves(None, "NEW", 7),
        _moves("NEW", "SENT", 7),
        _moves("REMINDED", "LOST", 1),
        _moves("SENT", "BOOKING", 5),
    ),
)


def run(*path: tuple[str, str], ended: bool = False) -> Timeline:
    """Return a run that entered each of these statuses a minute after the one before."""
    visits = [
        Visit(
            status=status,
            origin=path[number - 1][0] if number else None,
            handler=by,
            version=number + 1,
            at=BEGAN + timedelta(minutes=number),
        )
        for number, (status, by) in enumerate(path)
    ]
    return Timeline(
        run="0192f0c4",
        workflow="invoice",
        key="invoice-17",
        fingerprint=INVOICE.fingerprint,
        status="completed" if ended else "waiting",
        cause=None,
        rollback=None,
        reason=None,
        began=BEGAN,
        ended=BEGAN + timedelta(minutes=len(path)) if ended else None,
        took=timedelta(minutes=len(path)) if ended else None,
        claims=0,
        undone=(),
        kept=(),
        left=(),
        story=(),
        nodes=(),
        visits=tuple(visits),
        plan=INVOICE,
    )


REMINDED_TWICE = run(("NEW", ""), ("SENT", "send"), ("REMINDED", "remind"), ("REMINDED", "give_up"))
PAID = run(("NEW", ""), ("SENT", "send"), ("BOOKING", "paid"), ("PAID", "booked"), ended=True)
