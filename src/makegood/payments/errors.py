"""Which errors a payment's steps raise, each under what the engine does about it."""

from __future__ import annotations

from makegood import Declined, MakegoodError, OutcomeUnknown, Unavailable

__all__ = [
    "AnswerContradicts",
    "GatewayMisconfigured",
    "GatewayUnavailable",
    "PaymentDeclined",
    "PaymentInDoubt",
    "PaymentRefused",
]


class PaymentDeclined(Declined):
    """The gateway said no to this payment: nothing happened, and asking again will not help.

    `code` is the gateway's own; `public_text` may be shown to the customer.
    """

    def __init__(self, code: str, public_text: str = "") -> None:
        super().__init__(f"the payment was declined: {code}")
        self.code: str = code
        self.public_text: str = public_text


class PaymentRefused(MakegoodError):
    """The gateway refused the request as it stands: wrong, or in conflict with what is there.

    It is no `Declined`: a refusal of a repeated request says nothing about the first one, so it
    does not settle an earlier doubt.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"the gateway refused the request: {code}{detail and f' ({detail})'}")
        self.code: str = code


class GatewayUnavailable(Unavailable):
    """The gateway was not reached, or turned the request away unread: nothing happened."""


class GatewayMisconfigured(GatewayUnavailable):
    """The gateway does not accept our account or key: nothing happened, somebody must repair it."""


class PaymentInDoubt(OutcomeUnknown):
    """The gateway may or may not have moved the money, and has not said which."""


class AnswerContradicts(PaymentInDoubt):
    """The gateway says that it did something else than was asked: a person must look."""
