"""What happens to a node on its way forward."""

from __future__ import annotations

from typing import Literal

import msgspec

from makegood.decision.words import SkipReason
from makegood.values.codec import NULL
from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = [
    "EffectUnrecorded",
    "Guarded",
    "NodeDelayed",
    "NodeDone",
    "NodeFailed",
    "NodeGaveUp",
    "NodeRefused",
    "NodeSkipped",
    "NodeStarted",
    "NodeStopped",
    "NodeStuck",
    "Recorded",
    "RetryScheduled",
]


class NodeStarted(msgspec.Struct, frozen=True, tag="node_started", gc=False):
    """The intent: from here on the effect may happen. Durable before the body is entered."""

    node: str
    attempt: int
    at: Instant


class Recorded(msgspec.Struct, frozen=True, tag="recorded", gc=False):
    """The body, the compensate or the undo has stored a value that the undo will need."""

    node: str
    value: msgspec.Raw
    at: Instant


class NodeDelayed(msgspec.Struct, frozen=True, tag="node_delayed", gc=False):
    """Its body, its undo or its compensate is not begun: a service that it is given is halted.

    Or it had its intent, waited for its turn at the service, and was not begun when its engine
    closed.
    """

    node: str
    direction: Literal["do", "undo", "compensate"]
    attempt: int
    """Which one it will be; the wait counts as none."""
    service: str
    due: Instant
    at: Instant


class NodeDone(msgspec.Struct, frozen=True, tag="node_done", gc=False):
    """The node has its result."""

    node: str
    result: msgspec.Raw
    at: Instant


class NodeFailed(msgspec.Struct, frozen=True, tag="node_failed", gc=False):
    """An attempt ended without a result."""

    node: str
    failure: Failure
    at: Instant


class EffectUnrecorded(msgspec.Struct, frozen=True, tag="effect_unrecorded", gc=False):
    """The effect happened, but its result cannot be recorded."""

    node: str
    failure: Failure
    at: Instant


class NodeRefused(msgspec.Struct, frozen=True, tag="node_refused", gc=False):
    """What it gave, or was to be given, is not as declared: it waits for a person."""

    node: str
    failure: Failure
    at: Instant


class RetryScheduled(msgspec.Struct, frozen=True, tag="retry_scheduled", gc=False):
    """The next attempt is due."""

    node: str
    due: Instant


class Guarded(msgspec.Struct, frozen=True, tag="guarded", gc=False):
    """The node's guard was evaluated and holds."""

    node: str


class NodeSkipped(msgspec.Struct, frozen=True, tag="node_skipped", omit_defaults=True, gc=False):
    """The node did not happen, and has no result: None, or what its guard gives instead."""

    node: str
    reason: SkipReason
    at: Instant
    instead: msgspec.Raw = NULL


class NodeStopped(msgspec.Struct, frozen=True, tag="node_stopped", gc=False):
    """A node without effect was stopped because the run is being rolled back."""

    node: str
    at: Instant


class NodeGaveUp(msgspec.Struct, frozen=True, tag="node_gave_up", gc=False):
    """The node has definitely failed: nothing of it is left and nothing more is tried."""

    node: str
    at: Instant


class NodeStuck(msgspec.Struct, frozen=True, tag="node_stuck", gc=False):
    """The node is in doubt and nothing more can be asked or tried."""

    node: str
    at: Instant
