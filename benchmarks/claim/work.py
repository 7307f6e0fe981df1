"""What does a whole engine do with a backlog, and what memory does it hold? In a fresh process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import msgspec

from benchmarks.checkout import checkout5, checkout5_fail
from benchmarks.database import connected
from benchmarks.memory import peak_rss_mb
from makegood import Engine
from makegood.journal.postgres.place import Place

__all__ = ["Work", "Worked", "measure_work"]

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_MORE_MAX = 120


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Where the backlog is, and how long an engine works on it."""

    url: str
    seconds: int


class Worked(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine did with its default settings."""

    workflows_per_second: float
    """Runs that it ended, of those that were due."""
    active_max: int
    """The most runs that it held at once, as far as was looked."""
    rss_mb: float


def measure_work(work: Work) -> Worked:
    """Have an engine work in a fresh process."""
    finished = subprocess.run(  # noqa: S603 - this module and numbers that were made here
        [sys.executable, "-m", __name__, msgspec.json.encode(work).decode()],
        stdout=subprocess.PIPE,
        timeout=work.seconds + _SECONDS_MORE_MAX,
        check=True,
    )
    return msgspec.json.decode(finished.stdout, type=Worked)


async def _measure(work: Work) -> Worked:
    active_max = 0
    ended_before = await _ended(work.url)
    async with Engine(work.url) as engine:
        started = time.perf_counter()
        engine.serve(checkout5, checkout5_fail)
        while time.perf_counter() - started < work.seconds:
            active_max = max(active_max, engine.active)
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        seconds = time.perf_counter() - started
        ended = await _ended(work.url) - ended_before
    return Worked(
        workflows_per_second=round(ended / seconds, 1), active_max=active_max, rss_mb=peak_rss_mb()
    )


async def _ended(url: str) -> int:
    """Count on a connection of our own, past the engine."""
    run = f'"{Place.of(url).schema}".run'
    sql = f"SELECT count(*) FROM {run} WHERE ended_at IS NOT NULL"  # noqa: S608 - a plain name
    async with connected(url) as connection:
        counted: int = await connection.fetchval(sql)
    return counted


if __name__ == "__main__":
    measured = asyncio.run(_measure(msgspec.json.decode(sys.argv[1], type=Work)))
    print(msgspec.json.encode(measured).decode())
