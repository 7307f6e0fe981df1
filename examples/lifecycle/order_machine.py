"""Orders as a lifecycle: 17 statuses, 35 ways between them, and none that ships what is not paid.

Whatever an order comes to, it ends at what was agreed, or with everything given back. Until it is
paid its ways are those of order_buying.py; the handlers stand in the files beside this.
"""

import order_ending as ending
import order_parcel as parcel
import order_return as returns
from order_buying import BY_NUMBER, DAY, buying
from order_messages import CancelOrder, CarrierReported, OrderEvent, ReturnReceived
from order_record import Status

from makegood import Occasion, Retry

__all__ = ["orders"]

PATIENT = Retry(attempts=ending.ATTEMPTS)

orders = (
    buying
    # The goods go, and some come back.
    .on(
        Status.PAYMENT_PROCESSED,
        parcel.send_parcel,
        to={Status.SHIPPING, Status.CANCELLING},
        undo=parcel.call_back,
        key_valid_for=DAY,
        allow=BY_NUMBER,
    )
    .on(Status.SHIPPING, parcel.follow, to={Status.FULFILLED, Status.CANCELLING})
    .hear(Status.SHIPPING, CancelOrder, parcel.recall, to={Status.CANCELLING})
    .hear(
        Status.FULFILLED,
        CarrierReported,
        parcel.hear_carrier,
        to={Status.DELIVERED, Status.RETURNING},
    )
    .expire(Status.FULFILLED, parcel.chase, after=30 * DAY)
    .hear({Status.FULFILLED, Status.DELIVERED}, CancelOrder, parcel.too_late)
    .hear(Status.DELIVERED, ReturnReceived, returns.bring_back, to={Status.RETURNING})
    .expire(
        Status.DELIVERED,
        returns.close,
        at=returns.window_of,
        to={Status.CLOSED},
    )
    .on(
        Status.RETURNING,
        returns.take_back,
        to={Status.DELIVERED, Status.REFUNDED},
        retry=PATIENT,
        key_valid_for=DAY,
    )
    # All of it is made good.
    .hear(Status.CANCELLING, CancelOrder, ending.is_cancelling)
    .on(
        Status.CANCELLING,
        ending.make_good,
        to={Status.CANCELLED, Status.REFUNDED},
        retry=PATIENT,
        key_valid_for=DAY,
    )
    # Those who operate the shop are told.
    .announce(OrderEvent, on={Occasion.PAUSED, Occasion.PARKED, Occasion.COMPLETED})
    .workflow(strict=True)
)
