"""What an order is, and which orders the shop takes. It knows nothing of money's movements."""

from __future__ import annotations

from datetime import date
from typing import NewType, Protocol

import msgspec

from makegood import Declined, InvalidInput, injected
from makegood.payments import Money

__all__ = [
    "CustomerId",
    "EmptyOrder",
    "Line",
    "Order",
    "OrderId",
    "OrderRefused",
    "Orders",
    "Sku",
    "UnknownOrder",
    "WorthlessOrder",
    "validate_order",
]

OrderId = NewType("OrderId", str)
CustomerId = NewType("CustomerId", str)
Sku = NewType("Sku", str)
"""What the shop calls one article."""


class OrderRefused(Declined):
    """The shop does not take the order. Each reason is a class of its own, to be counted by."""


class UnknownOrder(OrderRefused):
    """Nobody has placed an order with that id."""


class EmptyOrder(OrderRefused):
    """The order asks for nothing."""


class WorthlessOrder(OrderRefused):
    """The order comes to no money, so there is nothing to authorize."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Some copies of one article, and what they cost together."""

    sku: Sku
    quantity: int
    price: Money


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer wants. Its lines add up to its total exactly, or it cannot be made."""

    id: OrderId
    customer: CustomerId
    placed_on: date
    lines: tuple[Line, ...]
    total: Money

    def __post_init__(self) -> None:
        of_lines = sum(line.price.minor for line in self.lines)
        if self.lines and of_lines != self.total.minor:
            message = f"the lines of {self.id} come to {of_lines}, and its total is {self.total}"
            raise InvalidInput(message)
        if any(line.quantity <= 0 for line in self.lines):
            message = f"{self.id} has a line of no copies; leave such lines out"
            raise InvalidInput(message)
        if len({line.sku for line in self.lines}) < len(self.lines):
            message = f"{self.id} has two lines of one article; make one of them"
            raise InvalidInput(message)


class Orders(Protocol):
    """Where orders are kept once customers have placed them."""

    async def find(self, order_id: OrderId) -> Order | None:
        """Return the order, or None."""
        ...


async def validate_order(order_id: OrderId, *, orders: Orders = injected) -> Order:
    """Return the order as it was placed, or refuse it with the reason."""
    order = await orders.find(order_id)
    if order is None:
        message = f"there is no order {order_id}"
        raise UnknownOrder(message)
    if not order.lines:
        message = f"{order_id} asks for nothing"
        raise EmptyOrder(message)
    if order.total.minor <= 0:
        message = f"{order_id} comes to {order.total}; there is nothing to authorize"
        raise WorthlessOrder(message)
    return order
