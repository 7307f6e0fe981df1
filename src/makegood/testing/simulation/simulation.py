"""A whole world in one process: what it consists of, and what was seen in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from makegood.journal.memory import MemoryStore
from makegood.testing.simulation.clock import HostClock
from makegood.testing.simulation.ids import SeededIds
from makegood.testing.simulation.loop import SimulatedLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from makegood.testing.simulation.fates import Call, Fate
    from makegood.testing.simulation.host import Host
    from makegood.testing.simulation.loop import Lane

__all__ = ["Simulation"]

R = TypeVar("R")


class Simulation:
    """One world: virtual time, a store, and the processes on it. The same seed, the same world.

    Everything random in it must be drawn from generators made by `chance`, each by a name of its
    own, so that one more draw in one does not change what the others give.
    """

    def __init__(self, seed: int, *, lease_seconds: float = 10.0) -> None:
        self.seed = seed
        self._order = self.chance("order")
        self.loop = SimulatedLoop(self._order)
        self.store = MemoryStore(lease_seconds=lease_seconds)
        self.ids = SeededIds(self.loop, self.chance("ids"))
        self.hosts: list[Host] = []
        self.lanes: list[Lane] = []
        """Every process that ever ran."""
        self.reached: Counter[tuple[str, str]] = Counter()
        """How often each operation met each fate."""
        self.story: list[str] = []
        """What happened, line by line."""
        self.watch: Callable[[Call, Fate, object], None] | None = None
        """Told of everything that is done outside, when it is."""
        self.errors: list[str] = []
        """What went wrong unseen: exceptions that no one caught."""

    def chance(self, name: str) -> Random:
        """Return a generator that follows from the seed and a name."""
        return Random(f"{self.seed} {name}")  # noqa: S311 - it is to be repeatable

    def clock(self, *, offset: int = 0, parts_per_million: int = 0) -> HostClock:
        """Return a clock, which may be wrong."""
        return HostClock(self.loop, offset=offset, parts_per_million=parts_per_million)

    # Any: what a coroutine yields is between it and the loop.
    def run(self, plot: Coroutine[Any, Any, R]) -> R:
        """Run a plot to its end; afterwards nothing of this world is left at work."""
        self.loop.set_exception_handler(self._caught)
        try:
            return self.loop.run_world(plot)
        finally:
            self._take_apart()

    async def pause(self, micros: int) -> None:
        """Wait for virtual time to pass."""
        await asyncio.sleep(micros / 1_000_000)

    def note(self, call: Call, fate: Fate) -> None:
        """Remember that a call met its fate."""
        self.reached[call.operation, fate.value] += 1
        self.tell(call.host, call.operation, call.subject, fate.value)

    def done(self, call: Call, fate: Fate, outcome: object) -> None:
        """Remember what came of a call where it was done."""
        self.tell(call.host, call.operation, "→", type(outcome).__name__)
        if self.watch is not None:
            self.watch(call, fate, outcome)

    def tell(self, *words: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.loop.micros} {' '.join(words)}\n")

    @property
    def trace(self) -> str:
        """A digest of the story, and of how processes took turns: equal digests, equal worlds."""
        story = "".join(self.story)
        return sha256(f"{story}{self._order.getstate()}".encode()).hexdigest()

    def _take_apart(self) -> None:
        """Leave nothing at work, and nothing of it in the story: it is over."""
        told = len(self.story)
        lanes = [*self.lanes, self.loop.outside]
        for lane in lanes:
            lane.die()
        self.loop.bury_generators()
        for lane in lanes:
            lane.bury()
        self.loop.close()
        assert self.story[told:] == [], "what is dead does nothing any more"

    def _caught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(f"{context.get('message')}: {error!r}")
