"""Webhooks of gateways: believed by their signature, stored before they are answered, once each.

The order of things is the rule, and each step is a line of `_receive`: the raw bytes, then the
signature, then the store, and only then the answer. What an event means is for the receptors of
`GatewayEvent`: an event is a hint to ask the gateway, never the source of an amount.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Protocol

import msgspec

from makegood import BadSignature, Engine, InvalidInput
from makegood.extension import Answer, Ask, Command, HttpRoute, Migration

__all__ = ["GatewayEvent", "Payments", "PaystackSignature", "Signature"]

_BODY_MAX = 256 * 1024
_SECRET_BYTES_MIN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayEvent:
    """What a gateway has told, as it told it."""

    message_name: ClassVar[str] = "makegood.payments.GatewayEvent"

    gateway: str
    account: str
    body: str
    """The JSON that was signed, unread."""


class Signature(Protocol):
    """How the webhooks of one gateway are signed."""

    @property
    def gateway(self) -> str:
        """Which gateway it is."""
        ...

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return for a body that the gateway has signed; else raise `BadSignature`."""
        ...

    def key_of(self, body: bytes) -> str:
        """Return what names the event: the same one has the same name, however often it comes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PaystackSignature:
    """Paystack's: HMAC-SHA512 of the raw body under the secret API key, in hexadecimal digits.

    It has neither a time nor an id of the event, so a body that comes again is the same event for
    ever. With two secrets a key can be rolled while events of both are on their way.
    Source: Paystack's documentation, "Webhooks", "Signature validation".
    """

    secrets: Sequence[str] = field(repr=False)
    gateway: str = "paystack"

    def __post_init__(self) -> None:
        """Refuse secrets that would let anybody in."""
        if not self.secrets or any(len(each) < _SECRET_BYTES_MIN for each in self.secrets):
            message = f"a webhook needs secrets of at least {_SECRET_BYTES_MIN} characters"
            raise InvalidInput(message)

    def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return for a body that was signed under one of the secrets."""
        given = headers.get("x-paystack-signature", "").encode(errors="replace")
        # Each is compared, so that how long it takes does not tell which one it was.
        found = [
            hmac.compare_digest(
                hmac.new(secret.encode(), body, hashlib.sha512).hexdigest().encode(), given
            )
            for secret in self.secrets
        ]
        if not any(found):
            message = "the signature is not one of this account"
            raise BadSignature(message)

    def key_of(self, body: bytes) -> str:
        """Return the hash of the body, which is all that names an event."""
        return hashlib.sha256(body).hexdigest()


class Payments:
    """Payments, as an engine and the HTTP service know them: where gateways tell their news.

    `accounts` says by the name of each account how its webhooks are signed.
    """

    name = "payments"

    def __init__(self, accounts: Mapping[str, Signature]) -> None:
        self._accounts = dict(accounts)

    def __repr__(self) -> str:
        return f"<Extension payments: {', '.join(sorted(self._accounts))}>"

    @property
    def migrations(self) -> Sequence[Migration]:
        """None: what comes is kept among the messages of the engine."""
        return ()

    @property
    def commands(self) -> Sequence[Command]:
        """None."""
        return ()

    @property
    def routes(self) -> Sequence[HttpRoute]:
        """Where gateways post what they tell."""
        return tuple(
            HttpRoute(
                method="POST",
                path=f"/webhooks/{account}",
                scope=None,
                handle=partial(_receive, account, signature),
                body_max=_BODY_MAX,
                summary=f"What {signature.gateway} tells of the account {account}, signed.",
            )
            for account, signature in self._accounts.items()
        )


async def _receive(account: str, signature: Signature, engine: Engine, ask: Ask) -> Answer:
    signature.verify(ask.body, ask.headers)
    try:
        msgspec.json.decode(ask.body)
        body = ask.body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        # It is from the gateway, so it is kept; whoever receives it will find that it is no JSON.
        body = ask.body.decode(errors="backslashreplace")
    event = GatewayEvent(gateway=signature.gateway, account=account, body=body)
    source = f"{signature.gateway}/{account}"
    await engine.publish(event, id=signature.key_of(ask.body), source=source)
    return Answer(value={"received": True})
