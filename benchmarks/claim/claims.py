"""How long does a worker wait for 50 of the runs that are due? Alone, and beside others.

Each worker has a journal of its own, as each would in a process of its own, and claims through it
as an engine does, with the engine's pause after each claim. What it has claimed it gives back,
out of the time that is measured: the run is then due again, behind all the others.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from benchmarks.checkout import checkout5, checkout5_fail
from benchmarks.measurement import percentile
from benchmarks.memory import peak_rss_mb
from makegood.journal.address import open_journal
from makegood.runtime.clock import RandomIds, SystemClock
from makegood.runtime.config import Config

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal

__all__ = ["CLAIMED", "Claimed", "Claims", "measure_claimed"]

CLAIMED = 50
"""How many runs are claimed at once."""

_WARMUP = 10
_SECONDS_MAX = 1_800


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims, and how often."""

    url: str
    workers: int
    claims: int
    """Of each worker, beside some that are not counted: they connect and make plans."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """How long the claims of all workers took, and what their process held."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    rss_mb: float


def measure_claimed(claims: Claims) -> Claimed:
    """Measure claims in a fresh process."""
    finished = subprocess.run(  # noqa: S603 - this module and numbers that were made here
        [sys.executable, "-m", __name__, msgspec.json.encode(claims).decode()],
        stdout=subprocess.PIPE,
        timeout=_SECONDS_MAX,
        check=True,
    )
    return msgspec.json.decode(finished.stdout, type=Claimed)


async def _measure(claims: Claims) -> Claimed:
    journals = [open_journal(claims.url) for _ in range(claims.workers)]
    for journal in journals:
        await journal.open(work=True)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_claim(journal, claims.claims)) for journal in journals]
    finally:
        for journal in journals:
            await journal.close()
    latencies = [latency for task in tasks for latency in task.result()]
    return Claimed(
        p50_ms=round(percentile(latencies, 50), 3),
        p99_ms=round(percentile(latencies, 99), 3),
        max_ms=round(max(latencies), 3),
        rss_mb=peak_rss_mb(),
    )


async def _claim(journal: Journal, times: int) -> list[float]:
    worker, clock = RandomIds().worker(), SystemClock()
    room = {served.plan.fingerprint: CLAIMED for served in (checkout5, checkout5_fail)}
    latencies: list[float] = []
    for _ in range(_WARMUP + times):
        started = time.perf_counter()
        leases = await journal.lease(worker, room=room, limit=CLAIMED, now=clock.now())
        latencies.append((time.perf_counter() - started) * 1000)
        runs = tuple(leased.run for leased in leases.claimed)
        assert len(runs) == CLAIMED, f"{len(runs)} of {CLAIMED} due runs were claimed"
        await journal.release(worker, runs, now=clock.now())
        await asyncio.sleep(Config().poll_min.total_seconds())
    return latencies[_WARMUP:]


if __name__ == "__main__":
    measured = asyncio.run(_measure(msgspec.json.decode(sys.argv[1], type=Claims)))
    print(msgspec.json.encode(measured).decode())
