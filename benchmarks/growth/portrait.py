"""How does one journal do, however much is in it? Measured in a process of its own, for its memory.

Importing this module runs nothing; `python -m benchmarks.growth.portrait` is what the process runs.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from benchmarks.checkout import checkout5, checkout5_fail
from benchmarks.closed_loop import closed_loop
from benchmarks.fill.filled import completed_near, key_of
from benchmarks.measurement import percentile
from benchmarks.memory import peak_rss_mb
from benchmarks.throughput.engine import completing
from makegood import Engine
from makegood.journal.address import open_journal
from makegood.journal.protocol import Filter, NewRun, Post
from makegood.runtime.clock import RandomIds, SystemClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.journal.protocol import Journal

__all__ = ["Effort", "Portrait", "measure_portrait"]

_CLAIMED = 50
_PRUNINGS = 5
_STRIDE = 7_919
_TIMEOUT_SECONDS = 600


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured, and how much of it."""

    url: str
    filled: int
    """How many runs were filled in; 0 for a journal that begins empty."""
    checkouts: int
    """The workflows of a throughput."""
    clients: int
    alone: int
    """The workflows of the latency of one alone."""
    prune_batch: int
    """How many runs are pruned at once; never more than a tenth of a throughput."""
    asked: int = 100
    """How often each question is put."""


class Portrait(msgspec.Struct, frozen=True, kw_only=True):
    """How one journal did. Every time is a median, in milliseconds."""

    workflows_per_second: float
    cpu_us: float
    """What the process computed for each of these, on all threads: less at the mercy of what else
    the machine does."""
    keyed_per_second: float
    """The same workflows, each started under a key of its own that no order is in."""
    alone_ms: float
    list_newest_ms: float
    list_failed_ms: float
    list_running_ms: float
    list_workflow_ms: float
    list_nobodys_ms: float
    """The runs of a workflow that has none: all rows are looked at."""
    find_ms: float
    """A run by its key."""
    claim_50_ms: float
    prune_ms: float
    """One batch, the oldest runs first."""
    rss_mb: float


def measure_portrait(effort: Effort) -> Portrait:
    """Measure a journal in a fresh process."""
    finished = subprocess.run(  # noqa: S603 - this module and numbers that were made here
        [sys.executable, "-m", __name__, msgspec.json.encode(effort).decode()],
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT_SECONDS,
        check=True,
    )
    return msgspec.json.decode(finished.stdout, type=Portrait)


async def _measure(effort: Effort) -> Portrait:
    journal = open_journal(effort.url)
    async with Engine(journal=journal) as engine:
        engine.serve(checkout5, checkout5_fail)
        checkout = completing(engine)
        rate = partial(_rate, clients=effort.clients)
        typical = partial(_median_ms, times=effort.asked)
        listing = partial(_listing, journal)
        keys: list[str] = []
        await rate(checkout, runs=max(effort.checkouts // 10, 1))
        computed_before = time.process_time()
        workflows_per_second = await rate(checkout, runs=effort.checkouts)
        computed = time.process_time() - computed_before
        return Portrait(
            workflows_per_second=workflows_per_second,
            cpu_us=round(computed / effort.checkouts * 1_000_000, 1),
            keyed_per_second=await rate(_keyed(engine, keys), runs=effort.checkouts),
            alone_ms=await _median_ms(checkout, times=effort.alone),
            list_newest_ms=await typical(listing(Filter())),
            list_failed_ms=await typical(listing(Filter(statuses=frozenset({"failed"})))),
            list_running_ms=await typical(listing(Filter(statuses=frozenset({"running"})))),
            list_workflow_ms=await typical(listing(Filter(workflow="checkout5"))),
            list_nobodys_ms=await typical(listing(Filter(workflow="nobodys"))),
            find_ms=await typical(_finding(journal, effort.filled, keys)),
            claim_50_ms=await _claim_ms(journal, times=effort.asked),
            prune_ms=await _median_ms(_pruning(journal, effort.prune_batch), times=_PRUNINGS),
            rss_mb=peak_rss_mb(),
        )


async def _rate(run_once: Callable[[int], Awaitable[object]], *, runs: int, clients: int) -> float:
    seconds, _ = await closed_loop(run_once, runs=runs, clients=clients)
    return round(runs / seconds, 1)


async def _median_ms(ask: Callable[[int], Awaitable[object]], *, times: int) -> float:
    _, latencies = await closed_loop(ask, runs=times, clients=1)
    return round(percentile(latencies, 50), 3)


def _keyed(engine: Engine, keys: list[str]) -> Callable[[int], Awaitable[None]]:
    """Return what starts checkout5 under a key that no order is in, and notes the key."""

    async def complete(number: int) -> None:
        key = secrets.token_hex(16)
        run = await engine.start(checkout5(f"order-{number}"), key=key)
        await run.result()
        keys.append(key)

    return complete


def _listing(journal: Journal, wanted: Filter) -> Callable[[int], Awaitable[None]]:
    async def page(_number: int) -> None:
        await journal.list(wanted)

    return page


def _finding(journal: Journal, filled: int, made: list[str]) -> Callable[[int], Awaitable[None]]:
    """Return what finds one run after the other, here and there in the journal."""

    async def find(number: int) -> None:
        place = number * _STRIDE
        key = key_of(completed_near(place % filled)) if filled else made[place % len(made)]
        found = await journal.find("checkout5", key)
        assert found is not None, f"no run has the key {key}"

    return find


async def _claim_ms(journal: Journal, *, times: int) -> float:
    """Claim some of the runs that are due, and give them back to be claimed again."""
    ids, clock = RandomIds(), SystemClock()
    # A fingerprint that the engine does not serve, so that it leaves these runs to be claimed.
    worker, fingerprint = ids.worker(), secrets.token_hex(8)
    for _ in range(2 * _CLAIMED):
        now = clock.now()
        new = NewRun(
            workflow="claimed", key=None, fingerprint=fingerprint, input_hash="", created_at=now
        )
        await journal.post(Post(run=ids.run(), body=b"[]", at=now, create=new))
    latencies: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        leases = await journal.lease(
            worker, room={fingerprint: _CLAIMED}, limit=_CLAIMED, now=clock.now()
        )
        latencies.append((time.perf_counter() - started) * 1000)
        runs = tuple(leased.run for leased in leases.claimed)
        assert len(runs) == _CLAIMED, f"{len(runs)} of {_CLAIMED} due runs were claimed"
        await journal.release(worker, runs, now=clock.now())
    return round(percentile(latencies, 50), 3)


def _pruning(journal: Journal, batch: int) -> Callable[[int], Awaitable[None]]:
    async def prune(_number: int) -> None:
        now = SystemClock().now()
        pruned = await journal.prune(ended_before=now, limit=batch, now=now)
        assert pruned == batch, f"{pruned} of {batch} runs were left to prune"

    return prune


if __name__ == "__main__":
    measured = asyncio.run(_measure(msgspec.json.decode(sys.argv[1], type=Effort)))
    print(msgspec.json.encode(measured).decode())
