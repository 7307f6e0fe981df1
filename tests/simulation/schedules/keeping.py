"""Where the worlds of schedules are kept, and what becomes of the ways there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import SimulatedJournal
from tests.simulation.schedules.judging import LATE_MICROSECONDS, Watched

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal
    from makegood.testing.simulation import Host
    from tests.simulation.schedules.world import World

__all__ = ["InMemory", "Keep", "Keeping"]


class Keeping(Protocol):
    """The store of one world."""

    late_micros: int
    """How long it may take from a decision until what comes of it is written."""
    wrong: Sequence[str]
    """What broke a rule at the store."""
    reached: Counter[str]
    """What came about there."""

    def journal(self, host: Host) -> Journal:
        """Return the journal of a new process."""
        ...

    def happen(self) -> Iterable[str]:
        """Let something happen to the store, perhaps, and say what."""
        ...

    def be_calm(self, *, is_calm: bool) -> None:
        """Let nothing go wrong, or anything again."""
        ...


Keep = Callable[["World"], Keeping]
"""Makes the store of a world."""


class InMemory:
    """A store in memory, at the other end of a wire; nothing happens to it by itself."""

    late_micros = LATE_MICROSECONDS
    wrong: Sequence[str] = ()

    def __init__(self, world: World) -> None:
        self._world = world
        self.reached: Counter[str] = Counter()

    def journal(self, host: Host) -> Journal:
        """Return the journal of a new process."""
        world, simulation = self._world, self._world.simulation
        store = world.ablation.store(MemoryJournal(simulation.store), simulation.store)
        store = Watched(store, simulation.store, world.diary)
        return SimulatedJournal(store, simulation, host, world.weather)

    def happen(self) -> Iterable[str]:
        """Let nothing happen."""
        return ()

    def be_calm(self, *, is_calm: bool) -> None:
        """Do nothing: the way there fares as the requests do."""
