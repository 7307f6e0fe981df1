"""What a handler of a lifecycle says is next: where its record goes, or that it stays.

A handler returns one of these values, with the record as it leaves it; without a record that is
the one that it was given. They are plain values, which a test compares. What is stored of them
names a status by its name, never by its value or its number.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Raw

from makegood.values.codec import NULL

__all__ = [
    "UNCHANGED",
    "UNSAID",
    "Again",
    "CancelRun",
    "FailRun",
    "Goto",
    "Next",
    "PauseRun",
    "Rearm",
    "Stay",
    "StoredAgain",
    "StoredCancel",
    "StoredFail",
    "StoredGoto",
    "StoredNext",
    "StoredPause",
    "StoredRearm",
    "StoredStay",
    "Unchanged",
    "read_next",
    "write_next",
]

S = TypeVar("S")
T = TypeVar("T")
S_co = TypeVar("S_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)


class Unchanged(Enum):
    """That a handler leaves its record as it was given."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
"""What the record of an outcome is where the handler gives none."""


@dataclass(frozen=True, slots=True)
class Goto(Generic[S_co, T_co]):
    """The record goes to this status. All that the one before listened for is closed."""

    status: S_co
    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED


@dataclass(frozen=True, slots=True)
class Stay(Generic[T_co]):
    """The record stays in its status, and what is open there stays open.

    A timer that has fired is over; `Rearm` sets it anew.
    """

    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED


@dataclass(frozen=True, slots=True)
class Rearm(Generic[T_co]):
    """The record stays in its status, and every timer of that begins anew, by the record now."""

    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED


@dataclass(frozen=True, slots=True)
class Again(Generic[T_co]):
    """The same handler is called again after a while, under a new key, given the same message.

    Meanwhile the status listens, and whatever moves the record on ends this.
    """

    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED
    _: KW_ONLY
    after: timedelta


@dataclass(frozen=True, slots=True)
class PauseRun(Generic[T_co]):
    """The run is paused, for a reason; when it is resumed the same handler is called again.

    With `by_hand` a person resumes it, and it does not by itself, whatever `resume_after` says.
    """

    reason: str
    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED
    _: KW_ONLY
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class CancelRun(Generic[T_co]):
    """The run is cancelled, for a reason: all that its handlers did is undone."""

    reason: str
    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED


@dataclass(frozen=True, slots=True)
class FailRun(Generic[T_co]):
    """The run fails, once and for all, with this error: all that its handlers did is undone.

    An error that a handler raises is tried again as its policy says; this one is not.
    """

    error: Exception
    record: T_co | Literal[Unchanged.UNCHANGED] = UNCHANGED


Next = Goto[S, T] | Stay[T] | Rearm[T] | Again[T] | PauseRun[T] | CancelRun[T] | FailRun[T]
"""What a handler may return, in one type: `Next[OrderStatus, Order]`."""


# As it is stored ----------------------------------------------------------------------------------

UNSAID = Raw(b"")
"""The record of a stored outcome that leaves it as it was."""


class StoredGoto(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="goto", omit_defaults=True, gc=False
):
    """To a status, by its name."""

    status: str
    record: Raw = UNSAID
    schema: int = 1


class StoredStay(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="stay", omit_defaults=True, gc=False
):
    """It stays."""

    record: Raw = UNSAID
    schema: int = 1


class StoredRearm(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="rearm", omit_defaults=True, gc=False
):
    """It stays, and its timers begin anew."""

    record: Raw = UNSAID
    schema: int = 1


class StoredAgain(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="again", omit_defaults=True, gc=False
):
    """The same handler again."""

    after: timedelta
    record: Raw = UNSAID
    schema: int = 1


class StoredPause(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="pause", omit_defaults=True, gc=False
):
    """The run is paused."""

    reason: str
    record: Raw = UNSAID
    schema: int = 1
    by_hand: bool = False


class StoredCancel(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="cancel", omit_defaults=True, gc=False
):
    """The run is cancelled."""

    reason: str
    record: Raw = UNSAID
    schema: int = 1


class StoredFail(
    msgspec.Struct, frozen=True, tag_field="outcome", tag="fail", omit_defaults=True, gc=False
):
    """The run fails, with an error of this class."""

    type: str
    message: str
    record: Raw = UNSAID
    schema: int = 1


StoredNext = (
    StoredGoto | StoredStay | StoredRearm | StoredAgain | StoredPause | StoredCancel | StoredFail
)
"""What a handler has returned, as it is stored: its record is JSON of the schema that it names."""

write_next = msgspec.json.Encoder().encode
"""Return a stored outcome as JSON."""

_decode = msgspec.json.Decoder(StoredNext).decode


def read_next(result: Raw) -> StoredNext | None:
    """Return what a handler has returned; None where that was erased."""
    return None if result == NULL else _decode(result)
