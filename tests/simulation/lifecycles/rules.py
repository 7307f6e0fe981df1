"""What the shop makes of an order, as plain functions: no effects, no engine.

The handlers do their work outside and return what these say. The model replays a run with them
alone, from what is on record of who was called and for what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

from makegood import Again, CancelRun, Declined, FailRun, Goto, Rearm, Stay

__all__ = [
    "CLOSED_AFTER",
    "PACKS_MAX",
    "POLLED_AGAIN_AFTER",
    "POLLS",
    "REMINDED_AFTER",
    "REMINDERS",
    "Changed",
    "Order",
    "Paid",
    "Status",
    "Withdrawn",
]

REMINDED_AFTER = timedelta(seconds=20)
REMINDERS = 2
"""How often somebody is reminded before the order is lost."""
POLLED_AGAIN_AFTER = timedelta(seconds=3)
POLLS = 2
PACKS_MAX = 2
"""How often an order is packed in vain."""
CLOSED_AFTER = timedelta(seconds=5)


class Status(Enum):
    NEW = "new"
    PAYING = "paying"
    PACKING = "packing"
    POLLING = "polling"
    SENT = "sent"
    DONE = "done"
    LOST = "lost"


@dataclass(frozen=True)
class Order:
    """An order, and everything that was done about it, in order."""

    id: str
    total: int
    until: datetime | None = None
    """When it is lost, whatever else happens."""
    paid: int = 0
    reminders: int = 0
    packs: int = 0
    polls: int = 0
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paid:
    """Some of the money has come."""

    event: str
    amount: int


@dataclass(frozen=True)
class Changed:
    """The customer wants more."""

    event: str
    more: int


@dataclass(frozen=True)
class Withdrawn:
    """The customer wants nothing any more."""

    event: str


def _with(order: Order, what: str) -> Order:
    return replace(order, log=(*order.log, what))


def price(order: Order) -> Goto[Literal[Status.PAYING], Order]:
    return Goto(Status.PAYING, _with(order, "price"))


def settle(order: Order, paid: Paid) -> Goto[Literal[Status.PACKING], Order] | Stay[Order]:
    left = replace(_with(order, f"settle:{paid.event}"), paid=order.paid + paid.amount)
    return Goto(Status.PACKING, left) if left.paid >= left.total else Stay(left)


def change(order: Order, changed: Changed) -> Rearm[Order]:
    return Rearm(replace(_with(order, f"change:{changed.event}"), total=order.total + changed.more))


def withdraw(_order: Order, _withdrawn: Withdrawn) -> CancelRun[Order]:
    return CancelRun("it was withdrawn")


def remind(order: Order) -> Goto[Literal[Status.LOST], Order] | Rearm[Order]:
    left = replace(_with(order, "remind"), reminders=order.reminders + 1)
    return Goto(Status.LOST, left) if left.reminders > REMINDERS else Rearm(left)


def lapse(order: Order) -> Goto[Literal[Status.LOST], Order]:
    return Goto(Status.LOST, _with(order, "lapse"))


def packed(
    order: Order, *, is_packed: bool
) -> Goto[Literal[Status.POLLING, Status.PAYING], Order] | FailRun[Order]:
    if is_packed:
        return Goto(Status.POLLING, _with(order, "packed"))
    if order.packs + 1 >= PACKS_MAX:
        return FailRun(Declined("it cannot be packed"), _with(order, "unpackable"))
    # It costs one more, which is to be paid first.
    left = replace(_with(order, "unpacked"), packs=order.packs + 1, total=order.paid + 1)
    return Goto(Status.PAYING, left)


def poll(order: Order) -> Goto[Literal[Status.SENT], Order] | Again[Order]:
    left = replace(_with(order, "poll"), polls=order.polls + 1)
    if left.polls < POLLS:
        return Again(left, after=POLLED_AGAIN_AFTER)
    return Goto(Status.SENT, left)


def close(order: Order) -> Goto[Literal[Status.DONE], Order]:
    return Goto(Status.DONE, _with(order, "close"))
