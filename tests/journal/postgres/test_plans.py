"""Do statements find rows by their indexes, whatever the server knows of the tables?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood.journal.postgres.reading import conditions_of
from makegood.journal.protocol import Filter
from makegood.values.instants import Instant
from tests.journal.promises import lease
from tests.journal.records import ALICE, append, first, last, post, run_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


async def scans_of(world: PostgresWorld) -> dict[str, int]:
    """Return how often each table was read from its beginning to its end."""
    rows = await world.sql(
        "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1",
        world.place.schema,
    )
    return {name: scans for name, scans in rows if name in {"run", "facts", "inbox"}}


async def test_no_statement_reads_a_whole_table_that_was_never_analyzed(
    world: PostgresWorld,
) -> None:
    """Plans are made while the tables are empty, and kept while they grow."""
    # A session tells of its scans when it ends, those of making the indexes among them.
    await (await world.open()).close()
    before = await scans_of(world)
    journal = await world.open()
    runs = [run_id(number) for number in range(300)]
    await asyncio.gather(*(journal.append(first(run, f"key-{run}")) for run in runs))
    await asyncio.gather(*(journal.post(post(run)) for run in runs))
    taken = {"inbox_head": 1, "inbox_taken": 1}
    await asyncio.gather(*(journal.append(append(run, 2, **taken)) for run in runs))
    await lease(journal)
    await journal.release(ALICE, runs[:100], now=Instant(1))
    await lease(journal)
    ends = [journal.append(last(run, 3, ended_at=5, inbox_head=1)) for run in runs[100:]]
    await asyncio.gather(*ends)
    assert await journal.prune(ended_before=Instant(9), limit=150, now=Instant(9)) == 150

    await journal.close()

    assert await scans_of(world) == before


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(unfinished=True), "run_unfinished"),
        (Filter(statuses=frozenset({"running"})), "run_unfinished"),
        (Filter(statuses=frozenset({"waiting", "parked"})), "run_unfinished"),
        (Filter(statuses=frozenset({"parked"})), "run_troubled"),
        (Filter(statuses=frozenset({"parked", "failed"})), "run_troubled"),
        (Filter(), "run_pkey"),
    ],
)
async def test_every_listing_has_its_index(
    world: PostgresWorld, wanted: Filter, index: str
) -> None:
    await world.open()
    conditions, parameters = conditions_of(wanted)
    where = " AND ".join(conditions)
    async with world.outside() as connection:
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        plan = await connection.fetch(
            f"EXPLAIN SELECT id FROM run WHERE {where} ORDER BY id DESC LIMIT 9",  # noqa: S608
            *parameters,
        )

    assert index in "\n".join(line for (line,) in plan)
