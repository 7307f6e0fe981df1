"""Is every change made once, wherever the process dies between two calls to the server?"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, Operator
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.faults.shop import Shop
from tests.journal.postgres.killing.child import WORKFLOWS
from tests.runtime.child import Book, calls_in
from tests.runtime.outside import Outside
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

SECONDS_MAX = 110

ROWS = {"drink": {"taken"}, "order": {"sold"}, "drop": {"taken", "returned"}}
"""In which tables a run of each workflow leaves a row."""

READ = {
    "taken": "SELECT trip FROM taken",
    "returned": "SELECT trip FROM returned",
    "sold": "SELECT trip FROM sold",
}

OWN = {
    "drink": {"make_runs", "BEGIN; SET LOCAL", "SAVEPOINT", "INSERT INTO taken", "record_local"},
    "order": {"make_runs", "BEGIN; SET LOCAL", "INSERT INTO sold"},
    "drop": {"make_runs", "SAVEPOINT", "INSERT INTO taken", "INSERT INTO returned", "record_local"},
}
"""Calls of a run of each workflow; beside them there is always COMMIT."""


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    world = await served.world()
    yield world
    await world.close()


def killed_everywhere(world: PostgresWorld, book: Path, name: str) -> list[str]:
    """Let a child die at every point of a run; return what became of each."""
    told = subprocess.run(
        [
            *(sys.executable, "-m", "tests.journal.postgres.killing.child"),
            *(world.place.dsn, world.place.schema, str(book), name),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout.splitlines()


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
async def test_a_process_that_dies_between_any_two_calls_has_changed_everything_once(
    world: PostgresWorld, tmp_path: Path, name: str
) -> None:
    """F1–F8, G1–G3: the table, the record, and the key that the outside was shown."""
    book = tmp_path / "book"
    book.touch()
    await (await world.open(migrations=Shop().migrations)).close()

    told = await asyncio.to_thread(killed_everywhere, world, book, name)

    for sent in OWN[name] | {"COMMIT"}:
        became = {tuple(line.split()[1:3]) for line in told if sent in line}
        assert became == {("killed", "SENDING"), ("killed", "ANSWERED")}, sent
    await world.sql("UPDATE run SET wake_at = 0 WHERE owner IS NOT NULL")
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        heir = Engine(
            PostgresJournal(world.place),
            services={Outside: Book(str(book))},
            extensions=[Shop()],
            config=Config(shutdown_grace=timedelta(0)),
        )
        await stack.enter_async_context(heir)
        heir.serve(*WORKFLOWS.values())
        trips = [f"{name} {number}" for number in range(len(told) + 1)]
        # Whoever called and has heard nothing calls again, with the same key.
        runs = [await heir.start(WORKFLOWS[name](trip), key=trip) for trip in trips]
        outcomes = await asyncio.gather(*(run.outcome() for run in runs))
        operator = Operator(heir)
        for run in runs:
            recorded = Counter(
                (type(fact).__name__, getattr(fact, "node", None))
                for fact in (await operator.history(run.id)).facts
                if type(fact).__name__.endswith(("Done", "Ended"))
            )
            assert set(recorded.values()) == {1}

        expected = "failed" if name == "drop" else "completed"
        assert {outcome.status for outcome in outcomes} == {expected}
        for table, read in READ.items():
            rows = await heir.read(read)
            left = trips if table in ROWS[name] else []
            assert sorted(str(trip) for (trip,) in rows) == sorted(left)
    keys = {key for _name, key in calls_in(str(book))}
    assert len(keys) == (len(trips) if name == "order" else 0)
