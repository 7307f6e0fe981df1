"""The parent's side: a database, the workers on it, and the one client that places the orders.

What was acknowledged is remembered here, outside of any store, and the store is held to it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import asyncpg
import pytest

from makegood import Engine
from makegood.cli.demo.shop import Day, Queue, delivery_for
from makegood.commerce import stock_up
from makegood.commerce.cdnow import Purchase, read_rows, spread
from makegood.commerce.extension import commerce
from makegood.decision.retry import Chance
from makegood.journal.upkeep import forgotten
from tests.chaos.postgres.life import Life
from tests.chaos.postgres.reading import SEARCHED, Promised, judge, look
from tests.chaos.postgres.shop import Badge, Patience, journal_of
from tests.chaos.postgres.witness import SCRIPT
from tests.chaos.shift import Ended, Started, Told
from tests.chaos.shop import see_to, start

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import TracebackType

    from makegood.testing.servers import PostgresServer
    from tests.chaos.postgres.reading import Found

__all__ = ["DEADLINE_SECONDS", "Stage", "until"]

# Real processes are waited for in real time.
pytestmark = pytest.mark.real

WORKERS = 4
AT_ONCE = 32
FAULTS = 0.2

DEADLINE_SECONDS = 120.0
"""Nothing takes so long unless it hangs, but for all orders of a long campaign together."""

STUCK_SECONDS = 60.0
"""Where no order has ended for so long, none will any more."""

SECONDS_BETWEEN_LOOKS = 0.03

ROBBER_MICROS = 500_000
"""How long a robber's lease lasts."""

_numbers = itertools.count(1)


