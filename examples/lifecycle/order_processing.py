"""Three orders: one completes, one is paid in another way, and one is rejected.

The machine that they go through is declared in order_machine.py.
"""

import asyncio
from datetime import UTC, datetime, timedelta

from order_carrier import Carrier
from order_companies import Bank, Warehouse
from order_doubt import refund_stray
from order_letters import Desk, Post, notifications, operations
from order_machine import orders
from order_messages import CarrierReported, PaymentReported
from order_record import Line, Order, Status, total_of
from order_return import RETURN_WINDOW

from makegood import Engine, Filter
from makegood.payments import Money


def sample(number: int, customer: str, sku: str, cents: int) -> Order:
    """Return an order of one article, paid by credit card."""
    lines = (Line(sku, 1, Money(cents, "USD")),)
    return Order(
        id=f"order-{number:03}",
        customer=customer,
        lines=lines,
        total=total_of(lines),
        method="credit_card",
        address="123 Main St, San Francisco, CA 94105, USA",
    )


SAMPLES = (
    sample(1, "customer-123", "laptop", 9_999),
    sample(2, "premium_customer", "desktop", 150_000),  # The credit card will be refused.
    sample(3, "customer-456", "out_of_stock", 4_999),
)
LETTERS = (3, 4, 2)
"""How many letters their customers are sent."""


async def take_report(engine: Engine, order: str, charge: str, *, id: str) -> None:
    """Take what the bank reports of a charge, also when the order has ended without it."""
    sent = await engine.send(PaymentReported(charge), key=order, id=id)
    if sent.run is not None:
        return
    [row] = (await engine.list(Filter(workflow="order", key=order, limit=1))).rows
    if row.status != "completed":
        return
    ended: object = (await engine.run(row.run).outcome()).value
    live = ended.charge if isinstance(ended, Order) else None
    if live is None or live.key != charge:
        await engine.start(refund_stray(charge), key=charge)


async def main(journal: str = "sqlite:///orders.journal") -> None:
    """Run the three orders: one completes, one is paid in another way, one is rejected."""
    bank, carrier, warehouse, post = Bank(), Carrier(), Warehouse(laptop=5, desktop=5), Post()
    services = {Bank: bank, Carrier: carrier, Warehouse: warehouse, Post: post, Desk: Desk()}
    delivered_at = datetime.now(UTC) - RETURN_WINDOW  # So nobody waits a fortnight here.
    async with Engine(journal, services=services) as engine:
        engine.serve(orders, refund_stray, notifications, operations)
        for order, letters in zip(SAMPLES, LETTERS, strict=True):
            run = await engine.start(orders(order), subject=order.id)
            awaited = await run.await_status(Status.FULFILLED, within=timedelta(seconds=30))
            print(order.id, awaited.what, awaited.status)
            if awaited.reached is Status.FULFILLED:
                await engine.send(CarrierReported(delivered_at), key=order.id)
            await run.result()
            print(*await post.letters_to(order.customer, letters), sep="\n")
    print(f"the bank has {bank.has} cents of {len(carrier.parcels)} parcels")


if __name__ == "__main__":
    asyncio.run(main())
