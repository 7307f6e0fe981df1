"""One seed, one world of the flow: orders with rounds, branches, sleeps and children, and faults.

First there are faults, then none, and everything must come to rest. Steps try again so often that
only what is declined fails; so a model of a few lines says how each order must end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, ControlAnswer, Engine, NotUndoable, Operator
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import (
    KILLS,
    START,
    Fate,
    Host,
    Line,
    SimulatedJournal,
    Simulation,
    Smooth,
)
from tests.simulation.ablation import NOTHING
from tests.simulation.flow.books import Books
from tests.simulation.flow.histories import (
    cancelled_children,
    history_of,
    situations,
    wrong_about_order,
    wrong_about_rounds,
)
from tests.simulation.flow.model import misfit, things_of
from tests.simulation.flow.parking import Roll, Watched, unexplained
from tests.simulation.flow.shop import WORKFLOWS, Clerk, Item, Request, Way, Wish, pack
from tests.simulation.kinds.weather import AGAIN, SECOND, UNKNOWN, Weather
from tests.simulation.kinds.worlds import (
    are_still,
    come_to_rest,
    complaints,
    met,
    parked,
    play_world,
    unrest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.journal.memory_store import Record
    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played

__all__ = ["play"]

FAULTY_SECONDS = 60
QUIET_SECONDS_MAX = 600
RECOVERY_SECONDS = 30
"""How long after the last fault some process may be down, or holds what another is to take up."""
PATIENCE = timedelta(minutes=1)
"""How long a person waits for an answer."""
DEAF_SECONDS_MAX = 12
"""How long a child may go on that is told to go back, where nothing goes wrong."""
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=4),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
)
FATES: dict[str, tuple[Fate, ...]] = {
    "append": (*KILLS, *UNKNOWN, *AGAIN, Fate.REFUSED, Fate.FULL, Fate.PAUSE),
    "deliver": (*KILLS, *UNKNOWN, Fate.REFUSED, Fate.FULL),
    "lease": (*KILLS, *UNKNOWN, Fate.REFUSED),
    "read": (*KILLS, Fate.REFUSED),
    "request": (*KILLS, *UNKNOWN, *UNKNOWN, *AGAIN, Fate.REFUSED, Fate.REFUSED, Fate.PAUSE),
}


class Telephone:
    """How a worker's steps ask the outside."""

    def __init__(self, line: Line, books: Books) -> None:
        self._line = line
        self._books = books

    async def ask(self, request: Request) -> None:
        """Have something done outside."""
        await self._line.ask(request.thing, lambda: self._books.ask(request))


