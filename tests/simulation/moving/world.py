"""One seed, one world of moving: a workflow that is deployed anew, and retries from a step.

One worker stays with the first edition, so that whatever does not fit a later one has somebody. The
others go on to what is deployed, one after the other, as they are restarted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, ControlRefused, Engine, NotUndoable, Operator, PastPivot
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import Host, Line, SimulatedJournal, Simulation
from tests.simulation.ablation import NOTHING
from tests.simulation.flow.parking import Roll, Watched
from tests.simulation.kinds.books import Books, Clerk, Telephone
from tests.simulation.kinds.doors import Doors
from tests.simulation.kinds.people import try_parked_again
from tests.simulation.kinds.weather import SECOND, Weather
from tests.simulation.kinds.worlds import come_to_rest, complaints, met, play_world, unrest
from tests.simulation.moving.judging import judged, situations
from tests.simulation.moving.shop import EDITIONS, Order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from makegood.journal.memory_store import Record
    from makegood.values.ids import RunId
    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played

__all__ = ["play"]

FAULTY_SECONDS = 60
QUIET_SECONDS_MAX = 600
PATIENCE = timedelta(seconds=20)
"""How long a person waits for an answer."""
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=2),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
    release_after=timedelta(seconds=3),
)


class World:
    """Two or three workers, a process that only asks, and people outside of all of them."""

    def __init__(self, seed: int, ablation: Ablation) -> None:
        self.simulation = simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(simulation.chance("weather"), (0.0, 0.03, 0.08, 0.15))
        self.chance = chance = simulation.chance("plot")
        self.orders = [f"order-{number}" for number in range(chance.randint(2, 5))]
        self.declined = frozenset(
            f"{order}/{chance.choice(('charge', 'insure', 'ship'))}"
            for order in self.orders
            if chance.random() < 0.15
        )
        self.books = Books(self.declined, lambda: simulation.loop.micros, may_return=True)
        self.release = 0
        self.workers = [self._host(f"w{number}") for number in range(chance.randint(2, 3))]
        self.client = self._host("client", works=False)
        # Whoever knows a later edition starts no run of it while an earlier one is to be started.
        self.doors = Doors(simulation, simulation.chance("doors"), [*self.workers, self.client])
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.roll = Roll()
        self.parked_wrong: list[str] = []
        self.turned: set[str] = set()
        """The orders that somebody wanted to be cancelled."""
        self.reached: Counter[str] = Counter()
        self.people: list[asyncio.Task[None]] = []

    # The processes ------------------------------------------------------------------------------

    def _host(self, name: str, *, works: bool = True) -> Host:
        def serve(engine: Engine) -> None:
            if works:
                engine.serve(EDITIONS[0 if name == "w0" else self.release])

        host = Host(
            self.simulation,
            name,
            self.simulation.clock(),
            make=lambda host: self._make(host, works=works),
            serve=serve,
        )
        host.down_micros = 3 * SECOND
        host.pause_micros = self.chance.choice((3, 15)) * SECOND
        return host

    def _make(self, host: Host, *, works: bool) -> Engine:
        simulation = self.simulation
        store = self.ablation.store(MemoryJournal(simulation.store), simulation.store)
        store = Watched(store, simulation.store, host, self.roll)
        journal = SimulatedJournal(store, simulation, host, self.weather)
        return Engine(
            self.ablation.journal(journal, host),
            services={Clerk: Telephone(Line(simulation, host, self.weather), self.books)},
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            decide=self.ablation.decide,
            work=works,
        )

    # The people ---------------------------------------------------------------------------------

    async def _live(self, order: str) -> None:
        """Order something; perhaps have it retried from a step, or cancel it."""
        chance = self.simulation.chance(order)
        await asyncio.sleep(chance.random() * 30)
        call = EDITIONS[0](Order(order))

        async def start(engine: Engine) -> RunId:
            return (await engine.start(call, key=order)).id

        run = await self.doors.insist(start)
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            await asyncio.sleep(chance.random() * 15)
            node = chance.choice(("reserve", "charge", "ship", "ship"))

            async def retry(engine: Engine, node: str = node) -> None:
                try:
                    await Operator(engine).retry_from(
                        run, node, actor="bob", reason="another time", wait=PATIENCE
                    )
                except ControlRefused as refused:
                    self.reached[f"not retried: {refused.answer}"] += 1

            await self.doors.insist(retry)
        if chance.random() < 0.15:
            self.turned.add(order)

            async def cancel(engine: Engine) -> None:
                try:
                    await engine.run(run).cancel(actor="ann", reason="not needed")
                except (NotUndoable, PastPivot):
                    self.reached["a cancel came too late"] += 1

            await self.doors.insist(cancel)

    # The plot -----------------------------------------------------------------------------------

    async def plot(self) -> None:
        loop = self.simulation.loop
        for host in (*self.workers, self.client):
            host.boot()
        self.people = [loop.create_task(self._live(order)) for order in self.orders]
        is_eventful = self.chance.random() < 0.6
        while loop.micros < FAULTY_SECONDS * SECOND:
            await self.simulation.pause(int(self.chance.random() * 10 * SECOND) + 1)
            self._happen(self.chance, is_eventful=is_eventful)
        self.weather.is_calm = True
        await self._come_to_rest()
        self.parked_wrong += await try_parked_again(
            self.simulation, self.client, self.reached, come_to_rest=self._come_to_rest
        )

    def _happen(self, chance: Random, *, is_eventful: bool) -> None:
        host = chance.choice(self.workers)
        what = chance.choice(("deploy", "stop", "kill", "pause"))
        if what in {"kill", "pause"} and not is_eventful:
            return
        self.reached[f"at any time: {what}"] += 1
        match what:
            case "deploy":
                # Each worker is of the next edition from its next restart on.
                self.release = min(self.release + 1, len(EDITIONS) - 1)
                host.stop()
            case "stop":
                host.stop()
            case "kill":
                host.kill()
            case _:
                host.pause()

    async def _come_to_rest(self) -> None:
        await come_to_rest(self.simulation, self._is_at_rest, seconds_max=QUIET_SECONDS_MAX)

    def _is_at_rest(self) -> bool:
        are_done = all(person.done() for person in self.people)
        return are_done and all(map(self._is_still, self.simulation.store.records.values()))

    def _is_still(self, record: Record) -> bool:
        """Say whether a run has ended, or is parked, and has answered what anybody may answer."""
        if record.ended_at is None and record.status != "parked":
            return False
        served = {EDITIONS[number].plan.fingerprint for number in (0, self.release)}
        return not record.inbox or record.new.fingerprint not in served

    # The end ------------------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        store = self.simulation.store
        yield from (*self.heard, *self.simulation.errors)
        yield from (*self.books.wrong, *self.roll.wrong, *self.parked_wrong)
        yield from complaints(self.people, "a person")
        if told := unrest(store, is_at_rest=self._is_at_rest()):
            yield told
            return
        yield from judged(store, self.books, turned=self.turned)

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.reached + self.books.seen + met(self.simulation)
        reached.update(situations(self.simulation.store))
        return reached


def play(seed: int, ablation: Ablation = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation), tells=tells)
