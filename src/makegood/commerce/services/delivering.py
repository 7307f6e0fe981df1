"""What next for a shipment: one table, without a store, a clock or a carrier.

    asked ----(booked)-----> booked ----(cancel)----> cancelling --(cancelled)--> cancelled
      |  |                      ^  ^                    |    ^
      |  +--(refused)--> refused|  +-----(too late)-----+    |
      v                         |                            |
    unknown ----(found)---------+---------(cancel)-----------+

A booking that nobody knows the end of is looked up by its reference. One that is found is as good
as any; one that is not found is cancelled, so that it cannot come yet, and counts as refused.
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
    CancelShipment,
    CreateShipment,
    ShipmentCreated,
    ShipmentRefused,
    ShipmentStatusChanged,
)

__all__ = [
    "AskCarrier",
    "CarrierAnswered",
    "LookAgain",
    "Parcel",
    "ParcelStatus",
    "after",
    "begin",
]

Question = Literal["book", "find", "cancel"]


class ParcelStatus(StrEnum):
    """Where a parcel stands."""

    ASKED = "asked"
    UNKNOWN = "unknown"
    BOOKED = "booked"
    REFUSED = "refused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel as it stands."""

    order: OrderId
    customer: CustomerId
    address: str
    status: ParcelStatus
    tracking: str = ""
    """What it is followed by, once it is known."""
    is_told: bool = False
    """Whether the others know that it was booked."""
    looks: int = 0
    """How often an answer of the carrier was unknown."""


class AskCarrier(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the carrier; the order is the reference."""

    message_name: ClassVar[str] = "commerce.shipping.AskCarrier"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    what: Question
    address: str
    is_last: bool = False
    """Whether it is not looked up again after this: who asks may raise what is in doubt."""


class CarrierAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """What the carrier has said, or that nobody knows."""

    message_name: ClassVar[str] = "commerce.shipping.CarrierAnswered"

    order_id: OrderId
    what: Question
    outcome: Literal["booked", "refused", "cancelled", "too late", "unknown"]
    tracking: str = ""
    detail: str = ""


class LookAgain(msgspec.Struct, frozen=True, kw_only=True):
    """It is time to ask again: the shipping service says so to itself."""

    message_name: ClassVar[str] = "commerce.shipping.LookAgain"
    message_kind: ClassVar[str] = "command"

    order_id: OrderId
    look: int


Heard = CreateShipment | CancelShipment | CarrierAnswered | LookAgain

Next = AskCarrier | ShipmentCreated | ShipmentRefused | ShipmentStatusChanged

Turn = tuple[Parcel, tuple[Next | LookAgain, ...]]

_LOOKED_UP: Final[Mapping[ParcelStatus, Question]] = {
    ParcelStatus.UNKNOWN: "find",
    ParcelStatus.CANCELLING: "cancel",
}
"""What is asked again where nobody knows the answer."""


def begin(heard: Heard) -> Turn | None:
    """Return a parcel that is begun by what is heard, or None where there is none to speak of."""
    match heard:
        case CreateShipment():
            parcel = Parcel(
                order=heard.order_id,
                customer=heard.customer_id,
                address=heard.address,
                status=ParcelStatus.ASKED,
            )
            return parcel, (_asking(parcel, "book"),)
        case CancelShipment():
            never = Parcel(
                order=heard.order_id,
                customer=CustomerId(""),
                address="",
                status=ParcelStatus.CANCELLED,
            )
            return never, (_changed(never, "cancelled"),)
        case _:
            return None


def after(parcel: Parcel, heard: Heard) -> Turn:
    """Return the parcel as it stands then, and what is to be said; the same for nothing new."""
    match heard:
        case CarrierAnswered(what="cancel"):
            return _stopped(parcel, heard)
        case CarrierAnswered():
            return _answered(parcel, heard)
        case CancelShipment():
            return _cancel(parcel)
        case LookAgain(look=parcel.looks) if parcel.status in _LOOKED_UP:
            return parcel, (_asking(parcel, _LOOKED_UP[parcel.status]),)
        case _:
            return parcel, ()


def _answered(parcel: Parcel, answer: CarrierAnswered) -> Turn:
    """Take the answer to a booking, or to a look."""
    if parcel.status is ParcelStatus.CANCELLING and answer.outcome == "booked":
        return replace(parcel, tracking=answer.tracking), ()
    if parcel.status not in {ParcelStatus.ASKED, ParcelStatus.UNKNOWN}:
        return parcel, ()
    match answer.outcome:
        case "booked":
            return _booked(replace(parcel, tracking=answer.tracking))
        case "refused":
            refused = ShipmentRefused(order_id=parcel.order, reason=answer.detail)
            return replace(parcel, status=ParcelStatus.REFUSED), (refused,)
        case _:
            unknown = replace(parcel, status=ParcelStatus.UNKNOWN, looks=parcel.looks + 1)
            return unknown, (LookAgain(order_id=parcel.order, look=unknown.looks),)


def _cancel(parcel: Parcel) -> Turn:
    match parcel.status:
        case ParcelStatus.ASKED | ParcelStatus.UNKNOWN | ParcelStatus.BOOKED:
            stopping = replace(parcel, status=ParcelStatus.CANCELLING)
            return stopping, (_asking(parcel, "cancel"),)
        case ParcelStatus.REFUSED:
            return parcel, (_changed(parcel, "cancelled"),)
        case _:
            return parcel, ()


def _stopped(parcel: Parcel, answer: CarrierAnswered) -> Turn:
    """Take the answer to a cancellation."""
    if parcel.status is not ParcelStatus.CANCELLING:
        return parcel, ()
    match answer.outcome:
        case "cancelled":
            stopped = replace(parcel, status=ParcelStatus.CANCELLED)
            return stopped, (_changed(parcel, "cancelled"),)
        case "too late":
            tracking = answer.tracking or parcel.tracking
            on_its_way, told = _booked(replace(parcel, tracking=tracking))
            return on_its_way, (*told, _changed(parcel, "too late"))
        case _:
            again = replace(parcel, looks=parcel.looks + 1)
            return again, (LookAgain(order_id=parcel.order, look=again.looks),)


def _booked(parcel: Parcel) -> Turn:
    booked = replace(parcel, status=ParcelStatus.BOOKED, is_told=True)
    if parcel.is_told:
        return booked, ()
    created = ShipmentCreated(
        order_id=parcel.order,
        customer_id=parcel.customer,
        shipment_id=f"shipment-{parcel.order}",
        tracking=parcel.tracking,
    )
    return booked, (created,)


def _asking(parcel: Parcel, what: Question) -> AskCarrier:
    return AskCarrier(
        order_id=parcel.order,
        what=what,
        address=parcel.address,
        is_last=parcel.looks >= LOOKS_MAX,
    )


def _changed(parcel: Parcel, status: Literal["cancelled", "too late"]) -> ShipmentStatusChanged:
    return ShipmentStatusChanged(order_id=parcel.order, status=status)
