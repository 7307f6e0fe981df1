"""How people hold a run up, and say what becomes of a node instead of its body."""

from __future__ import annotations

import msgspec

from makegood.values.instants import Instant

__all__ = [
    "PauseRequested",
    "Paused",
    "ResultGranted",
    "ResumeRequested",
    "Resumed",
    "RetraceBegan",
    "Retraced",
    "RetryFromRequested",
    "SetResultRequested",
    "SkipGranted",
    "SkipRequested",
]


class PauseRequested(msgspec.Struct, frozen=True, tag="pause_requested", gc=False):
    """Somebody wants nothing more begun of the run."""

    post: int
    actor: str
    reason: str
    at: Instant


class ResumeRequested(msgspec.Struct, frozen=True, tag="resume_requested", gc=False):
    """Somebody wants the paused run to go on."""

    post: int
    actor: str
    reason: str
    at: Instant


class SkipRequested(msgspec.Struct, frozen=True, tag="skip_requested", gc=False):
    """Somebody wants a node skipped."""

    post: int
    node: str
    actor: str
    reason: str
    at: Instant


class SetResultRequested(
    msgspec.Struct, frozen=True, tag="set_result_requested", omit_defaults=True
):
    """Somebody gives a node its result, instead of its body."""

    post: int
    node: str
    result: msgspec.Raw
    actor: str
    reason: str
    at: Instant
    misfit: str | None = None
    """Why the result given is none of the node's, as whoever took the request found."""


class RetryFromRequested(msgspec.Struct, frozen=True, tag="retry_from_requested", gc=False):
    """Somebody wants a node, and all that comes after it, done again."""

    post: int
    node: str
    actor: str
    reason: str
    at: Instant


class RetraceBegan(msgspec.Struct, frozen=True, tag="retrace_began"):
    """The run goes back to a node: what of these nodes is done is undone, to be done again."""

    node: str
    nodes: tuple[str, ...]
    """It and all that comes after it, in the order of the plan."""
    actor: str
    reason: str
    at: Instant


class Retraced(msgspec.Struct, frozen=True, tag="retraced", gc=False):
    """Everything is undone that was to be, and the run goes forward again."""

    at: Instant


class Paused(msgspec.Struct, frozen=True, tag="paused", omit_defaults=True, gc=False):
    """Nothing more is begun of the run; what is at work ends and is recorded."""

    actor: str
    reason: str
    at: Instant
    until: Instant | None = None
    """When it goes on by itself; None: when somebody resumes it."""


class Resumed(msgspec.Struct, frozen=True, tag="resumed", gc=False):
    """The run goes on where it was paused."""

    actor: str
    reason: str
    at: Instant


class SkipGranted(msgspec.Struct, frozen=True, tag="skip_granted", gc=False):
    """The node is skipped when its turn comes; its body is not begun any more."""

    node: str
    actor: str
    reason: str
    at: Instant


class ResultGranted(msgspec.Struct, frozen=True, tag="result_granted"):
    """The node has this result when its turn comes; its body is not begun any more."""

    node: str
    result: msgspec.Raw
    actor: str
    reason: str
    at: Instant
