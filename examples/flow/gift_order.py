"""An order of parts: two steps side by side, a step on a condition, a transform, and a child.

Stock and shipping are held side by side, for neither needs the other; nobody pays before both are
held. Paying is a workflow of its own, which is a step here: when the parcel cannot leave, it is
taken back as one. The parcel is wrapped only if it is a gift.
"""

import asyncio
from dataclasses import dataclass, field

from makegood import Declined, Engine, injected, pure, step, workflow


@dataclass(frozen=True)
class Order:
    """What a customer wants."""

    id: str
    cents: int
    is_gift: bool


@dataclass(frozen=True)
class Quote:
    """What shipping costs, and for whom it is promised."""

    order_id: str
    cents: int


@dataclass
class Shop:
    """Stands for the warehouse, the carrier and the bank, with their books."""

    stands: set[str] = field(default_factory=set)
    cannot: str = ""

    def note(self, what: str) -> str:
        """Note what was done, once however often it is asked for."""
        if what == self.cannot:
            raise Declined(f"there is no way to {what}")
        self.stands.add(what)
        return what


async def hold_stock(order: Order, *, shop: Shop = injected) -> str:
    """Hold the article."""
    return shop.note(f"hold {order.id}")


async def book_carrier(order: Order, *, shop: Shop = injected) -> Quote:
    """Book a place on the van."""
    shop.note(f"book {order.id}")
    return Quote(order.id, 500)


async def cancel_carrier(quote: Quote, *, shop: Shop = injected) -> None:
    """Cancel the place on the van."""
    shop.stands.discard(f"book {quote.order_id}")


async def authorize(order_id: str, cents: int, *, shop: Shop = injected) -> str:
    """Hold the money."""
    return shop.note(f"authorize {cents} for {order_id}")


async def capture(authorized: str, *, shop: Shop = injected) -> str:
    """Take what is held."""
    return shop.note(f"take what was to {authorized}")


async def wrap_gift(held: str, *, shop: Shop = injected) -> str:
    """Wrap it in paper."""
    return shop.note(f"wrap the {held}")


async def send_parcel(held: str, wrapped: str | None, *, shop: Shop = injected) -> str:
    """Hand the parcel to the carrier."""
    return shop.note(f"send the {wrapped or held}")


async def strike_out(what: str, *, shop: Shop = injected) -> None:
    """Take back what was noted; what is not there any more is fine."""
    shop.stands.discard(what)


def add_shipping(order: Order, quote: Quote) -> int:
    """Return all that is to be paid."""
    return order.cents + quote.cents


@workflow(strict=True)
def pay(order_id: str, cents: int) -> str:
    """Hold the money, then take it."""
    return step(capture, undo=strike_out)(step(authorize, undo=strike_out)(order_id, cents))


@workflow(strict=True)
def sell(order: Order) -> str:
    """Hold the goods and a place on the van, take the money, send."""
    held = step(hold_stock, undo=strike_out)(order)
    quote = step(book_carrier, undo=cancel_carrier)(order)
    paid = step(pay).after(held, quote)(order.id, pure(add_shipping)(order, quote))
    wrapped = step(wrap_gift, undo=strike_out).after(paid).when(order.is_gift)(held)
    return step(send_parcel, undo=strike_out).after(paid)(held, wrapped)


async def main() -> None:
    """Sell a gift, and something that cannot be sent."""
    shop = Shop(cannot="send the hold order-2")
    async with Engine("sqlite:///gifts.journal", services={Shop: shop}) as engine:
        engine.serve(sell)
        for order in (Order("order-1", 2_000, is_gift=True), Order("order-2", 900, is_gift=False)):
            outcome = await (await engine.start(sell(order), key=order.id)).outcome()
            print(order.id, outcome.status, outcome.value or outcome.undone)


if __name__ == "__main__":
    asyncio.run(main())
