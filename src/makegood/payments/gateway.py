"""Which requests every gateway must take, and what it promises about them.

An adapter turns these requests into its vendor's, once each, and its vendor's words into an
`Outcome`. It knows nothing of orders or workflows, and never retries: the engine alone does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from makegood.payments.money import Money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.payments.outcome import GatewayRef, Outcome, Snapshot

__all__ = ["AuthorizeRequest", "Capabilities", "Gateway", "Op", "OperationKind"]


class OperationKind(StrEnum):
    """What an operation does to the money."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Op(msgspec.Struct, frozen=True, kw_only=True):
    """One intended movement of money, decided and recorded before the gateway hears of it."""

    op_id: str
    """Lower-case letters, digits and dashes, 16 to 50 of them: the gateway carries it."""
    key: str
    """The idempotency key: the same for every attempt at this operation."""
    deadline: timedelta = timedelta(seconds=20)
    """For the whole call; a reply that comes later is `Unknown`."""


class AuthorizeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be held, on whose card, and what we call it."""

    amount: Money
    token: str
    reference: str
    """What the payment is for, such as the order's id; the gateway's books show it."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway can do, where gateways differ."""

    partial_capture: bool
    partial_refund: bool
    dedupe: Mapping[OperationKind, Literal["key", "reference", "state", "none"]]
    """What makes a repeated request of each kind harmless."""
    lookup_consistent_after: timedelta
    """How old an operation must be before `find` not finding it proves that it never was."""


class Gateway(Protocol):
    """A company that holds, takes and gives back money for us.

    Each promise is checked on every implementation by `tests/payments/gateways/contract.py`.

    1. What the gateway answers is returned as an `Outcome`, never raised. Whatever else escapes
       from a request that moves money must be taken for `Unknown`.
    2. A request makes at most one request at the vendor.
    3. The same key with the same request never moves money twice; where a kind is deduplicated
       by key the repeated request gets the first one's answer.
    4. The same key with another request is `Rejected` and moves nothing.
    5. `Succeeded` is answered only when the effect is durable at the gateway.
    6. Amounts in a snapshot are totals, and the snapshot names the operation that was asked for.
    7. Never is more captured than authorized, or more refunded than captured.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this gateway can do."""
        ...

    async def authorize(self, op: Op, request: AuthorizeRequest) -> Outcome:
        """Hold money on a card."""
        ...

    async def capture(
        self, op: Op, ref: GatewayRef, amount: Money, *, final: bool = True
    ) -> Outcome:
        """Take money that is held; `final` lets go of what is not taken."""
        ...

    async def cancel(self, op: Op, ref: GatewayRef, *, reason: str) -> Outcome:
        """Let go of money that is held; `Conflict("captured")` when it is taken already."""
        ...

    async def refund(self, op: Op, ref: GatewayRef, amount: Money, *, reason: str) -> Outcome:
        """Give back money that was taken."""
        ...

    async def fetch(self, ref: GatewayRef) -> Snapshot | None:
        """Return a payment as it is now, or None; raises only `GatewayUnavailable`."""
        ...

    async def find(self, op_id: str) -> Sequence[Snapshot]:
        """Return the payments that carry an operation of ours; raises `GatewayUnavailable`."""
        ...

    async def aclose(self) -> None:
        """Finish what is under way and let go of connections and files."""
        ...
