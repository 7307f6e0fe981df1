"""The notification service: it writes to customers about what happens to their orders, once each.

It hears what others say and says what is to be written; nothing that it does, or fails to do,
changes an order.
"""

from __future__ import annotations

from datetime import timedelta

from makegood import (
    Attempt,
    Declined,
    IdempotencyKey,
    MakegoodError,
    Once,
    OutcomeUnknown,
    Receptors,
    Retry,
    Unavailable,
    Writes,
    injected,
)
from makegood.commerce.notification import Email, Mailer
from makegood.commerce.services.messages import (
    NotificationFailed,
    NotificationSent,
    OrderCancelled,
    OrderCreated,
    OrderRejected,
    PaymentFailed,
    PaymentRefunded,
    SendNotification,
    ShipmentCreated,
)

__all__ = ["LETTER_ATTEMPTS", "announce", "notifications", "post"]

LETTER_ATTEMPTS = 8
"""How often a letter is tried before the customer goes without."""

PATIENT = Retry(
    on=(Unavailable, OutcomeUnknown),
    attempts=LETTER_ATTEMPTS,
    delay=timedelta(milliseconds=100),
    delay_max=timedelta(seconds=10),
)


async def announce(
    event: OrderCreated
    | OrderRejected
    | OrderCancelled
    | PaymentFailed
    | PaymentRefunded
    | ShipmentCreated,
) -> SendNotification:
    """Say what is to be written to the customer."""
    kind, subject = _letter(event)
    return SendNotification(
        order_id=event.order_id, customer_id=event.customer_id, kind=kind, subject=subject
    )


async def post(
    command: SendNotification,
    *,
    mailer: Mailer = injected,
    once: Once = injected,
    writes: Writes = injected,
    key: IdempotencyKey = injected,
    attempt: Attempt = injected,
) -> NotificationSent | NotificationFailed | None:
    """Send a letter, once about each kind of thing that happens to an order.

    One that the customer's address refuses, or that was tried too often, has failed.
    """
    if not await once(f"letter-{command.order_id}-{command.kind}"):
        return None
    sent: NotificationSent | NotificationFailed
    sent = NotificationSent(
        order_id=command.order_id, customer_id=command.customer_id, kind=command.kind
    )
    try:
        await mailer.send(Email(customer=command.customer_id, subject=command.subject), key=key)
    except MakegoodError as error:
        if not isinstance(error, Declined) and attempt < LETTER_ATTEMPTS:
            raise
        sent = NotificationFailed(
            order_id=command.order_id,
            customer_id=command.customer_id,
            kind=command.kind,
            reason=str(error),
        )
    writes.execute(
        "INSERT INTO service_notification (order_id, kind, customer_id, status) "
        "VALUES (?, ?, ?, ?)",
        command.order_id,
        command.kind,
        command.customer_id,
        "sent" if isinstance(sent, NotificationSent) else "failed",
    )
    return sent


def _letter(
    event: OrderCreated
    | OrderRejected
    | OrderCancelled
    | PaymentFailed
    | PaymentRefunded
    | ShipmentCreated,
) -> tuple[str, str]:
    """Return of which kind a letter is, and what it says."""
    match event:
        case OrderCreated():
            return "created", f"We have your order {event.order_id}: {event.total}"
        case OrderRejected():
            return "rejected", f"We cannot take {event.order_id}: {event.reason}"
        case OrderCancelled():
            return "cancelled", f"Your order {event.order_id} is off: {event.reason}"
        case PaymentFailed():
            return "declined", f"{event.order_id} could not be paid: {event.reason}"
        case PaymentRefunded():
            return "refunded", f"You have {event.refunded} back for {event.order_id}"
        case ShipmentCreated():
            return "shipped", f"{event.order_id} is on its way: {event.tracking}"


notifications = Receptors("notifications").on(announce).on(post, retry=PATIENT)
