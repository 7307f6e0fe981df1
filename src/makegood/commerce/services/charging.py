"""What next for a charge: one table, without a store, a clock or a gateway.

    charging --(captured)--> captured --(refund)--> settling --(settled)--> settled
       |  ^                                            ^
       v  | (looked up again)                          |
    unknown --(void)-----------------------------------+

A charge that nobody knows the end of is asked about under its own keys until it is known. Whoever
wants it void gets it settled: whatever has become of it, in the end none of the money is with us.
One that is void before it began never begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final, Literal

import msgspec
from msgspec.structs import replace

from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.services.looking import LOOKS_MAX
from makegood.commerce.services.messages import (
    ChargePayment,
    PaymentFailed,
    PaymentProcessed,
    PaymentRefunded,
    PaymentUnknown,
    PaymentVoided,
    RefundPayment,
    VoidPayment,
)
from makegood.payments import Money, PaymentDetails

__all__ = [
    "AskGateway",
    "Charge",
    "ChargeStatus",
    "GatewayAnswered",
    "LookAgain",
    "after",
    "begin",
]

Question = Literal["charge", "settle"]


class ChargeStatus(StrEnum):
    """Where a charge stands."""

    CHARGING = "charging"
    UNKNOWN = "unknown"
    CAPTURED = "captured"
    DECLINED = "declined"
    SETTLING = "settling"
    """What was taken is being given back, and what is held let go of."""
    SETTLED = "settled"


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """A charge as it stands. It has a key before anybody outside hears of it."""

    order: OrderId
    customer: CustomerId
    amount: Money | None
    """None where it was void before it began."""
    token: str
    key: str
    status: ChargeStatus
    looks: int = 0
    """How often its outcome, or that of settling it, was unknown."""
    captured: int = 0
    refunded: int = 0


class AskGateway(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the gateway to take the money, or to have none of it any more."""

    message_name: ClassVar[str] = "commerce.payments.AskGateway"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    what: Question
    amount: Money
    payment: PaymentDetails
    key: str
    """The key of the charge, of which those of its operations are made."""
    is_last: bool = False
    """Whether it is not looked up again after this: who asks may raise what is in doubt."""


class GatewayAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway has said, or that nobody knows."""

    message_name: ClassVar[str] = "commerce.payments.GatewayAnswered"

    order_id: OrderId
    what: Question
    outcome: Literal["captured", "declined", "settled", "unknown"]
    captured: int = 0
    """How much was taken, in all."""
    refunded: int = 0
    detail: str = ""


class LookAgain(msgspec.Struct, frozen=True, kw_only=True):
    """It is time to ask again: the payment service says so to itself."""

    message_name: ClassVar[str] = "commerce.payments.LookAgain"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    look: int


Heard = ChargePayment | VoidPayment | RefundPayment | GatewayAnswered | LookAgain

Next = (
    AskGateway | PaymentProcessed | PaymentFailed | PaymentUnknown | PaymentVoided | PaymentRefunded
)

Turn = tuple[Charge, tuple[Next | LookAgain, ...]]

_LOOKED_UP: Final[Mapping[ChargeStatus, Question]] = {
    ChargeStatus.UNKNOWN: "charge",
    ChargeStatus.SETTLING: "settle",
}
"""What is asked again where nobody knows the answer."""


def begin(heard: Heard, *, key: str) -> Turn | None:
    """Return a charge that is begun by what is heard, or None where there is none to speak of."""
    match heard:
        case ChargePayment():
            charge = Charge(
                order=heard.order_id,
                customer=heard.customer_id,
                amount=heard.amount,
                token=heard.payment.token,
                key=key,
                status=ChargeStatus.CHARGING,
            )
            return charge, (_asking(charge, "charge"),)
        case VoidPayment() | RefundPayment():
            void = Charge(
                order=heard.order_id,
                customer=heard.customer_id,
                amount=None,
                token="",
                key=key,
                status=ChargeStatus.SETTLED,
            )
            return void, (PaymentVoided(order_id=void.order),)
        case _:
            return None


def after(charge: Charge, heard: Heard) -> Turn:
    """Return the charge as it stands then, and what is to be said; the same for nothing new."""
    match heard:
        case GatewayAnswered(what="charge"):
            return _charged(charge, heard)
        case GatewayAnswered(what="settle"):
            return _settled(charge, heard)
        case VoidPayment() | RefundPayment():
            return _settle(charge)
        case LookAgain(look=charge.looks) if charge.status in _LOOKED_UP:
            return charge, (_asking(charge, _LOOKED_UP[charge.status]),)
        case _:
            return charge, ()


def _charged(charge: Charge, answer: GatewayAnswered) -> Turn:
    if charge.status not in {ChargeStatus.CHARGING, ChargeStatus.UNKNOWN}:
        # It is being settled meanwhile, which finds whatever has become of it.
        return charge, ()
    assert charge.amount is not None, "it was asked for with its amount"
    match answer.outcome:
        case "captured":
            captured = replace(charge, status=ChargeStatus.CAPTURED, captured=answer.captured)
            amount = Money(answer.captured, charge.amount.currency)
            return captured, (PaymentProcessed(order_id=charge.order, amount=amount),)
        case "declined":
            failed = PaymentFailed(
                order_id=charge.order, customer_id=charge.customer, reason=answer.detail
            )
            return replace(charge, status=ChargeStatus.DECLINED), (failed,)
        case _:
            unknown = replace(charge, status=ChargeStatus.UNKNOWN, looks=charge.looks + 1)
            again = LookAgain(order_id=charge.order, look=unknown.looks)
            if charge.status is ChargeStatus.UNKNOWN:
                return unknown, (again,)
            return unknown, (PaymentUnknown(order_id=charge.order, key=charge.key), again)


def _settle(charge: Charge) -> Turn:
    """Have none of the customer's money, as far as it is not so."""
    match charge.status:
        case ChargeStatus.CHARGING | ChargeStatus.UNKNOWN | ChargeStatus.CAPTURED:
            settling = replace(charge, status=ChargeStatus.SETTLING)
            return settling, (_asking(charge, "settle"),)
        case ChargeStatus.DECLINED:
            return charge, (PaymentVoided(order_id=charge.order),)
        case _:
            return charge, ()


def _settled(charge: Charge, answer: GatewayAnswered) -> Turn:
    if charge.status is not ChargeStatus.SETTLING:
        return charge, ()
    if answer.outcome == "unknown":
        again = replace(charge, looks=charge.looks + 1)
        return again, (LookAgain(order_id=charge.order, look=again.looks),)
    assert charge.amount is not None, "what is settled has begun"
    currency = charge.amount.currency
    settled = replace(
        charge,
        status=ChargeStatus.SETTLED,
        captured=answer.captured,
        refunded=answer.refunded,
    )
    if not answer.captured:
        return settled, (PaymentVoided(order_id=charge.order),)
    refunded = PaymentRefunded(
        order_id=charge.order,
        customer_id=charge.customer,
        captured=Money(answer.captured, currency),
        refunded=Money(answer.refunded, currency),
    )
    return settled, (refunded,)


def _asking(charge: Charge, what: Question) -> AskGateway:
    assert charge.amount is not None, "it was asked for with its amount"
    return AskGateway(
        order_id=charge.order,
        what=what,
        amount=charge.amount,
        payment=PaymentDetails(token=charge.token),
        key=charge.key,
        is_last=charge.looks >= LOOKS_MAX,
    )
