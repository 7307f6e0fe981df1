"""Is the simulated server like a real one where the journal depends on it?"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import pytest

from makegood.errors import StoreBusy, UnknownRun
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.journal.protocol import Applied
from makegood.testing.simulation import Host, Simulation
from tests.journal.records import Body, append, facts, first, post, run_id
from tests.journal.test_differential import (
    LEASE_SECONDS,
    RUNS,
    Player,
    assert_same,
    without_lease,
)
from tests.simulation.postgres.driver import SimulatedDriver
from tests.simulation.postgres.server import Server
from tests.simulation.postgres.statements import SCHEMA
from tests.simulation.postgres.weather import Fortune, Mishap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from makegood.journal.protocol import Append, Journal
    from makegood.values.ids import RunId
    from makegood.values.injectable import Transaction
    from tests.simulation.postgres.weather import Trip

R = TypeVar("R")

RUN = run_id(1)


class Blind:
    """A witness that looks at nothing."""

    def __init__(self) -> None:
        self.reached: defaultdict[str, int] = defaultdict(int)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_seen: None


class Script:
    """Says what becomes of the next round trips of an operation; all others are smooth."""

    def __init__(self, fortunes: Mapping[str, Sequence[Fortune]]) -> None:
        self._fortunes = {operation: list(each) for operation, each in fortunes.items()}

    def decide(self, trip: Trip) -> Fortune:
        left = self._fortunes.get(trip.operation)
        return left.pop(0) if left else Fortune()


class Scene:
    """One process and one server."""

    def __init__(self, **fortunes: Sequence[Fortune]) -> None:
        self.simulation = Simulation(0, lease_seconds=LEASE_SECONDS)
        witness: Any = Blind()
        weather: Any = Script(fortunes)
        self.reached = witness.reached
        self.server = Server(
            self.simulation, witness, stock={}, sold=lambda _what, _order, _amount: None
        )
        clock = self.simulation.clock()
        make: Any = None
        host = Host(self.simulation, "shop", clock, make=make, serve=lambda _engine: None)
        self.driver = SimulatedDriver(self.simulation, self.server, host, weather, release=0)
        self.place = Place(
            dsn="postgresql://simulated/scene", schema=SCHEMA, lease_seconds=LEASE_SECONDS
        )

    def play(self, plot: Callable[[PostgresJournal], Awaitable[R]]) -> R:
        async def with_journal() -> R:
            journal = PostgresJournal(self.place, driver=self.driver)
            await journal.open(work=True)
            try:
                return await plot(journal)
            finally:
                await journal.close()

        played = self.simulation.run(with_journal())
        assert self.simulation.errors == []
        return played


class PlainPlayer(Player):
    """Plays what needs none of the application's own tables, which are others here."""

    async def play(self) -> None:
        often = (self.append, self.append, self.append, self.again, self.post, self.lease)
        await self.random.choice((*often, self.release, self.settled))()

    def random_append(self, run: RunId, **other: object) -> Append:
        while True:
            sent = super().random_append(run, **other)
            if not sent.writes and sent.local is None:
                return sent

    async def compare(self) -> None:
        for run in RUNS:
            assert_same([await looked_up(journal, run) for journal in self.journals], run)


async def looked_up(journal: Journal, run: RunId) -> object:
    try:
        return without_lease(await journal.read(run))
    except UnknownRun:
        return None


@pytest.mark.parametrize("seed", range(12))
def test_it_answers_as_the_journal_in_memory_does(seed: int) -> None:
    async def plot(journal: PostgresJournal) -> None:
        memory = MemoryJournal(MemoryStore(lease_seconds=LEASE_SECONDS))
        await memory.open(work=True)
        player = PlainPlayer(seed, [memory, journal])
        for _ in range(60):
            await player.play()
        await player.compare()

    Scene().play(plot)


def test_what_is_written_again_waits_for_the_transaction_that_was_given_up_on() -> None:
    """The connection is lost, its transaction still holds the row, and commits."""
    late = Fortune(mishap=Mishap.STALLED, stall=11_000_000)
    scene = Scene(append=[Fortune(), late])

    async def plot(journal: PostgresJournal) -> tuple[object, object]:
        await journal.append(first(RUN))
        moved = await journal.append(append(RUN, 2))
        return moved, (await journal.read(RUN)).appends

    assert scene.play(plot) == (Applied(), (facts("001/1"), facts("001/2")))
    assert scene.reached["zombie: waited for, and committed"] == 1


def test_a_row_that_stays_locked_is_given_up_on_in_time() -> None:
    stalled = Fortune(mishap=Mishap.STALLED, stall=600_000_000)
    scene = Scene(post=[Fortune(), stalled])

    async def plot(journal: PostgresJournal) -> None:
        await journal.post(post(RUN, create=first(RUN).create))
        with pytest.raises(StoreBusy, match="TimeoutError"):
            await journal.post(post(RUN))
        with pytest.raises(StoreBusy, match="lock timeout"):
            await journal.post(post(RUN))

    scene.play(plot)
    assert scene.reached["wait: too long"] > 0


def test_steps_that_are_under_way_at_the_end_end_in_the_order_in_which_they_began() -> None:
    scene = Scene(local=[Fortune(mishap=Mishap.SILENT)] * 40)
    runs = [run_id(number) for number in range(1, 13)]
    ended: list[RunId] = []

    async def step(_transaction: Transaction) -> None:
        """Do nothing: the server never answers that it has begun."""

    async def plot(journal: PostgresJournal) -> None:
        for run in runs:
            pending = journal.append(first(run, local=Body(step)))
            pending.add_done_callback(lambda _reply, run=run: ended.append(run))
        await asyncio.sleep(1)
        assert ended == []
        await journal.close()

    scene.play(plot)
    assert ended == runs


def test_a_transaction_ends_with_its_session() -> None:
    scene = Scene()

    async def plot(_journal: PostgresJournal) -> list[Any]:
        one = await scene.driver.connect(scene.place)
        await one.execute("BEGIN")
        await one.execute(
            'INSERT INTO "makegood".plan (fingerprint, workflow, json) VALUES ($1, $2, $3) '
            "ON CONFLICT DO NOTHING",
            *("plan-1", "place_order", "{}"),
        )
        one.terminate()
        await asyncio.sleep(1)
        other = await scene.driver.connect(scene.place)
        asked = 'SELECT workflow, json FROM "makegood".plan WHERE fingerprint = $1'
        return list(await other.fetch(asked, "plan-1"))

    assert scene.play(plot) == []


def test_a_transaction_that_was_refused_something_does_nothing_more() -> None:
    scene = Scene(read=[Fortune(mishap=Mishap.SERIALIZATION)])

    async def plot(_journal: PostgresJournal) -> None:
        connection = await scene.driver.connect(scene.place)
        await connection.execute("BEGIN")
        asked = 'SELECT workflow, json FROM "makegood".plan WHERE fingerprint = $1'
        with pytest.raises(asyncpg.SerializationError):
            await connection.fetch(asked, "plan-1")
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await connection.fetch(asked, "plan-1")
        await connection.execute("ROLLBACK")
        assert await connection.fetch(asked, "plan-1") == []

    scene.play(plot)


def test_a_statement_that_the_journal_never_sent_is_named() -> None:
    scene = Scene()

    async def plot(_journal: PostgresJournal) -> None:
        connection = await scene.driver.connect(scene.place)
        with pytest.raises(AssertionError, match="does not know: DELETE FROM run"):
            await connection.execute("DELETE  FROM run")

    scene.play(plot)
