"""What may become of a round trip to the server, drawn from a seed."""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

__all__ = ["KILLS", "REFUSALS", "Fortune", "Mishap", "ServerWeather", "Trip"]

SECOND = 1_000_000


class Trip(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One round trip: who sends what."""

    host: str
    operation: str
    """What is asked, by its name in `statements`; or `connect`, `begin`, `commit`, `rollback`,
    `reset`. Everything that is sent for a step's own transaction but its end is `local`."""


class Mishap(StrEnum):
    """What becomes of a round trip."""

    SMOOTH = "smooth"
    KILL_BEFORE = "killed before"
    """The process dies before anything leaves it."""
    KILL_INSIDE_LOST = "killed inside, not done"
    """It dies while the statement is on its way, which is lost with it."""
    KILL_INSIDE_DONE = "killed inside, done"
    """It dies while the statement is on its way, which arrives."""
    KILL_AFTER = "killed after"
    """It is done, and the process dies before it knows."""
    PAUSE = "paused"
    """It is done, and the process stands still for a while."""
    LOST = "lost"
    """The connection breaks before the statement arrives."""
    UNANSWERED = "done, unanswered"
    """It is done, and the connection breaks before the answer arrives."""
    SILENT = "done, silent"
    """It is done, and nothing is ever heard on this connection again."""
    LATE = "late"
    """It arrives and is done when nobody waits for it any more."""
    STALLED = "stalled"
    """Its commit takes longer than anybody waits: until then its locks are held."""
    SLOW = "slow"
    """Its commit takes a while."""
    SERIALIZATION = "40001"
    DEADLOCK = "40P01"
    LOCKED = "55P03"
    CANCELLED = "57014"
    FULL = "53100"
    CROWDED = "53300"
    """The server has no connection left."""
    ONLY_READ = "25006"
    ENDED = "57P01"
    """The backend is ended, with its transaction."""
    BROKEN = "XX000"
    """The server finds that its own files are damaged."""


KILLS = (
    Mishap.KILL_BEFORE,
    Mishap.KILL_INSIDE_LOST,
    Mishap.KILL_INSIDE_DONE,
    Mishap.KILL_AFTER,
)
"""In these the process dies."""
IN_THE_WAY = (Mishap.SERIALIZATION, Mishap.DEADLOCK, Mishap.LOCKED, Mishap.CANCELLED)
REFUSALS = frozenset(
    {*IN_THE_WAY, Mishap.FULL, Mishap.CROWDED, Mishap.ONLY_READ, Mishap.ENDED, Mishap.BROKEN}
)
"""With these the server answers, by their code, and has done nothing."""


class Fortune(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A mishap, and how long the ways take in microseconds."""

    mishap: Mishap = Mishap.SMOOTH
    there: int = 500
    back: int = 300
    stall: int = 0
    """How long the commit takes."""
    is_half_open: bool = False
    """The server never learns that the connection is gone."""


_OF_MESSAGES = ("work", "take", "subscribe", "keep_schedule")
_WRITES = (
    *("append", "post", "lease", "renew", "release", "keep_plan", "local", "commit"),
    *_OF_MESSAGES,
)
_ALL = (*_WRITES, "read", "verdict", "rollback", "reset", "listen", "ring")
_ALONE = ("append", "post", "lease", "renew", "release", "keep_plan", "commit", *_OF_MESSAGES)
_FAMILIES: dict[str, tuple[tuple[Mishap, ...], Sequence[str]]] = {
    "dies at an append": (KILLS, ("append", "local", "commit")),
    "dies elsewhere": (KILLS, ("post", "lease", "renew", "release", "read", *_OF_MESSAGES)),
    "stands still": (
        (Mishap.PAUSE,),
        ("append", "local", "commit", "lease", "renew", "read", *_OF_MESSAGES),
    ),
    "lost": ((Mishap.LOST, Mishap.UNANSWERED), (*_ALL, "open", "connect")),
    "silent": ((Mishap.SILENT, Mishap.LATE), _ALL),
    "stalled": ((Mishap.STALLED,), _ALONE),
    "slow": ((Mishap.SLOW,), _ALONE),
    "in the way": (IN_THE_WAY, (*_WRITES, "read")),
    "full": ((Mishap.FULL,), _WRITES),
    "crowded": ((Mishap.CROWDED,), ("connect",)),
    "only read": ((Mishap.ONLY_READ,), _WRITES),
    "ended": ((Mishap.ENDED,), (*_ALL, "open")),
    "broken": ((Mishap.BROKEN,), ("append", "post", "lease", "local", "commit", "read")),
}
"""The kinds of fault: the mishaps in each, and what they meet."""
_RATES = (0.0, 0.0, 0.0, 0.01, 0.03, 0.1)
_OFTEN = {
    ("*", "post"): 3.0,
    ("*", "release"): 3.0,
    ("*", "local"): 0.7,
    ("*", "commit"): 4.0,
    ("in the way", "append"): 2.0,
    ("in the way", "commit"): 8.0,
    ("lost", "commit"): 8.0,
    ("lost", "lease"): 3.0,
    ("silent", "commit"): 8.0,
    ("stalled", "commit"): 8.0,
    ("dies at an append", "commit"): 8.0,
    ("*", "ring"): 3.0,
    ("*", "listen"): 2.0,
    ("*", "connect"): 3.0,
    ("broken", "append"): 0.05,
    ("broken", "post"): 0.1,
    ("broken", "commit"): 0.2,
    ("broken", "lease"): 0.1,
    ("broken", "local"): 0.1,
    ("broken", "read"): 0.02,
}
"""How likely a fault is at an operation beside the others, by its family or for all of them."""
_OF_PROCESSES = frozenset({*KILLS, Mishap.PAUSE, Mishap.BROKEN})
"""What never happens to the customers' process, which nobody starts again."""


class ServerWeather:
    """The mishaps of one world: drawn until it is calm, and then none."""

    def __init__(self, chance: Random, *, patience_micros: int, is_client: bool = False) -> None:
        self.is_calm = False
        self._chance = chance
        self._patience_micros = patience_micros
        """How long a process waits for an answer."""
        self._rates = {family: chance.choice(_RATES) for family in _FAMILIES}
        self._is_client = is_client
        self._odds: dict[str, tuple[list[float], list[Mishap]]] = {}

    def decide(self, trip: Trip) -> Fortune:
        """Say what becomes of a round trip."""
        there, back = 200 + int(self._chance.random() * 3_000), 300
        mishap = Mishap.SMOOTH if self.is_calm else self._draw(trip.operation)
        stall = 0
        if mishap is Mishap.LATE:
            there += self._patience_micros + int(self._chance.random() * 10 * SECOND)
        elif mishap is Mishap.STALLED:
            stall = self._patience_micros + int(self._chance.random() * 8 * SECOND)
        elif mishap is Mishap.SLOW:
            stall = int(self._chance.random() * self._patience_micros)
        is_half_open = mishap is not Mishap.SMOOTH and self._chance.random() < _HALF_OPEN_RATE
        return Fortune(
            mishap=mishap, there=there, back=back, stall=stall, is_half_open=is_half_open
        )

    def _draw(self, operation: str) -> Mishap:
        if operation not in self._odds:
            self._odds[operation] = self._odds_of(operation)
        limits, mishaps = self._odds[operation]
        at = bisect_right(limits, self._chance.random())
        return mishaps[at] if at < len(mishaps) else Mishap.SMOOTH

    def _odds_of(self, operation: str) -> tuple[list[float], list[Mishap]]:
        odds: list[tuple[Mishap, float]] = []
        for family, (mishaps, operations) in _FAMILIES.items():
            if operation not in operations:
                continue
            often = _OFTEN.get((family, operation), _OFTEN.get(("*", operation), 1.0))
            odds += [
                (mishap, often * self._rates[family] / len(mishaps))
                for mishap in mishaps
                if not (self._is_client and mishap in _OF_PROCESSES)
            ]
        return list(accumulate(rate for _, rate in odds)), [mishap for mishap, _ in odds]


_HALF_OPEN_RATE = 0.3
