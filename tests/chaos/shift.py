"""What a process of the campaign is asked to do, and what it says of it, a line each."""

from __future__ import annotations

from typing import Literal

import msgspec

from makegood.commerce.cdnow import Purchase
from tests.chaos.disk import Trouble

__all__ = [
    "FAILED",
    "Ended",
    "Failed",
    "Full",
    "Leads",
    "Placed",
    "Shift",
    "StandsBy",
    "Started",
    "Told",
    "read_told",
]


FAILED = 3
"""The exit status of a process whose engine could not go on."""


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One process's work on one store."""

    store: str
    sample: tuple[Purchase, ...]
    """All purchases that ever become orders in this store: they decide what is in stock."""
    asked: tuple[int, ...]
    """Which of them this process places, by their position."""
    seed: int
    faults: float = 0.2
    at_once: int = 32
    works: bool = True
    """Whether it works, or only starts orders and asks."""
    is_hurried: bool = False
    """Its gateway's slow replies come long after the steps' timeouts."""
    closes: bool = False
    """Whether it closes when all has been placed; else it waits for its end."""
    poll_seconds: float = 1.0
    trouble: Trouble | None = None


class Leads(msgspec.Struct, frozen=True, tag="leads"):
    """The process leads the file, and has claimed so many runs at once."""

    claimed: int


class StandsBy(msgspec.Struct, frozen=True, tag="stands by"):
    """The process has asked to lead, and another one does."""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The start of an order was acknowledged."""

    order: str
    run: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The end of an order was acknowledged; nobody will ask for its undo any more."""

    order: str
    status: Literal["completed", "failed", "cancelled", "parked"]
    rollback: str | None


class Full(msgspec.Struct, frozen=True, tag="full"):
    """There was no room so many times, and there was again."""

    times: int


class Placed(msgspec.Struct, frozen=True, tag="placed"):
    """All that was asked for has ended."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The engine could not go on, and closed."""

    error: str
    message: str


Told = Leads | StandsBy | Started | Ended | Full | Placed | Failed

_told: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)


def read_told(line: bytes) -> Told:
    return _told.decode(line)
