"""Who is the run of a number? Its id, key, tokens and time: the same whenever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from benchmarks.checkout import Receipt, checkout5, checkout5_fail
from makegood.definition.workflow import Call
from makegood.values.ids import RunId
from makegood.values.instants import Instant, after

__all__ = ["APART", "FAILED_EVERY", "RUNS_MIN", "Filled", "completed_near", "filled", "key_of"]

RUNS_MIN = 2
"""The fewest runs that can be filled in: one that has failed, and one that is completed."""

FAILED_EVERY = 10
"""One run in so many has failed, the first of all among them."""

APART = timedelta(seconds=30)
"""The time between two runs: a million of them are a year of a shop's orders."""

_APPENDS_MAX = 10
_TOKEN_BYTES = 16
_DIGEST_BYTES = 64


@dataclass(frozen=True, slots=True)
class Filled:
    """One run of a fill: who it is, when it was and how it ended, all told by its number."""

    number: int
    at: Instant
    run: RunId
    tokens: tuple[bytes, ...]
    """The token of each append; a run that needs fewer leaves the last ones."""

    @property
    def order_id(self) -> str:
        """The input. All have one length, so that all runs of a kind have."""
        return f"order-{self.number:07}"

    @property
    def key(self) -> str:
        """The key, which others can tell from the number too."""
        return key_of(self.number)

    @property
    def call(self) -> Call[Receipt]:
        """What is carried out."""
        return (checkout5_fail if self.fails else checkout5)(self.order_id)

    @property
    def fails(self) -> bool:
        """Whether the run fails in its fifth step, or will."""
        return self.number % FAILED_EVERY == 0


def key_of(number: int) -> str:
    """Return the key of a run: in no order, as the keys of a web shop are."""
    return blake2b(b"%d" % number, digest_size=16).hexdigest()


def completed_near(number: int) -> int:
    """Return the number of a run that is completed: this one, or one beside it."""
    return number if number % FAILED_EVERY else max(number - 1, 1)


def filled(number: int, *, first_at: Instant) -> Filled:
    """Return the run of a number, the same whenever it is asked for."""
    drawn = b"".join(
        blake2b(b"%d of %d" % (part, number), digest_size=_DIGEST_BYTES).digest()
        for part in range(_APPENDS_MAX * _TOKEN_BYTES // _DIGEST_BYTES + 1)
    )
    at = after(first_at, number * APART)
    time, chance = f"{at // 1000:012x}", drawn[-8:].hex()
    return Filled(
        number=number,
        at=at,
        run=RunId(f"{time[:8]}-{time[8:]}-7{chance[:3]}-8{chance[1:4]}-{chance[4:]}"),
        tokens=tuple(
            drawn[start : start + _TOKEN_BYTES]
            for start in range(0, _APPENDS_MAX * _TOKEN_BYTES, _TOKEN_BYTES)
        ),
    )
