"""Whoever asks something of a world's processes from outside, and asks again until it is answered.

They stand outside of every process and ask whichever is there. What they know survives the death
of whoever told them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from makegood.errors import EngineClosed, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from random import Random

    from makegood import Engine
    from makegood.testing.simulation import Host, Simulation

__all__ = ["Doors"]

T = TypeVar("T")

PATIENCE_SECONDS = 25.0
"""How long an answer is waited for before somebody else is asked."""
SECOND = 1_000_000


class Doors:
    """The processes that may be asked."""

    def __init__(self, simulation: Simulation, chance: Random, hosts: Sequence[Host]) -> None:
        self._simulation = simulation
        self._chance = chance
        self._hosts = hosts

    # Any: what a coroutine yields is between it and the loop.
    async def insist(self, ask: Callable[[Engine], Coroutine[Any, Any, T]]) -> T:
        """Ask until there is an answer, each time at another door."""
        while True:
            doors = [host for host in self._hosts if host.is_up]
            if doors:
                asked = self._ask_at(self._chance.choice(doors), ask)
                await asyncio.wait({asked}, timeout=PATIENCE_SECONDS)
                if _is_answered(asked):
                    return asked.result()
                asked.cancel()
            await self._simulation.pause(SECOND + self._chance.randrange(SECOND))

    # Any: as above.
    def _ask_at(
        self, door: Host, ask: Callable[[Engine], Coroutine[Any, Any, T]]
    ) -> asyncio.Task[T]:
        """Have the door's own process do the asking: it may die of it."""
        engine = door.engine
        assert engine is not None, "a process that is up has an engine"
        loop = self._simulation.loop
        asked: asyncio.Task[T] = loop.create_task(ask(engine), context=door.lane.context())
        asked.add_done_callback(_looked_at)
        return asked


# Any: whatever was asked for.
def _is_answered(asked: asyncio.Task[Any]) -> bool:
    if not asked.done() or asked.cancelled():
        return False
    return not isinstance(asked.exception(), StoreError | EngineClosed)


def _looked_at(asked: asyncio.Task[T]) -> None:
    """Take note of how it ended, also where nobody waits for that any more."""
    if not asked.cancelled():
        asked.exception()
