"""An order that no warehouse can fill alone: ask all, hold in each its share, pay once, send all.

How many are asked, and how many send something, is only known when the order runs. Whatever fails
in whichever warehouse: parcels, money and shares go back, in the reverse order of what was done.
"""

import asyncio
from dataclasses import dataclass, replace

from makegood import Declined, Engine, each, injected, pure, query, step, workflow


@dataclass(frozen=True)
class Order:
    """So many of one article, for this money."""

    id: str
    sku: str
    quantity: int
    cents: int


@dataclass(frozen=True)
class Share:
    """What one warehouse has, or is to send, of an order."""

    warehouse: str
    order_id: str
    quantity: int


class Company:
    """Stands for the warehouses and the bank; repeating a request is harmless."""

    def __init__(self, **on_hand: int) -> None:
        self.on_hand = on_hand
        self.held: dict[str, int] = {}
        self.charged: dict[str, int] = {}
        self.sent: set[str] = set()


async def count_stock(warehouse: str, order: Order, *, company: Company = injected) -> Share:
    """Return what a warehouse has of the article."""
    return Share(warehouse, order.id, company.on_hand.get(warehouse, 0))


def split_order(order: Order, counts: list[Share]) -> list[Share]:
    """Take from the fullest warehouses first, so that few parcels are sent."""
    missing, shares = order.quantity, list[Share]()
    for share in sorted(counts, key=lambda count: count.quantity, reverse=True):
        if taken := min(missing, share.quantity):
            shares.append(replace(share, quantity=taken))
            missing -= taken
    if missing:
        raise Declined(f"{missing} of {order.sku} are nowhere to be found")
    return shares


async def hold_share(share: Share, *, company: Company = injected) -> Share:
    """Hold a share in its warehouse."""
    company.held[f"{share.order_id} in {share.warehouse}"] = share.quantity
    return share


async def release_share(share: Share, *, company: Company = injected) -> None:
    """Let a share go."""
    company.held.pop(f"{share.order_id} in {share.warehouse}", None)


async def charge(order: Order, *, company: Company = injected) -> str:
    """Take the money."""
    company.charged[order.id] = order.cents
    return order.id


async def refund(order_id: str, *, company: Company = injected) -> None:
    """Give the money back."""
    company.charged.pop(order_id, None)


async def send_parcel(share: Share, payment: str, *, company: Company = injected) -> str:
    """Send a share of what is paid, and return the parcel."""
    parcel = f"{payment} from {share.warehouse}"
    company.sent.add(parcel)
    return parcel


async def recall_parcel(parcel: str, *, company: Company = injected) -> None:
    """Have a parcel brought back."""
    company.sent.discard(parcel)


hold = step(hold_share, undo=release_share)
take = step(charge, undo=refund)
send = step(send_parcel, undo=recall_parcel)


@workflow(strict=True)
def fulfil_order(order: Order, warehouses: list[str]) -> list[str]:
    """Take an order from as many warehouses as it needs."""
    counts = each(warehouses, lambda name: query(count_stock)(name, order), name="counts")
    shares = pure(split_order)(order, counts)
    held = each(shares, hold, name="holds")
    paid = take.after(held)(order)
    return each(held, lambda share: send(share, paid), name="parcels")


async def main() -> None:
    """Fill an order from two of three warehouses, and decline one that is too large."""
    company = Company(Lagos=3, Accra=5, Abuja=1)
    async with Engine("sqlite:///warehouses.journal", services={Company: company}) as engine:
        engine.serve(fulfil_order)
        for order in (Order("order-7", "CD-1", 7, 6300), Order("order-10", "CD-1", 10, 9000)):
            run = await engine.start(fulfil_order(order, [*company.on_hand]), key=order.id)
            outcome = await run.outcome()
            print(order.id, outcome.status, outcome.error or outcome.value)


if __name__ == "__main__":
    asyncio.run(main())
