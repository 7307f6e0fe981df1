"""A process that is really killed in the middle of handlers: nothing is lost, nothing is twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, Filter
from tests.runtime.child import Book, calls_in
from tests.runtime.lifecycle.shop import Packed, Paid, Status, orders
from tests.runtime.outside import Outside
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

COUNT = 60


def killed_after(journal: Path, book: Path, life: str, lines_max: int) -> list[str]:
    """Run a child until it has said so much, kill it, and return what it said."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.lifecycle.child", journal, book, str(COUNT), life],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said: list[str] = []
    for line in child.stdout:
        said.append(line.strip())
        if len(said) == lines_max:
            child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    child.stdout.close()
    return said


async def test_records_of_killed_processes_go_on_where_they_stood(tmp_path: Path) -> None:
    journal, path = tmp_path / "orders.journal", tmp_path / "book"
    said: list[list[str]] = []
    for lines_max in (3, 60, 100):
        life = f"o-{lines_max}"
        lines = await asyncio.to_thread(killed_after, journal, path, life, lines_max)
        said += [line.split() for line in lines]
    started = {run for what, run in said if what == "started"}
    ended = {run for what, run in said if what == "ended"}

    async with Engine(f"sqlite:///{journal}", services={Outside: Book(str(path))}) as engine:
        engine.serve(orders)
        assert await engine.crashes() == 3
        for row in (await engine.list(Filter(unfinished=True, limit=200))).rows:
            assert row.run not in ended
            assert row.key is not None
            # Whoever does not know whether he has sent a message sends it again.
            await engine.send(Paid(7), key=row.key, id=f"paid {row.key}")
            await engine.send(Packed("p"), key=row.key, id=f"packed {row.key}")
            async with asyncio.timeout(30):
                assert (await engine.run(row.run).await_status(Status.SHIPPED)).what == "reached"
        rows = (await engine.list(Filter(limit=200))).rows
        assert {row.status for row in rows} == {"completed"}
        assert {row.run for row in rows} >= started

    keys: defaultdict[str, set[str]] = defaultdict(set)
    for name, key in calls_in(str(path)):
        keys[name].add(key)
    # The handlers of each run have one key each, however often they were called.
    assert {name: len(found) for name, found in keys.items()} == {
        "price": len(rows),
        "settle": len(rows),
    }