async def until(
    look: Callable[[], Awaitable[object]], *, seconds: float | None = DEADLINE_SECONDS
) -> None:
    """Look again and again until it is so, for so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            if await look():
                return
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


class Stage:
    """One database, four places at which a worker stands, and what was acknowledged."""

    def __init__(
        self,
        server: PostgresServer,
        *,
        orders: int,
        seed: int,
        port: int | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reach the server at another `port`, where something stands between."""
        self.server = server
        self.clock = clock
        self.chance = Chance(seed)
        self._database = f"chaos_{os.getpid()}_{next(_numbers)}"
        self.starts: dict[str, str] = {}
        self.ends: dict[str, tuple[str, str | None]] = {}
        self.problems: list[str] = []
        self.logged: Counter[str] = Counter()
        known = [row for row in read_rows() if isinstance(row, Purchase)]
        self.sample = tuple(spread(known, orders, seed=seed))
        self.queue = Queue(self.sample, placed_max=0)
        self.share_max = 1.0
        """Which share of the orders may be placed by now, so that some are left for what comes."""
        self.lives: list[Life] = []
        """Who stands at each place now."""
        self.killed_at_work: set[str] = set()
        self.excused: set[str] = set()
        """Workers that may have lost runs: they were killed, or say that they had no time."""
        self._seed = seed
        self._port = port or server.port
        self._patience = patience or Patience()
        self._boots = itertools.count(1)
        self._stack = AsyncExitStack()
        self._placing: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Make the database, have the workers open, and fill the stock."""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        self._placing = [asyncio.ensure_future(self._clerk()) for _ in range(AT_ONCE)]
        return self

    async def _open(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="makegood-chaos-")
        self._folder = Path(self._stack.enter_context(folder))
        self.gateway = self._folder / "gateway"
        self._leash, held = os.pipe()
        self._stack.callback(os.close, self._leash)
        self._stack.callback(os.close, held)
        self._journal = journal_of(self.dsn(), self._patience)
        connection = await asyncpg.connect(self.server.url())
        try:
            await connection.execute(f"CREATE DATABASE {self._database}")
        finally:
            await connection.close()
        self.client = Engine(self._journal, extensions=[commerce], work=False)
        await self._stack.enter_async_context(self.client)
        await self._make_witness()
        self._stack.push_async_callback(self._leave_nobody)
        self.lives += await asyncio.gather(*(self._begin(place) for place in range(WORKERS)))
        await asyncio.gather(*(life.opens() for life in self.lives))
        day = Day(
            store="",
            gateway=self.gateway,
            sample=self.sample,
            known=self.sample,
            seed=self._seed,
            faults=FAULTS,
            at_once=AT_ONCE,
        )
        delivery = delivery_for(day)
        await (await start(self.client, stock_up(delivery), key=delivery.id)).result()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for clerk in self._placing:
            clerk.cancel()
        await asyncio.wait(self._placing)
        await self._stack.__aexit__(kind, error, traceback)

    def dsn(self, user: str = "postgres", *, port: int | None = None) -> str:
        return f"postgresql://{user}@127.0.0.1:{port or self._port}/{self._database}"

    @property
    def under_way(self) -> int:
        """How many orders have been started and not ended."""
        return len(self.starts) - len(self.ends)

    @property
    def has_ended_all(self) -> bool:
        return len(self.ends) == len(self.sample)

    @asynccontextmanager
    async def placing(self, seconds: float) -> AsyncGenerator[None]:
        """Let the orders be placed one after the other over so many seconds, at the fastest.

        What is done to the workers meanwhile finds them at work.
        """
        pacing = asyncio.ensure_future(self._pace(seconds))
        try:
            yield
        finally:
            pacing.cancel()
            await asyncio.wait([pacing])
        self.queue.allow(len(self.sample))

    async def one_at_work(self, drawn: float) -> int:
        """Return a place, drawn by a number from 0 up to 1, where one holds runs, if any does."""
        place_of = {life.worker: place for place, life in enumerate(self.lives)}
        owners = [str(owner) for (owner,) in await self.sql("SELECT owner FROM run ORDER BY id")]
        places = [place_of[owner] for owner in owners if owner in place_of] or [*range(WORKERS)]
        return places[int(drawn * len(places))]

    async def kill(self, place: int) -> bool:
        """Kill whoever stands at a place, and have another one begin there.

        Says whether the one that was killed held any runs.
        """
        life = self.lives[place]
        await life.killed()
        is_at_work = bool(await self.held_by(life.worker))
        if is_at_work:
            self.killed_at_work.add(life.worker)
        self._count(life)
        self.excused.add(life.worker)
        self.lives[place] = await self._begin(place)
        return is_at_work

    async def one_that_holds(self, runs_min: int) -> int | None:
        """Wait for a worker that holds so many runs and return its place; None if all is over."""
        found: int | None = None

        async def is_found() -> bool:
            nonlocal found
            held = Counter(str(owner) for (owner,) in await self.sql("SELECT owner FROM run"))
            places = (n for n, life in enumerate(self.lives) if held[life.worker] >= runs_min)
            found = next(places, None)
            return found is not None or self.has_ended_all

        await until(is_found)
        return found

    async def held_by(self, worker: str, *, locked: bool = True) -> frozenset[str]:
        """Return the runs that a worker holds; if so asked, without those that are locked."""
        sql = "SELECT id FROM run WHERE owner = $1"
        rows = await self.sql(sql if locked else f"{sql} FOR UPDATE SKIP LOCKED", worker)
        return frozenset(str(run) for (run,) in rows)

    async def until_nobody_waits_for(self, worker: str) -> None:
        """Wait until others hold what a worker held, but for what its transactions have locked."""

        async def has_lost_all() -> bool:
            return not await self.held_by(worker, locked=False)

        await until(has_lost_all)

    async def rob(self, worker: str) -> int:
        """Claim what a worker holds, for somebody who does nothing with it and soon loses it.

        Whoever is robbed finds every run as it was, but for who holds it and under which epoch.
        Returns how many runs that are.
        """
        robbed = await self.sql(
            """
            WITH theirs AS (SELECT id FROM run WHERE owner = $1 FOR UPDATE SKIP LOCKED)
            UPDATE run SET epoch = epoch + 1, claims = claims + 1, owner = 'a robber',
                           wake_at = server_now() + $2
              FROM theirs WHERE run.id = theirs.id
            RETURNING run.id
            """,
            worker,
            ROBBER_MICROS,
        )
        return len(robbed)

    async def ends_all(self, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until all orders have ended, unless something else comes before.

        Orders of which none ends any more are named, and not waited for.
        """
        ended, since = -1, 0.0

        async def is_over() -> bool:
            nonlocal ended, since
            for clerk in self._placing:
                if clerk.done():
                    clerk.result()
            if len(self.ends) > ended:
                ended, since = len(self.ends), self.clock()
            is_stuck = self.clock() - since > STUCK_SECONDS
            return is_stuck or unless() or all(clerk.done() for clerk in self._placing)

        await until(is_over, seconds=None)
        if self.clock() - since > STUCK_SECONDS:
            rows = await self.sql(
                "SELECT key, status, seq, epoch, claims, owner, inbox_taken < inbox_head, "
                "(wake_at - server_now()) / 1000000 FROM run WHERE key = ANY ($1)",
                [order for order in self.starts if order not in self.ends],
            )
            self.problems += [f"stuck: {row}" for row in rows]

    async def sql(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run a statement, as somebody from outside, and past any proxy."""
        connection = await asyncpg.connect(self.dsn(port=self.server.port))
        try:
            await connection.execute(f"SET search_path = {SEARCHED}")
            return [tuple(row) for row in await connection.fetch(statement, *parameters)]
        finally:
            await connection.close()

    async def finish(self) -> Found:
        """Wait for the ends of all orders, have all workers go, and judge."""
        await self.ends_all()
        if not self.has_ended_all:
            self.problems.append(f"{len(self.sample) - len(self.ends)} orders did not end")
        await asyncio.gather(*(life.opens() for life in self.lives))
        statuses = await asyncio.gather(*(life.gone() for life in self.lives))
        self.problems += [f"a worker ended with {status}" for status in statuses if status]
        for life in self.lives:
            self._count(life)
        store = self.dsn(port=self.server.port)
        found = await look(store, self.gateway)
        self.problems += [
            f"run {row.run} of {row.key} is {row.status}, and nothing will wake it"
            for row in await forgotten(self._journal)
        ]
        promised = Promised(starts=self.starts, ends=self.ends)
        self.problems += await judge(found, promised, store=store, gateway=self.gateway)
        if self.problems:
            self.problems += [f"{life.worker} said:\n{life.said}" for life in self.lives]
        return found

    async def _pace(self, seconds: float) -> None:
        began = self.clock()
        while (share := min((self.clock() - began) / seconds, self.share_max)) < 1:
            self.queue.allow(round(share * len(self.sample)))
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        self.queue.allow(len(self.sample))

    async def _begin(self, place: int) -> Life:
        worker = f"worker_{place}.{next(self._boots)}"
        badge = Badge(
            worker=worker,
            dsn=self.dsn(f"worker_{place}"),
            gateway=str(self.gateway),
            sample=self.sample,
            seed=self._seed,
            faults=FAULTS,
            patience=self._patience,
        )
        return await Life.begin(badge, self._folder, self._leash)

    async def _make_witness(self) -> None:
        """Give each place a user at the server, and have it noted who does what."""
        for place in range(WORKERS):
            await self.sql(
                f"DO $$ BEGIN CREATE ROLE worker_{place} LOGIN SUPERUSER; "
                "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            )
        connection = await asyncpg.connect(self.dsn(port=self.server.port))
        try:
            await connection.execute(f"SET search_path = {SEARCHED}; {SCRIPT}")
        finally:
            await connection.close()

    async def _clerk(self) -> None:
        async for purchase in self.queue:
            await see_to(self.client, purchase, self._hear)

    def _hear(self, told: Told) -> None:
        """Remember what is acknowledged."""
        match told:
            case Started():
                self.starts[told.order] = told.run
            case Ended():
                self.ends[told.order] = (told.status, told.rollback)
            case _:
                message = f"a clerk says {told}"
                raise AssertionError(message)

    def _count(self, life: Life) -> None:
        self.logged += life.logged
        if life.logged["had no time"]:
            self.excused.add(life.worker)
        if life.has_failed:
            self.problems.append(f"{life.worker} ended by itself:\n{life.said}")

    async def _leave_nobody(self) -> None:
        for life in self.lives:
            life.signal(signal.SIGKILL)
        await asyncio.gather(*(life.ended() for life in self.lives))
