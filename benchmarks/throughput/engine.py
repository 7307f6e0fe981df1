"""The measured side: checkout5 on a real engine over a fresh journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.checkout import checkout5, checkout5_fail
from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Sample
from makegood import Engine
from makegood.journal.address import open_journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.journal.protocol import Journal

__all__ = ["commits_of", "completing", "measure_engine", "run_once_on"]


async def measure_engine(url: str, *, fails: bool, runs: int, clients: int, warmup: int) -> Sample:
    """Measure one repeat; the warm-up is not counted in any figure."""
    journal = open_journal(url)
    async with Engine(journal=journal) as engine:
        run_once = run_once_on(engine, fails=fails)
        await closed_loop(run_once, runs=warmup, clients=clients)
        commits_before = commits_of(journal)
        seconds, latencies = await closed_loop(run_once, runs=runs, clients=clients)
        commits = commits_of(journal) - commits_before
    return Sample(seconds=seconds, latencies_ms=latencies, commits=commits)


def run_once_on(engine: Engine, *, fails: bool) -> Callable[[int], Awaitable[None]]:
    """Serve checkout5 and its failing twin; return what carries out one of them by its number."""
    engine.serve(checkout5, checkout5_fail)
    return _failing(engine) if fails else completing(engine)


def completing(engine: Engine) -> Callable[[int], Awaitable[None]]:
    """Return what starts checkout5 by its number and awaits its result."""

    async def complete(number: int) -> None:
        run = await engine.start(checkout5(f"order-{number}"))
        await run.result()

    return complete


def commits_of(journal: Journal) -> int:
    """Return how many commits a journal has made; the Protocol does not ask for it, stores do."""
    commits = getattr(journal, "commits", None)
    if not isinstance(commits, int):
        message = f"{type(journal).__name__} does not count its `commits`; it cannot be measured"
        raise TypeError(message)
    return commits


def _failing(engine: Engine) -> Callable[[int], Awaitable[None]]:
    async def fail(number: int) -> None:
        run = await engine.start(checkout5_fail(f"order-{number}"))
        outcome = await run.outcome()
        assert outcome.status == "failed", f"a failing checkout ended as {outcome.status}"

    return fail
