"""Real processes, really killed: what was acknowledged is there, and nothing happens twice."""

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
from tests.runtime.outside import Outside
from tests.runtime.trips import book
from tests.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real

TRIPS = 400


def spoken(journal: Path, bank: Path, *, lines_max: int | None) -> list[str]:
    """Run a child until it has said so much, kill it, and return all that it said."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.child", str(journal), str(bank), str(TRIPS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said: list[str] = []
    for line in child.stdout:
        said.append(line.strip())
        if lines_max is not None and len(said) == lines_max:
            child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    child.stdout.close()
    assert child.returncode == (0 if lines_max is None else -signal.SIGKILL)
    return said


@pytest.mark.parametrize("lines", [(1, 2, 3), (40, 77, 150), (9, 301, 20)])
async def test_what_a_killed_process_acknowledged_is_there_and_is_finished(
    tmp_path: Path, lines: tuple[int, ...]
) -> None:
    """G1, G2, G3, G5, F1–F7, F123: killed three times; each trip ends with one key per step."""
    journal, bank = tmp_path / "trips.journal", tmp_path / "bank"
    said = [
        line.split()
        for lines_max in lines
        for line in await asyncio.to_thread(spoken, journal, bank, lines_max=lines_max)
    ]
    started = {number: run for what, number, run in said if what == "started"}
    ended = {run for what, _number, run in said if what == "ended"}

    services = {Outside: Book(str(bank))}
    async with Engine(f"sqlite:///{journal}", services=services) as engine:
        engine.serve(book)
        assert await engine.crashes() == len(lines)
        for run in ended:
            assert (await engine.run(run).describe()).status == "completed"
        for number, run in started.items():
            again = await engine.start(book(f"trip {number}"), key=f"trip-{number}")
            assert again.id == run
            assert await again.result() == "send done"
        for row in (await engine.list(Filter(unfinished=True))).rows:
            assert await engine.run(row.run).result() == "send done"

    keys: defaultdict[str, set[str]] = defaultdict(set)
    for name, key in calls_in(str(bank)):
        keys[name].add(key)
    trips = {len(of_one_step) for of_one_step in keys.values()}
    assert len(trips) == 1, "every trip that was begun has each of its steps, under one key"
    assert trips.pop() >= len(started)


async def test_a_process_that_is_left_alone_closes_in_good_order(tmp_path: Path) -> None:
    """F11: the next one finds no crash and nothing to take up."""
    journal, bank = tmp_path / "trips.journal", tmp_path / "bank"
    said = await asyncio.to_thread(spoken, journal, bank, lines_max=None)
    assert said[-1] == "closed"

    async with Engine(f"sqlite:///{journal}", services={Outside: Book(str(bank))}) as engine:
        engine.serve(book)
        assert await engine.crashes() == 0
        assert {row.status for row in (await engine.list()).rows} == {"completed"}
    assert len(calls_in(str(bank))) == 3 * TRIPS
