"""A card payment in steps: hold the money, take it, and let go of it or give it back.

The functions here are plain steps for any workflow: they ask whatever `Gateway` is given, under
the key of their step, and turn its answer into a value or into the error that tells the engine
what is true. They know nothing of orders, and nothing of any one gateway.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood import (
    Abort,
    Failure,
    FailureKind,
    IdempotencyKey,
    InvalidInput,
    MakegoodError,
    Proceed,
    RetryFresh,
    RetryNow,
    Undecided,
    Verdict,
    injected,
)
from makegood.payments import outcome
from makegood.payments.card_number import holds_card_number
from makegood.payments.errors import (
    AnswerContradicts,
    GatewayMisconfigured,
    GatewayUnavailable,
    PaymentDeclined,
    PaymentInDoubt,
    PaymentRefused,
)
from makegood.payments.gateway import AuthorizeRequest, Gateway, Op, OperationKind
from makegood.payments.money import Money
from makegood.payments.outcome import GatewayRef, Outcome, Snapshot, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = [
    "Authorization",
    "Payment",
    "PaymentDetails",
    "authorize_payment",
    "capture_payment",
    "find_authorization",
    "find_capture",
    "refund_payment",
    "void_authorization",
]


class PaymentDetails(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """How the customer pays: the token that the gateway gave for the card, never its number."""

    token: str

    def __post_init__(self) -> None:
        if not self.token.strip():
            message = "the token is empty; give the one that the gateway returned for the card"
            raise InvalidInput(message)
        if holds_card_number(self.token):
            message = "the token looks like a card number; give the gateway's token for the card"
            raise InvalidInput(message)

    def __repr__(self) -> str:
        """Leave the token out, because whoever has it may be able to charge the card."""
        return "PaymentDetails(token=…)"


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """Money that is held for us and not taken yet."""

    ref: GatewayRef
    amount: Money


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that was taken."""

    ref: GatewayRef
    amount: Money


async def authorize_payment(
    amount: Money,
    payment: PaymentDetails,
    reference: str,
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
) -> Authorization:
    """Hold the money on the customer's card; `reference` is what the gateway's books will show."""
    request = AuthorizeRequest(amount=amount, token=payment.token, reference=reference)
    snapshot = _done(await _answer(gateway.authorize(_op(key), request)), key)
    return _authorization(snapshot, amount)


async def void_authorization(
    authorization: Authorization,
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
) -> None:
    """Let go of the money that is held, and give back what was taken of it meanwhile.

    After it none of the customer's money is with us: where the gateway answers that it is too
    late to let go, what it says was taken and not given back is refunded.
    """
    asked = gateway.cancel(_op(key), authorization.ref, reason="the order was rolled back")
    answer = await _answer(asked)
    match answer:
        case outcome.Already():
            return
        case outcome.Conflict(code="captured", snapshot=Snapshot() as snapshot):
            await _refund_rest(snapshot, gateway, key)
        case _:
            _done(answer, key)


async def find_authorization(
    failure: Failure,
    amount: Money,
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
) -> Verdict[Authorization]:
    """Ask the gateway whether an authorization that failed, or is in doubt, holds money."""
    match await gateway.find(key):
        case []:
            return _nothing_found(failure, gateway, OperationKind.AUTHORIZE)
        case [Snapshot(status=Status.DECLINED)]:
            return Abort("the gateway declined it")
        case [snapshot] if snapshot.authorized == amount:
            return Proceed(Authorization(ref=snapshot.ref, amount=amount))
        case _:
            return Undecided()


async def capture_payment(
    authorization: Authorization,
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
) -> Payment:
    """Take the money that was held, all of it."""
    asked = gateway.capture(_op(key), authorization.ref, authorization.amount)
    snapshot = _done(await _answer(asked), key)
    return _payment(snapshot, authorization.amount)


async def refund_payment(
    payment: Payment,
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
) -> None:
    """Give the money back, all of it."""
    reason = "the order was rolled back"
    answer = await _answer(gateway.refund(_op(key), payment.ref, payment.amount, reason=reason))
    snapshot = _done(answer, key)
    _expect_amount(snapshot.refunded, payment.amount, "refunded")


