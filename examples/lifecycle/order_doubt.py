"""What has become of a charge: asked for, reported, called off; never guessed.

A charge that has no answer is not taken for a failure. A report proves nothing but that it is time
to ask.
"""

from dataclasses import replace
from typing import Literal

from order_charge import captured
from order_companies import Bank, State, Taken
from order_messages import PaymentReported, SendNotification, letter
from order_record import LOOKS_MAX, Order, Status, growing

from makegood import Again, Emit, Goto, PauseRun, Stay, injected, step, workflow

__all__ = ["doubt", "hear_bank", "late_report", "look", "probe", "refund_stray"]

PATIENT_LOOKS = 4
"""How often a charge without an answer is only looked up, before it is called off."""

Settled = Goto[Literal[Status.PAYMENT_PROCESSED, Status.PAYMENT_FAILED], Order] | PauseRun[Order]
"""What a charge leads to that is decided."""


async def look(
    order: Order, *, bank: Bank = injected, emit: Emit[SendNotification] = injected
) -> Settled | Again[Order]:
    """Ask the bank what has become of the charge, with growing pauses."""
    assert order.charge is not None, "a charge was made"
    found = await bank.find(order.charge.key)
    if found is None or found.state is State.PENDING:
        return Again(replace(order, looks=order.looks + 1), after=growing(order.looks))
    return _settled(order, found, emit)


async def doubt(order: Order) -> Goto[Literal[Status.PAYMENT_UNKNOWN], Order]:
    """Admit after five minutes that nobody knows; which is not that it has failed."""
    return Goto(Status.PAYMENT_UNKNOWN, replace(order, looks=0))


async def probe(
    order: Order, *, bank: Bank = injected, emit: Emit[SendNotification] = injected
) -> Settled | Again[Order]:
    """Find out what a charge without an answer has done; after some patience call it off."""
    live = order.charge
    assert live is not None, "a charge was made"
    if order.looks < PATIENT_LOOKS:
        found = await bank.find(live.key)
    else:
        found = await bank.void(live.key, live.amount)
    if found is not None and found.state is not State.PENDING:
        return _settled(order, found, emit)
    if order.looks >= LOOKS_MAX:
        return PauseRun("the bank cannot say what became of the charge", replace(order, looks=0))
    return Again(replace(order, looks=order.looks + 1), after=growing(order.looks))


async def hear_bank(
    order: Order,
    report: PaymentReported,
    *,
    bank: Bank = injected,
    emit: Emit[SendNotification] = injected,
) -> (
    Goto[Literal[Status.PAYMENT_PROCESSED, Status.PAYMENT_FAILED], Order]
    | PauseRun[Order]
    | Stay[Order]
):
    """Ask the bank about the charge of which it reports something: a report proves nothing."""
    if order.charge is None or report.charge != order.charge.key:
        return await late_report(order, report, bank=bank)
    found = await bank.find(report.charge)
    if found is None or found.state is State.PENDING:
        return Stay()
    return _settled(order, found, emit)


async def late_report(
    order: Order, report: PaymentReported, *, bank: Bank = injected
) -> Stay[Order]:
    """Give back what was taken by a charge that is not that of the order."""
    if order.charge is None or report.charge != order.charge.key:
        await refund_charge(report.charge, bank=bank)
    return Stay()


async def refund_charge(charge: str, *, bank: Bank = injected) -> None:
    """Give back what a charge has taken: once, however often and by whomever it is asked."""
    found = await bank.find(charge)
    if found is not None and found.state is State.DONE:
        await bank.refund(charge, found.amount, key=f"stray-{charge}")


@workflow(strict=True)
def refund_stray(charge: str) -> None:
    """Give back what was taken for an order that has ended without it."""
    step(refund_charge, irreversible="the money was never ours")(charge)


def _settled(
    order: Order, taken: Taken, emit: Emit[SendNotification]
) -> Goto[Literal[Status.PAYMENT_PROCESSED, Status.PAYMENT_FAILED], Order] | PauseRun[Order]:
    """Say where a charge leads that is decided."""
    live = order.charge
    assert live is not None, "a charge was made"
    if taken.state is State.REFUSED:
        emit(letter(order, f"the payment by {order.method} was declined"))
        return Goto(Status.PAYMENT_FAILED, replace(order, charge=None))
    if taken.amount != live.amount:
        return PauseRun(f"the bank took {taken.amount}, and not {live.amount}")
    return Goto(Status.PAYMENT_PROCESSED, captured(order))
