"""Workflows that branch, sleep and go round, and runs of them whose every moment is known."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Raw

from makegood.decision import facts
from makegood.decision.evolve import fold
from makegood.definition.flow.branching import switch
from makegood.definition.flow.failing import fail
from makegood.definition.flow.looping import each, repeat
from makegood.definition.flow.sleeping import sleep
from makegood.definition.step import step
from makegood.definition.workflow import workflow
from makegood.errors import Declined
from makegood.journal.protocol import RunRow
from makegood.picture import timeline
from makegood.runtime.report import report_on
from makegood.runtime.turning.sending import summary_of
from makegood.values.instants import after
from makegood.values.verdict import Failure, FailureKind
from tests.decision.driver import START_AT
from tests.picture.told import RUN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.decision.facts import Fact
    from makegood.definition.plan import Plan
    from makegood.picture import Timeline
    from makegood.runtime.report import RunReport
    from makegood.values.instants import Instant

__all__ = [
    "failed",
    "failed_in_a_round",
    "many_rounds",
    "pack_all",
    "paid",
    "paid_run",
    "pay",
    "poll",
    "poll_twice",
    "reported",
]

BROKEN = Failure(kind=FailureKind.DECLINED, type="shop.Broken", message="it is in pieces")
VALUE = Raw(b'"x"')


class Method(Enum):
    CARD = "card"
    INVOICE = "invoice"
    GIFT = "gift"


async def charge(order: str) -> str: ...
async def refund(charged: str) -> None: ...
async def bill(order: str) -> str: ...
async def thank(paid: str) -> str: ...
async def pack(line: str) -> str: ...
async def unpack(packed: str) -> None: ...
async def label(packed: str) -> str: ...
async def ship(parcels: list[str]) -> str: ...
async def ask(asked: int) -> int: ...


def is_third(asked: int) -> bool:
    return asked >= 3


packing = step(pack, undo=unpack)
labelling = step(label, irreversible="it sticks")
shipping = step(ship, irreversible="it has left")
asking = step(ask, irreversible="a question")


@workflow
def pay(order: str, method: Method) -> str:
    """Pay by card, a day later, or by invoice."""

    def by_card() -> str:
        waited = sleep(timedelta(days=1))
        return step(charge, undo=refund).after(waited)(order)

    paid = switch(
        method,
        {
            Method.CARD: by_card,
            Method.INVOICE: lambda: step(bill, irreversible="it is sent")(order),
        },
        default=lambda: fail(Declined("gifts are not taken")),
    )
    return step(thank, irreversible="it was said")(paid)


@workflow
def pack_all(lines: list[str]) -> str:
    """Pack each line, and ship all of it."""

    def one(line: str) -> str:
        packed = packing(line)
        return labelling(packed)

    return shipping(each(lines, one, at_once=2))


@workflow
def poll(first: int) -> int:
    """Ask until the third time."""
    return repeat(asking, first, until=is_third, times_max=4)


def at(seconds: float) -> Instant:
    return after(START_AT, timedelta(seconds=seconds))


def paid_run(*, until: float, undone: bool = False) -> Timeline:
    """Return a run that pays by card, as it stands after so many seconds."""
    return told_of(pay.plan, paid(until=until, undone=undone))


def paid(*, until: float, undone: bool = False) -> list[Fact]:
    """Return what is recorded of that run."""
    day = 86_400.0
    found: list[tuple[float, Fact]] = [
        (0, facts.Chosen("switch", "card")),
        (0, facts.SleepBegan("switch/card/sleep", at(day))),
        (day, facts.NodeDone("switch/card/sleep", Raw(b"null"), at(day))),
        (day, facts.NodeStarted("switch/card/charge", 1, at(day))),
        (day + 2, facts.NodeDone("switch/card/charge", VALUE, at(day + 2))),
        (day + 2, facts.NodeDone("switch", VALUE, at(day + 2))),
        (day + 2, facts.NodeStarted("thank", 1, at(day + 2))),
    ]
    if undone:
        found += [
            (day + 3, facts.NodeFailed("thank", BROKEN, at(day + 3))),
            (day + 3, facts.NodeGaveUp("thank", at(day + 3))),
            (day + 3, facts.RollbackBegan(facts.Cause.ERROR, at(day + 3))),
            (day + 3, facts.UndoStarted("switch/card/charge", 1, at(day + 3))),
            (day + 4, facts.UndoDone("switch/card/charge", at(day + 4))),
            (day + 4, ended(facts.EndStatus.FAILED, day + 4)),
        ]
    return [fact for when, fact in found if when <= until]


def failed_in_a_round() -> Timeline:
    """Return a run whose second round fails while its third one is not begun."""
    return told_of(pack_all.plan, failed())


def failed() -> list[Fact]:
    """Return what is recorded of that run."""
    return [
        facts.ItemsListed("each", (VALUE,) * 3),
        facts.NodeStarted("each[0]/pack", 1, at(0)),
        facts.NodeStarted("each[1]/pack", 1, at(0)),
        facts.NodeDone("each[0]/pack", VALUE, at(1)),
        facts.NodeFailed("each[1]/pack", BROKEN, at(1)),
        facts.NodeGaveUp("each[1]/pack", at(1)),
        facts.RollbackBegan(facts.Cause.ERROR, at(1)),
        facts.UndoStarted("each[0]/pack", 1, at(1)),
        facts.UndoDone("each[0]/pack", at(2)),
        ended(facts.EndStatus.FAILED, 2),
    ]


def many_rounds(many: int, *, failed: int | None = None) -> Timeline:
    """Return a run of so many rounds, all done but for one that failed and has not been undone."""
    found: list[Fact] = [facts.ItemsListed("each", (VALUE,) * many)]
    for number in range(many):
        packed, labelled = f"each[{number}]/pack", f"each[{number}]/label"
        found.append(facts.NodeStarted(packed, 1, at(number)))
        if number == failed:
            found += [
                facts.NodeFailed(packed, BROKEN, at(number)),
                facts.NodeGaveUp(packed, at(number)),
            ]
            break
        found += [
            facts.NodeDone(packed, VALUE, at(number)),
            facts.NodeStarted(labelled, 1, at(number)),
            facts.NodeDone(labelled, VALUE, at(number)),
        ]
    return told_of(pack_all.plan, found)


def poll_twice() -> Timeline:
    """Return a run that has gone round twice, and is over."""
    return told_of(
        poll.plan,
        [
            facts.RoundBegan("repeat", Raw(b"1")),
            facts.NodeStarted("repeat[0]/ask", 1, at(0)),
            facts.NodeDone("repeat[0]/ask", Raw(b"2"), at(1)),
            facts.RoundBegan("repeat", Raw(b"2")),
            facts.NodeStarted("repeat[1]/ask", 1, at(1)),
            facts.NodeDone("repeat[1]/ask", Raw(b"3"), at(2)),
            facts.NodeDone("repeat", Raw(b"3"), at(2)),
            facts.Returned(value=Raw(b"3")),
            facts.RunEnded(facts.EndStatus.COMPLETED, None, facts.Rollback.NONE, at(2)),
        ],
    )


def ended(status: facts.EndStatus, seconds: float) -> Fact:
    return facts.RunEnded(status, facts.Cause.ERROR, facts.Rollback.UNDONE, at(seconds))


def told_of(plan: Plan, history: Sequence[Fact]) -> Timeline:
    """Return the timeline of a run of which this is recorded."""
    whole = [begun(plan), *history]
    return timeline(row_of(plan, whole), plan, whole)


def reported(plan: Plan, history: Sequence[Fact]) -> RunReport:
    """Return the report of a run of which this is recorded."""
    whole = [begun(plan), *history]
    return report_on(row_of(plan, whole), fold(plan, whole))


def begun(plan: Plan) -> Fact:
    return facts.RunStarted(
        workflow=plan.workflow,
        fingerprint=plan.fingerprint,
        key=None,
        inputs={},
        deadline=None,
        at=START_AT,
    )


def row_of(plan: Plan, history: Sequence[Fact]) -> RunRow:
    summary = summary_of(fold(plan, history))
    return RunRow(
        run=RUN,
        workflow=plan.workflow,
        key="order-17",
        fingerprint=plan.fingerprint,
        input_hash="",
        status=summary.status,
        cause=summary.cause,
        rollback=summary.rollback,
        reason=summary.reason,
        seq=1,
        inbox_head=0,
        epoch=1,
        claims=0,
        owner=None,
        wake_at=None,
        created_at=START_AT,
        ended_at=summary.ended_at,
        pruned_at=None,
    )
