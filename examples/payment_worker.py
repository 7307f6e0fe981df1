"""A service that takes the money when the goods are reserved, and gives it back on cancellation.

It speaks with others by messages alone. Each is received in one transaction: the mark in the inbox,
the row in the payments table and what goes out are there together, or none of them is.
"""

import asyncio
from datetime import timedelta

from payment_gateway import PaymentGateway, Refused, TestGateway
from payment_messages import (
    InventoryReserved,
    OrderCancelled,
    PaymentFailed,
    PaymentProcessed,
    PaymentRefunded,
    ProcessPayment,
    RefundPayment,
)
from payment_tables import PaymentTables

from makegood import (
    Breaker,
    Declined,
    Engine,
    IdempotencyKey,
    Receptors,
    Retry,
    Service,
    Transaction,
    Writes,
    injected,
)
from makegood.payments import Money


async def open_payment(
    event: InventoryReserved, *, transaction: Transaction = injected
) -> ProcessPayment | None:
    """Note the payment before anybody is asked for money, unless the order has one already."""
    payment_id = f"payment-{event.order_id}"
    is_new = await transaction.execute(
        "INSERT INTO payments (payment_id, order_id, minor, currency, status) "
        "VALUES (?, ?, ?, ?, 'pending') ON CONFLICT (order_id) DO NOTHING",
        payment_id,
        event.order_id,
        event.total.minor,
        event.total.currency,
    )
    if not is_new:
        return None
    return ProcessPayment(event.order_id, payment_id, event.total, event.method)


async def process_payment(
    command: ProcessPayment,
    *,
    gateway: PaymentGateway = injected,
    key: IdempotencyKey = injected,
    writes: Writes = injected,
) -> PaymentProcessed | PaymentFailed:
    """Take the money, once, however often this is called."""
    answer = await gateway.charge(command.amount, command.method, key=key)
    if isinstance(answer, Refused):
        sql = "UPDATE payments SET status = 'failed', refusal = ? WHERE payment_id = ?"
        writes.execute(sql, answer.code, command.payment_id, expect_rows=1)
        return PaymentFailed(command.order_id, command.payment_id, answer.code, answer.reason)
    if answer.amount != command.amount:
        raise Declined(f"{answer.amount} were taken, and not {command.amount}")
    sql = "UPDATE payments SET status = 'captured', transaction_id = ? WHERE payment_id = ?"
    writes.execute(sql, answer.transaction, command.payment_id, expect_rows=1)
    paid = (command.order_id, command.payment_id, answer.transaction, answer.amount)
    return PaymentProcessed(*paid)


async def cancel_payment(
    event: OrderCancelled, *, transaction: Transaction = injected
) -> RefundPayment | None:
    """Note that the order is cancelled, whatever has become of its payment by now."""
    await transaction.execute(
        "INSERT INTO payments (payment_id, order_id, minor, currency, status) "
        "VALUES (?, ?, 0, '', 'cancelled') ON CONFLICT (order_id) DO UPDATE SET is_cancelled = 1",
        f"payment-{event.order_id}",
        event.order_id,
    )
    return await _refund(event.order_id, transaction)


async def look_back(
    event: PaymentProcessed, *, transaction: Transaction = injected
) -> RefundPayment | None:
    """Give back at once what was taken while the order was cancelled."""
    return await _refund(event.order_id, transaction)


async def _refund(order_id: str, transaction: Transaction) -> RefundPayment | None:
    """Return the command for the refund of a payment that is taken and not wanted, once."""
    is_first = await transaction.execute(
        "UPDATE payments SET status = 'refunding' "
        "WHERE order_id = ? AND status = 'captured' AND is_cancelled = 1",
        order_id,
    )
    if not is_first:
        return None
    [(payment_id, transaction_id, minor, currency)] = await transaction.fetch(
        "SELECT payment_id, transaction_id, minor, currency FROM payments WHERE order_id = ?",
        order_id,
    )
    assert isinstance(minor, int), "an amount is in whole minor units"
    amount = Money(minor, str(currency))
    return RefundPayment(order_id, str(payment_id), str(transaction_id), amount)


async def refund_payment(
    command: RefundPayment,
    *,
    gateway: PaymentGateway = injected,
    key: IdempotencyKey = injected,
    writes: Writes = injected,
) -> PaymentRefunded:
    """Give the money back; what the company refuses becomes a dead letter, for a person."""
    answer = await gateway.refund(command.transaction_id, command.amount, key=key)
    if isinstance(answer, Refused):
        raise Declined(answer.reason)
    sql = "UPDATE payments SET status = 'refunded' WHERE payment_id = ?"
    writes.execute(sql, command.payment_id, expect_rows=1)
    return PaymentRefunded(command.order_id, command.payment_id, answer, command.amount)


# After 2, 4 and 8 seconds, and only where there was no answer: a card that is refused stays so.
NETWORK = Retry(ConnectionError, attempts=4, delay=timedelta(seconds=2), jitter=False)
# After five calls without an answer nobody asks for half a minute, and then one alone.
BREAKER = Breaker(failures=5, open_for=timedelta(seconds=30))

payments = (
    Receptors("payments")
    .on(open_payment)
    .on(process_payment, retry=NETWORK, timeout=timedelta(seconds=20))
    .on(cancel_payment)
    .on(look_back)
    .on(refund_payment, retry=NETWORK, timeout=timedelta(seconds=20))
)


class Customers:
    """Those who are told what has become of their payments."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[object] = asyncio.Queue()


async def tell(
    event: PaymentProcessed | PaymentFailed | PaymentRefunded, *, customers: Customers = injected
) -> None:
    """Tell a customer."""
    customers.told.put_nowait(event)


async def main(journal: str = "sqlite:///payments.journal") -> None:
    """Take the money of three orders, one of which is cancelled after that, and one is declined."""
    gateway, customers, dollars = TestGateway(), Customers(), Money(3_998, "USD")
    services = {PaymentGateway: Service(gateway, breaker=BREAKER), Customers: customers}
    tables = PaymentTables()
    async with Engine(journal, services=services, extensions=[tables]) as engine:
        engine.serve(payments, Receptors("customers").on(tell))
        await engine.publish(InventoryReserved("order-1", dollars), id="event-1")
        await engine.publish(InventoryReserved("order-1", dollars), id="event-1")
        await engine.publish(InventoryReserved("order-2", dollars, "pm_card_declined"))
        await engine.publish(InventoryReserved("order-3", dollars))
        for _ in range(3):
            print(await customers.told.get())
        await engine.publish(OrderCancelled("order-3"))
        print(await customers.told.get())
        for row in await engine.read("SELECT order_id, status, minor FROM payments ORDER BY 1"):
            print(*row)
    print(f"the gateway has {gateway.has} cents")


if __name__ == "__main__":
    asyncio.run(main())
