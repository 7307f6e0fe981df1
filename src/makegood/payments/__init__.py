"""MONEY: payments at gateways, as steps for workflows. A client of makegood's public face."""

from __future__ import annotations

from makegood.payments import outcome
from makegood.payments.errors import (
    AnswerContradicts,
    GatewayMisconfigured,
    GatewayUnavailable,
    PaymentDeclined,
    PaymentInDoubt,
    PaymentRefused,
)
from makegood.payments.gateway import AuthorizeRequest, Capabilities, Gateway, Op, OperationKind
from makegood.payments.money import Money, split
from makegood.payments.outcome import GatewayRef, Outcome, Snapshot, Status
from makegood.payments.payment import (
    Authorization,
    Payment,
    PaymentDetails,
    authorize_payment,
    capture_payment,
    find_authorization,
    find_capture,
    refund_payment,
    void_authorization,
)

__all__ = [
    "AnswerContradicts",
    "Authorization",
    "AuthorizeRequest",
    "Capabilities",
    "Gateway",
    "GatewayMisconfigured",
    "GatewayRef",
    "GatewayUnavailable",
    "Money",
    "Op",
    "OperationKind",
    "Outcome",
    "Payment",
    "PaymentDeclined",
    "PaymentDetails",
    "PaymentInDoubt",
    "PaymentRefused",
    "Snapshot",
    "Status",
    "authorize_payment",
    "capture_payment",
    "find_authorization",
    "find_capture",
    "outcome",
    "refund_payment",
    "split",
    "void_authorization",
]
