"""A workflow for the runtime's tests: hold a seat, charge for it, send the ticket."""

from __future__ import annotations

from datetime import timedelta

from makegood import IdempotencyKey, Retry, injected, step, workflow
from tests.runtime.outside import Outside

__all__ = ["book", "book_finally", "book_surely", "charge", "hold", "send"]

SOON = Retry(attempts=3, delay=timedelta(seconds=1), jitter=False)


async def hold_seat(
    trip: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do("hold", key)


async def free_seat(
    held: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("free", key)


async def charge_card(
    held: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do("charge", key)


async def refund_card(
    charged: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("refund", key)


async def send_ticket(
    charged: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do("send", key)


async def recall_ticket(
    sent: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("recall", key)


hold = step(hold_seat, undo=free_seat, retry=SOON)
charge = step(charge_card, undo=refund_card, undo_retry=SOON, retry=SOON)
send = step(send_ticket, undo=recall_ticket, retry=SOON)


@workflow
def book(trip: str) -> str:
    """Hold a seat, charge for it, send the ticket."""
    return send(charge(hold(trip)))


captured = step(charge_card, name="capture", pivot=True, retry=SOON)


@workflow
def book_finally(trip: str) -> str:
    """The same, and nothing goes back once the card is charged."""
    return send(captured(hold(trip)))


unkeyed = step(charge_card, name="charge_unkeyed", undo=refund_card, key_valid_for=None)


@workflow
def book_surely(trip: str) -> str:
    """The same with a bank that forgets keys at once, and that nobody can ask."""
    return send(unkeyed(hold(trip)))
