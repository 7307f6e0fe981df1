"""What people ask of a run, and what is answered and settled."""

from __future__ import annotations

import msgspec

from makegood.decision.words import ControlAnswer
from makegood.values.instants import Instant
from makegood.values.verdict import Settlement

__all__ = [
    "AttemptsGranted",
    "CancelRequested",
    "ControlAnswered",
    "NodeSettled",
    "RetryRequested",
    "SettleRequested",
    "UndoRequested",
    "Unparked",
]


class CancelRequested(msgspec.Struct, frozen=True, tag="cancel_requested", gc=False):
    """Somebody wants the run cancelled."""

    post: int
    actor: str
    reason: str
    at: Instant


class UndoRequested(
    msgspec.Struct, frozen=True, tag="undo_requested", omit_defaults=True, gc=False
):
    """Somebody wants the completed run undone."""

    post: int
    actor: str
    reason: str
    at: Instant
    is_parents: bool = False
    """Whether it is the parent's, for which alone a child is undone."""


class SettleRequested(msgspec.Struct, frozen=True, tag="settle_requested", omit_defaults=True):
    """Somebody says what became of a node that the run waits for."""

    post: int
    node: str
    settlement: Settlement
    actor: str
    reason: str
    at: Instant
    misfit: str | None = None
    """Why the result given is none of the node's, as whoever took the request found."""


class RetryRequested(
    msgspec.Struct, frozen=True, tag="retry_requested", gc=False, omit_defaults=True
):
    """Somebody wants what the run waits for tried again: a node, or None for all of it."""

    post: int
    node: str | None
    actor: str
    reason: str
    at: Instant
    left_out: tuple[int, ...] = ()
    """The posts that were left out for it, because they could not be read."""


class ControlAnswered(msgspec.Struct, frozen=True, tag="control_answered", gc=False):
    """What became of a request, named by the number of its post."""

    post: int
    answer: ControlAnswer


class NodeSettled(msgspec.Struct, frozen=True, tag="node_settled"):
    """A person has said what became of the node."""

    node: str
    settlement: Settlement
    actor: str
    reason: str
    at: Instant


class AttemptsGranted(msgspec.Struct, frozen=True, tag="attempts_granted", gc=False):
    """A person has granted fresh attempts: to the node, or with None to the run's value."""

    node: str | None
    at: Instant


class Unparked(msgspec.Struct, frozen=True, tag="unparked", gc=False):
    """The run goes on, because a person has moved it on."""

    at: Instant
