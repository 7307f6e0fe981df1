"""One seed, one world of read models: workers that fold what is published, and faults.

First there are faults, then none, and everything must come to rest. What is published comes twice,
or has to wait for its time; a later edition is deployed while the one before is read; people have
read models built anew, and what is about somebody erased.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine, ModelOperator, Operator
from makegood.errors import InvalidInput
from makegood.journal.beside.models import EditionState
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import Fate, Host, SimulatedJournal, Simulation
from tests.simulation.ablation import NOTHING
from tests.simulation.kinds.doors import Doors
from tests.simulation.kinds.weather import AGAIN, ASKED, FATES, SECOND, Weather
from tests.simulation.kinds.worlds import come_to_rest, complaints, met, play_world
from tests.simulation.models.judging import Witness, judged, situations
from tests.simulation.models.shop import LATEST, LINES, SPENT, Sold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played

__all__ = ["play"]

FAULTY_SECONDS = 40
QUIET_SECONDS_MAX = 1_200
"""So long that an edition which nobody serves any more has gone."""
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=4),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
    message_source="shop",
)
FATES_OF_MODELS = {
    **FATES,
    "begin": ASKED,
    "fill": (*ASKED, *AGAIN, Fate.FULL),
    "fold": (*ASKED, *AGAIN, Fate.FULL, Fate.PAUSE),
    "give_back": ASKED,
    "promote": ASKED,
    "publish": ASKED,
    "take": ASKED,
}
CUSTOMERS = ("anna", "bert", "cleo")


class World:
    """One to three workers, a process that only asks, and people outside of all of them."""

    def __init__(self, seed: int, ablation: Ablation) -> None:
        self.simulation = simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(
            simulation.chance("weather"), (0.0, 0.05, 0.1, 0.2), fates=FATES_OF_MODELS
        )
        self.chance = chance = simulation.chance("plot")
        self.edition = LATEST if chance.random() < 0.3 else (LINES, SPENT)
        """What a process serves that boots now."""
        self.workers = [
            self._host(f"w{number}", works=True) for number in range(chance.randint(1, 3))
        ]
        self.client = self._host("client", works=False)
        self.doors = Doors(simulation, simulation.chance("doors"), [*self.workers, self.client])
        self.witness = Witness(simulation.store)
        simulation.watch = self.witness.look
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.reached: Counter[str] = Counter()
        self.doings: list[asyncio.Task[None]] = []
        self.forgotten: set[str] = set()
        """About whom nothing is to be kept."""
        self.has_come_to_rest = False

    # The processes ------------------------------------------------------------------------------

    def _host(self, name: str, *, works: bool) -> Host:
        host = Host(
            self.simulation,
            name,
            self.simulation.clock(),
            make=lambda host: self._make(host, works=works),
            serve=self._serve if works else lambda _engine: None,
        )
        host.down_micros = 3 * SECOND
        host.pause_micros = self.chance.choice((3, 15)) * SECOND
        return host

    def _make(self, host: Host, *, works: bool) -> Engine:
        simulation = self.simulation
        store = self.ablation.store(MemoryJournal(simulation.store), simulation.store)
        journal = SimulatedJournal(store, simulation, host, self.weather)
        return Engine(
            self.ablation.journal(journal, host),
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            work=works,
        )

    def _serve(self, engine: Engine) -> None:
        engine.serve(*self.edition)

    # The people ---------------------------------------------------------------------------------

    def _sales(self) -> Iterator[asyncio.Task[None]]:
        """Begin to publish everything, some of it twice."""
        loop, chance = self.simulation.loop, self.simulation.chance("sales")
        for order in range(chance.randint(1, 4)):
            for number in range(chance.randint(1, 6)):
                sold = Sold(f"order-{order}", number, chance.choice(CUSTOMERS))
                after = chance.choice((None, None, None, 3, 12))
                at = chance.random() * 30
                for _ in range(chance.choice((1, 1, 2))):
                    yield loop.create_task(self._publish(at, sold, after))

    async def _publish(self, at: float, sold: Sold, after: int | None) -> None:
        await asyncio.sleep(at)
        id = f"{sold.order}-{sold.number}"
        wait = None if after is None else timedelta(seconds=after)
        if wait is not None:
            self.reached["a message that had to wait"] += 1

        async def publish(engine: Engine) -> None:
            await engine.publish(sold, id=id, source="web", subject=sold.customer, after=wait)

        await self.doors.insist(publish)

    async def _forget(self, customer: str) -> None:
        """Have erased what is about somebody; what is still to be received is asked for again."""
        self.forgotten.add(customer)

        async def erase(engine: Engine) -> bool:
            report = await Operator(engine).erase(subject=customer, actor="ann", reason="asked")
            return report.is_complete

        while not await self.doors.insist(erase):
            self.reached["somebody wanted what is still to be received erased"] += 1
            await self.simulation.pause(5 * SECOND)

    async def _rebuild(self, model: str) -> None:
        async def rebuild(engine: Engine) -> None:
            try:
                await ModelOperator(engine).rebuild(model, actor="ann", because="to be sure")
            except InvalidInput:
                self.reached["nothing to rebuild yet"] += 1

        await self.doors.insist(rebuild)

    # The plot -----------------------------------------------------------------------------------

    async def plot(self) -> None:
        for host in (*self.workers, self.client):
            host.boot()
        self.doings += self._sales()
        until = self.simulation.loop.micros + FAULTY_SECONDS * SECOND
        while self.simulation.loop.micros < until:
            await self.simulation.pause(int(self.chance.random() * 8 * SECOND) + 1)
            self._happen(self.chance)
        self.weather.is_calm = True
        self.edition = LATEST
        for host in self.workers:
            host.stop()
        self.has_come_to_rest = await come_to_rest(
            self.simulation, self._is_at_rest, seconds_max=QUIET_SECONDS_MAX
        )

    def _happen(self, chance: Random) -> None:
        host = chance.choice(self.workers)
        what = chance.choice(("kill", "pause", "stop", "deploy", "rebuild", "erase"))
        self.reached[f"at any time: {what}"] += 1
        loop = self.simulation.loop
        match what:
            case "kill":
                host.kill()
            case "pause":
                host.pause()
            case "stop":
                host.stop()
            case "deploy":
                self.edition = LATEST
                host.stop()
            case "rebuild":
                model = chance.choice(("lines", "spent"))
                self.doings.append(loop.create_task(self._rebuild(model)))
            case _:
                customer = chance.choice(CUSTOMERS)
                self.doings.append(loop.create_task(self._forget(customer)))

    def _is_at_rest(self) -> bool:
        office = self.simulation.store.office
        are_built = all(each.state is EditionState.SERVING for each in office.editions.values())
        are_whole = not any(row.is_torn for rows in office.rows.values() for row in rows.values())
        return (
            all(doing.done() for doing in self.doings)
            and all(host.is_up for host in (*self.workers, self.client))
            and len(office.editions) == len(LATEST)
            and are_built
            and are_whole
            and not any(stored.is_waited_for for stored in office.messages.values())
        )

    # The end ------------------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        store = self.simulation.store
        yield from (*self.heard, *self.simulation.errors, *self.witness.wrong)
        yield from complaints(self.doings, "somebody")
        if not self.has_come_to_rest:
            yield f"it did not come to rest: {[*store.office.editions.values()]}"
        yield from judged(store)

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.reached + met(self.simulation)
        reached.update(situations(self.simulation.store))
        return reached


def play(seed: int, ablation: Ablation = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation), tells=tells)
