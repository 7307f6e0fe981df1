"""A payment at a bank that says only after hours, or days, what came of it.

The bank is asked again and again, with a pause before each question. A run that sleeps is a row
with a time in the journal: it holds no task, and a restart neither forgets it nor starts it anew.
A transfer that the bank refuses, or has not settled when patience ends, is called back.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from makegood import Declined, Engine, fail, injected, query, repeat, sleep, step, switch, workflow

QUESTIONS_MAX = 48
"""How often the bank is asked: two days, at an hour's pause."""


class State(Enum):
    """What a bank says of a transfer."""

    PENDING = "pending"
    SETTLED = "settled"
    REFUSED = "refused"


@dataclass(frozen=True)
class Transfer:
    """Money on its way, and what the bank said of it last."""

    id: str
    cents: int
    state: State = State.PENDING


class Bank:
    """Stands for the bank, which answers after some questions, and for the shop's own books."""

    def __init__(self, *, answers: State = State.SETTLED, after_questions: int = 3) -> None:
        self.answers = answers
        self.left = after_questions
        self.transfers: dict[str, int] = {}
        self.delivered: set[str] = set()


async def order_transfer(order_id: str, cents: int, *, bank: Bank = injected) -> Transfer:
    """Ask the bank for a transfer; the order is its name, so asking twice is harmless."""
    bank.transfers[order_id] = cents
    return Transfer(order_id, cents)


async def call_back(transfer: Transfer, *, bank: Bank = injected) -> None:
    """Have the bank forget a transfer, or send the money back."""
    bank.transfers.pop(transfer.id, None)


async def ask_bank(transfer: Transfer, *, bank: Bank = injected) -> Transfer:
    """Return what the bank says of a transfer now."""
    bank.left -= 1
    return Transfer(transfer.id, transfer.cents, State.PENDING if bank.left > 0 else bank.answers)


def is_decided(transfer: Transfer) -> bool:
    """Say whether there is nothing to wait for any more."""
    return transfer.state is not State.PENDING


async def deliver_goods(order_id: str, *, bank: Bank = injected) -> str:
    """Deliver what was paid."""
    bank.delivered.add(order_id)
    return order_id


order = step(order_transfer, undo=call_back)
ask = query(ask_bank)
deliver = step(deliver_goods, irreversible="it is a download")


@workflow(strict=True)
def sell_by_transfer(order_id: str, cents: int, pause: timedelta) -> str:
    """Deliver when the money has come."""

    def ask_later(transfer: Transfer) -> Transfer:
        waited = sleep(pause)
        return ask.after(waited)(transfer)

    transfer = repeat(ask_later, order(order_id, cents), until=is_decided, times_max=QUESTIONS_MAX)
    return switch(
        transfer.state,
        {State.SETTLED: lambda: deliver(transfer.id)},
        default=lambda: fail(Declined("the bank refused the transfer")),
    )


async def main() -> None:
    """Sell something that is paid at last, and something that is not."""
    pause = timedelta(milliseconds=20)
    for answer in (State.SETTLED, State.REFUSED):
        bank = Bank(answers=answer)
        async with Engine("sqlite:///transfers.journal", services={Bank: bank}) as engine:
            engine.serve(sell_by_transfer)
            run = await engine.start(sell_by_transfer(answer.value, 4200, pause), key=answer.value)
            outcome = await run.outcome()
            print(outcome.status, outcome.error or outcome.value, "undone:", outcome.undone)


if __name__ == "__main__":
    asyncio.run(main())
