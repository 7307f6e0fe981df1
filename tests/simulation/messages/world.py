"""One seed, one world of messages: two services with a store each, a broker between, and faults.

First there are faults, then none. When everything has come to rest there is a second wave, of which
one key is sick while all is calm: its neighbours must not notice. Then a person sends again what
was declined, and discards what kills.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine, MessageOperator
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.testing.simulation import (
    KILLS,
    Fate,
    Host,
    Line,
    SimulatedJournal,
    Simulation,
)
from tests.simulation.kinds.books import Books, Clerk, Telephone
from tests.simulation.kinds.doors import Doors
from tests.simulation.kinds.weather import AGAIN, ASKED, FATES, SECOND, UNKNOWN, Weather
from tests.simulation.kinds.worlds import come_to_rest, complaints, met, play_world
from tests.simulation.messages.judging import Service, judged, situations
from tests.simulation.messages.shop import (
    NOTEBOOK,
    RECEPTORS,
    Ordered,
    Reaper,
    bus_of,
    thing_of,
)
from tests.simulation.messages.without import NOTHING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from random import Random

    from tests.simulation.kinds.playing import Played
    from tests.simulation.messages.without import Without

__all__ = ["play"]

FAULTY_SECONDS = 35
QUIET_SECONDS_MAX = 900
SICK_SECONDS = 20
"""How long the sick key of the second wave cannot be dealt with."""
HELD_UP_SECONDS_MAX = 8
"""How late a message may be dealt with while nothing goes wrong: a poll, and some calls."""
SKEW_MAX = 8 * SECOND

ON_THE_WAY = (*KILLS, *UNKNOWN, *AGAIN, Fate.REFUSED, Fate.LATE, Fate.SILENT, Fate.PAUSE)
FATES_OF_MESSAGES = {
    **FATES,
    "publish": (*ASKED, Fate.FULL, Fate.PAUSE),
    "take": ASKED,
    "finish": (*ASKED, *AGAIN, Fate.FULL, Fate.PAUSE),
    "give_back": ASKED,
    "subscribe": ASKED,
    "claim_listening": (*ASKED, Fate.PAUSE),
    "release_listening": ASKED,
    "carry": (*ON_THE_WAY, Fate.DOUBLED),
    "fetch": ON_THE_WAY,
    "acknowledge": ON_THE_WAY,
}


class World:
    """A shop and a yard, one to three processes each, and whoever publishes."""

    def __init__(self, seed: int, without: Without) -> None:
        self.simulation = simulation = Simulation(seed)
        self.without = without
        self.weather = Weather(
            simulation.chance("weather"), (0.0, 0.05, 0.1, 0.2), fates=FATES_OF_MESSAGES
        )
        self.chance = chance = simulation.chance("plot")
        self.services = {
            "shop": Service("shop", simulation.store),
            "yard": Service("yard", MemoryStore()),
        }
        self.broker = without.broker(simulation)
        self.is_clock_wrong = chance.random() < 0.3
        self.events = [*self._drawn()]
        self.deadly = {name for name, event in self.events if event.is_deadly}
        self.declined = {
            f"take {event.order}-{event.number}": name
            for name, event in self.events
            if chance.random() < 0.06 and not event.is_deadly
        }
        self.closed = {
            f"take {event.order}-{event.number}": chance.randint(5, 40) * SECOND
            for _name, event in self.events
            if chance.random() < 0.1
        }
        self.books = Books(self.declined, lambda: simulation.loop.micros, closed=self.closed)
        self.hosts = [
            self._host(service, f"{service}{number}", works=True)
            for service in self.services
            for number in range(chance.randint(1, 3))
        ]
        self.client = self._host("shop", "client", works=False)
        doors = [host for host in self.hosts if host.name.startswith("shop")]
        self.doors = Doors(simulation, simulation.chance("doors"), [*doors, self.client])
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self.held_up: list[str] = []
        self.judged_before: list[str] = []
        """What was wrong before a person moved dead letters."""
        self.has_come_to_rest = False
        self.published: set[str] = set()
        """The messages that were acknowledged."""
        self.reached: Counter[str] = Counter()
        self.publishers: list[asyncio.Task[None]] = []

    def _drawn(self) -> Iterator[tuple[str, Ordered]]:
        """Draw what is ordered, by id."""
        chance = self.chance
        deadly = chance.random() < 0.25
        for order in range(chance.randint(1, 4)):
            for number in range(chance.randint(1, 4)):
                is_deadly = deadly and (order, number) == (0, 0)
                yield f"event-{order}-{number}", Ordered(f"order-{order}", number, is_deadly)

    # The processes ------------------------------------------------------------------------------

    def _host(self, service: str, name: str, *, works: bool) -> Host:
        chance = self.chance
        skew = SKEW_MAX if works and self.is_clock_wrong else 0
        host = Host(
            self.simulation,
            name,
            self.simulation.clock(offset=chance.randint(-skew, skew)),
            make=lambda host: self._make(service, host, works=works),
            serve=lambda engine: self._serve(service, host, engine) if works else None,
        )
        host.down_micros = 3 * SECOND
        host.pause_micros = chance.choice((3, 15)) * SECOND
        return host

    def _make(self, service: str, host: Host, *, works: bool) -> Engine:
        simulation, kept = self.simulation, self.services[service].store
        store = self.without.store(MemoryJournal(kept), kept)
        journal = SimulatedJournal(store, simulation, host, self.weather)
        clerk = Telephone(Line(simulation, host, self.weather), self.books)
        return Engine(
            self.without.journal(journal),
            services={Clerk: clerk, Reaper: Killer(host)},
            extensions=[NOTEBOOK],
            config=Config(
                poll_min=timedelta(milliseconds=500),
                poll_max=timedelta(seconds=4),
                shutdown_grace=timedelta(seconds=1),
                cancel_grace=timedelta(seconds=1),
                message_source=service,
            ),
            clock=host.clock,
            ids=simulation.ids,
            work=works,
        )

    def _serve(self, service: str, host: Host, engine: Engine) -> None:
        transport = self.without.transport(self.broker.transport(host, self.weather))
        engine.serve(RECEPTORS[service], bus_of(service, transport))

    # Whoever publishes --------------------------------------------------------------------------

    async def _publish(self, at: float, name: str, event: Ordered) -> None:
        await asyncio.sleep(max(0.0, at - self.simulation.loop.time()))

        async def publish(engine: Engine) -> None:
            await engine.publish(event, id=name, source="web")

        await self.doors.insist(publish)
        self.published.add(name)

    def _begin_to_publish(self) -> None:
        loop, chance = self.simulation.loop, self.simulation.chance("publishers")
        begins = loop.time()
        for name, event in self.events:
            at = begins + chance.random() * 20
            for _ in range(chance.choice((1, 1, 2))):
                # The same thing again, at the same time or a while later.
                later = chance.choice((0.0, 0.0, 20.0))
                self.publishers.append(loop.create_task(self._publish(at + later, name, event)))

    # The plot -----------------------------------------------------------------------------------

    async def plot(self) -> None:
        for host in (*self.hosts, self.client):
            host.boot()
        while not self._are_subscribed():
            await self.simulation.pause(SECOND)
        self._begin_to_publish()
        await self._trouble()
        self.weather.is_calm = True
        self.broker.is_down = False
        for host in self.hosts:
            host.clock.set_right()
        if await self._come_to_rest():
            await self._second_wave()
            await self._move_dead_letters()
            self.has_come_to_rest = await self._come_to_rest()

    def _are_subscribed(self) -> bool:
        """Say whether messages are kept for everybody, so that none is unheard."""
        counts = {
            name: sum(len(of_type) for of_type in service.store.office.wanted.values())
            for name, service in self.services.items()
        }
        return counts == {"shop": 4, "yard": 2}

    async def _trouble(self) -> None:
        chance, is_eventful = self.chance, self.chance.random() < 0.6
        until = self.simulation.loop.micros + FAULTY_SECONDS * SECOND
        while self.simulation.loop.micros < until:
            await self.simulation.pause(int(chance.random() * 12 * SECOND) + 1)
            if is_eventful:
                self._happen(chance)

    def _happen(self, chance: Random) -> None:
        host = chance.choice(self.hosts)
        what = chance.choice(("kill", "pause", "stop", "broker down", "broker up"))
        self.reached[f"at any time: {what}"] += 1
        match what:
            case "kill":
                host.kill()
            case "pause":
                host.pause()
            case "stop":
                host.stop()
            case "broker down":
                self.broker.go_down()
            case _:
                self.broker.is_down = False

    async def _come_to_rest(self) -> bool:
        return await come_to_rest(
            self.simulation, self._is_at_rest, seconds_max=QUIET_SECONDS_MAX, every_seconds=5
        )

    def _is_at_rest(self) -> bool:
        have_published = all(publisher.done() for publisher in self.publishers)
        are_up = all(host.is_up for host in (*self.hosts, self.client))
        are_at_rest = all(service.is_at_rest for service in self.services.values())
        return are_up and have_published and are_at_rest and self.broker.is_idle

    async def _second_wave(self) -> None:
        """Publish for a sick key and for healthy ones, and look whether these are held up."""
        loop = self.simulation.loop
        now = loop.micros
        sick = [("event-sick-0", Ordered("sick", 0)), ("event-sick-1", Ordered("sick", 1))]
        self.closed["take sick-0"] = now + SICK_SECONDS * SECOND
        healthy = [(f"event-well-{each}", Ordered(f"well-{each}", 0)) for each in range(3)]
        for seconds, (name, event) in enumerate((*sick, *healthy)):
            at = now / SECOND + seconds
            self.publishers.append(loop.create_task(self._publish(at, name, event)))
        await self._come_to_rest()
        done = {entry.deed.thing: entry.at for entry in self.books.entries}
        for seconds, (name, _event) in enumerate(healthy, len(sick)):
            at = done.get(thing_of("shop/take", "web", name))
            wait = None if at is None else at - now - seconds * SECOND
            if wait is None or wait > HELD_UP_SECONDS_MAX * SECOND:
                self.held_up.append(f"{name} waited for {wait} µs while another key was sick")

    async def _move_dead_letters(self) -> None:
        """Let a person send again what was declined, and discard what kills."""
        self.judged_before = [*self._judged(declined={*self.declined.values()})]
        self.declined.clear()
        assert self.client.engine is not None, "a calm process does not die"
        operator = MessageOperator(self.client.engine)

        async def move() -> None:
            await operator.discard(actor="bob", because="it kills", reason="poison")
            await operator.resend(actor="bob", because="the card is valid now")

        await self.simulation.loop.create_task(move(), context=self.client.lane.context())

    def _judged(self, *, declined: Collection[str]) -> Iterator[str]:
        return judged(
            self.services,
            self.books,
            published=self.published,
            deadly=self.deadly,
            declined=declined,
        )

    # The end ------------------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        yield from (*self.heard, *self.simulation.errors)
        yield from (*self.books.wrong, *self.held_up, *self.judged_before)
        yield from complaints(self.publishers, "a publisher")
        if not self.has_come_to_rest:
            yield "it did not come to rest"
        yield from self._judged(declined=())

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        reached = self.reached + self.books.seen + met(self.simulation)
        reached.update(situations(self.services))
        reached["a sending that the broker knew"] += self.broker.dropped
        reached["what another one had was taken over"] += self.broker.taken_over
        return reached


class Killer:
    """Ends a process from inside."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def die(self) -> None:
        """End the process, and never return."""
        self._host.kill()
        await asyncio.get_running_loop().create_future()


def play(seed: int, without: Without = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, without), tells=tells)
