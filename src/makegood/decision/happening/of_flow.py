"""What happens to branches, rounds and sleeps."""

from __future__ import annotations

import msgspec

from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = [
    "Chosen",
    "ItemsListed",
    "RoundBegan",
    "RoundDone",
    "RoundFailed",
    "RoundGaveUp",
    "SleepBegan",
]


class Chosen(msgspec.Struct, frozen=True, tag="chosen", gc=False):
    """The switch has chosen a case: its branch is to happen, and the others are skipped."""

    node: str
    case: str


class ItemsListed(msgspec.Struct, frozen=True, tag="items_listed", gc=False):
    """The items of an each are known: a round is to happen for every one of them."""

    node: str
    items: tuple[msgspec.Raw, ...]


class RoundBegan(msgspec.Struct, frozen=True, tag="round_began", gc=False):
    """Another round of a repeat is to happen, with this value."""

    node: str
    value: msgspec.Raw


class RoundDone(msgspec.Struct, frozen=True, tag="round_done", gc=False):
    """What a round has given, where it is not simply the result of one of its nodes."""

    node: str
    round: int
    value: msgspec.Raw


class RoundFailed(msgspec.Struct, frozen=True, tag="round_failed", gc=False):
    """What a round gives could not be computed, and its failure is kept: it turns back."""

    node: str
    round: int
    failure: Failure
    at: Instant


class RoundGaveUp(msgspec.Struct, frozen=True, tag="round_gave_up", gc=False):
    """A round that failed, and whose failure is kept, has come back: nothing of it is left."""

    node: str
    round: int
    at: Instant


class SleepBegan(msgspec.Struct, frozen=True, tag="sleep_began", gc=False):
    """The node waits for a time to come."""

    node: str
    due: Instant
