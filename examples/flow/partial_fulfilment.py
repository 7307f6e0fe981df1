"""An order of which not everything is there: send what there is, and order the rest.

A guard decides that when the order runs. Only what is sent is paid, and what was ordered for later
is cancelled when the rest cannot be sent. An order of which nothing is there is declined.
"""

import asyncio
from dataclasses import dataclass

from makegood import Declined, Engine, injected, pure, query, step, workflow


@dataclass(frozen=True)
class Order:
    """Articles, and what one of them costs."""

    id: str
    skus: list[str]
    cents_each: int


@dataclass(frozen=True)
class Split:
    """What can be sent of an order, and what cannot yet."""

    order_id: str
    present: list[str]
    missing: list[str]
    cents: int
    is_partial: bool


class Shop:
    """Stands for the warehouse, its supplier and the bank; repeating a request is harmless."""

    def __init__(self, *on_hand: str) -> None:
        self.on_hand = on_hand
        self.ordered: dict[str, list[str]] = {}
        self.charged: dict[str, int] = {}
        self.sent: dict[str, list[str]] = {}


async def check_stock(order: Order, *, shop: Shop = injected) -> list[str]:
    """Return which articles of an order are there."""
    return [sku for sku in order.skus if sku in shop.on_hand]


def split_order(order: Order, present: list[str]) -> Split:
    """Say what can be sent of an order, and what it costs; decline what is nothing."""
    if not present:
        raise Declined(f"nothing of {order.id} is there")
    missing = [sku for sku in order.skus if sku not in present]
    cents = order.cents_each * len(present)
    return Split(order.id, present, missing, cents, is_partial=bool(missing))


async def order_missing(order_id: str, missing: list[str], *, shop: Shop = injected) -> str:
    """Have the supplier bring what is missing."""
    shop.ordered[order_id] = missing
    return order_id


async def cancel_missing(order_id: str, *, shop: Shop = injected) -> None:
    """Tell the supplier that nothing is missing after all."""
    shop.ordered.pop(order_id, None)


async def charge(order_id: str, cents: int, *, shop: Shop = injected) -> str:
    """Take the money for what is sent."""
    shop.charged[order_id] = cents
    return order_id


async def refund(order_id: str, *, shop: Shop = injected) -> None:
    """Give the money back."""
    shop.charged.pop(order_id, None)


async def send_present(order_id: str, present: list[str], *, shop: Shop = injected) -> str:
    """Send what is there."""
    shop.sent[order_id] = present
    return order_id


async def recall_present(order_id: str, *, shop: Shop = injected) -> None:
    """Have the parcel brought back."""
    shop.sent.pop(order_id, None)


later = step(order_missing, undo=cancel_missing)
take = step(charge, undo=refund)
send = step(send_present, undo=recall_present)


@workflow(strict=True)
def sell_present(order: Order) -> tuple[str, list[str]]:
    """Sell what is there, and return what is yet to come."""
    split = pure(split_order)(order, query(check_stock)(order))
    ordered = later.when(split.is_partial)(split.order_id, split.missing)
    paid = take.after(ordered)(split.order_id, split.cents)
    return send(paid, split.present), split.missing


async def main() -> None:
    """Sell an order whole, one in part, and one not at all."""
    async with Engine("sqlite:///partial.journal", services={Shop: Shop("CD", "LP")}) as engine:
        engine.serve(sell_present)
        for skus in (["CD", "LP"], ["CD", "MC"], ["MC"]):
            order = Order("+".join(skus), skus, cents_each=900)
            run = await engine.start(sell_present(order), key=order.id)
            outcome = await run.outcome()
            print(order.id, outcome.status, outcome.error or outcome.value)


if __name__ == "__main__":
    asyncio.run(main())
