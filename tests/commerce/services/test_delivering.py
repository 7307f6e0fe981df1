"""What next for a parcel, line by line of the table."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.services.delivering import (
    AskCarrier,
    CarrierAnswered,
    Heard,
    LookAgain,
    ParcelStatus,
    after,
    begin,
)
from makegood.commerce.services.looking import LOOKS_MAX
from makegood.commerce.services.messages import (
    CancelShipment,
    CreateShipment,
    ShipmentStatusChanged,
)

ID = OrderId("order-1")

CREATE = CreateShipment(order_id=ID, customer_id=CustomerId("anna"), address="1 Lane")
CANCEL = CancelShipment(order_id=ID)
BOOKED = CarrierAnswered(order_id=ID, what="book", outcome="booked", tracking="t-1")
FOUND = CarrierAnswered(order_id=ID, what="find", outcome="booked", tracking="t-1")
REFUSED = CarrierAnswered(order_id=ID, what="book", outcome="refused", detail="too heavy")
UNKNOWN = CarrierAnswered(order_id=ID, what="book", outcome="unknown")
STOPPED = CarrierAnswered(order_id=ID, what="cancel", outcome="cancelled")
TOO_LATE = CarrierAnswered(order_id=ID, what="cancel", outcome="too late", tracking="t-1")
UNSTOPPED = CarrierAnswered(order_id=ID, what="cancel", outcome="unknown")
LOOK = LookAgain(order_id=ID, look=1)

TABLE: list[tuple[list[Heard], str, list[str]]] = [
    ([CREATE], "asked", ["AskCarrier book"]),
    ([CREATE, BOOKED], "booked", ["ShipmentCreated"]),
    ([CREATE, BOOKED, BOOKED], "booked", []),
    ([CREATE, REFUSED], "refused", ["ShipmentRefused"]),
    ([CREATE, UNKNOWN], "unknown", ["LookAgain"]),
    ([CREATE, UNKNOWN, LOOK], "unknown", ["AskCarrier find"]),
    ([CREATE, UNKNOWN, LOOK, FOUND], "booked", ["ShipmentCreated"]),
    ([CREATE, UNKNOWN, FOUND, LOOK], "booked", []),
    ([CREATE, CANCEL], "cancelling", ["AskCarrier cancel"]),
    ([CREATE, CANCEL, BOOKED], "cancelling", []),
    ([CREATE, CANCEL, STOPPED], "cancelled", ["cancelled"]),
    ([CREATE, CANCEL, TOO_LATE], "booked", ["ShipmentCreated", "too late"]),
    ([CREATE, BOOKED, CANCEL], "cancelling", ["AskCarrier cancel"]),
    ([CREATE, BOOKED, CANCEL, STOPPED], "cancelled", ["cancelled"]),
    ([CREATE, BOOKED, CANCEL, TOO_LATE], "booked", ["too late"]),
    ([CREATE, BOOKED, CANCEL, UNSTOPPED], "cancelling", ["LookAgain"]),
    ([CREATE, BOOKED, CANCEL, UNSTOPPED, LOOK], "cancelling", ["AskCarrier cancel"]),
    ([CREATE, BOOKED, STOPPED], "booked", []),
    ([CREATE, REFUSED, CANCEL], "refused", ["cancelled"]),
    ([CREATE, UNKNOWN, CANCEL], "cancelling", ["AskCarrier cancel"]),
    ([CREATE, CANCEL, STOPPED, BOOKED], "cancelled", []),
    ([CREATE, CANCEL, STOPPED, CANCEL], "cancelled", []),
    ([CANCEL], "cancelled", ["cancelled"]),
    ([CANCEL, CREATE], "cancelled", []),
]


@pytest.mark.parametrize(("heard", "stands", "said"), TABLE)
def test_a_parcel_goes_on_as_the_table_says(
    heard: list[Heard], stands: str, said: list[str]
) -> None:
    turn = begin(heard[0])
    assert turn is not None
    parcel, last = turn
    for each in heard[1:]:
        parcel, last = after(parcel, each)

    assert parcel.status == stands
    assert [_named(each) for each in last] == said


def test_nothing_is_heard_of_a_parcel_that_there_is_not() -> None:
    assert begin(BOOKED) is None


def test_the_last_look_may_raise_what_is_in_doubt_for_a_person_to_see() -> None:
    turn = begin(CREATE)
    assert turn is not None
    unknown = replace(turn[0], status=ParcelStatus.UNKNOWN, looks=LOOKS_MAX)

    _, (asked,) = after(unknown, LookAgain(order_id=ID, look=LOOKS_MAX))

    assert isinstance(asked, AskCarrier)
    assert asked.is_last


def _named(said: object) -> str:
    if isinstance(said, ShipmentStatusChanged):
        return said.status
    name = type(said).__name__
    return f"{name} {said.what}" if isinstance(said, AskCarrier) else name
