"""How an order becomes a paid shipment, step by step, and what makes each step good again.

Stock is held before money, money is taken before goods leave, and the letter comes last, because
it cannot be taken back and nothing may hang on it.
"""

from __future__ import annotations

from datetime import timedelta

from makegood import Retry, query, step, workflow
from makegood.commerce.inventory import release_inventory, reserve_inventory
from makegood.commerce.notification import send_confirmation
from makegood.commerce.orders import CustomerId, OrderId, validate_order
from makegood.commerce.shipping import Shipment, fulfil_order, recall_shipment
from makegood.payments import (
    GatewayUnavailable,
    PaymentDetails,
    authorize_payment,
    capture_payment,
    find_authorization,
    find_capture,
    refund_payment,
    void_authorization,
)

__all__ = ["place_order"]

FORWARD = Retry(
    on=GatewayUnavailable,
    attempts=5,
    delay=timedelta(milliseconds=100),
    delay_max=timedelta(seconds=5),
)
"""A customer is waiting: a few attempts, soon after each other."""

PERSISTENT = Retry(attempts=20, delay=timedelta(milliseconds=100), delay_max=timedelta(seconds=10))
"""Money or certainty is at stake: many attempts, over minutes, before a person is asked."""

reserve = step(reserve_inventory, undo=release_inventory)
authorize = step(
    authorize_payment,
    undo=void_authorization,
    undo_retry=PERSISTENT,
    compensate=find_authorization,
    compensate_retry=PERSISTENT,
    retry=FORWARD,
)
capture = step(
    capture_payment,
    undo=refund_payment,
    undo_retry=PERSISTENT,
    compensate=find_capture,
    compensate_retry=PERSISTENT,
    retry=FORWARD,
)
fulfil = step(fulfil_order, undo=recall_shipment)
confirm = step(
    send_confirmation,
    irreversible="an e-mail cannot be unsent",
    optional=True,
    key_valid_for=timedelta(hours=24),
    retry=Retry(attempts=5, delay=timedelta(milliseconds=100), delay_max=timedelta(seconds=5)),
)


@workflow(strict=True)
def place_order(order_id: OrderId, payment: PaymentDetails, customer_id: CustomerId) -> Shipment:
    """Take an order from cart to confirmation."""
    order = query(validate_order)(order_id)
    reservation = reserve(order)
    authorization = authorize.after(reservation)(order.total, payment, order.id)
    captured = capture(authorization)
    shipment = fulfil.after(captured)(order, reservation)
    confirm.after(shipment)(customer_id, order.id, captured)
    return shipment