async def find_capture(
    failure: Failure,
    authorization: Authorization,
    *,
    gateway: Gateway = injected,
    key: IdempotencyKey = injected,
) -> Verdict[Payment]:
    """Ask the gateway whether a capture that failed, or is in doubt, took the money."""
    match await gateway.find(key):
        case []:
            return _nothing_found(failure, gateway, OperationKind.CAPTURE)
        case [snapshot] if snapshot.captured == authorization.amount:
            return Proceed(Payment(ref=snapshot.ref, amount=authorization.amount))
        case _:
            return Undecided()


def _op(key: str) -> Op:
    return Op(op_id=key, key=key)


async def _answer(asked: Awaitable[Outcome]) -> Outcome:
    """Return the gateway's answer; whatever escapes instead leaves the outcome unknown."""
    try:
        return await asked
    except MakegoodError:
        raise
    # An adapter is somebody else's code: an exception of it, a defect included, says nothing of
    # whether the money moved, and must not be taken for a definite failure.
    except Exception as error:
        message = f"the gateway's adapter broke off: {type(error).__name__}: {error}"
        raise PaymentInDoubt(message) from error


def _done(answer: Outcome, op_id: str) -> Snapshot:
    """Return the snapshot of what was done, or raise the error that says what is true instead."""
    match answer:
        case outcome.Succeeded(snapshot) | outcome.Already(Snapshot() as snapshot) if (
            op_id in snapshot.op_ids
        ):
            return snapshot
        case outcome.Succeeded(snapshot):
            message = f"the gateway says done, but {snapshot.ref.id} does not carry {op_id}"
            raise AnswerContradicts(message)
        case outcome.Already():
            message = "the gateway says that it was done before, and not by this operation"
            raise PaymentInDoubt(message)
        case outcome.Pending() | outcome.ActionRequired():
            message = f"the gateway has not decided yet: {type(answer).__name__}"
            raise PaymentInDoubt(message)
        case outcome.Unknown(detail):
            message = f"the gateway gave no certain answer: {detail}"
            raise PaymentInDoubt(message)
        case outcome.Declined(code=code, public_text=public_text):
            raise PaymentDeclined(code, public_text)
        case outcome.Conflict(code):
            raise PaymentRefused(code)
        case outcome.Rejected(code, detail):
            raise PaymentRefused(code, detail)
        case outcome.Misconfigured(code, detail):
            message = f"the gateway does not accept our account: {code} {detail}".rstrip()
            raise GatewayMisconfigured(message)
        case outcome.NotSent(detail, retry_after):
            message = f"the gateway was not reached: {detail}"
            raise GatewayUnavailable(message, retry_after=retry_after)
        case _:
            assert_never(answer)


def _authorization(snapshot: Snapshot, amount: Money) -> Authorization:
    _expect_amount(snapshot.authorized, amount, "authorized")
    return Authorization(ref=snapshot.ref, amount=amount)


def _payment(snapshot: Snapshot, amount: Money) -> Payment:
    _expect_amount(snapshot.captured, amount, "captured")
    return Payment(ref=snapshot.ref, amount=amount)


def _expect_amount(answered: Money | None, asked: Money, what: str) -> None:
    if answered != asked:
        message = f"{asked} was to be {what}, and the gateway says {answered}; ask it what happened"
        raise AnswerContradicts(message)


async def _refund_rest(snapshot: Snapshot, gateway: Gateway, key: str) -> None:
    """Refund what was captured and not given back, under a key of its own made from the void's."""
    rest = snapshot.captured - snapshot.refunded
    if rest.minor == 0:
        return
    op_id = f"{key}-refund"
    asked = gateway.refund(_op(op_id), snapshot.ref, rest, reason="too late for a void")
    after = _done(await _answer(asked), op_id)
    _expect_amount(after.refunded, snapshot.captured, "refunded")


def _nothing_found(
    failure: Failure, gateway: Gateway, kind: OperationKind
) -> RetryNow | RetryFresh | Abort | Undecided:
    """Decide on an operation of which the gateway knows nothing.

    A definite failure is confirmed. In doubt, the same request is made again where its key keeps
    it from moving money twice. Silence is no better proof than that, however soon the gateway
    finds what it has done: the first request may still be on its way, from a process that stood
    still, and under another key both would be carried out.
    """
    if failure.kind is not FailureKind.IN_DOUBT:
        return Abort("the gateway has no such operation")
    if gateway.capabilities.dedupe[kind] == "key":
        return RetryNow()
    quiet = gateway.capabilities.lookup_consistent_after
    if quiet == timedelta(0):
        return RetryFresh("the gateway finds every operation at once, and did not find this one")
    return Undecided(after=quiet)
