"""What next for a message whose receptor did not do it: once more, or never: pure functions.

A receptor's effects go by one idempotency key for all its attempts, so what is in doubt is tried
again like what is transient. What cannot get better by itself is given up at once: a person looks
at it, repairs what is wrong and sends it again.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import msgspec

from makegood.decision.retry import Chance, next_attempt
from makegood.definition.plan import Backoff
from makegood.values.instants import Instant
from makegood.values.verdict import FailureKind

if TYPE_CHECKING:
    from makegood.values.verdict import Failure

__all__ = [
    "CLAIMS_MAX",
    "REPLACED_WITHIN",
    "Again",
    "DeadReason",
    "GivenUp",
    "Next",
    "after_claims",
    "after_failure",
    "after_misfit",
]

CLAIMS_MAX = 5
"""How often a message is begun without any progress before it counts as one that kills."""


class DeadReason(StrEnum):
    """Why a message was given up."""

    USED_UP = "attempts used up"
    """It was worth another attempt every time, and every time failed."""
    IN_DOUBT = "in doubt"
    """Its last attempt may or may not have had its effect."""
    DECLINED = "declined"
    """The other side said no, for good."""
    FAILED = "failed"
    """An error that another attempt will not help."""
    UNDECLARED = "undeclared"
    """The receptor returned what it does not declare: nothing of it was sent."""
    UNRECORDED = "unrecorded"
    """It was done, and what came of it cannot be written down: the store refused the statements, or
    a message cannot be carried."""
    UNREADABLE = "unreadable"
    """The message is not of the class that its type stands for."""
    NEWER = "newer schema"
    """It was written by a later version of its schema than any program here knows."""
    UNKNOWN = "unknown type"
    """The receptor receives no messages of this type any more, or not yet."""
    UNOWNED = "no owner"
    """It may send a command that no receptor owns: it was not called."""
    POISON = "poison"
    """Whoever begins it dies."""


class Again(msgspec.Struct, frozen=True):
    """It is tried again then."""

    due_at: Instant


class GivenUp(msgspec.Struct, frozen=True):
    """It becomes a dead letter."""

    reason: DeadReason


Next = Again | GivenUp
"""What becomes of a message that was not received."""


def after_failure(
    policy: Backoff, attempts: int, failure: Failure, now: Instant, *, chance: Chance, name: str
) -> Next:
    """Say what becomes of a message after a receptor's attempt failed, this one counted."""
    match failure.kind:
        case FailureKind.TRANSIENT:
            reason, is_tried = DeadReason.USED_UP, True
        case FailureKind.IN_DOUBT:
            reason, is_tried = DeadReason.IN_DOUBT, True
        case FailureKind.DECLINED:
            reason, is_tried = DeadReason.DECLINED, False
        case FailureKind.PERMANENT:
            reason, is_tried = DeadReason.FAILED, False
        case _:
            assert_never(failure.kind)
    if not is_tried:
        return GivenUp(reason)
    wait = failure.retry_after
    return _again(policy, attempts, now, reason, chance=chance, name=name, retry_after=wait)


_BETTER_WITH_TIME = frozenset({DeadReason.NEWER, DeadReason.UNKNOWN, DeadReason.UNOWNED})
"""What another program on the same store may know or do, while programs are being replaced."""

REPLACED_WITHIN = Backoff(
    attempts=15,
    delay=timedelta(minutes=1),
    delay_max=timedelta(minutes=1),
    factor=1.0,
    jitter=False,
)
"""How long a program is waited for that knows a message which this one does not know."""


def after_misfit(attempts: int, reason: DeadReason, now: Instant) -> Next:
    """Say what becomes of a message that a receptor could not be given, or not answer as declared.

    One that this program is too old for is tried again: whoever takes it then may be newer.
    """
    if reason not in _BETTER_WITH_TIME:
        return GivenUp(reason)
    return _again(REPLACED_WITHIN, attempts, now, reason, chance=Chance(0), name=reason)


def after_claims(claims: int) -> GivenUp | None:
    """Say whether a message that was taken so often without progress is given up unseen."""
    return GivenUp(DeadReason.POISON) if claims > CLAIMS_MAX else None


def _again(
    policy: Backoff,
    attempts: int,
    now: Instant,
    reason: DeadReason,
    *,
    chance: Chance,
    name: str,
    retry_after: timedelta | None = None,
) -> Next:
    due = next_attempt(policy, attempts, now, chance=chance, name=name, retry_after=retry_after)
    return GivenUp(reason) if due is None else Again(due)
