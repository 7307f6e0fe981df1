"""What a lifecycle announces of its records: one event for each thing that has happened to one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta  # noqa: TC003 - how it is carried is read from here
from enum import StrEnum

__all__ = ["LifecycleEvent", "Occasion"]


class Occasion(StrEnum):
    """What has happened to a record, or to the run that carries it."""

    STARTED = "started"
    ENTERED = "entered"
    """It has come to a status, the first one too."""
    PAUSED = "paused"
    RESUMED = "resumed"
    PARKED = "parked"
    """Only a person can move it on."""
    UNPARKED = "unparked"
    COMPLETED = "completed"
    """It has come to a terminal status."""
    FAILED = "failed"
    """All that its handlers did is undone, because of an error or because it took too long."""
    CANCELLED = "cancelled"
    """All of it is undone because somebody wanted that, also after it had completed."""


@dataclass(frozen=True, kw_only=True)
class LifecycleEvent:
    """Something has happened to a record of a lifecycle that announces it.

    It is a message like any other: receptors of this class receive it, with retries and dead
    letters of their own. For a class of its own, declare a dataclass that is derived from this one
    and adds nothing: `class OrderEvent(LifecycleEvent)`.
    """

    lifecycle: str
    run: str
    key: str | None
    """By which the record is known."""
    occasion: Occasion
    status: str | None
    """Where the record stands then, by name; None where it has only begun."""
    version: int
    """How often a handler has left the record, and once for its beginning."""
    at: datetime
    took: timedelta
    """How long that is after the run began."""
    stood: timedelta
    """How long the record has stood in its status; for `ENTERED`, in the one that it has left."""
    origin: str | None = None
    """For `ENTERED`: the status that it has left."""
    handler: str = ""
    """For `ENTERED`: who has said so."""
    actor: str = ""
    """Who wanted it, where that was a person or a handler."""
    reason: str = ""
    """Why: what an actor has said, or for what the run is parked or has failed."""

    @property
    def message_key(self) -> str:
        """What happens to one record is received in order."""
        return self.key or self.run
