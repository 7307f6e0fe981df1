"""One seed, one world of emitting: runs whose steps, undos and handlers say what was done.

First there are faults, then none, and everything must come to rest. Two start the same trip, some
are cancelled, things are declined, clocks are wrong, and workers die.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from makegood import Config, Engine, KeyConflict, NotUndoable, PastPivot
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import Host, Line, SimulatedJournal, Simulation
from tests.simulation.ablation import NOTHING
from tests.simulation.emitting.judging import Witness, judged, situations
from tests.simulation.emitting.shop import LISTENER, TABLES, File, Haste, files, trips
from tests.simulation.kinds.books import Books, Clerk, Telephone
from tests.simulation.kinds.doors import Doors
from tests.simulation.kinds.people import try_parked_again
from tests.simulation.kinds.weather import ASKED, FATES, SECOND, Weather
from tests.simulation.kinds.worlds import (
    are_still,
    come_to_rest,
    complaints,
    met,
    play_world,
    unrest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from makegood import Call
    from makegood.values.ids import RunId
    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played

__all__ = ["play"]

FAULTY_SECONDS = 45
QUIET_SECONDS_MAX = 900
SKEW_MAX = 8 * SECOND
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=4),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
    message_source="shop",
)
FATES_OF_EMITTING = {**FATES, "publish": ASKED, "take": ASKED, "finish": ASKED, "subscribe": ASKED}


class World:
    """One to three workers, a process that only asks, and customers outside of all of them."""

    def __init__(self, seed: int, ablation: Ablation) -> None:
        self.simulation = simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(
            simulation.chance("weather"), (0.0, 0.03, 0.08, 0.15), fates=FATES_OF_EMITTING
        )
        self.chance = chance = simulation.chance("plot")
        self.trips = [f"trip-{number}" for number in range(chance.randint(2, 5))]
        self.declined = frozenset(
            f"{trip}/{chance.choice(('book', 'insure', 'depart', 'depart'))}"
            for trip in self.trips
            if chance.random() < 0.35
        )
        self.books = Books(self.declined, lambda: simulation.loop.micros)
        self.is_clock_wrong = chance.random() < 0.3
        self.workers = [
            self._host(f"w{number}", works=True) for number in range(chance.randint(1, 3))
        ]
        self.client = self._host("client", works=False)
        self.doors = Doors(simulation, simulation.chance("doors"), [*self.workers, self.client])
        self.witness = Witness(simulation.store)
        simulation.watch = self.witness.look
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.parked_wrong: list[str] = []
        self.reached: Counter[str] = Counter()
        self.customers: list[asyncio.Task[None]] = []

    # The processes ------------------------------------------------------------------------------

    def _host(self, name: str, *, works: bool) -> Host:
        chance = self.chance
        skew = SKEW_MAX if works and self.is_clock_wrong else 0
        host = Host(
            self.simulation,
            name,
            self.simulation.clock(offset=chance.randint(-skew, skew)),
            make=lambda host: self._make(host, works=works),
            serve=self._serve if works else lambda _engine: None,
        )
        host.down_micros = 3 * SECOND
        host.pause_micros = chance.choice((3, 15)) * SECOND
        return host

    def _make(self, host: Host, *, works: bool) -> Engine:
        simulation = self.simulation
        store = self.ablation.store(MemoryJournal(simulation.store), simulation.store)
        journal = SimulatedJournal(store, simulation, host, self.weather)
        return Engine(
            self.ablation.journal(journal, host),
            services={Clerk: Telephone(Line(simulation, host, self.weather), self.books)},
            extensions=[TABLES],
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            work=works,
        )

    def _serve(self, engine: Engine) -> None:
        engine.serve(trips, files, LISTENER)

    # The customers ------------------------------------------------------------------------------

    def _deeds(self, trip: str) -> Iterator[asyncio.Task[None]]:
        """Begin everything that is done about a trip from outside, each at its own time."""
        loop, chance = self.simulation.loop, self.simulation.chance(trip)
        booking = trips(trip, chance.choice([*Haste]))
        begins = chance.random() * 20
        for _ in range(chance.choice((1, 2))):
            cancels = chance.random() * 15 if chance.random() < 0.25 else None
            yield loop.create_task(self._start(begins, booking, trip, cancels))
        if chance.random() < 0.6:
            cancels = 3 + chance.random() * 20 if chance.random() < 0.4 else None
            yield loop.create_task(self._start(begins, files(File(trip)), None, cancels))

    # Any: what the workflow returns.
    async def _start(
        self, at: float, call: Call[Any], key: str | None, cancel_after: float | None
    ) -> None:
        await asyncio.sleep(at)

        async def begin(engine: Engine) -> RunId | None:
            try:
                return (await engine.start(call, key=key)).id
            except KeyConflict:
                return None

        run = await self.doors.insist(begin)
        if run is None or cancel_after is None:
            return
        await asyncio.sleep(cancel_after)

        async def cancel(engine: Engine) -> None:
            try:
                await engine.run(run).cancel(actor="ann", reason="not needed")
            except (NotUndoable, PastPivot):
                self.reached["a cancel came too late"] += 1

        await self.doors.insist(cancel)

    # The plot -----------------------------------------------------------------------------------

    async def plot(self) -> None:
        for host in (*self.workers, self.client):
            host.boot()
        while not self.simulation.store.office.wanted:
            # What is said to nobody is not kept for who comes later.
            await self.simulation.pause(SECOND)
        self.customers = [deed for trip in self.trips for deed in self._deeds(trip)]
        is_eventful = self.chance.random() < 0.6
        while self.simulation.loop.micros < FAULTY_SECONDS * SECOND:
            await self.simulation.pause(int(self.chance.random() * 12 * SECOND) + 1)
            if is_eventful:
                self._happen(self.chance)
        self.weather.is_calm = True
        for host in self.workers:
            host.clock.set_right()
        await self._come_to_rest()
        self.parked_wrong += await try_parked_again(
            self.simulation, self.client, self.reached, come_to_rest=self._come_to_rest
        )

    def _happen(self, chance: Random) -> None:
        host = chance.choice(self.workers)
        what = chance.choice(
            ("kill", "pause", "clock") if self.is_clock_wrong else ("kill", "pause")
        )
        self.reached[f"at any time: {what}"] += 1
        match what:
            case "kill":
                host.kill()
            case "pause":
                host.pause()
            case _:
                host.clock.put(chance.randint(-SKEW_MAX, SKEW_MAX))

    async def _come_to_rest(self) -> None:
        await come_to_rest(self.simulation, self._is_at_rest, seconds_max=QUIET_SECONDS_MAX)

    def _is_at_rest(self) -> bool:
        store = self.simulation.store
        have_acted = all(customer.done() for customer in self.customers)
        are_awaited = any(stored.is_waited_for for stored in store.office.messages.values())
        return have_acted and are_still(store) and not are_awaited

    # The end ------------------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        store = self.simulation.store
        yield from (*self.heard, *self.simulation.errors)
        yield from (*self.books.wrong, *self.parked_wrong, *self.witness.wrong)
        yield from complaints(self.customers, "a customer")
        if told := unrest(store, is_at_rest=self._is_at_rest()):
            yield told
            return
        yield from judged(store, self.books)

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.reached + self.books.seen + met(self.simulation)
        reached.update(situations(self.simulation.store))
        return reached


def play(seed: int, ablation: Ablation = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation), tells=tells)
