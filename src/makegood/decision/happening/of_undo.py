"""What happens to a node on its way back."""

from __future__ import annotations

import msgspec

from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = ["NodeKept", "UndoDone", "UndoFailed", "UndoLeft", "UndoRetryScheduled", "UndoStarted"]


class UndoStarted(msgspec.Struct, frozen=True, tag="undo_started", gc=False):
    """The intent of an undo."""

    node: str
    attempt: int
    at: Instant


class UndoDone(msgspec.Struct, frozen=True, tag="undo_done", gc=False):
    """The node is undone."""

    node: str
    at: Instant


class UndoFailed(msgspec.Struct, frozen=True, tag="undo_failed", gc=False):
    """An attempt to undo ended otherwise."""

    node: str
    failure: Failure
    at: Instant


class UndoRetryScheduled(msgspec.Struct, frozen=True, tag="undo_retry_scheduled", gc=False):
    """The next attempt to undo is due."""

    node: str
    due: Instant


class UndoLeft(msgspec.Struct, frozen=True, tag="undo_left", gc=False):
    """The undo gave up: the node stays done, for a person to settle."""

    node: str
    at: Instant


class NodeKept(msgspec.Struct, frozen=True, tag="node_kept", gc=False):
    """The node declares no undo: it stays done, as was declared."""

    node: str
