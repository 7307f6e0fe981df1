"""What happens to an order until it is paid: the first half of its lifecycle.

The goods are held before anything is charged, a charge without an answer is looked up and never
taken for a failure, and another method of payment is another charge.
"""

from datetime import timedelta

import order_charge as charge
import order_doubt as doubt
import order_ending as ending
import order_stock as stock
from order_messages import (
    AcceptPartial,
    CancelOrder,
    ChooseMethod,
    DeclinePartial,
    PaymentReported,
)
from order_record import Order, Status

from makegood import Lifecycle

__all__ = ["BY_NUMBER", "DAY", "buying"]

CANCELLABLE = {
    Status.CREATED,
    Status.VALIDATED,
    Status.PARTIAL_OFFERED,
    Status.INVENTORY_RESERVED,
    Status.PAYMENT_PROCESSING,
    Status.PAYMENT_UNKNOWN,
    Status.PAYMENT_FAILED,
    Status.PAYMENT_PROCESSED,
}
DAY = timedelta(days=1)
"""Also how long the bank, the warehouse and the carrier know a key."""
ASKS = "it only asks"
BY_NUMBER = {"MG107": "it is known by its number, and let go of once"}

buying = (
    Lifecycle(
        "order",
        Order,
        Status,
        key=lambda order: order.id,
        terminal={Status.REJECTED, Status.CANCELLED, Status.REFUNDED, Status.CLOSED},
        pivots={Status.FULFILLED, Status.CANCELLING},
        pause_after=ending.ATTEMPTS,
    )
    .on(
        Status.CREATED,
        stock.validate,
        to={Status.VALIDATED, Status.REJECTED},
        irreversible=ASKS,
        at_once=10,
    )
    .hear(CANCELLABLE, CancelOrder, ending.cancel, to={Status.CANCELLING})
    # The goods are held.
    .on(
        Status.VALIDATED,
        stock.reserve,
        to={Status.INVENTORY_RESERVED, Status.PARTIAL_OFFERED, Status.REJECTED},
        undo=stock.release,
        key_valid_for=DAY,
        allow=BY_NUMBER,
    )
    .hear(Status.PARTIAL_OFFERED, AcceptPartial, stock.accept, to={Status.INVENTORY_RESERVED})
    .hear(Status.PARTIAL_OFFERED, DeclinePartial, ending.decline, to={Status.CANCELLING})
    .expire(Status.PARTIAL_OFFERED, ending.give_up, name="offer", after=DAY, to={Status.CANCELLING})
    # The money is taken.
    .on(
        Status.INVENTORY_RESERVED,
        charge.charge,
        to={
            Status.PAYMENT_PROCESSING,
            Status.PAYMENT_UNKNOWN,
            Status.PAYMENT_FAILED,
            Status.PAYMENT_PROCESSED,
            Status.CANCELLING,
        },
        undo=charge.give_back,
        key_valid_for=DAY,
    )
    .on(
        Status.PAYMENT_PROCESSING,
        doubt.look,
        to={Status.PAYMENT_PROCESSED, Status.PAYMENT_FAILED},
        irreversible=ASKS,
    )
    .expire(
        Status.PAYMENT_PROCESSING,
        doubt.doubt,
        after=timedelta(minutes=5),
        to={Status.PAYMENT_UNKNOWN},
        allow={"MG118": "that nobody knows is what it means, and it is looked up there"},
    )
    .on(
        Status.PAYMENT_UNKNOWN,
        doubt.probe,
        to={Status.PAYMENT_PROCESSED, Status.PAYMENT_FAILED},
        irreversible="a charge that is called off was not answered, and another one is made",
    )
    .hear(
        {Status.PAYMENT_PROCESSING, Status.PAYMENT_UNKNOWN},
        PaymentReported,
        doubt.hear_bank,
        to={Status.PAYMENT_PROCESSED, Status.PAYMENT_FAILED},
        irreversible="it asks, and gives back what was never ours",
    )
    .hear(
        {
            Status.PARTIAL_OFFERED,
            Status.PAYMENT_FAILED,
            Status.SHIPPING,
            Status.FULFILLED,
            Status.DELIVERED,
            Status.CANCELLING,
        },
        PaymentReported,
        doubt.late_report,
        irreversible="the money was never ours",
    )
    .on(
        Status.PAYMENT_FAILED,
        charge.fall_back,
        to={Status.INVENTORY_RESERVED, Status.CANCELLING},
    )
    .hear(
        Status.PAYMENT_FAILED,
        ChooseMethod,
        charge.choose,
        to={Status.INVENTORY_RESERVED, Status.CANCELLING},
    )
    .expire(
        Status.PAYMENT_FAILED,
        ending.give_up,
        name="method",
        after=timedelta(minutes=30),
        to={Status.CANCELLING},
        allow={"MG118": "whatever is open is settled there before anything else is done"},
    )
)
