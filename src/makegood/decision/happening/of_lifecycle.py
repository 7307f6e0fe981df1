"""What happens to the record of a lifecycle: where it goes, who is called, what is listened for."""

from __future__ import annotations

from typing import Literal

import msgspec

from makegood.values.instants import Instant

__all__ = ["HandlingBegan", "Listened", "MoveCause", "Moved", "Stayed"]

MoveCause = Literal["start", "entry", "message", "timer", "again"]
"""For what a record has moved: it began, or a handler was called for this."""


class Moved(msgspec.Struct, frozen=True, tag="moved", omit_defaults=True, gc=False):
    """The record has entered a status. All that the one before listened for is closed."""

    node: str
    origin: str | None
    """The status that it has left; None where it has begun."""
    status: str
    cause: MoveCause
    version: int
    """How often the record was left by a handler, and once for its beginning."""
    at: Instant
    handler: str = ""
    """Which one has said so."""


class HandlingBegan(
    msgspec.Struct, frozen=True, tag="handling_began", omit_defaults=True, gc=False
):
    """A handler is to be called: its round has begun."""

    node: str
    handler: str
    round: int
    cause: MoveCause
    at: Instant
    message: str = ""
    """The id of the message for which it is called."""


class Stayed(msgspec.Struct, frozen=True, tag="stayed", omit_defaults=True, gc=False):
    """A handler has let the record stay in its status."""

    node: str
    handler: str
    version: int
    at: Instant
    rearms: bool = False
    """Every timer of the status begins anew."""
    again: Instant | None = None
    """When the same handler is called again."""


class Listened(msgspec.Struct, frozen=True, tag="listened", omit_defaults=True, gc=False):
    """From here on the status hears these messages as well, and its timers are set."""

    node: str
    key: str
    """Under which messages find the record."""
    at: Instant
    messages: tuple[str, ...] = ()
    """The names of their classes."""
    timers: dict[str, Instant] = {}
    """When each timer is due, by its handler."""
