"""One store, the engines on it, one clock: what most of the runtime's tests stand in."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from makegood import Config, Engine
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.testing import TurnableClock, finish
from tests.runtime.outside import Outside
from tests.runtime.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from makegood import Workflow
    from makegood.journal.protocol import Journal

__all__ = ["World", "turn_of_the_loop", "until"]

R = TypeVar("R")

LOOPS_MAX = 10_000
"""How many turns of the event loop a condition may take to come true."""

AT_ONCE = timedelta(0)
"""Engines of tests give a body no real time to end by itself, unless a test says otherwise."""


async def turn_of_the_loop() -> None:
    """Let everything that is ready run once."""
    loop = asyncio.get_running_loop()
    turned: asyncio.Future[None] = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until something holds."""
    for _ in range(LOOPS_MAX):
        if condition():
            return
        await turn_of_the_loop()
    message = "it does not come true, however often the event loop turns"
    raise AssertionError(message)


class World:
    """One store, one clock, one outside. Engines opened here are closed when it is left."""

    def __init__(self, folder: Path | None = None) -> None:
        self.clock = TurnableClock()
        self.outside = Outside()
        self._store = MemoryStore()
        self._folder = folder
        self._engines = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._engines.aclose()

    def journal(self) -> Journal:
        """Return one more worker's view of the store."""
        if self._folder is None:
            return MemoryJournal(self._store)
        return SqliteJournal(self._folder / "trips.journal")

    # Any: the options of an engine, each with its own type.
    def make(self, journal: Journal | None = None, **options: Any) -> Engine:
        """Return an engine on the store that is not open yet."""
        options.setdefault("services", {Outside: self.outside})
        options.setdefault("clock", self.clock)
        options.setdefault("config", Config(shutdown_grace=AT_ONCE))
        return Engine(journal or self.journal(), **options)

    async def engine(
        self, *served: Workflow[..., Any], journal: Journal | None = None, **options: Any
    ) -> Engine:
        """Return an engine that is open and serves these workflows."""
        engine = await self._engines.enter_async_context(self.make(journal, **options))
        engine.serve(*served)
        return engine

    async def watched(self, *served: Workflow[..., Any], **options: Any) -> tuple[Engine, Watched]:
        """Return an engine that is open, and the journal in its hands, which can be scripted."""
        journal = Watched(self.journal())
        return await self.engine(*served, journal=journal, **options), journal

    async def close(self, engine: Engine) -> None:
        """Close an engine now, in good order."""
        await engine.__aexit__(None, None, None)

    async def kill(self, engine: Engine) -> None:
        """End an engine as a dying process does: nothing more is written and nothing given back."""
        shell = engine._shell
        lookouts = engine._lookouts
        for part in (engine._worker, engine._relay, *lookouts):
            errand = part._errand
            if errand._task is not None:
                errand._task.cancel()
                await asyncio.wait([errand._task])
                errand._task = None
        for turn in list(shell.active.values()):
            turn.abandon()
        for lane in list(shell.lanes.values()):
            lane.abandon()
        await shell.journal.close()

    async def finish(self, engine: Engine, awaited: Coroutine[Any, Any, R]) -> R:
        """Await something of an engine; time passes as fast as the engine comes to rest."""
        return await finish(engine, self.clock, awaited)
