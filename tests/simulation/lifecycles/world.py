"""One seed, one world of lifecycles: orders that messages, times and people move on, and faults.

First there are faults, then none, and everything must come to rest. Messages come too early, too
late and twice, clocks are wrong, two start the same order, and when one has ended another may have
its number.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine, KeyConflict, NotUndoable, PastPivot
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import START, Host, Line, SimulatedJournal, Simulation
from makegood.values.instants import Instant, as_datetime
from tests.simulation.ablation import NOTHING
from tests.simulation.flow.parking import Roll, Watched
from tests.simulation.kinds.books import Books, Clerk, Telephone
from tests.simulation.kinds.doors import Doors
from tests.simulation.kinds.people import try_parked_again
from tests.simulation.kinds.weather import SECOND, Weather
from tests.simulation.kinds.worlds import (
    are_still,
    come_to_rest,
    complaints,
    met,
    play_world,
    unrest,
)
from tests.simulation.lifecycles.judging import Alone, judged, situations
from tests.simulation.lifecycles.rules import Changed, Order, Paid, Withdrawn
from tests.simulation.lifecycles.shop import LIFECYCLES, pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from makegood.values.ids import RunId
    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played

__all__ = ["play"]

FAULTY_SECONDS = 60
QUIET_SECONDS_MAX = 900
SKEW_MAX = 8 * SECOND
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=4),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
)
DECLINABLE = ("price", "settle", "packed", "box-0", "label-0", "box-1")


class World:
    """One to three workers, a process that only asks, and customers outside of all of them."""

    def __init__(self, seed: int, ablation: Ablation) -> None:
        self.simulation = simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(simulation.chance("weather"), (0.0, 0.03, 0.08, 0.15, 0.3))
        self.chance = chance = simulation.chance("plot")
        self.numbers = [f"order-{number}" for number in range(chance.randint(1, 3))]
        self.lifecycles = {number: chance.choice([*LIFECYCLES]) for number in self.numbers}
        self.declined = frozenset(
            f"{number}/{chance.choice(DECLINABLE)}"
            for number in self.numbers
            # What a claim is declined is declined for ever, and it would wait as long.
            if self.lifecycles[number] == "order"
            for _ in range(chance.choice((0, 0, 1, 2)))
        )
        closed = {
            f"{number}/{chance.choice(DECLINABLE)}": chance.randint(20, 50) * SECOND
            for number in self.numbers
            if self.lifecycles[number] == "claim" and chance.random() < 0.6
        }
        self.books = Books(self.declined, lambda: simulation.loop.micros, closed=closed)
        self.is_clock_wrong = chance.random() < 0.4
        self.workers = [
            self._host(f"w{number}", works=True) for number in range(chance.randint(1, 3))
        ]
        self.client = self._host("client", works=False)
        self.doors = Doors(simulation, simulation.chance("doors"), [*self.workers, self.client])
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.roll = Roll()
        self.wrong_keys: list[str] = []
        self.parked_wrong: list[str] = []
        self.told_wrong: list[str] = []
        self.turned: set[str] = set()
        """The runs that somebody wanted to be cancelled."""
        self.sent: set[str] = set()
        """The messages that were acknowledged."""
        self.reached: Counter[str] = Counter()
        self.customers: list[asyncio.Task[None]] = []

    # The processes ------------------------------------------------------------------------------

    def _host(self, name: str, *, works: bool) -> Host:
        chance = self.chance
        skew = SKEW_MAX if works and self.is_clock_wrong else 0
        clock = self.simulation.clock(
            offset=chance.randint(-skew, skew),
            parts_per_million=chance.choice((0, 20_000)) if skew else 0,
        )
        host = Host(
            self.simulation,
            name,
            clock,
            make=lambda host: self._make(host, works=works),
            serve=self._serve if works else lambda _engine: None,
        )
        host.down_micros = 3 * SECOND
        host.pause_micros = chance.choice((3, 15)) * SECOND
        return host

    def _make(self, host: Host, *, works: bool) -> Engine:
        simulation = self.simulation
        store = self.ablation.store(MemoryJournal(simulation.store), simulation.store)
        store = Alone(store, simulation.store, self.wrong_keys)
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

    def _serve(self, engine: Engine) -> None:
        engine.serve(pack, *LIFECYCLES.values())

    # The customers ------------------------------------------------------------------------------

    def _deeds(self, number: str) -> Iterator[asyncio.Task[None]]:
        """Begin everything that is done about an order from outside, each at its own time."""
        loop, chance = self.simulation.loop, self.simulation.chance(number)
        begins = chance.random() * 6
        total = chance.choice((5, 8))
        until = Instant(START + chance.randint(20, 90) * SECOND) if chance.random() < 0.3 else None
        order = Order(number, total, None if until is None else as_datetime(until))
        for _ in range(chance.choice((1, 2))):
            cancels = 10 + chance.random() * 40 if chance.random() < 0.15 else None
            yield loop.create_task(self._start(begins, order, cancels))
        if chance.random() < 0.6:
            # Another order under the same number, once that one is over, or a moment too early.
            later = begins + chance.choice((5, 60, 100, 140))
            again = Order(number, total + 1)
            yield loop.create_task(self._start(later, again, None))
            yield loop.create_task(self._start(later, again, None))
        messages: list[object] = [
            Paid(f"paid-{each}", chance.choice((3, 8))) for each in range(chance.randint(1, 5))
        ]
        if chance.random() < 0.4:
            messages.append(Changed("changed", 2))
        if chance.random() < 0.15:
            messages.append(Withdrawn("withdrawn"))
        for message in messages:
            at = max(0.0, begins + chance.choice((-5, 15, 40)) + chance.random() * 30)
            for _ in range(chance.choice((1, 1, 2))):
                yield loop.create_task(self._send(at, number, message))

    async def _start(self, at: float, order: Order, cancel_after: float | None) -> None:
        await asyncio.sleep(at)
        workflow = LIFECYCLES[self.lifecycles[order.id]]

        async def begin(engine: Engine) -> RunId | None:
            try:
                return (await engine.start(workflow(order))).id
            except KeyConflict:
                self.reached["a number that another order has"] += 1
                return None

        run = await self.doors.insist(begin)
        if run is None or cancel_after is None:
            return
        await asyncio.sleep(cancel_after)
        self.turned.add(run)

        async def cancel(engine: Engine) -> None:
            try:
                await engine.run(run).cancel(actor="ann", reason="not needed")
            except (NotUndoable, PastPivot):
                self.reached["a cancel came too late"] += 1

        await self.doors.insist(cancel)

    async def _send(self, at: float, number: str, message: Paid | Changed | Withdrawn) -> None:
        await asyncio.sleep(at)
        letter = f"{number} {message.event}"

        async def send(engine: Engine) -> None:
            await engine.send(message, key=number, id=letter)

        await self.doors.insist(send)
        self.sent.add(letter)

    # The plot -----------------------------------------------------------------------------------

    async def plot(self) -> None:
        for host in (*self.workers, self.client):
            host.boot()
        self.customers = [deed for number in self.numbers for deed in self._deeds(number)]
        is_eventful = self.chance.random() < 0.5
        while self.simulation.loop.micros < FAULTY_SECONDS * SECOND:
            await self.simulation.pause(int(self.chance.random() * 12 * SECOND) + 1)
            if is_eventful:
                self._happen(self.chance)
        self.weather.is_calm = True
        for host in self.workers:
            host.clock.set_right()
        await self._come_to_rest()
        self.parked_wrong += await try_parked_again(
            self.simulation,
            self.client,
            self.reached,
            come_to_rest=self._come_to_rest,
            doubts_of="claim",
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
        have_acted = all(customer.done() for customer in self.customers)
        return have_acted and are_still(self.simulation.store)

    # The end ------------------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        store = self.simulation.store
        yield from (*self.heard, *self.simulation.errors)
        yield from (*self.books.wrong, *self.wrong_keys, *self.parked_wrong)
        if not self.is_clock_wrong:
            # A clock that is ahead takes runs from those that live.
            yield from self.roll.wrong
        yield from complaints(self.customers, "a customer")
        if told := unrest(store, is_at_rest=self._is_at_rest()):
            yield told
            return
        yield from judged(store, self.books, turned=self.turned, sent=self.sent)

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.reached + self.books.seen + met(self.simulation)
        reached.update(situations(self.simulation.store))
        return reached


def play(seed: int, ablation: Ablation = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation), tells=tells)
