"""A full journal and an empty one beside it: what differs is what grows.

The two are measured in turns, each in processes of its own, so that both meet the same weather.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.cold import crash, forget, measure_cold
from benchmarks.fill.filling import fill, shelf_at
from benchmarks.fill.shelf_postgres import settle
from benchmarks.growth.portrait import Effort, Portrait, measure_portrait
from benchmarks.measurement import Figures, ratios

if TYPE_CHECKING:
    from benchmarks.store import Store

__all__ = ["measure_growth"]

_FILE = "sqlite:///"
_ALONE_SHARE = 30
_PRUNE_SHARE = 10
_PRUNE_BATCH_MAX = 1_000


@dataclass(frozen=True, slots=True)
class _Side:
    """What was measured of one of the two, repeat by repeat."""

    portraits: list[Portrait] = field(default_factory=list)
    cold: dict[str, list[float]] = field(default_factory=dict)
    """Seconds to the first workflow, by what came before."""

    def measure(self, effort: Effort) -> None:
        """Measure one repeat. The journal is there already, or is made by the first process."""
        url = effort.url
        self.portraits.append(measure_portrait(effort))
        self._measure_cold("cold_seconds", url)
        if not url.startswith(_FILE):
            # A server has its own crashes, and a client that was killed leaves it nothing to do.
            return
        crash(url)
        self._measure_cold("cold_after_crash_seconds", url)
        crash(url)
        forget(Path(url.removeprefix(_FILE)))
        self._measure_cold("cold_after_restart_seconds", url)

    def figures(self) -> dict[str, float]:
        """Return the median of every figure."""
        return {
            name: median(getattr(portrait, name) for portrait in self.portraits)
            for name in Portrait.__struct_fields__
        } | {name: round(median(seconds), 4) for name, seconds in self.cold.items()}

    def _measure_cold(self, name: str, url: str) -> None:
        self.cold.setdefault(name, []).append(measure_cold(url)[0])


def measure_growth(
    store: Store, *, runs: int, checkouts: int, clients: int, repeat: int
) -> Figures:
    """Fill a journal with so many finished runs, and return its figures beside an empty one's.

    Each figure is there as `empty_…`, as `full_…`, and as `ratio_…`, the full one's part of the
    empty one's.
    """
    empty, full = _Side(), _Side()
    with store.fresh() as url:
        started = time.perf_counter()
        megabytes = asyncio.run(_fill(url, runs=runs))
        fill_seconds = time.perf_counter() - started
        _tell(f"{runs:,} finished runs were filled in after {fill_seconds:.0f} s")
        effort = Effort(
            url=url,
            filled=runs,
            checkouts=checkouts,
            clients=clients,
            alone=max(checkouts // _ALONE_SHARE, 1),
            prune_batch=max(min(checkouts // _PRUNE_SHARE, _PRUNE_BATCH_MAX), 1),
        )
        for number in range(repeat):
            with store.fresh() as fresh:
                empty.measure(msgspec.structs.replace(effort, url=fresh, filled=0))
            full.measure(effort)
            _tell(f"measured {number + 1} of {repeat} times")
    figures: Figures = {
        "finished_runs": runs,
        "fill_seconds": round(fill_seconds, 1),
        "full_megabytes": round(megabytes, 1),
        "checkouts": checkouts,
        "concurrency": clients,
        "prune_batch": effort.prune_batch,
    }
    return figures | _beside(empty.figures(), full.figures())


async def _fill(url: str, *, runs: int) -> float:
    """Fill a journal, and return how many megabytes it has."""
    await fill(url, runs=runs, now=datetime.now(UTC))
    if not url.startswith(_FILE):
        await settle(url)
    async with shelf_at(url) as shelf:
        return await shelf.megabytes()


def _tell(progress: str) -> None:
    """Tell whoever waits, beside the figures and not among them: it takes minutes."""
    print(progress, file=sys.stderr, flush=True)


def _beside(empty: dict[str, float], full: dict[str, float]) -> dict[str, float]:
    """Return the three figures of each name, one after the other."""
    sides = {"empty": empty, "full": full, "ratio": ratios(full, empty)}
    return {f"{side}_{name}": figures[name] for name in empty for side, figures in sides.items()}
