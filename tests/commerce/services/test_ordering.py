"""What next for an order, line by line of the table, and whatever fits no line changes nothing."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from makegood.commerce.orders import CustomerId, OrderId, Sku
from makegood.commerce.services.messages import (
    CancelOrder,
    InventoryRefused,
    InventoryReleased,
    InventoryReserved,
    InventoryRestocked,
    PaymentFailed,
    PaymentProcessed,
    PaymentRefunded,
    PaymentUnknown,
    PaymentVoided,
    ReservationExpired,
    ReturnReceived,
    ShipmentCreated,
    ShipmentRefused,
    ShipmentStatusChanged,
    Short,
    Wanted,
)
from makegood.commerce.services.ordering import (
    FINAL,
    AmountDiffers,
    Heard,
    NotShipped,
    OrderState,
    Status,
    Undo,
    after,
)
from makegood.payments import Money, PaymentDetails

ID, ANNA, TOTAL = OrderId("order-1"), CustomerId("anna"), Money(500, "USD")

ORDER = OrderState(
    id=ID,
    customer=ANNA,
    lines=(Wanted(sku=Sku("cd"), quantity=1),),
    total=TOTAL,
    payment=PaymentDetails(token="tok"),
    address="1 Lane",
)

CANCEL = CancelOrder(order_id=ID, reason="no more")
RESERVED, FIRM = InventoryReserved(order_id=ID), InventoryReserved(order_id=ID, is_firm=True)
SHORT = InventoryRefused(order_id=ID, short=(Short(sku=Sku("cd"), wanted=1, available=0),))
RELEASED = InventoryReleased(order_id=ID, lines=())
EXPIRED = ReservationExpired(order_id=ID)
PROCESSED = PaymentProcessed(order_id=ID, amount=TOTAL)
FAILED = PaymentFailed(order_id=ID, customer_id=ANNA, reason="no funds")
UNKNOWN, VOIDED = PaymentUnknown(order_id=ID, key="k"), PaymentVoided(order_id=ID)
REFUNDED = PaymentRefunded(order_id=ID, customer_id=ANNA, captured=TOTAL, refunded=TOTAL)
BOOKED = ShipmentCreated(order_id=ID, customer_id=ANNA, shipment_id="s", tracking="t")
REFUSED = ShipmentRefused(order_id=ID, reason="too heavy")
STOPPED = ShipmentStatusChanged(order_id=ID, status="cancelled")
BACK = ReturnReceived(order_id=ID)
RESTOCKED = InventoryRestocked(order_id=ID, lines=())
TOO_LATE = ShipmentStatusChanged(order_id=ID, status="too late")

ALL = (
    *(CANCEL, RESERVED, FIRM, SHORT, RELEASED, EXPIRED, PROCESSED, FAILED, UNKNOWN, VOIDED),
    *(REFUNDED, BOOKED, REFUSED, STOPPED, TOO_LATE, RESTOCKED),
)

TABLE: list[tuple[list[Heard], str, list[str]]] = [
    ([RESERVED], "charging", ["ChargePayment"]),
    ([SHORT], "rejected", ["OrderRejected"]),
    ([CANCEL], "cancelling: stock", ["ReleaseInventory"]),
    ([CANCEL, RELEASED], "cancelled", ["OrderCancelled"]),
    ([RESERVED, PROCESSED], "paid", ["ReserveInventory"]),
    ([RESERVED, UNKNOWN], "in doubt", []),
    ([RESERVED, UNKNOWN, PROCESSED], "paid", ["ReserveInventory"]),
    ([RESERVED, UNKNOWN, FAILED], "cancelling: stock", ["ReleaseInventory"]),
    ([RESERVED, FAILED], "cancelling: stock", ["ReleaseInventory"]),
    ([RESERVED, FAILED, RELEASED], "cancelled", ["OrderCancelled"]),
    ([RESERVED, CANCEL], "cancelling: charge", ["VoidPayment"]),
    ([RESERVED, EXPIRED], "cancelling: charge", ["VoidPayment"]),
    ([RESERVED, UNKNOWN, EXPIRED], "cancelling: charge", ["VoidPayment"]),
    ([RESERVED, CANCEL, PROCESSED], "cancelling: charge", []),
    ([RESERVED, CANCEL, FAILED], "cancelling: stock", ["ReleaseInventory"]),
    ([RESERVED, CANCEL, VOIDED], "cancelling: stock", ["ReleaseInventory"]),
    ([RESERVED, CANCEL, PROCESSED, REFUNDED], "cancelling: stock", ["ReleaseInventory"]),
    ([RESERVED, CANCEL, REFUNDED, RELEASED], "refunded", ["OrderCancelled"]),
    ([RESERVED, CANCEL, REFUNDED, PROCESSED, RELEASED], "refunded", ["OrderCancelled"]),
    ([RESERVED, PROCESSED, FIRM], "shipping", ["CreateShipment"]),
    ([RESERVED, PROCESSED, EXPIRED], "paid", []),
    ([RESERVED, PROCESSED, UNKNOWN], "paid", []),
    ([RESERVED, PROCESSED, SHORT], "cancelling: payment stock",
     ["RefundPayment", "ReleaseInventory"]),
    ([RESERVED, PROCESSED, CANCEL], "cancelling: payment stock",
     ["RefundPayment", "ReleaseInventory"]),
    ([RESERVED, PROCESSED, CANCEL, FIRM], "cancelling: payment stock", []),
    ([RESERVED, PROCESSED, CANCEL, RELEASED], "cancelling: payment", []),
    ([RESERVED, PROCESSED, CANCEL, RELEASED, REFUNDED], "refunded", ["OrderCancelled"]),
    ([RESERVED, PROCESSED, CANCEL, REFUNDED, RELEASED], "refunded", ["OrderCancelled"]),
    ([RESERVED, PROCESSED, FIRM, BOOKED], "closed", ["OrderClosed"]),
    ([RESERVED, PROCESSED, FIRM, BOOKED, BACK], "returning",
     ["RefundPayment", "RestockReturn"]),
    ([RESERVED, PROCESSED, FIRM, BOOKED, BACK, REFUNDED], "returning", []),
    ([RESERVED, PROCESSED, FIRM, BOOKED, BACK, RESTOCKED], "returning", []),
    ([RESERVED, PROCESSED, FIRM, BOOKED, BACK, RESTOCKED, REFUNDED], "refunded", []),
    ([RESERVED, PROCESSED, FIRM, BOOKED, BACK, REFUNDED, RESTOCKED], "refunded", []),
    ([RESERVED, PROCESSED, FIRM, REFUSED], "cancelling: payment stock",
     ["RefundPayment", "ReleaseInventory"]),
    ([RESERVED, PROCESSED, FIRM, CANCEL], "cancelling: shipment", ["CancelShipment"]),
    ([RESERVED, PROCESSED, FIRM, CANCEL, BOOKED], "cancelling: shipment", []),
    ([RESERVED, PROCESSED, FIRM, CANCEL, TOO_LATE], "closed", ["OrderClosed"]),
    ([RESERVED, PROCESSED, FIRM, CANCEL, STOPPED], "cancelling: payment stock",
     ["RefundPayment", "ReleaseInventory"]),
    ([RESERVED, PROCESSED, FIRM, CANCEL, REFUSED, STOPPED], "cancelling: payment stock", []),
]  # fmt: skip


@pytest.mark.parametrize(("heard", "stands", "said"), TABLE)
def test_an_order_goes_on_as_the_table_says(
    heard: list[Heard], stands: str, said: list[str]
) -> None:
    order, last = ORDER, ()
    for each in heard:
        order, last = after(order, each)  # type: ignore[assignment]

    waits = " ".join(sorted(order.waits)) if order.status is Status.CANCELLING else ""
    assert order.status + (f": {waits}" if waits else "") == stands
    assert [type(each).__name__ for each in last] == said


def test_another_amount_than_the_order_comes_to_is_for_a_person_to_look_at() -> None:
    charging = replace(ORDER, status=Status.CHARGING)

    with pytest.raises(AmountDiffers, match="comes to 500 USD"):
        after(charging, PaymentProcessed(order_id=ID, amount=Money(499, "USD")))


@pytest.mark.parametrize("status", sorted(FINAL))
def test_an_order_that_has_ended_changes_no_more(status: Status) -> None:
    ended = replace(ORDER, status=status)

    for each in set(ALL) - {PROCESSED}:
        assert after(ended, each) == (ended, ())


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.CLOSED}))
def test_what_comes_back_and_was_never_sent_is_for_a_person_to_look_at(status: Status) -> None:
    with pytest.raises(NotShipped, match="something came back"):
        after(replace(ORDER, status=status), BACK)


def test_money_that_nobody_expects_is_never_passed_over() -> None:
    cancelled = replace(ORDER, status=Status.CANCELLED)
    settled = replace(ORDER, status=Status.CANCELLING, waits=frozenset({Undo.STOCK}))
    paid = replace(settled, waits=frozenset({Undo.PAYMENT}), captured=500)

    for order, heard in ((cancelled, PROCESSED), (settled, PROCESSED), (paid, VOIDED)):
        with pytest.raises(AmountDiffers, match="ask the gateway"):
            after(order, heard)


def test_what_comes_twice_in_a_row_changes_nothing_the_second_time() -> None:
    for first, second in product(ALL, set(ALL) - {PROCESSED}):
        order, _ = after(ORDER, first)
        order, _ = after(order, second)
        again, said = after(order, second)
        assert (again, said) == (order, ()), (first, second)


def test_nothing_is_let_go_of_before_its_payment_is_settled() -> None:
    """Walks every way that messages may take, a few steps deep."""
    seen: set[tuple[str, frozenset[Undo], int]] = set()
    waiting = [(ORDER, 0)]
    while waiting:
        order, depth = waiting.pop()
        for each in (*ALL, BACK):
            try:
                changed, said = after(order, each)
            except (AmountDiffers, NotShipped):
                continue
            names = {type(one).__name__ for one in said}
            if "ReleaseInventory" in names and order.status in {Status.CHARGING, Status.IN_DOUBT}:
                assert each is FAILED
            if "CreateShipment" in names:
                assert changed.captured == changed.total.minor
            if changed.status in {Status.CANCELLED, Status.REFUNDED}:
                assert changed.captured == changed.refunded
            known = (changed.status, changed.waits, changed.captured - changed.refunded)
            if known not in seen and depth < 8:
                seen.add(known)
                waiting.append((changed, depth + 1))
    assert {status for status, _, _ in seen} >= set(Status) - {Status.CREATED}
