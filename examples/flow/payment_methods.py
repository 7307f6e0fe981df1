"""An order that is paid in one of several ways, each with steps of its own.

The way is chosen when the order runs. A card is authorized and captured, a wallet is charged at
once, and whatever else a customer asks for is refused before anything has happened to his money.
"""

import asyncio
from enum import Enum

from makegood import Declined, Engine, fail, injected, step, switch, workflow


class Method(Enum):
    """How a customer wants to pay."""

    CARD = "card"
    WALLET = "wallet"
    CHEQUE = "cheque"


class Books:
    """Stand for the card company, the wallet company and the shop: what holds now, by order.

    Repeating a request is harmless.
    """

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.reserved: set[str] = set()
        self.shipped: set[str] = set()


async def reserve_article(order_id: str, *, books: Books = injected) -> str:
    """Hold the article."""
    books.reserved.add(order_id)
    return order_id


async def release_article(order_id: str, *, books: Books = injected) -> None:
    """Let the article go."""
    books.reserved.discard(order_id)


async def authorize_card(order_id: str, cents: int, *, books: Books = injected) -> str:
    """Hold the money on the card."""
    books.held[order_id] = cents
    return order_id


async def void_card(order_id: str, *, books: Books = injected) -> None:
    """Let the money on the card go."""
    books.held.pop(order_id, None)


async def capture_card(order_id: str, cents: int, *, books: Books = injected) -> str:
    """Take the money that is held on the card."""
    books.taken[order_id] = cents
    return order_id


async def charge_wallet(order_id: str, cents: int, *, books: Books = injected) -> str:
    """Take the money out of the wallet."""
    books.taken[order_id] = cents
    return order_id


async def give_back(order_id: str, *, books: Books = injected) -> None:
    """Give the money back, the way it came."""
    books.taken.pop(order_id, None)


async def ship_article(payment: str, *, books: Books = injected) -> str:
    """Hand the article to the carrier."""
    books.shipped.add(payment)
    return payment


async def recall_article(order_id: str, *, books: Books = injected) -> None:
    """Have the article brought back."""
    books.shipped.discard(order_id)


reserve = step(reserve_article, undo=release_article)
authorize = step(authorize_card, undo=void_card)
capture = step(capture_card, undo=give_back)
charge = step(charge_wallet, undo=give_back)
ship = step(ship_article, undo=recall_article)


@workflow(strict=True)
def sell(order_id: str, cents: int, method: Method) -> str:
    """Hold the article, have it paid as the customer wants to, and ship it."""
    reserved = reserve(order_id)

    def by_card() -> str:
        authorized = authorize.after(reserved)(order_id, cents)
        return capture(authorized, cents)

    paid = switch(
        method,
        {Method.CARD: by_card, Method.WALLET: lambda: charge.after(reserved)(order_id, cents)},
        default=lambda: fail(Declined("that is no way to pay here")),
        name="payment",
    )
    return ship(paid)


async def main() -> None:
    """Sell something in every way, of which one is refused."""
    async with Engine("sqlite:///methods.journal", services={Books: Books()}) as engine:
        engine.serve(sell)
        for method in Method:
            run = await engine.start(sell(f"by-{method.value}", 4200, method), key=method.value)
            outcome = await run.outcome()
            print(method.value, outcome.status, outcome.error or outcome.done)


if __name__ == "__main__":
    asyncio.run(main())
