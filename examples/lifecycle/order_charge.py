"""The money of an order: one charge for each generation, under a key of its own.

Another one is made only when it is certain that the one before has taken nothing, and never will.
"""

from dataclasses import replace
from typing import Literal

from order_companies import Bank, State, Taken, Warehouse
from order_messages import ChooseMethod, SendNotification, letter
from order_record import Charge, Order, Status
from order_stock import SOON

from makegood import Again, Emit, Goto, IdempotencyKey, OutcomeUnknown, Stay, Unavailable, injected

__all__ = ["captured", "charge", "choose", "fall_back", "give_back"]

GENERATIONS_MAX = 3


async def charge(
    order: Order,
    *,
    bank: Bank = injected,
    warehouse: Warehouse = injected,
    key: IdempotencyKey = injected,
    emit: Emit[SendNotification] = injected,
) -> (
    Goto[
        Literal[
            Status.PAYMENT_PROCESSING,
            Status.PAYMENT_UNKNOWN,
            Status.PAYMENT_FAILED,
            Status.PAYMENT_PROCESSED,
            Status.CANCELLING,
        ],
        Order,
    ]
    | Again[Order]
):
    """Take the money for what is held."""
    assert order.hold is not None, "nothing is charged that is not held"
    assert order.charge is None, "one charge is live at a time"
    if not await warehouse.keep(order.hold, order.lines):
        return Goto(Status.CANCELLING, replace(order, reasons=("what was held for it is gone",)))
    charged = replace(order, charge=Charge(key, order.total), looks=0)
    try:
        taken = await bank.charge(key, order.total, order.method)
    except Unavailable:
        return Again(after=SOON)
    except OutcomeUnknown:
        return Goto(Status.PAYMENT_UNKNOWN, charged)
    if taken == Taken(State.DONE, order.total):
        return Goto(Status.PAYMENT_PROCESSED, captured(charged))
    if taken.state is State.REFUSED:
        emit(letter(order, f"the payment by {order.method} was declined"))
        return Goto(Status.PAYMENT_FAILED, order)
    return Goto(Status.PAYMENT_PROCESSING, charged)


def captured(order: Order) -> Order:
    """Return the order with its charge as one that has taken the money."""
    assert order.charge is not None, "a charge was made"
    return replace(order, charge=replace(order.charge, is_captured=True))


async def give_back(order: Order, *, bank: Bank = injected, key: IdempotencyKey = injected) -> None:
    """Call the charge off, or give back what it has taken."""
    if order.charge is None:
        return
    found = await bank.void(order.charge.key, order.charge.amount)
    if found.state is State.PENDING:
        raise OutcomeUnknown("the bank cannot say whether the charge is called off")
    if found.state is State.DONE:
        await bank.refund(order.charge.key, found.amount, key=key)


async def fall_back(
    order: Order, *, bank: Bank = injected
) -> Goto[Literal[Status.INVENTORY_RESERVED, Status.CANCELLING], Order] | Stay[Order]:
    """Pay in another way that the customer has, or let the customer choose one."""
    if order.generation >= GENERATIONS_MAX:
        return Goto(Status.CANCELLING, replace(order, reasons=("no method of payment works",)))
    others = [each for each in await bank.other_methods(order.customer) if each != order.method]
    return Stay() if not others else Goto(Status.INVENTORY_RESERVED, _paid_by(order, others[0]))


async def choose(
    order: Order, chosen: ChooseMethod
) -> Goto[Literal[Status.INVENTORY_RESERVED, Status.CANCELLING], Order]:
    """Pay as the customer has chosen."""
    if chosen.method is None:
        return Goto(Status.CANCELLING, replace(order, reasons=("no other method is wanted",)))
    return Goto(Status.INVENTORY_RESERVED, _paid_by(order, chosen.method))


def _paid_by(order: Order, method: str) -> Order:
    return replace(order, method=method, generation=order.generation + 1)
