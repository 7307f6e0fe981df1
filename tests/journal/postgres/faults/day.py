"""An engine at work while something befalls its server, and what must be so in the end."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine
from makegood.errors import StoreBusy, StoreFull
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.faults.shop import Shop, serve
from tests.journal.postgres.faults.watched import Moment, WatchedDriver
from tests.journal.postgres.served import eventually
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from makegood.journal.postgres.place import Place

__all__ = ["Day", "day_at"]

CUSTOMERS = 8
SECONDS_MAX = 110
POLL = timedelta(seconds=0.1)


@dataclass
class Failures:
    """How many calls to the server have failed."""

    failed: int = 0

    def note(self, moment: Moment, _sent: str) -> None:
        self.failed += moment is Moment.FAILED


@dataclass
class Day:
    """Customers who start one run after the other, and wait for each to end."""

    engine: Engine
    outside: Outside
    calls: Failures
    ended: list[str] = field(default_factory=list)
    """The trips whose run has completed."""
    _is_over: bool = False

    async def gets_on(self, runs: int = 2 * CUSTOMERS) -> None:
        """Wait until so many more runs have completed."""
        goal = len(self.ended) + runs

        async def has_got_on() -> bool:
            assert self.engine._shell.failure is None
            return len(self.ended) >= goal

        await eventually(has_got_on)

    async def feels_it(self, failures: int = 20) -> None:
        """Wait until so many more calls to the server have failed."""
        goal = self.calls.failed + failures

        async def has_felt_it() -> bool:
            return self.calls.failed >= goal

        await eventually(has_felt_it)

    async def shop(self, trips: itertools.count[int]) -> None:
        while not self._is_over:
            trip = f"trip {next(trips)}"
            await eventually(lambda trip=trip: self._is_served(trip))
            self.ended.append(trip)

    async def _is_served(self, trip: str) -> bool:
        try:
            run = await self.engine.start(serve(trip), key=trip)
        except (StoreBusy, StoreFull):
            # As any caller with a key does, whatever became of the first attempt.
            return False
        assert await run.result() == "sell done"
        return True

    def close(self) -> None:
        self._is_over = True


@asynccontextmanager
async def day_at(place: Place) -> AsyncGenerator[Day]:
    """Have an engine work inside the `with` block; afterwards everything has happened once."""
    outside = Outside()
    failures = Failures()
    engine = Engine(
        PostgresJournal(place, driver=WatchedDriver(failures.note)),
        services={Outside: outside},
        extensions=[Shop()],
        config=Config(shutdown_grace=timedelta(0), poll_max=POLL),
    )
    day = Day(engine, outside, failures)
    trips = itertools.count()
    async with engine, asyncio.timeout(SECONDS_MAX):
        engine.serve(serve)
        async with asyncio.TaskGroup() as customers:
            for _ in range(CUSTOMERS):
                customers.create_task(day.shop(trips))
            await day.gets_on()
            yield day
            await day.gets_on()
            day.close()
        await _require_once(day)


async def _require_once(day: Day) -> None:
    assert len(set(day.ended)) == len(day.ended)
    for made in ("SELECT trip FROM taken", "SELECT trip FROM sold"):
        rows = await day.engine.read(made)
        assert sorted(str(trip) for (trip,) in rows) == sorted(day.ended)
    assert await day.engine.read("SELECT trip FROM returned") == []
    assert list(day.outside.effects.values()) == ["sell"] * len(day.ended)
