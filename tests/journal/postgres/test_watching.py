"""Are runs on PostgreSQL followed from elsewhere, and do their bodies have what is carried?"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Declined, Engine, Transaction, carried, injected, step, workflow
from makegood.decision import facts
from makegood.journal.postgres.journal import PostgresJournal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

AT_ONCE = Config(shutdown_grace=timedelta(0))
SECONDS_MAX = 30

tenant: ContextVar[str | None] = ContextVar("tenant_on_postgres", default=None)

SEEN: list[tuple[str, str | None]] = []
"""Which tenant each body saw. A local step can be given no diary of a test's own."""


def seen(what: str) -> None:
    SEEN.append((what, tenant.get()))
    tenant.set("nobody")


async def count(n: int, *, transaction: Transaction = injected) -> int:
    seen("before")
    await transaction.fetch("SELECT 1")
    SEEN.append(("behind", tenant.get()))
    return n


async def uncount(n: int, *, transaction: Transaction = injected) -> None:
    seen("undo")


async def refuse(n: int) -> None:
    seen("refuse")
    message = "no"
    raise Declined(message)


@workflow
def counting(n: int) -> None:
    step(refuse, irreversible="it is only a test")(step(count, undo=uncount)(n))


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world(lease_seconds=60)
    yield world
    await world.close()


def engine_on(world: PostgresWorld, *, work: bool) -> Engine:
    return Engine(
        PostgresJournal(world.place), config=AT_ONCE, carriers=[carried(tenant)], work=work
    )


async def test_a_client_follows_a_run_whose_bodies_have_the_clients_context(
    world: PostgresWorld,
) -> None:
    SEEN.clear()
    async with (
        asyncio.timeout(SECONDS_MAX),
        engine_on(world, work=True) as worker,
        engine_on(world, work=False) as client,
    ):
        worker.serve(counting)
        token = tenant.set("acme")
        run = await client.start(counting(1))
        tenant.reset(token)
        events = [event async for event in run.events()]
        progress = await run.progress()

    # What a local body sets it keeps over its requests, and no other body has it.
    assert SEEN == [
        ("before", "acme"),
        ("behind", "nobody"),
        ("refuse", "acme"),
        ("undo", "acme"),
    ]
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert isinstance(events[-1].fact, facts.RunEnded)
    assert (progress.status, progress.undone, progress.total) == ("failed", 1, 2)
