"""Where is the journal of a world kept, and what may go wrong on the way to it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import SimulatedJournal
from tests.simulation.judging.reaching import REQUIRED
from tests.simulation.judging.witness import Watched
from tests.simulation.orders.drawing import WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from makegood.journal.protocol import Journal
    from makegood.testing.simulation import Host
    from tests.simulation.world import World

__all__ = ["IN_MEMORY", "Keep", "Keeping"]


class Keeping(Protocol):
    """The store of one world, and the ways of its processes to it."""

    def worker(self, host: Host) -> Journal:
        """Return the journal of a new process that works."""
        ...

    def client(self, host: Host) -> Journal:
        """Return the journal of the customers' process."""
        ...

    def happen(self, chance: Random) -> str | None:
        """Let something happen to the store, perhaps, and return what."""
        ...

    def calm_down(self) -> None:
        """Let nothing go wrong from now on."""
        ...

    def judge(self) -> None:
        """Put every rule on record that the end of this world breaks, and only here."""
        ...


@dataclass(frozen=True, kw_only=True)
class Keep:
    """A kind of store to play worlds on."""

    name: str
    workflows: Sequence[str]
    """What is ordered, the more often the more often it is named."""
    required: Sequence[str]
    """What a campaign must have met."""
    made: Callable[[World], Keeping]


class _MemoryKeeping:
    """A store in memory, at the other end of a wire."""

    def __init__(self, world: World) -> None:
        self._world = world

    def worker(self, host: Host) -> Journal:
        world = self._world
        store = MemoryJournal(world.simulation.store)
        watched = self._watched(world.ablation.store(store, world.simulation.store))
        journal = SimulatedJournal(watched, world.simulation, host, world.weather)
        return world.ablation.journal(journal, host)

    def client(self, host: Host) -> Journal:
        world = self._world
        watched = self._watched(MemoryJournal(world.simulation.store))
        return SimulatedJournal(watched, world.simulation, host, world.client_weather)

    def _watched(self, journal: Journal) -> Watched:
        world = self._world
        return Watched(journal, world.simulation.store, world.witness, world.release)

    def happen(self, chance: Random) -> str | None:
        """Nothing ever happens to a store in memory itself."""

    def calm_down(self) -> None:
        """The weather calms down with that of the outside."""

    def judge(self) -> None:
        """Everything is judged that there is."""


IN_MEMORY = Keep(name="memory", workflows=WORKFLOWS, required=REQUIRED, made=_MemoryKeeping)
"""The store that the rules of runs are tried on: every call is one packet there and one back."""
