"""Worlds whose journals are on one simulated PostgreSQL, each process with connections of its own.

What is judged here beside all that is judged of every world: what the journal tells a process must
be so at the server at that moment, and what is written with a step is written with its record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from makegood.errors import StoreError, StoreFailed
from makegood.journal.postgres.journal import PostgresJournal
from makegood.journal.postgres.place import Place
from makegood.journal.protocol import Applied, Conflict, Exists, Refused
from makegood.journal.reply import Reply
from makegood.testing.simulation import current_lane
from tests.simulation.judging.troubles import REQUIRED
from tests.simulation.keeping import Keep
from tests.simulation.orders.drawing import WORKFLOWS
from tests.simulation.postgres.driver import SimulatedDriver
from tests.simulation.postgres.server import Server
from tests.simulation.postgres.statements import SCHEMA
from tests.simulation.postgres.weather import ServerWeather

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Mapping, Sequence
    from datetime import timedelta
    from random import Random

    from makegood.journal.halting import Halt
    from makegood.journal.protocol import (
        Append,
        Delivered,
        Filter,
        History,
        Journal,
        Leases,
        Migration,
        Page,
        Post,
        StoredPlan,
        Verdict,
    )
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant
    from tests.simulation.world import World

__all__ = ["IN_POSTGRES", "Connect", "in_postgres"]

T = TypeVar("T")

Connect = Callable[[Place, SimulatedDriver, Server], "Journal"]
"""Makes the journal of a process."""

SECOND = 1_000_000
_SECONDS_BETWEEN_STARTS = 1.0
_HAPPENINGS = ("down", "only read", "full", "ended", *(None,) * 12)
"""What happens to the server when something happens; mostly it happens to a process."""


def _usual(place: Place, driver: SimulatedDriver, _server: Server) -> Journal:
    return PostgresJournal(place, driver=driver)


def in_postgres(connected: Connect = _usual) -> Keep:
    """Return worlds on PostgreSQL; `connected` makes the journal of a process."""
    return Keep(
        name="postgres",
        workflows=(*WORKFLOWS, "counter_order", "counter_order", "counter_order"),
        required=REQUIRED,
        made=partial(_PostgresKeeping, connected=connected),
    )


class _PostgresKeeping:
    """One server, and what the way there is like for the workers and for the customers."""

    def __init__(self, world: World, *, connected: Connect) -> None:
        self._world = world
        self._connected = connected
        simulation = world.simulation
        chance = simulation.chance("server")
        self._place = Place(
            dsn="postgresql://simulated/world",
            schema=SCHEMA,
            answer_seconds_max=chance.choice((2.0, 10.0)),
            lock_seconds_max=chance.choice((1.0, 3.0)),
            connections_max=chance.choice((1, 4)),
        )
        stock = {
            order: "take" not in destiny.declined for order, destiny in world.destinies.items()
        }
        self.server = Server(simulation, world.witness, stock=stock, sold=world.outside.enter)
        patience_micros = round(self._place.answer_seconds_max * SECOND)
        self._weather = ServerWeather(chance, patience_micros=patience_micros)
        self._client_weather = ServerWeather(
            simulation.chance("client's way"), patience_micros=patience_micros, is_client=True
        )

    def worker(self, host: Host) -> Journal:
        """Return the journal of a new process that works."""
        return self._journal(host, self._weather)

    def client(self, host: Host) -> Journal:
        """Return the journal of the customers' process."""
        return self._journal(host, self._client_weather)

    def _journal(self, host: Host, weather: ServerWeather) -> Journal:
        world = self._world
        driver = SimulatedDriver(
            world.simulation, self.server, host, weather, release=world.release
        )
        return Told(self._connected(self._place, driver, self.server), host, world, self.server)

    def happen(self, chance: Random) -> str | None:
        """Let something happen to the server, perhaps."""
        return self.server.strike(chance, _HAPPENINGS, seconds_max=16)

    def calm_down(self) -> None:
        """Let nothing go wrong from now on."""
        self._weather.is_calm = self._client_weather.is_calm = True

    def judge(self) -> None:
        """Check that what was written with a step stands if its record does."""
        world = self._world
        noted = {
            entry.request.order
            for entry in world.outside.books
            if entry.request.operation == "note"
        }
        for order in world.destinies:
            ledger = world.witness.ledger_of(order)
            if ledger is None or ledger.workflow != "counter_order":
                continue
            if (order in noted) != ("ship" in ledger.results):
                world.witness.break_rule("what is noted is recorded", f"ship of {order}")


