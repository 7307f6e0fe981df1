"""One seed, one world: processes on one store, customers, faults, and then quiet.

First there are faults: processes die, stand still and are replaced by other releases, clocks are
wrong, calls fare as the weather has it. Then there are none, all processes run and all clocks are
right; now everything must come to rest, and what it came to is judged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from makegood import Config, Engine
from makegood.testing.simulation import Host, Line, Simulation, Stalled
from tests.simulation.ablation import NOTHING, Teller
from tests.simulation.judging.checks import Trial, judge
from tests.simulation.judging.witness import Witness
from tests.simulation.keeping import IN_MEMORY
from tests.simulation.orders.customers import Customer
from tests.simulation.orders.drawing import ClientWeather, Weather, draw_destiny, draw_wish
from tests.simulation.outside import Outside
from tests.simulation.workflows import RELEASES, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from tests.simulation.ablation import Ablation
    from tests.simulation.keeping import Keep
    from tests.simulation.outside import Answer, Request

__all__ = ["Played", "play"]

SECOND = 1_000_000
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=4),
    shutdown_grace=timedelta(seconds=1),
    cancel_grace=timedelta(seconds=1),
)
CLIENT_CONFIG = Config(poll_min=timedelta(seconds=2), poll_max=timedelta(seconds=16))
QUIET_SECONDS_MAX = 600
"""How long everything may take to come to rest once there are no faults."""
ZOMBIE_SECONDS = 10
"""How long is waited then for who stood still or was late."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen in one world."""

    seed: int
    trace: str
    """A digest of everything that happened: equal traces, equal worlds."""
    violations: tuple[str, ...]
    """The rules that were broken, in the order in which it was seen."""
    reached: Counter[str]
    """How often each fault met each operation, and each situation came about."""
    ends: tuple[str, ...]
    """How each order ended."""
    story: tuple[str, ...]
    """What happened, line by line; empty unless it was asked for."""


def play(
    seed: int, ablation: Ablation = NOTHING, *, keep: Keep = IN_MEMORY, tells: bool = False
) -> Played:
    """Play the world of a seed, without the safeguard that an ablation takes away.

    `keep` says where its journal is.
    """
    world = World(seed, ablation, keep)
    with listening(world.heard):
        try:
            world.simulation.run(world.plot())
        except Stalled as error:
            world.witness.break_rule("everything comes to rest", str(error))
        violations = world.judged()
    simulation = world.simulation
    reached = Counter(world.witness.reached)
    for (operation, fate), count in simulation.reached.items():
        reached[f"{operation}: {fate}"] += count
    for ledger in world.witness.ledgers.values():
        reached.update(ledger.seen)
    reached["start: refused for its input"] += world.conflicts
    return Played(
        seed=seed,
        trace=simulation.trace,
        violations=tuple(violations),
        reached=reached,
        ends=tuple(world.ends()),
        story=tuple(world.story()) if tells else (),
    )


