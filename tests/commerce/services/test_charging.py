"""What next for a charge, line by line of the table."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.services.charging import (
    AskGateway,
    Charge,
    ChargeStatus,
    GatewayAnswered,
    Heard,
    LookAgain,
    after,
    begin,
)
from makegood.commerce.services.looking import LOOKS_MAX
from makegood.commerce.services.messages import ChargePayment, RefundPayment, VoidPayment
from makegood.payments import Money, PaymentDetails

ID, ANNA, TOTAL = OrderId("order-1"), CustomerId("anna"), Money(500, "USD")

CHARGE = ChargePayment(
    order_id=ID, customer_id=ANNA, amount=TOTAL, payment=PaymentDetails(token="tok")
)
VOID = VoidPayment(order_id=ID, customer_id=ANNA)
REFUND = RefundPayment(order_id=ID, customer_id=ANNA)
CAPTURED = GatewayAnswered(order_id=ID, what="charge", outcome="captured", captured=500)
DECLINED = GatewayAnswered(order_id=ID, what="charge", outcome="declined", detail="no funds")
UNKNOWN = GatewayAnswered(order_id=ID, what="charge", outcome="unknown")
SETTLED = GatewayAnswered(order_id=ID, what="settle", outcome="settled", captured=500, refunded=500)
VOIDED = GatewayAnswered(order_id=ID, what="settle", outcome="settled")
UNSETTLED = GatewayAnswered(order_id=ID, what="settle", outcome="unknown")
LOOK = LookAgain(order_id=ID, look=1)

TABLE: list[tuple[list[Heard], str, list[str]]] = [
    ([CHARGE], "charging", ["AskGateway charge"]),
    ([CHARGE, CAPTURED], "captured", ["PaymentProcessed"]),
    ([CHARGE, DECLINED], "declined", ["PaymentFailed"]),
    ([CHARGE, UNKNOWN], "unknown", ["PaymentUnknown", "LookAgain"]),
    ([CHARGE, UNKNOWN, LOOK], "unknown", ["AskGateway charge"]),
    ([CHARGE, UNKNOWN, LOOK, UNKNOWN], "unknown", ["LookAgain"]),
    ([CHARGE, UNKNOWN, LOOK, UNKNOWN, LOOK], "unknown", []),
    ([CHARGE, UNKNOWN, LOOK, CAPTURED], "captured", ["PaymentProcessed"]),
    ([CHARGE, UNKNOWN, LOOK, DECLINED], "declined", ["PaymentFailed"]),
    ([CHARGE, CAPTURED, LOOK], "captured", []),
    ([CHARGE, CAPTURED, CAPTURED], "captured", []),
    ([CHARGE, CAPTURED, CHARGE], "captured", []),
    ([CHARGE, CAPTURED, REFUND], "settling", ["AskGateway settle"]),
    ([CHARGE, CAPTURED, REFUND, SETTLED], "settled", ["PaymentRefunded"]),
    ([CHARGE, CAPTURED, REFUND, SETTLED, REFUND], "settled", []),
    ([CHARGE, CAPTURED, REFUND, UNSETTLED], "settling", ["LookAgain"]),
    ([CHARGE, CAPTURED, REFUND, UNSETTLED, LOOK], "settling", ["AskGateway settle"]),
    ([CHARGE, CAPTURED, SETTLED], "captured", []),
    ([CHARGE, VOID], "settling", ["AskGateway settle"]),
    ([CHARGE, VOID, CAPTURED], "settling", []),
    ([CHARGE, VOID, CAPTURED, SETTLED], "settled", ["PaymentRefunded"]),
    ([CHARGE, VOID, DECLINED, VOIDED], "settled", ["PaymentVoided"]),
    ([CHARGE, UNKNOWN, VOID], "settling", ["AskGateway settle"]),
    ([CHARGE, UNKNOWN, VOID, VOIDED], "settled", ["PaymentVoided"]),
    ([CHARGE, DECLINED, VOID], "declined", ["PaymentVoided"]),
    ([VOID], "settled", ["PaymentVoided"]),
    ([VOID, CHARGE], "settled", []),
]


@pytest.mark.parametrize(("heard", "stands", "said"), TABLE)
def test_a_charge_goes_on_as_the_table_says(
    heard: list[Heard], stands: str, said: list[str]
) -> None:
    turn = begin(heard[0], key="key")
    assert turn is not None
    charge, last = turn
    for each in heard[1:]:
        charge, last = after(charge, each)

    assert charge.status == stands
    assert [_named(each) for each in last] == said


def test_every_question_about_a_charge_has_its_one_key() -> None:
    charge = _charging()
    asked = [*charge[1]]
    charge = after(charge[0], UNKNOWN)
    for heard in (LOOK, VOID):
        charge = after(charge[0], heard)
        asked += charge[1]

    assert {each.key for each in asked if isinstance(each, AskGateway)} == {"key"}


def test_nothing_is_heard_of_a_charge_that_there_is_not() -> None:
    assert begin(CAPTURED, key="key") is None
    assert begin(LOOK, key="key") is None


def test_the_last_look_may_raise_what_is_in_doubt_for_a_person_to_see() -> None:
    unknown = replace(_charging()[0], status=ChargeStatus.UNKNOWN, looks=LOOKS_MAX)
    before = replace(unknown, looks=LOOKS_MAX - 1)

    asked = [
        after(charge, LookAgain(order_id=ID, look=charge.looks))[1][0]
        for charge in (before, unknown)
    ]

    assert [isinstance(each, AskGateway) and each.is_last for each in asked] == [False, True]


def _charging() -> tuple[Charge, tuple[object, ...]]:
    turn = begin(CHARGE, key="key")
    assert turn is not None
    return turn


def _named(said: object) -> str:
    name = type(said).__name__
    return f"{name} {said.what}" if isinstance(said, AskGateway) else name
