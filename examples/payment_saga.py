"""A small linear saga: reserve stock, take the payment, confirm the order, tell the customer.

What a saga builder without a journal leaves open is settled here: a payment is given back when
the order cannot be confirmed, repeating a lost request is harmless, and a failed e-mail is no
reason to refund anybody.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from makegood import Declined, Engine, IdempotencyKey, Retry, Unavailable, chain, injected, step


@dataclass(frozen=True)
class Item:
    """So many of one article."""

    sku: str
    quantity: int


@dataclass(frozen=True)
class Purchase:
    """What a customer wants."""

    order_id: str
    items: list[Item]
    cents: int
    user_id: str


@dataclass(frozen=True)
class Transaction:
    """A payment that was taken."""

    id: str
    cents: int


class Services:
    """Stands for the inventory, the payment gateway, the orders and the mail, and their books."""

    def __init__(self) -> None:
        self.reserved: dict[str, list[Item]] = {}
        self.charged: dict[str, int] = {}
        self.paid: dict[str, str] = {}
        self.letters: dict[str, str] = {}


async def reserve_stock(
    order_id: str, items: list[Item], *, services: Services = injected
) -> list[str]:
    """Hold the items, and return the reservations."""
    ids = [f"{order_id}/{item.sku}" for item in items]
    services.reserved |= {reserved: [item] for reserved, item in zip(ids, items, strict=True)}
    return ids


async def release_stock(reservation_ids: list[str], *, services: Services = injected) -> None:
    """Let the items go."""
    for reserved in reservation_ids:
        services.reserved.pop(reserved, None)


async def process_payment(
    user_id: str, cents: int, *, services: Services = injected, key: IdempotencyKey = injected
) -> Transaction:
    """Charge the customer; the key makes a repeated request harmless."""
    if user_id == "broke":
        raise Declined("insufficient funds")
    services.charged[key] = cents
    return Transaction(id=key, cents=cents)


async def refund_payment(transaction: Transaction, *, services: Services = injected) -> None:
    """Give the money back."""
    services.charged.pop(transaction.id, None)


async def confirm_order(
    order_id: str, transaction: Transaction, *, services: Services = injected
) -> str:
    """Note that the order is paid, and by what."""
    if order_id == "ORD-WITHDRAWN":
        raise Declined("the order was withdrawn")
    services.paid[order_id] = transaction.id
    return order_id


async def reopen_order(order_id: str, *, services: Services = injected) -> None:
    """Note that the order is not paid after all."""
    services.paid.pop(order_id, None)


async def send_email(
    user_id: str, text: str, *, services: Services = injected, key: IdempotencyKey = injected
) -> None:
    """Tell the customer."""
    services.letters[key] = f"to {user_id}: {text}"


reserve = step(reserve_stock, undo=release_stock)
pay = step(
    process_payment,
    undo=refund_payment,
    allow={"MG107": "what is given back is gone from the books; giving it back again is nothing"},
    key_valid_for=timedelta(hours=24),
    retry=Retry(on=Unavailable, attempts=4, delay=timedelta(seconds=2)),
)
confirm = step(confirm_order, undo=reopen_order)
notify = step(
    send_email,
    irreversible="an e-mail cannot be unsent",
    optional=True,
    key_valid_for=timedelta(hours=24),
    retry=Retry(on=Unavailable, attempts=6),
)

payment_saga = (
    chain(
        "payment_saga",
        reserve,
        takes=Purchase,
        using=lambda purchase: (purchase.order_id, purchase.items),
    )
    .then(pay, using=lambda purchase, _: (purchase.user_id, purchase.cents))
    .then(confirm, using=lambda purchase, done: (purchase.order_id, done[pay]))
    .then(notify, using=lambda purchase, _: (purchase.user_id, "Order confirmed!"))
    .workflow(returning=lambda _, done: done[pay], strict=True)
)


async def main() -> None:
    """Run a purchase that goes well, one that is declined, and one that cannot be confirmed."""
    laptop = [Item("LAPTOP-01", 1)]
    services = Services()
    async with Engine("sqlite:///sales.journal", services={Services: services}) as engine:
        engine.serve(payment_saga)
        for order_id, user in [("ORD-1", "ann"), ("ORD-2", "broke"), ("ORD-WITHDRAWN", "bob")]:
            purchase = Purchase(order_id, laptop, cents=120_000, user_id=user)
            run = await engine.start(payment_saga(purchase), key=order_id)
            outcome = await run.outcome()
            why = f", because {outcome.error}; undone: {outcome.undone}" if outcome.error else ""
            print(f"{order_id}: {outcome.status}{why}")
    print("charged:", [*services.charged.values()], "paid:", [*services.paid])


if __name__ == "__main__":
    asyncio.run(main())
