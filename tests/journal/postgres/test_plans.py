"""Do statements find rows by their indexes, whatever the server knows of the tables?"""

from __future__ import annotations

import asyncio
import json
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

# Nothing here comes from outside.
# ruff: noqa: S608


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
    assert await journal.settled(runs) == frozenset()
    renewed = await world.sql("SELECT renew($1, $2, 1)", ALICE, runs)
    assert len(renewed) == len(runs)
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
            f"EXPLAIN SELECT id FROM run WHERE {where} ORDER BY id DESC LIMIT 9",
            *parameters,
        )

    assert index in "\n".join(line for (line,) in plan)


async def test_a_key_is_looked_for_by_both_of_its_indexes(world: PostgresWorld) -> None:
    await world.open()
    conditions, parameters = conditions_of(Filter(workflow="place_order", key="order-1"))
    where = " AND ".join(conditions)
    async with world.outside() as connection:
        await connection.execute("SET enable_seqscan = off; SET enable_indexscan = off")
        plan = await connection.fetch(f"EXPLAIN SELECT id FROM run WHERE {where}", *parameters)

    told = "\n".join(line for (line,) in plan)
    assert "on run_by_key " in told
    assert "on run_by_key_before " in told


MANY = """
    INSERT INTO run (id, workflow, fingerprint, input_hash, status, seq, inbox_head, inbox_taken,
           epoch, claims, owner, wake_at, created_at)
    SELECT 'run-' || lpad(n::text, 6, '0'), 'print', 'plan-' || n % 3, '', 'running', 1, 0, 0, 1, 0,
           CASE WHEN n % 3 = 2 THEN 'alice' END, n, 0
      FROM generate_series(1, 30000) AS n
"""

RUNS = 20
PAGES_A_RUN_MAX = 20
"""What may be touched for one run: its row, old and new, and the indexes that lead to it. To read
the whole table is more than a thousand."""


@pytest.mark.parametrize(
    "sql",
    [
        f"lease('bob', '{{plan-0,plan-1,plan-9}}', '{{9,99,99}}', {RUNS}, 99999, 1000000, 2)",
        "lease('bob', '{plan-0}', '{50}', 0, 99999, 1000000, 2)",
        "renew('alice', ARRAY(SELECT 'run-' || lpad((n * 300 + 2)::text, 6, '0') "
        f"FROM generate_series(1, {RUNS}) AS n), 1000000)",
        "settled(ARRAY(SELECT 'run-' || lpad((n * 299)::text, 6, '0') "
        f"FROM generate_series(1, {RUNS}) AS n))",
    ],
    ids=["claims", "no room", "renewals", "settled"],
)
async def test_what_is_asked_of_many_runs_touches_only_those_that_are_meant(
    world: PostgresWorld, sql: str
) -> None:
    """Among 30,000 runs of which the server knows nothing yet."""
    await world.open()
    await world.sql(MANY)
    async with world.outside() as connection:
        # The first call makes the plans, for which the server reads its own tables.
        await connection.fetch(f"SELECT * FROM {sql}")
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {sql}"
        )

    (plan,) = json.loads(rows[0][0])
    touched = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert 0 < touched <= RUNS * PAGES_A_RUN_MAX
