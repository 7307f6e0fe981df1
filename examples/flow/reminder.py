"""An order that is paid by invoice: the customer has a week, is reminded, and has another week.

Nothing waits in memory: each week is a time in the journal, and the process may be restarted in
between as often as it likes. Who has not paid when the second week is over gets nothing, and what
was held for him is let go.
"""

import asyncio
from datetime import timedelta

from makegood import Declined, Engine, fail, injected, pure, query, sleep, step, switch, workflow


class Shop:
    """Stands for the shop and its customers, of whom some only pay when they are reminded."""

    def __init__(self, *, pays_at_once: bool = False, pays_when_reminded: bool = True) -> None:
        self.pays_at_once = pays_at_once
        self.pays_when_reminded = pays_when_reminded
        self.held: set[str] = set()
        self.invoices: set[str] = set()
        self.reminders: set[str] = set()
        self.shipped: set[str] = set()

    def has_paid(self, order_id: str) -> bool:
        """Say whether the money has come."""
        reminded = self.pays_when_reminded and order_id in self.reminders
        return self.pays_at_once or reminded


async def hold_article(order_id: str, *, shop: Shop = injected) -> str:
    """Hold the article."""
    shop.held.add(order_id)
    return order_id


async def release_article(order_id: str, *, shop: Shop = injected) -> None:
    """Let the article go."""
    shop.held.discard(order_id)


async def send_invoice(order_id: str, *, shop: Shop = injected) -> str:
    """Ask the customer for the money."""
    shop.invoices.add(order_id)
    return order_id


async def cancel_invoice(order_id: str, *, shop: Shop = injected) -> None:
    """Tell the customer that nothing is owed."""
    shop.invoices.discard(order_id)


async def send_reminder(order_id: str, *, shop: Shop = injected) -> None:
    """Ask the customer once more, kindly."""
    shop.reminders.add(order_id)


async def check_paid(order_id: str, *, shop: Shop = injected) -> bool:
    """Ask the bank whether the money has come."""
    return shop.has_paid(order_id)


def is_missing(paid: bool) -> bool:  # noqa: FBT001 - it is an answer, not an option
    """Say whether somebody has to be reminded."""
    return not paid


async def ship_article(order_id: str, *, shop: Shop = injected) -> str:
    """Send what was paid."""
    shop.shipped.add(order_id)
    return order_id


hold = step(hold_article, undo=release_article)
bill = step(send_invoice, undo=cancel_invoice)
check = query(check_paid)
remind = step(send_reminder, irreversible="a letter cannot be unsent", optional=True)
ship = step(ship_article, irreversible="it is on its way")


@workflow(strict=True)
def sell_by_invoice(order_id: str, patience: timedelta = timedelta(days=7)) -> str:
    """Hold an article until its invoice is paid, and remind the customer in between."""
    billed = bill.after(hold(order_id))(order_id)
    first = sleep.after(billed)(patience)
    unpaid = pure(is_missing)(check.after(first)(order_id))
    reminded = remind.when(unpaid)(order_id)
    second = sleep.named("sleep_again").after(reminded).when(unpaid)(patience)
    paid = check.named("check_again").after(second)(order_id)
    return switch(
        paid,
        {True: lambda: ship(order_id), False: lambda: fail(Declined("it was never paid"))},
        name="paid",
    )


async def main() -> None:
    """Sell to somebody who forgets, and to somebody who does not pay."""
    for name, pays in (("forgetful", True), ("gone", False)):
        shop = Shop(pays_when_reminded=pays)
        async with Engine("sqlite:///invoices.journal", services={Shop: shop}) as engine:
            engine.serve(sell_by_invoice)
            patience = timedelta(milliseconds=20)
            run = await engine.start(sell_by_invoice(f"order-{name}", patience), key=name)
            outcome = await run.outcome()
            print(name, outcome.status, outcome.error or outcome.value, "undone:", outcome.undone)


if __name__ == "__main__":
    asyncio.run(main())
