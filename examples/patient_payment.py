"""A payment by a bank that is often away: two kinds of back-off, a cancel, hooks, one key.

The hold is asked for again after one, two, three seconds (linear), the capture after one, two,
four (exponential). A customer who has enough of waiting cancels, and the hold is let go. A request
that comes twice under one key is one payment, and the second caller gets the first one's result.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from makegood import Engine, Event, Retry, Unavailable, injected, step, workflow

PAUSE = timedelta(milliseconds=20)
"""The first delay; a real one would be a second or more."""


@dataclass(frozen=True)
class Receipt:
    """What the customer gets."""

    order_id: str
    cents: int


class Bank:
    """Stands for the bank, which is away for the first few requests of each kind."""

    def __init__(self, *, away_for: int = 2) -> None:
        self.away_for = away_for
        self.away: dict[str, int] = {}
        self.held: set[str] = set()
        self.taken: dict[str, int] = {}

    def answer(self, request: str) -> None:
        """Raise as long as the bank is away."""
        left = self.away.get(request, self.away_for)
        if left:
            self.away[request] = left - 1
            raise Unavailable("the bank is closed for a moment")


async def hold_money(order_id: str, *, bank: Bank = injected) -> str:
    """Hold the money of an order, once however often it is asked for."""
    bank.answer(f"hold for {order_id}")
    bank.held.add(order_id)
    return order_id


async def let_go(hold: str, *, bank: Bank = injected) -> None:
    """Let go of a hold."""
    bank.held.discard(hold)


async def capture(hold: str, cents: int, *, bank: Bank = injected) -> Receipt:
    """Take what is held."""
    bank.answer(f"capture for {hold}")
    bank.held.discard(hold)
    bank.taken[hold] = cents
    return Receipt(hold, cents)


async def give_back(receipt: Receipt, *, bank: Bank = injected) -> None:
    """Give the money of an order back."""
    bank.taken.pop(receipt.order_id, None)


hold = step(
    hold_money,
    undo=let_go,
    retry=Retry(on=Unavailable, attempts=5, delay=PAUSE, linear=True),
)
take = step(
    capture,
    undo=give_back,
    retry=Retry(on=Unavailable, attempts=5, delay=PAUSE, factor=2, delay_max=10 * PAUSE),
)


@workflow(strict=True)
def pay(order_id: str, cents: int) -> Receipt:
    """Hold the money, then take it."""
    return take(hold(order_id), cents)


def tell(event: Event, /) -> None:
    """Say what happens: a hook sees every fact once it is durable, and changes nothing."""
    print(f"  {event.workflow}: {type(event.fact).__name__}")


async def main() -> None:
    """Pay one order twice under one key, and cancel another that waits for its bank."""
    bank = Bank()
    async with Engine("sqlite:///bank.journal", services={Bank: bank}, observers=[tell]) as engine:
        engine.serve(pay)
        first = await engine.start(pay("order-1", 1177), key="order-1")
        again = await engine.start(pay("order-1", 1177), key="order-1")
        assert await first.result() == await again.result()
        print("taken once:", [*bank.taken.values()])

        bank.away_for = 1_000
        waiting = await engine.start(pay("order-2", 900), key="order-2")
        await waiting.cancel(actor="customer", reason="it takes too long")
        outcome = await waiting.outcome()
        print("order-2:", outcome.status, "still held:", len(bank.held))


if __name__ == "__main__":
    asyncio.run(main())
