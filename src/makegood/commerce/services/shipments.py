"""The shipping service: it keeps the parcels, and asks the carrier.

As in the payment service one receptor keeps what is known and the other asks outside.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from makegood import Emit, Receptors, Transaction, injected
from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.services.carrier import (
    Carrier,
    CarrierInDoubt,
    CarrierUnavailable,
    ParcelRefused,
)
from makegood.commerce.services.delivering import (
    AskCarrier,
    CarrierAnswered,
    Heard,
    LookAgain,
    Next,
    Parcel,
    ParcelStatus,
    after,
    begin,
)
from makegood.commerce.services.looking import persistent, put_off

__all__ = ["ask", "shipping"]


async def keep(
    message: Heard,
    *,
    transaction: Transaction = injected,
    emit: Emit[LookAgain] = injected,
) -> tuple[Next, ...]:
    """Keep a parcel, and say what has become of it."""
    before = await _read(message.order_id, transaction)
    turn = begin(message) if before is None else after(before, message)
    if turn is None:
        return ()
    parcel, said = turn
    if parcel is not before:
        await _write(parcel, transaction)
    return put_off(said, LookAgain, emit)


async def ask(command: AskCarrier, *, carrier: Carrier = injected) -> CarrierAnswered:
    """Ask the carrier by the order's reference.

    Raises `CarrierUnavailable` where nothing happened, and, the last time that it is looked up,
    `CarrierInDoubt`: a person looks then, and has it asked again.
    """
    reference = command.order_id
    answered = CarrierAnswered(order_id=reference, what=command.what, outcome="unknown")
    try:
        match command.what:
            case "book":
                tracking = await carrier.book(reference, command.address)
                return replace(answered, outcome="booked", tracking=tracking)
            case "find":
                return await _find(answered, carrier)
            case "cancel":
                is_stopped = await carrier.cancel(reference)
                if is_stopped:
                    return replace(answered, outcome="cancelled")
                tracking = await carrier.find(reference) or ""
                return replace(answered, outcome="too late", tracking=tracking)
    except ParcelRefused as refused:
        return replace(answered, outcome="refused", detail=str(refused))
    except CarrierInDoubt as doubt:
        if command.is_last:
            raise
        return replace(answered, detail=str(doubt))


async def _find(answered: CarrierAnswered, carrier: Carrier) -> CarrierAnswered:
    """Look a parcel up; one that is not there is cancelled, so that it cannot come yet."""
    tracking = await carrier.find(answered.order_id)
    if tracking is None and not await carrier.cancel(answered.order_id):
        # It has come in between, and is on its way.
        tracking = await carrier.find(answered.order_id)
    if tracking is None:
        detail = "the carrier has no such parcel"
        return replace(answered, outcome="refused", detail=detail)
    return replace(answered, outcome="booked", tracking=tracking)


shipping = Receptors("shipping").on(keep).on(ask, retry=persistent(CarrierUnavailable))


# The table ------------------------------------------------------------------------------------


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A parcel's row, as it is asked for."""

    customer: str
    address: str
    status: ParcelStatus
    tracking: str
    is_told: int
    looks: int


async def _read(order: OrderId, transaction: Transaction) -> Parcel | None:
    rows = await transaction.fetch(
        "SELECT customer_id, address, status, tracking, is_told, looks FROM service_shipment "
        "WHERE order_id = ?",
        order,
    )
    if not rows:
        return None
    row = msgspec.convert(rows[0], type=_Row)
    return Parcel(
        order=order,
        customer=CustomerId(row.customer),
        address=row.address,
        status=row.status,
        tracking=row.tracking,
        is_told=bool(row.is_told),
        looks=row.looks,
    )


async def _write(parcel: Parcel, transaction: Transaction) -> None:
    await transaction.execute(
        "INSERT INTO service_shipment (order_id, customer_id, address, status, tracking, is_told, "
        "looks) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (order_id) DO UPDATE SET "
        "status = excluded.status, tracking = excluded.tracking, is_told = excluded.is_told, "
        "looks = excluded.looks",
        parcel.order,
        parcel.customer,
        parcel.address,
        parcel.status.value,
        parcel.tracking,
        int(parcel.is_told),
        parcel.looks,
    )
