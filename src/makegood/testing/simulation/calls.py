"""The calls of a process to its store: each takes time, and fares as the fates say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from makegood.errors import StoreBusy, StoreFailed, StoreFull
from makegood.testing.simulation.fates import Call
from makegood.testing.simulation.wire import Troubles, Wire, giving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from makegood.testing.simulation.fates import Fates, Operation
    from makegood.testing.simulation.host import Host
    from makegood.testing.simulation.simulation import Simulation

__all__ = ["Calls"]

T = TypeVar("T")


class Calls:
    """Carries one process's calls, until the outcome of one cannot be known.

    That breaks the way to the store, as a failed commit breaks a real journal: whatever waits or
    comes later gets `StoreFailed`, and only a new process goes on.
    """

    def __init__(self, simulation: Simulation, host: Host, fates: Fates) -> None:
        self._simulation = simulation
        self._host = host
        self._fates = fates
        self.is_broken = False

    # Any: what a coroutine yields, which is nothing here.
    async def ask(
        self, operation: Operation, subject: str, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Ask the store, which answers at once where it is."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.carry(operation, subject, lambda: _at_once(work()), giving(answer))
        return await answer

    def carry(
        self,
        operation: Operation,
        subject: str,
        work: Callable[[], T],
        give: Callable[[T | BaseException], None],
    ) -> None:
        """Have the work done where the store is, and the outcome given in the caller's lane."""
        if self.is_broken:
            self._simulation.loop.after(0, give, _broken(), lane=self._host.lane)
            return
        troubles = Troubles(
            refused=lambda: StoreBusy("the store is busy"),
            full=lambda: StoreFull("there is no room left"),
            unknown=_broken,
            broken=self._break,
        )
        wire: Wire[T] = Wire(self._simulation, self._host, self._fates, troubles)
        wire.carry(Call(host=self._host.name, operation=operation, subject=subject), work, give)

    def _break(self) -> None:
        self.is_broken = True
        self._host.end_soon()


def _broken() -> StoreFailed:
    return StoreFailed("the outcome of a commit cannot be known")


# Any: as above.
def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that awaits nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
    message = "the journal behind a simulated one must answer at once"
    raise AssertionError(message)
