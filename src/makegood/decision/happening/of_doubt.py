"""What is asked about a node that failed or is in doubt, and answered."""

from __future__ import annotations

import msgspec

from makegood.values.instants import Instant
from makegood.values.verdict import Abort, Failure, RetryFresh, RetryNow, Undecided

__all__ = [
    "CompensateFailed",
    "CompensateRetryScheduled",
    "CompensateStarted",
    "Proceeded",
    "VerdictGiven",
]


class CompensateStarted(msgspec.Struct, frozen=True, tag="compensate_started", gc=False):
    """The node's compensate is being asked."""

    node: str
    attempt: int
    at: Instant


class Proceeded(msgspec.Struct, frozen=True, tag="proceed", gc=False):
    """The verdict that it happened, with its result as JSON."""

    result: msgspec.Raw


class VerdictGiven(msgspec.Struct, frozen=True, tag="verdict_given", gc=False):
    """What the compensate answered."""

    node: str
    verdict: Proceeded | RetryNow | Abort | Undecided | RetryFresh
    at: Instant


class CompensateFailed(msgspec.Struct, frozen=True, tag="compensate_failed", gc=False):
    """The compensate raised."""

    node: str
    failure: Failure
    at: Instant


class CompensateRetryScheduled(
    msgspec.Struct, frozen=True, tag="compensate_retry_scheduled", gc=False
):
    """The compensate is to be asked again."""

    node: str
    due: Instant
