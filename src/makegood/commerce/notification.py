"""How the customer is told. A letter that does not arrive never undoes a paid order.

It knows one port, `Mailer`, and one implementation that fails by seed; a real one speaks to a
mail company.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

import msgspec

from makegood import (
    Declined,
    IdempotencyKey,
    OutcomeUnknown,
    Unavailable,
    Writes,
    injected,
)
from makegood.commerce.orders import CustomerId, OrderId
from makegood.payments import Payment
from makegood.payments.gateways.sandbox_faults import Fault, Faults

__all__ = [
    "AddressRefused",
    "Email",
    "Mailer",
    "MailerInDoubt",
    "MailerUnavailable",
    "SandboxMailer",
    "send_confirmation",
]

KEYS_REMEMBERED_MAX = 100_000
"""How many letters the sandbox's mailer knows again."""


class AddressRefused(Declined):
    """The customer's address takes no mail."""


class MailerUnavailable(Unavailable):
    """The mail company was not reached: nothing was sent."""


class MailerInDoubt(OutcomeUnknown):
    """The letter may or may not have been sent."""


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """One letter to one customer."""

    customer: CustomerId
    subject: str


class Mailer(Protocol):
    """Whoever carries letters."""

    async def send(self, email: Email, *, key: str) -> None:
        """Send a letter, once for each key.

        Raises `AddressRefused`, `MailerUnavailable` or `MailerInDoubt`.
        """
        ...


async def send_confirmation(
    customer_id: CustomerId,
    order_id: OrderId,
    payment: Payment,
    *,
    mailer: Mailer = injected,
    writes: Writes = injected,
    key: IdempotencyKey = injected,
) -> None:
    """Tell the customer that the order is paid and on its way, and record that we did."""
    subject = f"Order {order_id} is on its way; {payment.ref.id} is paid"
    await mailer.send(Email(customer=customer_id, subject=subject), key=key)
    writes.execute(
        "INSERT INTO shop_notification (order_id, customer_id, subject) VALUES (?, ?, ?)",
        order_id,
        customer_id,
        subject,
    )


class SandboxMailer:
    """A `Mailer` that carries no letters, and fails by the seed of its faults."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._asked: OrderedDict[str, int] = OrderedDict()

    async def send(self, email: Email, *, key: str) -> None:
        """Pretend to send a letter, or fail the way a mail company does."""
        if self._faults.declines(key):
            message = f"customer {email.customer} takes no mail"
            raise AddressRefused(message)
        match self._faults.draw(key, self._count(key)):
            case Fault.UNAVAILABLE:
                message = "the mail company refused the connection"
                raise MailerUnavailable(message)
            case Fault.REPLY_LOST | Fault.ERROR_500:
                message = "the mail company's reply was lost"
                raise MailerInDoubt(message)
            case Fault.SLOW | None:
                return

    def _count(self, key: str) -> int:
        """Count that a key is asked, and forget the oldest key when there are too many."""
        asked = self._asked.get(key, 0) + 1
        self._asked[key] = asked
        if len(self._asked) > KEYS_REMEMBERED_MAX:
            self._asked.popitem(last=False)
        return asked
