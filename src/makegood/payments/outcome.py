"""What a gateway may answer to a request that moves money: a closed union, one class an answer.

An HTTP status is never the verdict on money; an adapter turns whatever it saw into one of these.
The module is meant to be imported whole: `outcome.Declined` is an answer, `makegood.Declined` an
error.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

import msgspec

from makegood.payments.money import Money

__all__ = [
    "ActionRequired",
    "Already",
    "Conflict",
    "Declined",
    "GatewayRef",
    "Misconfigured",
    "NotSent",
    "Outcome",
    "Pending",
    "Rejected",
    "Snapshot",
    "Status",
    "Succeeded",
    "Unknown",
]


class Status(StrEnum):
    """Where a payment stands at the gateway, derived from its amounts."""

    DECLINED = "declined"
    """The gateway said no and keeps a record of that; it holds nothing."""
    AUTHORIZED = "authorized"
    VOIDED = "voided"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class GatewayRef(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway calls a thing of ours: enough to ask for it again."""

    gateway: str
    account: str
    type: str
    id: str
    parent_id: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway says of a payment at one moment. Its amounts are totals, never steps."""

    ref: GatewayRef
    status: Status
    authorized: Money | None
    captured: Money
    refunded: Money
    op_ids: frozenset[str]
    """The operations of ours that made it what it is."""
    created_at: datetime
    livemode: bool


class Succeeded(msgspec.Struct, frozen=True, tag="succeeded"):
    """It was done."""

    snapshot: Snapshot


class Pending(msgspec.Struct, frozen=True, tag="pending"):
    """It was taken on and is not decided yet."""

    snapshot: Snapshot
    poll_after: timedelta


class ActionRequired(msgspec.Struct, frozen=True, tag="action_required"):
    """The customer must do something first."""

    snapshot: Snapshot
    action: str


class Declined(msgspec.Struct, frozen=True, tag="declined"):
    """A definite no to this payment; `public_text` may be shown to the customer."""

    kind: Literal["soft", "hard", "action"]
    code: str
    public_text: str = ""
    snapshot: Snapshot | None = None


class Already(msgspec.Struct, frozen=True, tag="already"):
    """It had been done before, by whom the snapshot's operations say."""

    snapshot: Snapshot | None = None


class Conflict(msgspec.Struct, frozen=True, tag="conflict"):
    """What is there does not allow it: a void of what is captured, a capture of what is void."""

    code: str
    snapshot: Snapshot | None = None


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """The request is wrong: a mistake of ours."""

    code: str
    detail: str = ""


class Misconfigured(msgspec.Struct, frozen=True, tag="misconfigured"):
    """Our account or key is not accepted: nothing happened."""

    code: str
    detail: str = ""


class NotSent(msgspec.Struct, frozen=True, tag="not_sent"):
    """It is certain that nothing happened: not connected, or turned away unread."""

    detail: str
    retry_after: timedelta | None = None


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """It may or may not have happened: the reply was lost, late, a 5xx or unreadable."""

    detail: str


Outcome = (
    Succeeded
    | Pending
    | ActionRequired
    | Declined
    | Already
    | Conflict
    | Rejected
    | Misconfigured
    | NotSent
    | Unknown
)
"""Everything that a gateway may answer."""
