"""When the sandbox misbehaves, and how: drawn from a seed, so that a run can be repeated.

A fault depends on the seed, the key and how often the key was asked, and on nothing else: a
retry has another chance, and a decline is the card's and stays. No random generator is involved.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b

import msgspec

from makegood import InvalidInput

__all__ = ["Fault", "Faults"]

_DECLINES_PER_FAULT = 0.5
_DRAWS = 2**64


class Fault(StrEnum):
    """How one request goes wrong."""

    UNAVAILABLE = "unavailable"
    """Turned away before the effect."""
    REPLY_LOST = "reply_lost"
    """The effect happens, and the reply is lost."""
    SLOW = "slow"
    """The effect happens, and the reply is slow."""
    ERROR_500 = "error_500"
    """The effect happens, and the reply is an error 500."""


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """How often requests go wrong: `rate` of all requests, and half as many cards are declined."""

    rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            message = f"{self.rate!r} is not a rate of faults; give one from 0 to 1, such as 0.1"
            raise InvalidInput(message)

    def declines(self, key: str) -> bool:
        """Say whether this card is declined: the same for every attempt under the key."""
        return self._draw("decline", key) < self.rate * _DECLINES_PER_FAULT

    def draw(self, key: str, asked: int) -> Fault | None:
        """Return how the request goes wrong that is the key's `asked`-th, or None."""
        drawn = self._draw("fault", key, str(asked))
        if drawn >= self.rate:
            return None
        kinds = tuple(Fault)
        return kinds[int(drawn / self.rate * len(kinds))]

    def _draw(self, *what: str) -> float:
        """Return a number from 0 up to 1 that is the same for the same things."""
        text = "\x1f".join((str(self.seed), *what))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / _DRAWS
