"""The payment service: it keeps the charges, and asks the gateway.

Two receptors share the work. One keeps the charges, within the transaction that marks its message;
the other asks the gateway and writes nothing. So a charge and its key are written down before the
gateway hears of it, and whatever the gateway has said is a message before anything rests on it.
"""

from __future__ import annotations

from typing import cast

import msgspec

from makegood import Emit, IdempotencyKey, Receptors, Transaction, injected
from makegood.commerce.orders import CustomerId, OrderId
from makegood.commerce.services.charging import (
    AskGateway,
    Charge,
    ChargeStatus,
    GatewayAnswered,
    Heard,
    LookAgain,
    Next,
    after,
    begin,
)
from makegood.commerce.services.looking import persistent, put_off
from makegood.payments import (
    Gateway,
    GatewayUnavailable,
    Money,
    PaymentDeclined,
    PaymentInDoubt,
    authorize_payment,
    capture_payment,
    void_authorization,
)

__all__ = ["ask", "payments"]


async def keep(
    message: Heard,
    *,
    transaction: Transaction = injected,
    emit: Emit[LookAgain] = injected,
    key: IdempotencyKey = injected,
) -> tuple[Next, ...]:
    """Keep a charge, and say what has become of it."""
    before = await _read(message.order_id, transaction)
    turn = begin(message, key=key) if before is None else after(before, message)
    if turn is None:
        return ()
    charge, said = turn
    if charge is not before:
        await _write(charge, transaction)
        await _enter(before, charge, transaction)
    return put_off(said, LookAgain, emit)


async def ask(command: AskGateway, *, gateway: Gateway = injected) -> GatewayAnswered:
    """Ask the gateway, under the keys of the charge, as often as this is asked.

    Each operation has one key, so that one that is asked for again is the same: money is held,
    taken and given back once. Raises `GatewayUnavailable` where nothing happened, and, the last
    time that it is looked up, `PaymentInDoubt`: a person looks then, and has it asked again.
    """
    hold, take, give_back = (
        IdempotencyKey(f"{command.key}-{what}") for what in ("hold", "take", "void")
    )
    answered = GatewayAnswered(order_id=command.order_id, what=command.what, outcome="unknown")
    try:
        authorization = await authorize_payment(
            command.amount, command.payment, command.order_id, gateway=gateway, key=hold
        )
        if command.what == "charge":
            payment = await capture_payment(authorization, gateway=gateway, key=take)
            taken = payment.amount.minor
            return msgspec.structs.replace(answered, outcome="captured", captured=taken)
        await void_authorization(authorization, gateway=gateway, key=give_back)
        stands = await gateway.fetch(authorization.ref)
    except PaymentDeclined as declined:
        outcome = "declined" if command.what == "charge" else "settled"
        return msgspec.structs.replace(answered, outcome=outcome, detail=declined.code)
    except PaymentInDoubt as doubt:
        if command.is_last:
            raise
        return msgspec.structs.replace(answered, detail=str(doubt))
    assert stands is not None, "what was held is in the gateway's books"
    return msgspec.structs.replace(
        answered,
        outcome="settled",
        captured=stands.captured.minor,
        refunded=stands.refunded.minor,
    )


payments = Receptors("payments").on(keep).on(ask, retry=persistent(GatewayUnavailable))


# The tables -----------------------------------------------------------------------------------


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A charge's row, as it is asked for."""

    customer: str
    amount_minor: int | None
    currency: str | None
    token: str
    key: str
    status: ChargeStatus
    looks: int
    captured: int
    refunded: int


async def _read(order: OrderId, transaction: Transaction) -> Charge | None:
    rows = await transaction.fetch(
        "SELECT customer_id, amount_minor, currency, token, key, status, looks, captured_minor, "
        "refunded_minor FROM service_charge WHERE order_id = ?",
        order,
    )
    if not rows:
        return None
    row = msgspec.convert(rows[0], type=_Row)
    amount = None
    if row.amount_minor is not None:
        amount = Money(row.amount_minor, cast("str", row.currency))
    return Charge(
        order=order,
        customer=CustomerId(row.customer),
        amount=amount,
        token=row.token,
        key=row.key,
        status=row.status,
        looks=row.looks,
        captured=row.captured,
        refunded=row.refunded,
    )


async def _write(charge: Charge, transaction: Transaction) -> None:
    await transaction.execute(
        "INSERT INTO service_charge (order_id, customer_id, amount_minor, currency, token, key, "
        "status, looks, captured_minor, refunded_minor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, looks = excluded.looks, "
        "captured_minor = excluded.captured_minor, refunded_minor = excluded.refunded_minor",
        charge.order,
        charge.customer,
        None if charge.amount is None else charge.amount.minor,
        None if charge.amount is None else charge.amount.currency,
        charge.token,
        charge.key,
        charge.status.value,
        charge.looks,
        charge.captured,
        charge.refunded,
    )


async def _enter(before: Charge | None, charge: Charge, transaction: Transaction) -> None:
    """Enter into the ledger what has moved."""
    if charge.amount is None:
        return
    captured = charge.captured - (0 if before is None else before.captured)
    refunded = charge.refunded - (0 if before is None else before.refunded)
    for movement, moved in (("capture", captured), ("refund", -refunded)):
        if not moved:
            continue
        for account, amount in (("gateway", moved), ("customer", -moved)):
            await transaction.execute(
                "INSERT INTO service_ledger (order_id, movement, account, amount_minor, currency) "
                "VALUES (?, ?, ?, ?, ?)",
                charge.order,
                movement,
                account,
                amount,
                charge.amount.currency,
            )
