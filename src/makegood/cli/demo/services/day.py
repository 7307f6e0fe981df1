"""What is ordered on one day, and what is to go wrong with it: all of it by the seed."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from makegood.commerce import CustomerId, OrderId, Sku
from makegood.commerce.services.messages import CancelOrder, CreateOrder, CreateProduct, Wanted
from makegood.commerce.services.outside import REFUSED_ADDRESS, REFUSED_CUSTOMER
from makegood.decision.retry import Chance
from makegood.payments import Money, PaymentDetails
from makegood.payments.gateways.sandbox import DECLINED_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["SENDS_BACK", "Day", "Placing", "Trouble", "products"]

ARTICLES = 40
CUSTOMERS_PER_ORDER = 0.4
LINES_MAX = 3
COPIES_MAX = 3

STOCK_HUNDREDTHS = 97
"""How much of what is wanted there is: the last orders find some articles gone."""

SCARCE = Sku("cd-rare")
"""Wanted by those who are to find nothing."""

SENDS_BACK = "fickle"
"""Customers whose names begin with it send back whatever they get."""

CANCELLED_WITHIN = timedelta(seconds=1.5)
"""How soon customers change their minds."""


class Trouble(StrEnum):
    """What is to go wrong with an order, whatever else does."""

    NONE = "none"
    CARD_REFUSED = "card refused"
    NO_STOCK = "no stock"
    WRONG_TOTAL = "wrong total"
    CARRIER_REFUSES = "carrier refuses"
    CHANGE_OF_MIND = "change of mind"
    NO_MAIL = "takes no mail"
    SENT_BACK = "sent back"


_SHARES = {
    Trouble.CARD_REFUSED: 0.06,
    Trouble.NO_STOCK: 0.05,
    Trouble.WRONG_TOTAL: 0.03,
    Trouble.CARRIER_REFUSES: 0.06,
    Trouble.CHANGE_OF_MIND: 0.10,
    Trouble.NO_MAIL: 0.03,
    Trouble.SENT_BACK: 0.05,
}


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders there are, and by which seed."""

    orders: int
    seed: int
    faults: float
    """How often a request at the gateway, the carrier or the mail company goes wrong."""

    def placing(self, number: int) -> Placing:
        """Return what a customer does about the order of that number, counted from 0."""
        order, trouble = _ordered(self, number), self.trouble(number)
        cancelled_after = None
        match trouble:
            case Trouble.CARD_REFUSED:
                order = replace(order, payment=PaymentDetails(token=DECLINED_TOKEN))
            case Trouble.NO_STOCK:
                lines = (Wanted(sku=SCARCE, quantity=1),)
                order = replace(order, lines=lines, claimed_total=_price(SCARCE))
            case Trouble.WRONG_TOTAL:
                order = replace(order, claimed_total=order.claimed_total + Money(1, "USD"))
            case Trouble.CARRIER_REFUSES:
                order = replace(order, address=f"{REFUSED_ADDRESS}, {order.address}")
            case Trouble.CHANGE_OF_MIND:
                cancelled_after = Chance(self.seed).fraction("mind", number) * CANCELLED_WITHIN
            case Trouble.NO_MAIL:
                order = replace(order, customer_id=CustomerId(f"{REFUSED_CUSTOMER}-{number}"))
            case Trouble.SENT_BACK:
                order = replace(order, customer_id=CustomerId(f"{SENDS_BACK}-{number}"))
            case Trouble.NONE:
                pass
        cancel = CancelOrder(order_id=order.order_id, reason="the customer has changed her mind")
        return Placing(order=order, cancel=cancel, cancelled_after=cancelled_after)

    def trouble(self, number: int) -> Trouble:
        """Return what is to go wrong with an order."""
        drawn = Chance(self.seed).fraction("trouble", number)
        for trouble, share in _SHARES.items():
            drawn -= share
            if drawn < 0:
                return trouble
        return Trouble.NONE

    def placed(self) -> Iterator[str]:
        """Give the ids of all orders."""
        return (_id(number) for number in range(self.orders))


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer does."""

    order: CreateOrder
    cancel: CancelOrder
    cancelled_after: timedelta | None
    """None: it is not cancelled."""


def products(day: Day) -> Sequence[CreateProduct]:
    """Return what comes into the range: a little less than the orders want."""
    wanted = dict.fromkeys((_sku(number) for number in range(ARTICLES)), 0)
    for number in range(day.orders):
        if day.trouble(number) is not Trouble.NO_STOCK:
            for line in _ordered(day, number).lines:
                wanted[line.sku] += line.quantity
    known = [
        CreateProduct(
            sku=sku, price=_price(sku), initial_stock=-(-copies * STOCK_HUNDREDTHS // 100)
        )
        for sku, copies in wanted.items()
    ]
    return [*known, CreateProduct(sku=SCARCE, price=_price(SCARCE), initial_stock=0)]


def _ordered(day: Day, number: int) -> CreateOrder:
    """Return an order with which nothing is wrong."""
    chance = Chance(day.seed)

    def drawn(what: str, most: int) -> int:
        return int(chance.fraction(what, number) * most)

    count = 1 + drawn("lines", LINES_MAX)
    first = drawn("first", ARTICLES)
    lines = tuple(
        Wanted(
            sku=_sku((first + 7 * line) % ARTICLES), quantity=1 + drawn(f"of {line}", COPIES_MAX)
        )
        for line in range(count)
    )
    total = sum(_price(line.sku).minor * line.quantity for line in lines)
    customers = max(1, int(day.orders * CUSTOMERS_PER_ORDER))
    customer = drawn("customer", customers)
    return CreateOrder(
        order_id=_id(number),
        customer_id=CustomerId(f"customer-{customer}"),
        lines=lines,
        claimed_total=Money(total, "USD"),
        payment=PaymentDetails(token=f"tok_{customer}"),
        address=f"{customer} Orchard Road",
    )


def _id(number: int) -> OrderId:
    return OrderId(f"order-{number:05d}")


def _sku(number: int) -> Sku:
    return Sku(f"cd-{number:02d}")


def _price(sku: Sku) -> Money:
    return Money(599 + 100 * int(Chance(0).fraction(sku, 0) * 20), "USD")