class World:
    """One to three workers, and a client that starts orders, cancels some and undoes some."""

    def __init__(self, seed: int, ablation: Ablation) -> None:
        self.simulation = simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(
            simulation.chance("weather"), (0.0, 0.03, 0.08, 0.12, 0.3, 0.3), fates=FATES
        )
        self.chance = chance = simulation.chance("plot")
        self.wishes = [self._wish(f"order-{number}") for number in range(chance.randint(1, 3))]
        self.workflows = {
            wish.order: chance.choice((*WORKFLOWS, "deliver")) for wish in self.wishes
        }
        self.declined = frozenset(
            # The bill more often, for where failures are kept only that fails the whole.
            chance.choice(
                [
                    *sorted(things_of(self.workflows[wish.order], wish)),
                    *3 * [f"{wish.order}/bill/all"],
                ]
            )
            for wish in self.wishes
            for _ in range(chance.choice((0, 0, 1, 3)))
        )
        self.books = Books(self.declined, lambda: simulation.loop.micros, simulation.store)
        self.workers = [
            self._host(f"w{number}", works=True) for number in range(chance.randint(1, 3))
        ]
        self.client = self._host("client", works=False)
        self.scripts: list[asyncio.Task[None]] = []
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.roll = Roll()
        self.parked_wrong: list[str] = []
        """Which runs were parked for no reason that can be seen, or could not be tried again."""
        self.quiet_from = 0
        """From when on nothing goes wrong, and nothing is to be recovered."""
        self.turned: set[str] = set()
        """The orders that were cancelled or are to be undone."""

    def _wish(self, order: str) -> Wish:
        ways = [self.chance.choice(list(Way)) for _ in range(self.chance.randint(2, 4))]
        return Wish(order, [Item(order, f"i{number}", way) for number, way in enumerate(ways)])

    def _host(self, name: str, *, works: bool) -> Host:
        host = Host(
            self.simulation,
            name,
            self.simulation.clock(),
            make=lambda host: self._make(host, works=works),
            serve=self._serve if works else self._begin,
        )
        host.down_micros = 3 * SECOND
        host.pause_micros = self.chance.choice((3, 15)) * SECOND
        return host

    def _make(self, host: Host, *, works: bool) -> Engine:
        simulation = self.simulation
        store = self.ablation.store(MemoryJournal(simulation.store), simulation.store)
        store = Watched(store, simulation.store, host, self.roll)
        fates = self.weather if works else Smooth(there=300, back=300)
        line = Line(simulation, host, fates)
        return Engine(
            SimulatedJournal(store, simulation, host, fates),
            services={Clerk: Telephone(line, self.books)},
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            decide=self.ablation.decide,
            work=works,
        )

    def _serve(self, engine: Engine) -> None:
        engine.serve(pack, *WORKFLOWS.values())

    def _begin(self, engine: Engine) -> None:
        loop = asyncio.get_running_loop()
        self.scripts = [loop.create_task(self._act(engine, wish)) for wish in self.wishes]

    async def _act(self, engine: Engine, wish: Wish) -> None:
        """Order something, and perhaps want it back: at any time, or when it is there."""
        chance = self.simulation.chance(wish.order)
        await asyncio.sleep(chance.random() * 6)
        run = await engine.start(WORKFLOWS[self.workflows[wish.order]](wish), key=wish.order)
        match chance.choice(("keep", "keep", "keep", "cancel", "undo")):
            case "cancel":
                self.turned.add(wish.order)
                await asyncio.sleep(chance.random() * 25)
                try:
                    await run.cancel(actor="ann", reason="not needed")
                except NotUndoable:
                    self.books.seen["a cancel came to a parked run"] += 1
            case "undo":
                self.turned.add(wish.order)
                await run.outcome()
                try:
                    await run.undo(actor="ann", reason="not wanted")
                except NotUndoable:
                    self.books.seen["there was nothing to undo"] += 1
            case _:
                pass

    async def plot(self) -> None:
        for host in (*self.workers, self.client):
            host.boot()
        until = FAULTY_SECONDS * SECOND
        is_eventful = self.chance.random() < 0.5
        while self.simulation.loop.micros < until:
            await self.simulation.pause(int(self.chance.random() * 12 * SECOND) + 1)
            if is_eventful:
                host = self.chance.choice(self.workers)
                self.chance.choice((host.kill, host.pause))()
        self.weather.is_calm = True
        if is_eventful or self.weather.rate > 0:
            self.quiet_from = self.simulation.loop.micros + RECOVERY_SECONDS * SECOND
        await self._come_to_rest()
        self.parked_wrong += unexplained(self.simulation.store)
        if found := parked(self.simulation.store):
            self.quiet_from = self.simulation.loop.micros
            await self.simulation.loop.create_task(
                self._try_again(found), context=self.client.lane.context()
            )
            await self._come_to_rest()

    async def _come_to_rest(self) -> None:
        await come_to_rest(self.simulation, self.is_at_rest, seconds_max=QUIET_SECONDS_MAX)

    async def _try_again(self, parked: Sequence[Record]) -> None:
        """Let a person find that nothing is wrong with what was taken for poison."""
        assert self.client.engine is not None, "the client's process never dies"
        operator = Operator(self.client.engine)
        for record in parked:
            self.books.seen[f"parked: {record.reason}"] += 1
            if record.reason == "poison":
                answer = await operator.retry(
                    record.run, actor="bob", reason="the workers died", wait=PATIENCE
                )
                if answer is not ControlAnswer.ACCEPTED:
                    self.parked_wrong.append(f"{record.run} is not tried again, but {answer}")

    def is_at_rest(self) -> bool:
        has_acted = bool(self.scripts) and all(script.done() for script in self.scripts)
        return has_acted and are_still(self.simulation.store)

    # What is judged ---------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        store = self.simulation.store
        yield from (*self.heard, *self.simulation.errors)
        yield from (*self.books.wrong, *self.roll.wrong, *self.parked_wrong)
        yield from complaints(self.scripts, "the client")
        if told := unrest(store, is_at_rest=self.is_at_rest()):
            yield told
            return
        for record in store.records.values():
            history = history_of(record)
            yield from (f"{record.run}: {each}" for each in wrong_about_rounds(history))
            for child, at in cancelled_children(history):
                since = max(at - START, self.quiet_from) + DEAF_SECONDS_MAX * SECOND
                if late := self.books.done_since(since, child):
                    yield f"{late} were done by a child that was to go back"
        for wish in self.wishes:
            yield from (f"{wish.order}: {each}" for each in self._wrong_about(wish))

    def _wrong_about(self, wish: Wish) -> Iterator[str]:
        store, workflow = self.simulation.store, self.workflows[wish.order]
        record = store.records[store.keys[workflow, wish.order]]
        net = self.books.net(wish.order)
        problem = misfit(
            workflow,
            wish,
            self.declined,
            is_turned=wish.order in self.turned,
            status=record.status,
            net=net,
        )
        if problem is not None:
            yield f"{workflow}: {problem}"
        yield from wrong_about_order(store, record, self.books.taken_back(wish.order))

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.books.seen + met(self.simulation)
        for record in self.simulation.store.records.values():
            reached.update(situations(record))
        return reached


def play(seed: int, ablation: Ablation = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation), tells=tells)
