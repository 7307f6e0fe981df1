"""Does the journal in SQLite keep the promises?"""

from __future__ import annotations

import asyncio
import re
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from makegood.errors import StoreBusy
from makegood.journal.protocol import Filter
from makegood.journal.sqlite.journal import SqliteJournal
from makegood.journal.sqlite.reading import _conditions
from makegood.values.instants import as_datetime
from tests.journal.contract import *  # noqa: F403 - the suite that every journal passes
from tests.journal.contract.lanes import *  # noqa: F403 - and that of messages
from tests.journal.records import facts, first, run_id
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import Append, Journal, Migration
    from makegood.values.injectable import Sql


class SqliteWorld:
    """Workers on one file: the first leads it, the others stand by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journals: list[SqliteJournal] = []

    async def open(
        self, *, work: bool = True, migrations: Sequence[Migration] = ()
    ) -> SqliteJournal:
        journal = SqliteJournal(self.path)
        await journal.open(work=work, migrations=migrations)
        self.journals.append(journal)
        return journal

    async def kill(self, journal: Journal) -> None:
        """Give its lock back as the kernel would; what still runs of it is a zombie."""
        assert isinstance(journal, SqliteJournal)
        journal._lock.give_up()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[SqliteWorld, None]:
    world = SqliteWorld(tmp_path / "orders.journal")
    yield world
    for journal in world.journals:
        await journal.close()


async def test_what_waits_together_shares_commits(world: SqliteWorld) -> None:
    journal = await world.open()

    commits = await commits_of(journal, [first(run_id(number)) for number in range(256)])

    assert commits == 2


async def test_a_commit_carries_no_more_than_so_many_bytes(world: SqliteWorld) -> None:
    journal = await world.open()
    large = facts("x" * 1_500_000)

    commits = await commits_of(journal, [first(run_id(n), facts=large) for n in range(8)])

    assert commits == 4


async def commits_of(journal: SqliteJournal, appends: Sequence[Append]) -> int:
    """Return how many commits appends take that all wait when the writer begins."""
    before = journal.commits
    gate = threading.Event()
    held = asyncio.ensure_future(journal._ready().writer.between(gate.wait))
    await turn_of_the_loop()
    waiting = [journal.append(append) for append in appends]
    gate.set()
    await asyncio.gather(held, *waiting)
    return journal.commits - before


async def test_a_read_that_takes_too_long_is_cut(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "orders.journal", read_seconds_max=0.02)
    await journal.open(work=True)

    with pytest.raises(StoreBusy, match=r"longer than 0.02 s"):
        await journal.query(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )

    assert await journal.query("SELECT 1") == [(1,)]
    await journal.close()


async def test_a_held_run_shows_no_time_at_which_others_may_take_it(world: SqliteWorld) -> None:
    journal = await world.open()
    await journal.append(first(run_id(1)))

    wake_at = (await journal.read(run_id(1))).row.wake_at

    assert wake_at is not None
    assert as_datetime(wake_at).year == 9999


async def test_every_listing_has_its_index(world: SqliteWorld) -> None:
    journal = await world.open()
    plans = {
        "SELECT id FROM makegood_run WHERE ended_at IS NULL ORDER BY id DESC": "unfinished",
        "SELECT id FROM makegood_run WHERE status IN ('parked', 'failed') AND status = 'parked' "
        "ORDER BY id DESC": "troubled",
        "SELECT id FROM makegood_run WHERE fingerprint = 'a' AND wake_at IS NOT NULL "
        "AND wake_at <= 5 ORDER BY wake_at, id LIMIT 5 OFFSET 5": "by_wake",
        "SELECT id FROM makegood_run WHERE wake_at = 5": "by_wake",
        "SELECT id FROM makegood_run WHERE subject = 'a' ORDER BY id DESC": "by_subject",
        "SELECT id FROM makegood_run WHERE ended_at IS NOT NULL AND pruned_at IS NULL "
        "AND ended_at < 5 AND wake_at IS NULL ORDER BY ended_at, id LIMIT 5": "ended",
        "SELECT id FROM makegood_run WHERE workflow = 'a' AND key = 'b' AND key_hold < 2": "by_key",
        "SELECT max(id) FROM makegood_run WHERE workflow = 'a' AND key = 'b' "
        "AND key_hold = 2": "by_key_before",
    }

    for sql, index in plans.items():
        steps = await journal._ready().reader.read(partial(explained, sql=sql))
        assert re.search(rf"makegood_run_{index}\b", steps), sql


async def test_a_period_of_moves_is_counted_from_an_index_alone(world: SqliteWorld) -> None:
    journal = await world.open()
    sql = (
        "SELECT workflow, origin, destination, count(*) FROM makegood_move WHERE at >= 5 "
        "AND (NULL IS NULL OR workflow = NULL) GROUP BY workflow, origin, destination"
    )

    steps = await journal._ready().reader.read(partial(explained, sql=sql))

    assert "COVERING INDEX makegood_move_by_at (at>?)" in steps


@pytest.mark.parametrize(
    ("statuses", "index"),
    [
        ({"running"}, "unfinished"),
        ({"waiting", "parked"}, "unfinished"),
        ({"parked"}, "troubled"),
        ({"parked", "failed"}, "troubled"),
    ],
)
async def test_runs_of_a_status_are_not_looked_for_among_all(
    statuses: set[str], index: str, world: SqliteWorld
) -> None:
    journal = await world.open()
    conditions, parameters = _conditions(Filter(statuses=frozenset(statuses)))
    where = " AND ".join(conditions)
    sql = f"SELECT id FROM makegood_run WHERE {where} ORDER BY id DESC"  # noqa: S608 - ours

    steps = await journal._ready().reader.read(
        partial(explained, sql=sql, parameters=tuple(parameters))
    )

    assert f"makegood_run_{index}" in steps


async def test_a_key_is_looked_for_by_both_of_its_indexes(world: SqliteWorld) -> None:
    journal = await world.open()
    conditions, parameters = _conditions(Filter(workflow="place_order", key="order-1"))
    where = " AND ".join(conditions)
    sql = f"SELECT id FROM makegood_run WHERE {where} ORDER BY id DESC"  # noqa: S608 - ours

    steps = await journal._ready().reader.read(
        partial(explained, sql=sql, parameters=tuple(parameters))
    )

    assert "makegood_run_by_key " in steps
    assert "makegood_run_by_key_before" in steps


def explained(connection: Connection, *, sql: str, parameters: Sequence[Sql] = ()) -> str:
    return str(connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall())
