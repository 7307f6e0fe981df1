"""One seed, one world of schedules: several workers look after each of them, and faults.

First there are faults, then none. What was started, when, and where each schedule stood is judged
at the end, while the last runs may still be under way.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine
from makegood.testing.simulation import Fate, Host, Line, Simulation
from tests.simulation.ablation import NOTHING
from tests.simulation.kinds.books import Books, Clerk, Telephone
from tests.simulation.kinds.weather import ASKED, FATES, SECOND, Weather
from tests.simulation.kinds.worlds import met, play_world
from tests.simulation.schedules.judging import Diary, judged, situations
from tests.simulation.schedules.keeping import InMemory
from tests.simulation.schedules.shop import WATCHMAN, draw_notices, draw_plan, scheduled, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played
    from tests.simulation.schedules.keeping import Keep

__all__ = ["World", "play"]

FAULTY_SECONDS = 45
CALM_SECONDS = 60
"""How long everything has until it must be as if nothing had been wrong."""
SKEW_MAX = 6 * SECOND
FATES_OF_SCHEDULES = {
    **FATES,
    "publish": (*ASKED, Fate.FULL, Fate.PAUSE),
    "take": ASKED,
    "finish": ASKED,
    "subscribe": ASKED,
}
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=2),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
)


class World:
    """One to three workers that look after the same schedules."""

    def __init__(self, seed: int, ablation: Ablation, keep: Keep) -> None:
        self.simulation = simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(
            simulation.chance("weather"), (0.0, 0.05, 0.1, 0.2), fates=FATES_OF_SCHEDULES
        )
        """How calls to a store in memory fare, and requests to the outside."""
        self.chance = chance = simulation.chance("plot")
        self.plans = [draw_plan(chance, number) for number in range(chance.randint(1, 3))]
        notices = simulation.chance("notices")
        if notices.random() < 0.5:
            self.plans += [draw_notices(notices, each) for each in range(notices.randint(1, 2))]
        self.tells = any(plan.tells for plan in self.plans)
        self.schedules = [scheduled(plan, lambda: simulation.loop.micros) for plan in self.plans]
        self.books = Books((), lambda: simulation.loop.micros)
        self.diary = Diary(simulation)
        self.is_clock_wrong = chance.random() < 0.4
        self.workers = [self._host(f"w{number}") for number in range(chance.randint(1, 3))]
        self.keeping = keep(self)
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.reached: Counter[str] = Counter()

    def _host(self, name: str) -> Host:
        skew = SKEW_MAX if self.is_clock_wrong else 0
        clock = self.simulation.clock(offset=self.chance.randint(-skew, skew))
        host = Host(self.simulation, name, clock, make=self._make, serve=self._serve)
        host.down_micros = self.chance.choice((1, 3, 15)) * SECOND
        host.pause_micros = self.chance.choice((3, 15)) * SECOND
        return host

    def _make(self, host: Host) -> Engine:
        simulation = self.simulation
        return Engine(
            self.ablation.journal(self.keeping.journal(host), host),
            services={Clerk: Telephone(Line(simulation, host, self.weather), self.books)},
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            decide=self.ablation.decide,
        )

    def _serve(self, engine: Engine) -> None:
        engine.serve(walk, *self.schedules, *((WATCHMAN,) if self.tells else ()))

    async def plot(self) -> None:
        for host in self.workers:
            host.boot()
        if self.tells:
            # What is published for nobody is not kept for who comes later.
            self._be_calm(is_calm=True)
            while not self.simulation.store.office.wanted:
                await self.simulation.pause(SECOND)
            self._be_calm(is_calm=False)
        is_eventful = self.chance.random() < 0.7
        while self.simulation.loop.micros < FAULTY_SECONDS * SECOND:
            await self.simulation.pause(int(self.chance.random() * 12 * SECOND) + 1)
            if is_eventful:
                self._happen(self.chance)
                self.reached.update(self.keeping.happen())
        self._be_calm(is_calm=True)
        for host in self.workers:
            host.clock.set_right()
        await self.simulation.pause(CALM_SECONDS * SECOND)

    def _be_calm(self, *, is_calm: bool) -> None:
        self.weather.is_calm = is_calm
        self.keeping.be_calm(is_calm=is_calm)

    def _happen(self, chance: Random) -> None:
        host = chance.choice(self.workers)
        what = chance.choice(("kill", "pause", "stop", "all killed"))
        self.reached[f"at any time: {what}"] += 1
        match what:
            case "kill":
                host.kill()
            case "pause":
                host.pause()
            case "stop":
                host.stop()
            case _:
                for each in self.workers:
                    each.kill()

    def wrong(self) -> Iterator[str]:
        yield from (*self.heard, *self.simulation.errors, *self.books.wrong)
        skew = 2 * SKEW_MAX if self.is_clock_wrong else 0
        yield from self.keeping.wrong
        yield from judged(
            self.simulation.store,
            self.plans,
            self.diary,
            self.books,
            skew_micros=skew,
            late_micros=self.keeping.late_micros,
        )

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.reached + self.books.seen + met(self.simulation)
        reached.update(situations(self.simulation.store, self.plans, self.diary))
        reached.update(self.keeping.reached)
        return reached


def play(
    seed: int, ablation: Ablation = NOTHING, *, tells: bool = False, keep: Keep = InMemory
) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation, keep), tells=tells)
