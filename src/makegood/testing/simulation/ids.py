"""Ids that follow from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from makegood.values.ids import RunId, WorkerId

if TYPE_CHECKING:
    from random import Random

    from makegood.testing.simulation.loop import SimulatedLoop

__all__ = ["SeededIds"]


class SeededIds:
    """Ids like the real ones, drawn from a seeded generator."""

    def __init__(self, loop: SimulatedLoop, chance: Random) -> None:
        self._loop = loop
        self._chance = chance

    def worker(self) -> WorkerId:
        """Return a new worker id."""
        return WorkerId(f"{self._chance.getrandbits(64):016x}")

    def run(self) -> RunId:
        """Return a new version 7 UUID: ids sort by the virtual time of their making."""
        drawn = self._chance.getrandbits(74)
        millis = 1_767_225_600_000 + self._loop.micros // 1000
        number = millis << 80 | 0x7 << 76 | (drawn >> 62) << 64 | 0b10 << 62 | drawn & (2**62 - 1)
        return RunId(str(UUID(int=number)))

    def token(self) -> bytes:
        """Return 16 bytes that name one append."""
        return self._chance.randbytes(16)
