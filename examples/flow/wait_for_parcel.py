"""An order that waits for its parcel: the warehouse says when it has left, or does not say it.

Two workflows speak to each other by messages. The order holds the money and waits, for five days at
most; it is in no memory meanwhile. The warehouse packs and sends its message, which finds the order
whoever carries it out, and also when it comes before the order waits.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from makegood import Engine, injected, send, step, wait, workflow


@dataclass(frozen=True)
class Shipped:
    """A parcel has left the warehouse."""

    order_id: str
    parcel: str


class Shop:
    """Stands for the bank and the warehouse."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.taken: set[str] = set()
        self.packed: set[str] = set()


async def hold_money(order_id: str, *, shop: Shop = injected) -> str:
    """Hold the money."""
    shop.held.add(order_id)
    return order_id


async def release_money(order_id: str, *, shop: Shop = injected) -> None:
    """Let the money go."""
    shop.held.discard(order_id)


async def take_money(order_id: str, parcel: str, *, shop: Shop = injected) -> str:
    """Take the money for what has left."""
    shop.held.discard(order_id)
    shop.taken.add(order_id)
    return f"{order_id} is on its way as {parcel}"


async def pack_parcel(order_id: str, *, shop: Shop = injected) -> Shipped:
    """Pack the article, and hand it to the courier."""
    shop.packed.add(order_id)
    return Shipped(order_id, f"parcel-of-{order_id}")


hold = step(hold_money, undo=release_money)
take = step(take_money, irreversible="the parcel has left")
pack = step(pack_parcel, irreversible="the courier has it")


@workflow(strict=True)
def place(order_id: str, patience: timedelta = timedelta(days=5)) -> str:
    """Hold the money until the parcel has left, and take it then."""
    held = hold(order_id)
    shipped = wait.after(held)(Shipped, key=order_id, within=patience)
    return take(order_id, shipped.parcel)


@workflow(strict=True)
def ship(order_id: str) -> None:
    """Pack an order, and tell whoever waits for it."""
    send(pack(order_id), key=order_id)


async def main() -> None:
    """Place three orders: one ships later, one has shipped before, and one never ships."""
    shop = Shop()
    async with Engine("sqlite:///parcels.journal", services={Shop: shop}) as engine:
        engine.serve(place, ship)
        later = await engine.start(place("order-1"), key="order-1")
        await (await engine.start(ship("order-1"), key="order-1")).result()
        await (await engine.start(ship("order-2"), key="order-2")).result()
        before = await engine.start(place("order-2"), key="order-2")
        never = await engine.start(place("order-3", timedelta(milliseconds=20)), key="order-3")
        for run in (later, before, never):
            outcome = await run.outcome()
            print(outcome.status, outcome.error or outcome.value, "undone:", outcome.undone)


if __name__ == "__main__":
    asyncio.run(main())
