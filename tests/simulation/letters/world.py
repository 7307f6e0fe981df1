"""One seed, one world of messages: runs that wait and runs that send, on processes that die.

First there are faults, then none, and everything must come to rest. What is judged is read from the
store alone: each message was given to one run at most, and to nobody who had given up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Config, Engine, pure, send, sleep, wait, workflow
from makegood.decision import facts
from makegood.decision.facts import read_facts
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import (
    KILLS,
    Fate,
    Host,
    SimulatedJournal,
    Simulation,
    Smooth,
)
from tests.simulation.ablation import NOTHING
from tests.simulation.kinds.weather import AGAIN, SECOND, UNKNOWN, Weather
from tests.simulation.kinds.worlds import come_to_rest, complaints, met, play_world

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from makegood.journal.memory_store import Record
    from tests.simulation.ablation import Ablation
    from tests.simulation.kinds.playing import Played

ORDERS = 5
FAULTY_SECONDS = 60
QUIET_SECONDS_MAX = 6_000
CONFIG = Config(
    poll_min=timedelta(milliseconds=500),
    poll_max=timedelta(seconds=4),
    shutdown_grace=timedelta(seconds=1),
)
FATES: dict[str, tuple[Fate, ...]] = {
    "append": (*KILLS, *UNKNOWN, *AGAIN, Fate.REFUSED, Fate.FULL),
    "deliver": (*KILLS, *UNKNOWN, Fate.REFUSED, Fate.FULL),
    "lease": (*KILLS, *UNKNOWN, Fate.REFUSED),
    "read": (*KILLS, Fate.REFUSED),
}


@dataclass(frozen=True)
class Parcel:
    order: str


@workflow
def follow(order: str, patience: timedelta) -> str:
    """Wait for the parcel of an order."""
    return wait(Parcel, key=order, within=patience).order


@workflow
def ship(order: str, work: timedelta) -> None:
    """Send the parcel of an order after a while."""
    packed = sleep(work)
    send.after(packed)(pure(Parcel, name="parcel")(order), key=order)


class World:
    """Two workers, and a client that starts, sends, sends again and cancels."""

    def __init__(self, seed: int, ablation: Ablation) -> None:
        self.simulation = Simulation(seed)
        self.ablation = ablation
        self.weather = Weather(
            self.simulation.chance("weather"), (0.0, 0.02, 0.08), fates=FATES, slow_micros=5_000
        )
        self.chance = self.simulation.chance("plot")
        self.workers = [self._host(f"worker {number}", works=True) for number in range(2)]
        self.client = self._host("client", works=False)
        self.script: asyncio.Task[None] | None = None
        self.heard: list[str] = []
        """What engines complained about that they should not have met."""

    def _host(self, name: str, *, works: bool) -> Host:
        host = Host(
            self.simulation,
            name,
            self.simulation.clock(),
            make=lambda host: self._make(host, works=works),
            serve=self._serve if works else self._begin,
        )
        host.down_micros = 3 * SECOND
        return host

    def _make(self, host: Host, *, works: bool) -> Engine:
        simulation = self.simulation
        store = self.ablation.store(MemoryJournal(simulation.store), simulation.store)
        fates = self.weather if works else Smooth(there=300, back=300)
        return Engine(
            SimulatedJournal(store, simulation, host, fates),
            config=CONFIG,
            clock=host.clock,
            ids=simulation.ids,
            work=works,
        )

    def _serve(self, engine: Engine) -> None:
        engine.serve(follow, ship)

    def _begin(self, engine: Engine) -> None:
        self.script = asyncio.get_running_loop().create_task(self._act(engine))

    async def _act(self, engine: Engine) -> None:
        """Do in any order, and at any time, what is to be done with each order."""
        chance = self.chance
        orders = [f"order-{number}" for number in range(ORDERS)]
        deeds = [(deed, order) for deed in ("follow", "send") for order in orders]
        chance.shuffle(deeds)
        for deed, order in deeds:
            await asyncio.sleep(chance.random() * 6)
            if deed == "follow":
                patience = timedelta(seconds=chance.choice((5, 60, 3_000)))
                run = await engine.start(follow(order, patience), key=order)
                if chance.random() < 0.1:
                    await run.cancel(actor="ann", reason="not needed")
            elif chance.random() < 0.5:
                work = timedelta(seconds=chance.choice((0, 5, 20)))
                await engine.start(ship(order, work), key=order)
            else:
                for _ in range(chance.choice((1, 2))):
                    await engine.send(Parcel(order), key=order, id=f"event {order}")

    async def plot(self) -> bool:
        for host in (*self.workers, self.client):
            host.boot()
        await self.simulation.pause(FAULTY_SECONDS * SECOND)
        self.weather.is_calm = True
        return await come_to_rest(self.simulation, self.is_at_rest, seconds_max=QUIET_SECONDS_MAX)

    def is_at_rest(self) -> bool:
        store = self.simulation.store
        has_acted = self.script is not None and self.script.done()
        has_ended = all(record.ended_at is not None for record in store.records.values())
        return has_acted and has_ended and not store.outgoing

    # What is judged ---------------------------------------------------------------------------

    def wrong(self) -> Iterator[str]:
        store = self.simulation.store
        yield from (*self.heard, *self.simulation.errors)
        assert self.script is not None, "the client has booted"
        yield from complaints([self.script], "the client")
        if not self.is_at_rest():
            yield "it did not come to rest"
            return
        for waiter in store.waiters.values():
            yield f"{waiter.run} has ended and still waits for {waiter.key}"
        given: dict[str, str] = {}
        for record in store.records.values():
            if record.new.workflow == "follow":
                yield from self._wrong_about(record, given)
        for letter in store.letters.values():
            used_by = given.get(letter.id)
            if letter.taken_by != used_by:
                yield f"{letter.id} is with {letter.taken_by}, and was used by {used_by}"
        expected = {f"order-{number}" for number in range(ORDERS)}
        if {letter.key for letter in store.letters.values()} != expected:
            yield f"there are messages for {[letter.key for letter in store.letters.values()]}"

    def seen(self) -> Counter[str]:
        """Return what was met in this world."""
        return met(self.simulation)

    def _wrong_about(self, record: Record, given: dict[str, str]) -> Iterator[str]:
        history = [fact for append in record.appends for fact in read_facts(append)]
        came = [fact for fact in history if isinstance(fact, facts.MessageCame)]
        if record.status == "completed":
            if not came or came[0].key != record.new.key:
                yield f"{record.new.key} has completed without its message: {came}"
                return
            if came[0].id in given:
                yield f"{came[0].id} was given twice"
            given[came[0].id] = record.run
        elif record.status not in {"failed", "cancelled"}:
            yield f"{record.new.key} is {record.status}"


def play(seed: int, ablation: Ablation = NOTHING, *, tells: bool = False) -> Played:
    """Play the world of a seed, and return what was wrong in it, and what was met."""
    return play_world(World(seed, ablation), tells=tells)
