"""The measured lifecycle: the five steps of checkout5 as five transitions of one record.

Each handler does nothing but return the next status, and the record with about 100 bytes; each is
undone by nothing, as its step is. Every status is durable before the next one is entered.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from benchmarks.checkout import Receipt
from makegood import Goto, Lifecycle

__all__ = ["Stage", "checkout5_stages", "placed"]


class Stage(Enum):
    """Where a checkout stands."""

    PLACED = "placed"
    RESERVED = "reserved"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    SHIPPED = "shipped"
    TOLD = "told"


def placed(order_id: str) -> Receipt:
    """Return the record with which a checkout begins."""
    return Receipt(
        order_id=order_id,
        reference="7f1d2a90c4b8",
        amount_minor=12_990,
        currency="EUR",
        stage=0,
    )


def _next(receipt: Receipt) -> Receipt:
    return msgspec.structs.replace(receipt, stage=receipt.stage + 1)


async def reserve_stock(receipt: Receipt) -> Goto[Literal[Stage.RESERVED], Receipt]:
    """Do nothing, as the first of five."""
    return Goto(Stage.RESERVED, _next(receipt))


async def authorize_card(receipt: Receipt) -> Goto[Literal[Stage.AUTHORIZED], Receipt]:
    """Do nothing, as the second of five."""
    return Goto(Stage.AUTHORIZED, _next(receipt))


async def capture_card(receipt: Receipt) -> Goto[Literal[Stage.CAPTURED], Receipt]:
    """Do nothing, as the third of five."""
    return Goto(Stage.CAPTURED, _next(receipt))


async def ship_parcel(receipt: Receipt) -> Goto[Literal[Stage.SHIPPED], Receipt]:
    """Do nothing, as the fourth of five."""
    return Goto(Stage.SHIPPED, _next(receipt))


async def tell_customer(receipt: Receipt) -> Goto[Literal[Stage.TOLD], Receipt]:
    """Do nothing, as the fifth of five."""
    return Goto(Stage.TOLD, _next(receipt))


async def take_back(receipt: Receipt) -> None:
    """Undo a transition that did nothing."""


checkout5_stages = (
    Lifecycle("checkout5_stages", Receipt, Stage, key=lambda receipt: receipt.order_id)
    .on(Stage.PLACED, reserve_stock, undo=take_back, to={Stage.RESERVED})
    .on(Stage.RESERVED, authorize_card, undo=take_back, to={Stage.AUTHORIZED})
    .on(Stage.AUTHORIZED, capture_card, undo=take_back, to={Stage.CAPTURED})
    .on(Stage.CAPTURED, ship_parcel, undo=take_back, to={Stage.SHIPPED})
    .on(Stage.SHIPPED, tell_customer, irreversible="it does nothing", to={Stage.TOLD})
).workflow()
