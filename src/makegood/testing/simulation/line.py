"""How a process asks another service for something, over a wire."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from makegood.errors import OutcomeUnknown, Unavailable
from makegood.testing.simulation.fates import Call
from makegood.testing.simulation.wire import Troubles, Wire, giving

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.testing.simulation.fates import Fates
    from makegood.testing.simulation.host import Host
    from makegood.testing.simulation.simulation import Simulation

__all__ = ["Line"]

T = TypeVar("T")

_TROUBLES = Troubles(
    refused=lambda: Unavailable("the service is not there; nothing was done"),
    full=lambda: Unavailable("the service has too much to do; nothing was done"),
    unknown=lambda: OutcomeUnknown("the connection was cut before an answer came"),
)


class Line:
    """A process's line to another service; give each boot's services a line of that host."""

    def __init__(self, simulation: Simulation, host: Host, fates: Fates) -> None:
        self._simulation = simulation
        self._host = host
        self._fates = fates

    async def ask(self, subject: str, work: Callable[[], T]) -> T:
        """Have `work` done by the service, and return or raise what it answers.

        Raises `Unavailable` when the request was refused before anything was done, and
        `OutcomeUnknown` when the connection was cut. An answer that never comes is waited for
        until whoever asks is cancelled.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        wire: Wire[T] = Wire(self._simulation, self._host, self._fates, _TROUBLES)
        call = Call(host=self._host.name, operation="request", subject=subject)
        wire.carry(call, work, giving(answer))
        return await answer
