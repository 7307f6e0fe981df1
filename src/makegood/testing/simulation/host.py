"""One process of a simulated world: an engine that can be killed, paused and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.testing.simulation.loop import Lane

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from makegood.runtime.engine import Engine
    from makegood.testing.simulation.clock import HostClock
    from makegood.testing.simulation.simulation import Simulation

__all__ = ["Host"]


class Host:
    """A machine that runs one process at a time.

    `make` returns the engine of a new process; it is called anew at every boot, so a boot may
    bring other code. `serve` is called once that engine is open.
    """

    def __init__(
        self,
        simulation: Simulation,
        name: str,
        clock: HostClock,
        *,
        make: Callable[[Host], Engine],
        serve: Callable[[Engine], None],
    ) -> None:
        self.name = name
        self.clock = clock
        self.boots = 0
        self.pauses = 0
        """How often a process here stood still."""
        self.lane = Lane(name)
        self.engine: Engine | None = None
        """The engine of the process that runs now, once it is open."""
        self.pause_micros: int = 15_000_000
        """How long a pause lasts."""
        self.down_micros: int = 1_000_000
        """How long it takes until a new process runs; 0: nobody starts one."""
        self._simulation = simulation
        self._make = make
        self._serve = serve
        self._stop: asyncio.Future[None] | None = None
        simulation.hosts.append(self)

    def __repr__(self) -> str:
        return f"<Host {self.name}, boot {self.boots}, {self.lane!r}>"

    @property
    def is_up(self) -> bool:
        """Whether a process runs here that is not paused."""
        return self.engine is not None and not (self.lane.is_dead or self.lane.is_paused)

    def boot(self) -> None:
        """Start a process."""
        self.boots += 1
        self.lane = Lane(f"{self.name}.{self.boots}")
        self._simulation.lanes.append(self.lane)
        loop = self._simulation.loop
        self._stop = loop.create_future()
        loop.create_task(self._live(self._stop), context=self.lane.context())
        self._simulation.tell(self.name, "boots")

    def kill(self) -> None:
        """End the process between two steps, as SIGKILL does."""
        if self.lane.is_dead:
            return
        self._simulation.tell(self.name, "is killed")
        self.lane.die()
        self._simulation.loop.halt(self.lane)
        self.engine = None
        if self.down_micros:
            loop = self._simulation.loop
            loop.after(self.down_micros, self.boot, lane=loop.outside)

    def pause(self) -> None:
        """Let the process stand still for a while, as SIGSTOP or a long collection does."""
        lane = self.lane
        if lane.is_dead or lane.is_paused:
            return
        self._simulation.tell(self.name, "stands still")
        self.pauses += 1
        lane.is_paused = lane.has_stood_still = True
        loop = self._simulation.loop
        loop.halt(lane)
        loop.after(self.pause_micros, self._go_on, lane, lane=loop.outside)

    def end_soon(self) -> None:
        """Have whoever watches over the process end it, which cannot go on by itself."""
        lane, loop = self.lane, self._simulation.loop
        loop.after(100_000, lambda: self.kill() if lane is self.lane else None, lane=loop.outside)

    def stop(self) -> None:
        """End the process in good order, as SIGTERM does; another one follows, as after a kill."""
        stop = self._stop
        if stop is not None and not stop.done() and not self.lane.is_dead:
            self._simulation.tell(self.name, "is told to stop")
            stop.set_result(None)

    def _go_on(self, lane: Lane) -> None:
        if not lane.is_dead:
            self._simulation.tell(self.name, "goes on")
            lane.is_paused = False
            self._simulation.loop.go_on(lane)

    async def _live(self, stop: asyncio.Future[None]) -> None:
        engine = self._make(self)
        async with engine:
            self._serve(engine)
            self.engine = engine
            await stop
            self.engine = None
        self.kill()
