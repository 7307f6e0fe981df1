"""An order: hold the stock, take the money, ship; and make good whatever went wrong."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from makegood import Declined, Engine, IdempotencyKey, Retry, Unavailable, injected, step, workflow


@dataclass(frozen=True)
class Payment:
    """Money that was taken."""

    id: str
    cents: int


class Bank:
    """Stands for a payment company's client."""

    async def charge(self, cents: int, *, key: str) -> Payment:
        """Take money, once for each key."""
        return Payment(key, cents)

    async def refund(self, payment: Payment, *, key: str) -> None:
        """Give the money back, once for each key."""
        print(f"refunded {payment.cents} cents under {key}")


async def charge(cents: int, *, bank: Bank = injected, key: IdempotencyKey = injected) -> Payment:
    """Take the money."""
    return await bank.charge(cents, key=key)


async def refund(
    payment: Payment, *, bank: Bank = injected, key: IdempotencyKey = injected
) -> None:
    """Give the money back."""
    await bank.refund(payment, key=key)


async def ship(address: str, payment: Payment) -> str:
    """Send the parcel."""
    if not address:
        raise Declined("there is no address to ship to")
    return f"{payment.cents} cents paid, on its way to {address}"


take = step(
    charge,
    undo=refund,
    key_valid_for=timedelta(hours=24),
    retry=Retry(on=Unavailable, attempts=5),
)
send = step(ship, irreversible="a parcel cannot be recalled")


@workflow
def order(cents: int, address: str) -> str:
    """Take the money, then ship."""
    payment = take(cents)
    return send(address, payment)


async def main() -> None:
    """Run one order that goes well and one that does not."""
    async with Engine("sqlite:///orders.journal", services={Bank: Bank()}) as engine:
        engine.serve(order)
        good = await engine.start(order(4200, "Lagos"), key="order-17")
        print(await good.result())
        bad = await engine.start(order(1000, ""), key="order-18")
        print((await bad.outcome()).undone)


if __name__ == "__main__":
    asyncio.run(main())
