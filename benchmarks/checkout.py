"""The measured workflow: five sequential steps that do nothing but carry about 100 bytes each.

Every step's record is durable before the next step begins. The failing twin declines in its
last step, so that the four before it are undone.
"""

from __future__ import annotations

import msgspec

from makegood import Declined, step, workflow

__all__ = ["STEPS", "Receipt", "checkout5", "checkout5_fail"]

STEPS = 5


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What each step hands to the next: about 100 bytes as JSON."""

    order_id: str
    reference: str
    amount_minor: int
    currency: str
    stage: int


def _receipt(order_id: str, stage: int) -> Receipt:
    return Receipt(
        order_id=order_id,
        reference="7f1d2a90c4b8",
        amount_minor=12_990,
        currency="EUR",
        stage=stage,
    )


async def reserve_stock(order_id: str) -> Receipt:
    """Do nothing, as the first of five."""
    return _receipt(order_id, 1)


async def authorize_card(receipt: Receipt) -> Receipt:
    """Do nothing, as the second of five."""
    return _receipt(receipt.order_id, 2)


async def capture_card(receipt: Receipt) -> Receipt:
    """Do nothing, as the third of five."""
    return _receipt(receipt.order_id, 3)


async def ship_parcel(receipt: Receipt) -> Receipt:
    """Do nothing, as the fourth of five."""
    return _receipt(receipt.order_id, 4)


async def tell_customer(receipt: Receipt) -> Receipt:
    """Do nothing, as the fifth of five."""
    return _receipt(receipt.order_id, 5)


async def tell_nobody(receipt: Receipt) -> Receipt:
    """Fail for good, as the fifth of five."""
    message = f"order {receipt.order_id} is declined"
    raise Declined(message)


async def take_back(receipt: Receipt) -> None:
    """Undo a step that did nothing."""


reserve = step(reserve_stock, undo=take_back)
authorize = step(authorize_card, undo=take_back)
capture = step(capture_card, undo=take_back)
ship = step(ship_parcel, undo=take_back)
tell = step(tell_customer, irreversible="it does nothing")
decline = step(tell_nobody, irreversible="it does nothing")


@workflow
def checkout5(order_id: str) -> Receipt:
    """Carry a receipt through five steps."""
    return tell(ship(capture(authorize(reserve(order_id)))))


@workflow
def checkout5_fail(order_id: str) -> Receipt:
    """Carry a receipt through four steps, fail in the fifth and undo the four."""
    return decline(ship(capture(authorize(reserve(order_id)))))
