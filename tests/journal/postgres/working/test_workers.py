"""Do workers find what was left for them at once, hand it over, and survive what is deadly?"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, Filter
from makegood.decision.facts import ControlAnswer
from makegood.journal.postgres.journal import PostgresJournal
from makegood.runtime.clock import SystemClock
from makegood.values.instants import Instant
from tests.journal.postgres.served import eventually
from tests.journal.postgres.working.deadly import Mill, grind
from tests.runtime.outside import Gate, Outside
from tests.runtime.trips import book
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from makegood.runtime.ports import Timer
    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

AT_ONCE = Config(shutdown_grace=timedelta(0))
SECONDS_MAX = 30


class ImpatientClock(SystemClock):
    """Never comes to what is to be done in more than a moment: no poll after the first few."""

    def __init__(self) -> None:
        self.withheld = 0

    def call_at(self, when: Instant, callback: Callable[[], object]) -> Timer:
        if when - self.now() <= 100_000:
            return super().call_at(when, callback)
        self.withheld += 1
        return super().call_at(Instant(when + 3_600_000_000), callback)


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent(lease_seconds=60) as world:
        yield world


async def entered(
    stack: AsyncExitStack,
    world: PostgresWorld,
    outside: Outside,
    *,
    clock: SystemClock | None = None,
) -> Engine:
    """Return an engine that is open and serves trips."""
    engine = Engine(
        PostgresJournal(world.place), services={Outside: outside}, config=AT_ONCE, clock=clock
    )
    await stack.enter_async_context(engine)
    engine.serve(book)
    return engine


async def who_only_listens(stack: AsyncExitStack, world: PostgresWorld, outside: Outside) -> Engine:
    """Return an engine that asks for nothing any more, unless somebody rings."""
    clock = ImpatientClock()
    engine = await entered(stack, world, outside, clock=clock)

    async def asks_no_more() -> bool:
        listening = await world.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'idle'",
            f'LISTEN "{world.place.schema}"',
        )
        return clock.withheld > 0 and listening[0][0] > 0

    await eventually(asks_no_more)
    return engine


async def test_a_start_by_a_client_is_taken_up_at_once(world: PostgresWorld) -> None:
    """By the doorbell alone: the worker would not ask again before an hour is over."""
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        client = await stack.enter_async_context(Engine(PostgresJournal(world.place), work=False))
        worker = await who_only_listens(stack, world, Outside())

        for number in range(3):
            run = await client.start(book(f"trip {number}"))

            assert await run.result() == "send done"
        assert worker.active == 0


async def test_a_cancellation_by_a_client_reaches_the_holder_at_once(world: PostgresWorld) -> None:
    outside = Outside()
    gate = Gate()
    outside.planned["charge"].append(gate)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        client = await stack.enter_async_context(Engine(PostgresJournal(world.place), work=False))
        worker = await who_only_listens(stack, world, outside)
        run = await worker.start(book("a"))
        await gate.reached.wait()

        asked = asyncio.ensure_future(client.run(run.id).cancel())
        turn = worker._shell.active[run.id]

        async def is_told() -> bool:
            return turn.state.rolling_back is not None

        await eventually(is_told)
        gate.open()

        assert await asked is ControlAnswer.ACCEPTED
        assert (await run.outcome()).status == "cancelled"


async def test_without_a_doorbell_what_is_left_is_found_by_asking(world: PostgresWorld) -> None:
    """F53: behind a pooler nothing listens."""
    world.place = replace(world.place, pooled=True)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        client = await stack.enter_async_context(Engine(PostgresJournal(world.place), work=False))
        await entered(stack, world, Outside())

        run = await client.start(book("a"))

        assert await run.result() == "send done"


async def test_a_listener_that_is_cut_off_again_and_again_loses_no_run(
    world: PostgresWorld,
) -> None:
    """F53."""
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        client = await stack.enter_async_context(Engine(PostgresJournal(world.place), work=False))
        await entered(stack, world, Outside())
        for number in range(5):
            await world.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1",
                f'LISTEN "{world.place.schema}"',
            )
            run = await client.start(book(f"trip {number}"))

            assert await run.result() == "send done"


async def test_what_a_closing_engine_held_is_taken_up_at_once(world: PostgresWorld) -> None:
    """F11: the one that takes over is rung, and would not ask by itself."""
    outside = Outside()
    gates = [Gate() for _ in range(5)]
    outside.planned["charge"] += gates
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        closing = await entered(stack, world, outside)
        runs = [await closing.start(book(f"trip {number}")) for number in range(5)]
        for gate in gates:
            await gate.reached.wait()
        heir = await who_only_listens(stack, world, outside)

        await closing.__aexit__(None, None, None)

        results = [await heir.run(run.id).result() for run in runs]
        assert results == ["send done"] * 5
        assert await heir.crashes() == 0


async def test_of_what_was_claimed_together_only_the_deadly_run_is_parked(
    world: PostgresWorld,
) -> None:
    """G12: processes that die of one run claim it alone from the third time on."""
    async with AsyncExitStack() as stack, asyncio.timeout(3 * SECONDS_MAX):
        client = await stack.enter_async_context(
            Engine(PostgresJournal(world.place), services={Mill: Mill()}, work=False)
        )
        for name in ("neighbour", "deadly", "another"):
            await client.start(grind(name), key=name)
        deaths = await deaths_of_workers(world)

        rows = (await client.list(Filter())).rows
        crashes = await client.crashes()
    assert {row.key: (row.status, row.reason) for row in rows} == {
        "neighbour": ("completed", None),
        "deadly": ("parked", "poison"),
        "another": ("completed", None),
    }
    # The first claim was progress: it made a fact of the start that was posted.
    assert (deaths, crashes) == (6, 6)


async def deaths_of_workers(world: PostgresWorld) -> int:
    """Let one process after the other work until nothing is left to do; return how many died."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.journal.postgres.working.deadly"),
        *(world.place.dsn, world.place.schema),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await child.communicate()
    assert child.returncode == 0
    return int(said)
