"""A journal with a million due runs, before and after the server knows of them.

As it was filled in, the server has no statistics of the tables and has never vacuumed them; then
it has both. Who claims, and the engine that works, are processes of their own, for their memory.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.claim.claims import Claimed, Claims, measure_claimed
from benchmarks.claim.work import Work, Worked, measure_work
from benchmarks.fill.filling import fill
from benchmarks.fill.shelf_postgres import leave_alone, settle
from benchmarks.measurement import Figures, named
from makegood.journal.address import open_journal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.store import Store

__all__ = ["measure_claims"]

_WORKERS = (1, 4)


def measure_claims(store: Store, *, due: int, claims: int, seconds: int, repeat: int) -> Figures:
    """Fill a journal with so many due runs; return the times of claims, and what an engine did."""
    with store.fresh() as url:
        started = time.perf_counter()
        asyncio.run(_fill(url, due=due))
        fill_seconds = time.perf_counter() - started
        _tell(f"{due:,} due runs were filled in after {fill_seconds:.0f} s")
        figures: Figures = {
            "due_runs": due,
            "fill_seconds": round(fill_seconds, 1),
            "claims": claims,
        }
        figures |= _claims("unanalyzed", url, claims=claims, repeat=repeat)
        asyncio.run(settle(url))
        figures |= _claims("vacuumed", url, claims=claims, repeat=repeat)
        worked = [measure_work(Work(url=url, seconds=seconds)) for _ in range(repeat)]
    return figures | named("work", _medians(worked))


def _claims(state: str, url: str, *, claims: int, repeat: int) -> Figures:
    """Measure claims by one worker and by several, in turns."""
    claimed: dict[int, list[Claimed]] = {workers: [] for workers in _WORKERS}
    for _ in range(repeat):
        for workers, samples in claimed.items():
            samples.append(measure_claimed(Claims(url=url, workers=workers, claims=claims)))
    _tell(f"measured the claims of a backlog that is {state}")
    figures: Figures = {}
    for workers, samples in claimed.items():
        figures |= named(f"{state}_claim_by_{workers}", _medians(samples))
    return figures


async def _fill(url: str, *, due: int) -> None:
    journal = open_journal(url)
    await journal.open(work=False)
    await journal.close()
    await leave_alone(url)
    await fill(url, runs=due, now=datetime.now(UTC), ends=False)


def _medians(samples: Sequence[Claimed] | Sequence[Worked]) -> dict[str, float]:
    return {
        name: median(getattr(sample, name) for sample in samples)
        for name in samples[0].__struct_fields__
    }


def _tell(progress: str) -> None:
    """Tell whoever waits, beside the figures and not among them: it takes minutes."""
    print(progress, file=sys.stderr, flush=True)
