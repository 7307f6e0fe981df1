"""One world of a kind: how it is played to its end, and what every world says of itself then."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from makegood.testing.simulation import Stalled
from tests.simulation.kinds.playing import Played
from tests.simulation.kinds.weather import SECOND
from tests.simulation.world import listening

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from typing import Any

    from makegood.journal.memory_store import MemoryStore, Record
    from makegood.testing.simulation import Simulation

__all__ = [
    "World",
    "are_still",
    "come_to_rest",
    "complaints",
    "met",
    "parked",
    "play_world",
    "unrest",
]


class World(Protocol):
    """What is played."""

    simulation: Simulation
    heard: list[str]
    """What engines complained about that they should not have met."""

    # Any: what comes of a plot is the world's own affair.
    def plot(self) -> Coroutine[Any, Any, Any]:
        """Have everything happen, until all is at rest."""
        ...

    def wrong(self) -> Iterable[str]:
        """Say which rules were broken."""
        ...

    def seen(self) -> Counter[str]:
        """Return what was met."""
        ...


def play_world(world: World, *, tells: bool = False) -> Played:
    """Play a world, and return what was wrong in it, and what was met."""
    simulation = world.simulation
    with listening(world.heard):
        try:
            simulation.run(world.plot())
            wrong = tuple(dict.fromkeys(world.wrong()))
        except Stalled as error:
            wrong = (str(error),)
    return Played(wrong, world.seen(), simulation.trace, tuple(simulation.story) if tells else ())


def met(simulation: Simulation) -> Counter[str]:
    """Return what became of the calls of a world's processes, and how often."""
    calls = simulation.reached.items()
    return Counter({f"{operation}: {fate}": count for (operation, fate), count in calls})


async def come_to_rest(
    simulation: Simulation,
    is_at_rest: Callable[[], bool],
    *,
    seconds_max: int,
    every_seconds: int = 10,
) -> bool:
    """Wait until all is at rest; False where it is not by then."""
    for _ in range(seconds_max // every_seconds):
        await simulation.pause(every_seconds * SECOND)
        if is_at_rest():
            return True
    return False


def are_still(store: MemoryStore) -> bool:
    """Say whether every run has ended, or is parked, and nothing is on its way to one."""
    return not store.outgoing and all(
        (record.ended_at is not None or record.status == "parked") and not record.inbox
        for record in store.records.values()
    )


def parked(store: MemoryStore) -> list[Record]:
    """Return the runs that are parked."""
    return [record for record in store.records.values() if record.status == "parked"]


def unrest(store: MemoryStore, *, is_at_rest: bool) -> str | None:
    """Say where a world's runs stand that have not all ended, if so."""
    if is_at_rest and not parked(store):
        return None
    ends = [(record.status, record.reason) for record in store.records.values()]
    return f"it did not come to rest: {ends}"


# Any: what somebody's doing comes to is of no account.
def complaints(doings: Iterable[asyncio.Task[Any]], who: str) -> Iterator[str]:
    """Say what those were told who acted from outside, where that was an error."""
    for doing in doings:
        if doing.done() and (error := doing.exception()) is not None:
            yield f"{who} was told {error!r}"
