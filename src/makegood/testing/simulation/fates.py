"""What may become of a call to the store or to another service, and who says so.

The simulation asks its `Fates` about every such call and does what they say. Drawn from a seed
they are a world's weather; read from a list they are one exact story.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Protocol

import msgspec

__all__ = ["KILLS", "Call", "Fate", "Fates", "Fortune", "Operation", "Smooth"]

Operation = Literal[
    "acknowledge",
    "adopt",
    "append",
    "begin",
    "carry",
    "claim_listening",
    "deliver",
    "erase",
    "fetch",
    "fill",
    "find",
    "finish",
    "fold",
    "give_back",
    "keep_plan",
    "keep_schedule",
    "lease",
    "list",
    "plan",
    "post",
    "promote",
    "publish",
    "read",
    "release",
    "release_listening",
    "request",
    "send",
    "settled",
    "subscribe",
    "take",
]


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call that leaves a process."""

    host: str
    operation: Operation
    """An operation of the journal, or a `request` to another service.

    To carry, to fetch and to acknowledge is asked of a broker.
    """
    subject: str
    """The run, or what is requested."""


class Fate(StrEnum):
    """What becomes of a call. `there` and `back` are its two ways."""

    SMOOTH = "smooth"
    KILL_BEFORE = "killed before"
    """The process dies before the call leaves it."""
    KILL_INSIDE_LOST = "killed inside, not done"
    """It dies while the call is on its way, and the call is lost with it."""
    KILL_INSIDE_DONE = "killed inside, done"
    """It dies while the call is on its way, and the call arrives."""
    KILL_AFTER = "killed after"
    """It is done, and the process dies before it knows."""
    PAUSE = "paused"
    """It is done, and the process stands still for longer than its lease."""
    REFUSED = "refused"
    """Nothing was done, and the caller is told to try later."""
    FULL = "full"
    """The store has no room; nothing was written."""
    UNKNOWN_LOST = "unknown, not done"
    """Nobody can say whether it was done, and it was not."""
    UNKNOWN_DONE = "unknown, done"
    """Nobody can say whether it was done, and it was."""
    AGAIN_LOST = "sent again, not done before"
    """The way there failed, and the store's client sends the same once more."""
    AGAIN_DONE = "sent again, done before"
    """The way back failed, and the store's client sends the same once more."""
    DOUBLED = "doubled"
    """It arrives twice."""
    LATE = "late"
    """It is done, and the answer comes when nobody waits for it any more."""
    SILENT = "silent"
    """It never arrives, and nobody says so."""


KILLS = (Fate.KILL_BEFORE, Fate.KILL_INSIDE_LOST, Fate.KILL_INSIDE_DONE, Fate.KILL_AFTER)
"""The fates in which the calling process dies, in an order: worlds draw from them."""


class Fortune(msgspec.Struct, frozen=True, gc=False):
    """A fate, and how long the ways take in microseconds."""

    fate: Fate = Fate.SMOOTH
    there: int = 0
    back: int = 0


class Fates(Protocol):
    """Says what becomes of every call, in the order in which they are made."""

    def decide(self, call: Call) -> Fortune:
        """Return what becomes of a call."""
        ...


class Smooth:
    """Lets every call arrive and be answered, after `there` and `back` microseconds."""

    def __init__(self, *, there: int = 0, back: int = 0) -> None:
        self._fortune = Fortune(there=there, back=back)

    def decide(self, call: Call) -> Fortune:  # noqa: ARG002 - all calls fare alike
        """Return what becomes of a call."""
        return self._fortune
