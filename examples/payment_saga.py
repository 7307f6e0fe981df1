"""A small linear saga: reserve stock, take the payment, confirm the order, tell the customer.

What a saga builder without a journal leaves open is settled here: the payment has an undo and an
idempotency key of its own, and a failed e-mail does not fail a paid order.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from makegood import (
    Declined,
    Engine,
    IdempotencyKey,
    Retry,
    Unavailable,
    injected,
    step,
    testing,
    workflow,
)


@dataclass(frozen=True)
class Item:
    """So many of one article."""

    sku: str
    quantity: int


@dataclass(frozen=True)
class Transaction:
    """A payment that was taken."""

    id: str
    cents: int


async def reserve_stock(order_id: str, items: list[Item]) -> list[str]:
    """Hold the items, and return the reservations."""
    return [f"{order_id}/{item.sku}" for item in items]


async def release_stock(reservations: list[str]) -> None:
    """Let the items go."""
    print("released", *reservations)


async def process_payment(
    user_id: str, cents: int, *, key: IdempotencyKey = injected
) -> Transaction:
    """Charge the customer; the key makes a repeated request harmless."""
    if user_id == "broke":
        raise Declined("insufficient funds")
    return Transaction(id=f"tx-{key[:8]}", cents=cents)


async def refund_payment(transaction: Transaction) -> None:
    """Give the money back."""
    print("refunded", transaction.cents)


async def confirm_order(order_id: str, transaction: Transaction) -> str:
    """Note that the order is paid."""
    return f"{order_id} is paid by {transaction.id}"


async def unconfirm_order(note: str) -> None:
    """Take the note back."""
    print("no longer:", note)


async def send_email(user_id: str, note: str) -> None:
    """Tell the customer."""
    raise Unavailable(f"no mail for {user_id}: {note}")


reserve = step(reserve_stock, undo=release_stock)
pay = step(
    process_payment,
    undo=refund_payment,
    key_valid_for=timedelta(hours=24),
    retry=Retry(on=Unavailable, attempts=4, delay=timedelta(seconds=2)),
)
confirm = step(confirm_order, undo=unconfirm_order)
notify = step(send_email, irreversible="an e-mail cannot be unsent", optional=True)


@workflow(strict=True)
def payment_saga(order_id: str, items: list[Item], cents: int, user_id: str) -> str:
    """Sell some items."""
    reservations = reserve(order_id, items)
    transaction = pay.after(reservations)(user_id, cents)
    note = confirm(order_id, transaction)
    notify(user_id, note)
    return note


async def main() -> None:
    """Test the saga in memory, where waiting takes no time, then run it on a journal."""
    laptop = [Item("LAPTOP-01", 1)]
    sold = await testing.run(payment_saga("ORD-1", laptop, 120_000, "user_99"))
    print(sold.status, "although skipped:", sold.skipped)

    async with Engine("sqlite:///sales.journal") as engine:
        engine.serve(payment_saga)
        run = await engine.start(payment_saga("ORD-2", laptop, 120_000, "broke"), key="ORD-2")
        outcome = await run.outcome()
        print(outcome.status, outcome.error, outcome.undone)
        assert outcome.undone == ["reserve_stock"]


if __name__ == "__main__":
    asyncio.run(main())
