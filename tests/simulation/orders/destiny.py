"""What awaits one order outside, drawn before it begins: who declines, what never works."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Destiny"]


class Destiny(msgspec.Struct, frozen=True, kw_only=True):
    """How the outside treats one order, whatever the faults do. Times are in virtual time."""

    declined: frozenset[str] = frozenset()
    """What is declined for good, whenever it is asked for. A query says no."""
    undo_never: frozenset[str] = frozenset()
    """Undos that never work."""
    undo_from: int = 0
    """Before this time no undo works, in microseconds."""
    unsure: frozenset[str] = frozenset()
    """What nobody outside can ever say whether it happened."""
    unsure_until: int = 0
    """Before this time nobody can say anything, in microseconds."""
    absence: Literal["again", "close", "fresh"] = "again"
    """What is made of a look-up that finds nothing: the same again, or its key is closed, and
    then that is the end of it, or it is tried under a new key."""
    unwritable: str | None = None
    """Whose answer cannot be put on record."""
    deadly: str | None = None
    """What kills the process that asks for it."""
    deaths: int = 0
    """How many processes it kills."""
    mute: str | None = None
    """What is answered so that nobody hears it."""
    silences: int = 0
    """How often."""
