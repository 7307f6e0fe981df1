"""What happens between a run and the child runs that its nodes call.

A child is a run of its own, with a journal, a worker and a history of its own. What its parent
knows of it are these facts, of which each either was told by the child or is told to it.
"""

from __future__ import annotations

import msgspec

from makegood.decision.words import Cause, ControlAnswer, EndStatus, ParkReason
from makegood.values.codec import NULL
from makegood.values.ids import RunId
from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = [
    "ChildCancelled",
    "ChildEnded",
    "ChildMoved",
    "ChildRefused",
    "ChildStarted",
    "Parent",
]


class Parent(msgspec.Struct, frozen=True, gc=False):
    """Which run called this one, and for which of its nodes."""

    run: RunId
    node: str


class ChildStarted(
    msgspec.Struct, frozen=True, kw_only=True, tag="child_started", omit_defaults=True
):
    """The node calls a child: which run it is, what it runs, and its inputs as JSON.

    For a step whose body returned the call it is the outcome of that attempt too, so that what
    the step did and what it called are one fact.
    """

    node: str
    run: RunId
    workflow: str
    fingerprint: str
    key: str
    input_hash: str
    inputs: dict[str, msgspec.Raw]
    deadline: Instant | None = None
    at: Instant
    schema: int = 1
    """Which form of the record of a lifecycle its input has."""
    is_lifecycle: bool = False
    """Whether its key is free again when it has ended."""


class ChildEnded(msgspec.Struct, frozen=True, kw_only=True, tag="child_ended", omit_defaults=True):
    """The child has ended, and says how."""

    node: str
    run: RunId
    status: EndStatus
    cause: Cause | None = None
    result: msgspec.Raw = NULL
    failures: tuple[Failure, ...] = ()
    """What failed in the child and in the children of that, the first failure first."""
    at: Instant


class ChildMoved(msgspec.Struct, frozen=True, kw_only=True, tag="child_moved", omit_defaults=True):
    """The child was parked, for a reason, or moves again."""

    node: str
    run: RunId
    reason: ParkReason | None = None
    """Why it was parked; None: it moves again."""
    at: Instant


class ChildRefused(
    msgspec.Struct, frozen=True, kw_only=True, tag="child_refused", omit_defaults=True
):
    """The child could not be started, or not be undone."""

    node: str
    run: RunId
    answer: ControlAnswer | None = None
    """What it answered; None: nobody could, because its key belongs to another run, or because
    its history was pruned."""
    at: Instant


class ChildCancelled(msgspec.Struct, frozen=True, tag="child_cancelled", gc=False):
    """The child is told to go back, because its parent does."""

    node: str
    at: Instant