class World:
    """Everything that there is in one world."""

    def __init__(self, seed: int, ablation: Ablation, keep: Keep) -> None:
        self.simulation = simulation = Simulation(seed)
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""
        self._clocks_put = 0
        self._is_clock_wrong = False
        """Whether a worker's clock was wrong at any time."""
        self.witness = Witness(simulation.store, lambda: simulation.loop.micros, simulation.tell)
        self.ablation = ablation
        self._chance = simulation.chance("plot")
        chance = simulation.chance("orders")
        self._has_outage = chance.random() < _OUTAGE_RATE
        count = chance.randint(2, 6)
        wishes = [draw_wish(chance, number, keep.workflows) for number in range(count)]
        if self._has_outage:
            # The one of which keys are forgotten outside.
            wishes[0] = msgspec.structs.replace(wishes[0], workflow="quick_order")
        self.destinies = {wish.order.id: draw_destiny(chance, wish) for wish in wishes}
        self.outside = Outside(
            self.destinies,
            lambda: simulation.loop.micros,
            broken=self.witness.break_rule,
            before=self.witness.requested,
        )
        self.weather = Weather(simulation.chance("weather"), self.destinies)
        self.release = self._chance.randrange(2)
        count = self._chance.randint(1, 3)
        self._has_editions = count > 1 and self._chance.random() < 0.3
        self._workers = [self._worker(number) for number in range(count)]
        rate = self._chance.choice((0.0, 0.02, 0.1))
        self.client_weather = ClientWeather(simulation.chance("client weather"), rate)
        self._client = self._client_host()
        self._keeping = keep.made(self)
        # Most ask the one that does no work.
        doors = [*self._workers, *[self._client] * len(self._workers)]
        self._customers = [
            Customer(
                simulation,
                simulation.chance(f"customer {wish.order.id}"),
                wish,
                doors=doors,
                editions=1 + self._has_editions,
            )
            for wish in wishes
        ]

    # The processes ------------------------------------------------------------------------------

    def _worker(self, number: int) -> Host:
        def serve(engine: Engine) -> None:
            # The new edition comes with the first restart of every other process.
            is_new = self._has_editions and number % 2 == 1 and host.boots > 1
            engine.serve(*deployed(self.release, edition=int(is_new)))

        skew = self._chance.choice((0, 0, 8 * SECOND))
        drift = self._chance.choice((0, 0, 20_000))
        self._is_clock_wrong = self._is_clock_wrong or skew + drift > 0
        clock = self.simulation.clock(
            offset=self._chance.randint(-skew, skew),
            parts_per_million=self._chance.randint(-drift, drift),
        )
        host = Host(self.simulation, f"w{number}", clock, make=self._make_worker, serve=serve)
        host.pause_micros = self._chance.choice((3, 11, 15, 30)) * SECOND
        host.down_micros = self._chance.choice((200_000, SECOND, 5 * SECOND))
        return host

    def _make_worker(self, host: Host) -> Engine:
        simulation, ablation = self.simulation, self.ablation
        line = Telephone(Line(simulation, host, self.weather), self.outside)
        return Engine(
            self._keeping.worker(host),
            services={Teller: ablation.teller(line)},
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            decide=ablation.decide,
        )

    def _client_host(self) -> Host:
        def make(host: Host) -> Engine:
            return Engine(
                self._keeping.client(host),
                config=CLIENT_CONFIG,
                clock=host.clock,
                ids=self.simulation.ids,
                work=False,
            )

        clock = self.simulation.clock()
        return Host(self.simulation, "client", clock, make=make, serve=lambda _engine: None)

    # The plot -----------------------------------------------------------------------------------

    async def plot(self) -> None:
        """Let everything happen: first with faults, then without."""
        loop = self.simulation.loop
        for host in (*self._workers, self._client):
            host.boot()
        customers = [loop.create_task(customer.live()) for customer in self._customers]
        await self._trouble()
        await self._calm()
        if await self._come_to_rest(customers):
            await self.simulation.pause(ZOMBIE_SECONDS * SECOND)
            # What was late may have left something to do.
            await self._come_to_rest(customers)
        for customer in customers:
            customer.cancel()
        for error in await asyncio.gather(*customers, return_exceptions=True):
            if isinstance(error, Exception):
                self.witness.break_rule("no error is unseen", f"a customer was told {error!r}")

    async def _come_to_rest(self, customers: Sequence[asyncio.Task[None]]) -> bool:
        """Wait until nothing is left to do; say whether that did not take too long."""
        loop = self.simulation.loop
        quiet_since = loop.micros
        while not (all(customer.done() for customer in customers) and self._is_at_rest()):
            if loop.micros - quiet_since > QUIET_SECONDS_MAX * SECOND:
                self.witness.break_rule("everything comes to rest", "it takes too long")
                return False
            await self.simulation.pause(SECOND)
        return True

    def _is_at_rest(self) -> bool:
        records = self.simulation.store.records.values()
        return self.witness.unsettled == 0 and not any(record.inbox for record in records)

    async def _trouble(self) -> None:
        """Let things happen to the processes for a while."""
        chance = self._chance
        is_eventful = chance.choice((False, True, True))
        until = 0 if self._has_outage else chance.randint(10, 45) * SECOND
        while self.simulation.loop.micros < until:
            await self.simulation.pause(int(chance.random() * 6 * SECOND))
            if is_eventful:
                what = self._keeping.happen(chance)
                if what is None:
                    self._happen(chance)
                else:
                    self._note(what)
        if self._has_outage:
            await self._outage(chance)

    def _happen(self, chance: Random) -> None:
        host = chance.choice(self._workers)
        match chance.choice(("kill", "stop", "pause", "clock", "deploy")):
            case "kill":
                self._note("killed at any time")
                host.kill()
            case "stop":
                self._note("told to stop")
                host.stop()
            case "pause":
                self._note("paused at any time")
                host.pause()
            case "clock":
                self._note("clock put")
                self._clocks_put += 1
                self._is_clock_wrong = True
                host.clock.put(chance.randint(-15 * SECOND, 15 * SECOND))
            case _:
                # From here on whatever boots is of the next release.
                self._note("deployed")
                self.release = min(self.release + 1, RELEASES - 1)
                host.stop()

    async def _outage(self, chance: Random) -> None:
        """Let nobody work for so long that keys are forgotten outside."""
        for _ in range(_OUTAGE_LOOKS_MAX):
            if any("charge" in ledger.open for ledger in self.witness.ledgers.values()):
                break
            await self.simulation.pause(SECOND // 200)
        self._note("outage")
        seconds = chance.choice((120, 400, 400))
        usual = [host.down_micros for host in self._workers]
        for host in self._workers:
            host.down_micros = seconds * SECOND
            host.kill()
        for host, micros in zip(self._workers, usual, strict=True):
            host.down_micros = micros
        await self.simulation.pause((seconds + 1) * SECOND)

    async def _calm(self) -> None:
        """End the faults, set the clocks right, and wait until all processes run."""
        self.weather.is_calm = self.client_weather.is_calm = True
        self._keeping.calm_down()
        for host in self._workers:
            host.clock.set_right()
            if self._has_editions and host.boots == 1:
                host.stop()
        for _ in range(QUIET_SECONDS_MAX):
            if all(host.is_up for host in (*self._workers, self._client)):
                return
            await self.simulation.pause(SECOND)
        self.witness.break_rule("everything comes to rest", "a process does not come up")

    def _note(self, situation: str) -> None:
        self.witness.reached[situation] += 1

    # The end ------------------------------------------------------------------------------------

    def judged(self) -> list[str]:
        """Return every rule that was broken."""
        for message in (*self.heard, *self.simulation.errors):
            self.witness.break_rule("no error is unseen", message)
        judge(
            Trial(
                witness=self.witness,
                store=self.simulation.store,
                outside=self.outside,
                customers=self._customers,
                destinies=self.destinies,
                troubles=self.weather.seen + self.outside.troubles,
                stalls=self._clocks_put + sum(host.pauses for host in self._workers),
                is_clock_wrong=self._is_clock_wrong,
            )
        )
        self._keeping.judge()
        return self.witness.violations

    @property
    def conflicts(self) -> int:
        """How often a start was refused because its key had another input."""
        return sum(customer.conflicts for customer in self._customers)

    def story(self) -> Iterator[str]:
        """Tell what happened, line by line, with orders for runs."""
        records = self.simulation.store.records.values()
        names = {str(record.run): str(record.new.key) for record in records}
        for line in self.simulation.story:
            micros, *words = line.split()
            told = " ".join(names.get(word, word) for word in words)
            yield f"{int(micros) / SECOND:11.6f}  {told}"

    def ends(self) -> Iterator[str]:
        """Say how each order ended."""
        for customer in self._customers:
            ledger = self.witness.ledger_of(customer.wish.order.id)
            yield f"{customer.wish.order.id} {customer.wish.workflow}: " + (
                "never began" if ledger is None else f"{ledger.parked or ledger.ended}"
            )


_OUTAGE_RATE = 0.04
_OUTAGE_LOOKS_MAX = 2_000
"""How often an outage looks for a moment at which it hurts, before it comes at any other."""


class Telephone:
    """How a worker's steps ask the outside."""

    def __init__(self, line: Line, outside: Outside) -> None:
        self._line = line
        self.outside = outside

    async def ask(self, request: Request) -> Answer:
        """Have something done outside."""
        subject = f"{request.operation} {request.order}"
        return await self._line.ask(subject, lambda: self.outside.ask(request))


_EXPECTED = (
    "the journal failed and the engine stops",
    "run %s of %s: %s is not on record",
    "run %s of %s: undoing %s gave up",
    "the compensate of %s found a result that cannot be recorded",
    "message %s is a dead letter",
)
"""What an engine may complain about in a world of faults."""


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        if not str(record.msg).startswith(_EXPECTED):
            why = record.exc_info[1] if record.exc_info else None
            self._heard.append(f"{record.getMessage()}: {why!r}")


@contextmanager
def listening(heard: list[str]) -> Iterator[None]:
    """Hear what engines complain about, and keep it from everybody else."""
    log, ear = logging.getLogger("makegood"), _Ear(heard)
    level, propagates = log.level, log.propagate
    log.addHandler(ear)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = propagates
