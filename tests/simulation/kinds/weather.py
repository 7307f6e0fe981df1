"""What becomes of the calls of processes, drawn by a world's seed, until it is calm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.testing.simulation import KILLS, Fate, Fortune

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from makegood.testing.simulation import Call

__all__ = ["AGAIN", "ASKED", "FATES", "SECOND", "UNKNOWN", "Weather"]

SECOND = 1_000_000
UNKNOWN = (Fate.UNKNOWN_LOST, Fate.UNKNOWN_DONE)
AGAIN = (Fate.AGAIN_LOST, Fate.AGAIN_DONE)
ASKED = (*KILLS, *UNKNOWN, Fate.REFUSED)

FATES: Mapping[str, Sequence[Fate]] = {
    "append": (*ASKED, *AGAIN, Fate.FULL, Fate.PAUSE),
    "deliver": (*ASKED, Fate.FULL),
    "lease": ASKED,
    "post": (*ASKED, Fate.FULL),
    "read": (*KILLS, Fate.REFUSED),
    "send": (*ASKED, Fate.FULL),
    "request": (*KILLS, *UNKNOWN, *UNKNOWN, *AGAIN, Fate.REFUSED, Fate.REFUSED, Fate.PAUSE),
    "adopt": ASKED,
    "keep_schedule": (*ASKED, Fate.FULL, Fate.PAUSE),
}
"""What may become of each kind of call where something goes wrong; all others are smooth."""


class Weather:
    """How calls fare, until it is calm."""

    def __init__(
        self,
        chance: Random,
        rates: Sequence[float],
        *,
        fates: Mapping[str, Sequence[Fate]] = FATES,
        slow_micros: int = 200_000,
    ) -> None:
        self.is_calm = False
        self.rate = chance.choice(rates)
        """How much of what may go wrong does."""
        self._chance = chance
        self._fates = fates
        self._slow_micros = slow_micros

    def decide(self, call: Call) -> Fortune:
        """Return what becomes of a call."""
        fates = self._fates.get(call.operation)
        is_faulty = not self.is_calm and self._chance.random() < self.rate
        fate = self._chance.choice(fates) if fates and is_faulty else Fate.SMOOTH
        return Fortune(fate, 200 + int(self._chance.random() * self._slow_micros), 300)
