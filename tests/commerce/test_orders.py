"""Orders: their lines add up, and the shop takes only what is worth something."""

from __future__ import annotations

from datetime import date

import pytest

from makegood import Declined, InvalidInput
from makegood.commerce import CustomerId, Line, Order, OrderId, OrderRefused, Sku, validate_order
from makegood.commerce.orders import EmptyOrder, UnknownOrder, WorthlessOrder
from makegood.payments import Money
from tests.commerce.shop import order


class Book:
    """Orders in a dictionary."""

    def __init__(self, *orders: Order) -> None:
        self._orders = {placed.id: placed for placed in orders}

    async def find(self, order_id: OrderId) -> Order | None:
        return self._orders.get(order_id)


def of_lines(*prices: int, total: int, quantity: int = 1, sku: str | None = None) -> Order:
    return Order(
        id=OrderId("order-1"),
        customer=CustomerId("00001"),
        placed_on=date(1997, 1, 1),
        lines=tuple(
            Line(sku=Sku(sku or f"cd-{n}"), quantity=quantity, price=Money(price, "USD"))
            for n, price in enumerate(prices)
        ),
        total=Money(total, "USD"),
    )


async def test_an_order_that_was_placed_is_returned_as_it_is() -> None:
    placed = order(7, cd_1=2)
    assert await validate_order(placed.id, orders=Book(placed)) == placed


@pytest.mark.parametrize(
    ("placed", "refusal"),
    [
        (of_lines(0, 0, total=0), WorthlessOrder),
        (of_lines(total=0), EmptyOrder),
        (of_lines(total=100), EmptyOrder),
    ],
)
async def test_an_order_for_nothing_is_refused_with_the_reason(
    placed: Order, refusal: type[OrderRefused]
) -> None:
    with pytest.raises(refusal, match="order-1") as caught:
        await validate_order(placed.id, orders=Book(placed))
    assert isinstance(caught.value, Declined)


async def test_an_order_that_nobody_placed_is_refused() -> None:
    with pytest.raises(UnknownOrder, match="no order order-9"):
        await validate_order(OrderId("order-9"), orders=Book())


def test_lines_that_do_not_add_up_to_the_total_make_no_order() -> None:
    with pytest.raises(InvalidInput, match="come to 300"):
        of_lines(100, 200, total=301)


def test_a_line_of_no_copies_makes_no_order() -> None:
    with pytest.raises(InvalidInput, match="no copies"):
        of_lines(100, total=100, quantity=0)


def test_two_lines_of_one_article_make_no_order() -> None:
    with pytest.raises(InvalidInput, match="two lines"):
        of_lines(100, 200, total=300, sku="cd-1")