IN_POSTGRES = in_postgres()
"""The product as it is."""


class Told:
    """A journal in an engine's hands: whatever it tells is compared with what is at the server."""

    def __init__(self, journal: Journal, host: Host, world: World, server: Server) -> None:
        self._journal = journal
        self._host = host
        self._witness = world.witness
        self._server = server

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,
    ) -> None:
        """Open the journal; whoever watches over a process that cannot has it try again."""
        while True:
            try:
                await self._journal.open(work=work, migrations=migrations, ring=ring)
            except StoreError as error:
                self._note("opening", error)
            else:
                return
            await asyncio.sleep(_SECONDS_BETWEEN_STARTS)

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        given: Reply[Verdict] = Reply()

        lane = current_lane()

        def hand_on(done: Pending[Verdict]) -> None:
            if lane.is_dead:
                # It is being taken apart, and nobody is told anything.
                return
            error = done.exception()
            if error is not None:
                self._failed("an append", error)
                given.give(error)
            else:
                self._check_verdict(append, done.result())
                given.give(done.result())

        self._journal.append(append).add_done_callback(hand_on)
        return given

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run."""
        outcome = await self._ask("a post", self._journal.post(post))
        if isinstance(outcome, int) and (post.run, outcome) not in self._server.posts:
            self._witness.break_rule(
                "only what is durable is acknowledged", f"post {outcome} of {post.run}"
            )
        return outcome

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Claim runs that are due."""
        asked = self._journal.lease(worker, room=room, limit=limit, now=now)
        return await self._ask("a lease", asked)

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back."""
        await self._ask("a release", self._journal.release(worker, runs, now=now))

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run."""
        return await self._ask("a read", self._journal.read(run))

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return everything that is remembered of these runs."""
        return await self._ask("a read", self._journal.read_all(runs))

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows."""
        return await self._ask("a read", self._journal.list(filter))

    async def adopt(
        self,
        run: RunId,
        *,
        plan: str,
        instead_of: str,
        seq: int,
        now: Instant,
        wakes: bool = False,
    ) -> bool:
        """Let a run go by another plan."""
        asked = self._journal.adopt(
            run, plan=plan, instead_of=instead_of, seq=seq, now=now, wakes=wakes
        )
        return await self._ask("an adoption", asked)

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves."""
        return await self._ask("a read", self._journal.settled(runs))

    async def halts(self) -> tuple[Halt, ...]:
        """Return the newest halt of every kind and name."""
        try:
            return await self._ask("a read", self._journal.halts())
        except StoreFailed:
            # An engine asks as it is entered, and nobody is there yet to be told of it. The process
            # is ended before this is over.
            await asyncio.sleep(_SECONDS_BETWEEN_STARTS)
            raise

    async def retained(self) -> Mapping[str, timedelta]:
        """Return the period of each workflow that has one."""
        return await self._ask("a read", self._journal.retained())

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan."""
        await self._ask("a plan", self._journal.keep_plan(plan))

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return a stored plan."""
        return await self._ask("a plan", self._journal.plan(fingerprint))

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them."""
        return await self._ask("a delivery", self._journal.deliver(limit=limit, now=now))

    # Any: what a coroutine yields.
    async def _ask(self, what: str, asked: Coroutine[Any, Any, T]) -> T:
        try:
            return await asked
        except StoreError as error:
            self._failed(what, error)
            raise

    def _check_verdict(self, append: Append, verdict: Verdict) -> None:
        told = f"{append.run} {append.seq}: {type(verdict).__name__}"
        if isinstance(verdict, Applied):
            facts = verdict.facts if append.local is not None else append.facts
            if not self._server.holds(append.run, append.seq, facts):
                self._witness.break_rule("only what is durable is acknowledged", told)
        elif isinstance(verdict, Conflict | Refused):
            self._server.told_refused(append, told)

    def _failed(self, what: str, error: BaseException) -> None:
        self._note(what, error)
        if isinstance(error, StoreFailed):
            # Whoever watches over the process ends it, and starts another one.
            self._host.end_soon()

    def _note(self, what: str, told: object) -> None:
        self._witness.reached[f"told of {what}: {type(told).__name__}"] += 1
