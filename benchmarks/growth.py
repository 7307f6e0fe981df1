"""What becomes slower when a journal is full of finished runs? An empty one is measured beside it.

The two are measured in turns, each in processes of its own, so that both meet the same weather.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.cold import crash, forget, measure_cold
from benchmarks.fill import fill
from benchmarks.measurement import ratios
from benchmarks.portrait import Effort, Portrait, measure_portrait

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["measure_growth"]

_ALONE_SHARE = 30
_PRUNE_SHARE = 10
_PRUNE_BATCH_MAX = 1_000


@dataclass(frozen=True, slots=True)
class _Side:
    """What was measured of one of the two, repeat by repeat."""

    portraits: list[Portrait] = field(default_factory=list)
    cold_seconds: list[float] = field(default_factory=list)
    cold_after_crash_seconds: list[float] = field(default_factory=list)
    cold_after_restart_seconds: list[float] = field(default_factory=list)

    def measure(self, effort: Effort, path: Path) -> None:
        """Measure one repeat. The file is there already, or is made by the first process."""
        self.portraits.append(measure_portrait(effort))
        self.cold_seconds.append(measure_cold(path)[0])
        crash(path)
        self.cold_after_crash_seconds.append(measure_cold(path)[0])
        crash(path)
        forget(path)
        self.cold_after_restart_seconds.append(measure_cold(path)[0])

    def figures(self) -> dict[str, float]:
        """Return the median of every figure."""
        return {
            name: median(getattr(portrait, name) for portrait in self.portraits)
            for name in Portrait.__struct_fields__
        } | {
            "cold_seconds": round(median(self.cold_seconds), 4),
            "cold_after_crash_seconds": round(median(self.cold_after_crash_seconds), 4),
            "cold_after_restart_seconds": round(median(self.cold_after_restart_seconds), 4),
        }


def measure_growth(
    folder: Path, *, runs: int, checkouts: int, clients: int, repeat: int
) -> dict[str, float]:
    """Fill a journal with so many finished runs, and return its figures beside an empty one's.

    Each figure is there as `empty_…`, as `full_…`, and as `ratio_…`, the full one's part of the
    empty one's.
    """
    path = folder / "full.journal"
    started = time.perf_counter()
    fill(path, runs=runs, now=datetime.now(UTC))
    fill_seconds = time.perf_counter() - started
    megabytes = path.stat().st_size / 1_000_000
    _tell(f"{runs:,} finished runs were filled in after {fill_seconds:.0f} s")
    effort = Effort(
        path=str(path),
        filled=runs,
        checkouts=checkouts,
        clients=clients,
        alone=max(checkouts // _ALONE_SHARE, 1),
        prune_batch=max(min(checkouts // _PRUNE_SHARE, _PRUNE_BATCH_MAX), 1),
    )
    empty, full = _Side(), _Side()
    for number in range(repeat):
        fresh = folder / f"empty-{number}.journal"
        empty.measure(msgspec.structs.replace(effort, path=str(fresh), filled=0), fresh)
        full.measure(effort, path)
        _tell(f"measured {number + 1} of {repeat} times")
    return {
        "finished_runs": runs,
        "fill_seconds": round(fill_seconds, 1),
        "full_megabytes": round(megabytes, 1),
        "checkouts": checkouts,
        "concurrency": clients,
        "prune_batch": effort.prune_batch,
    } | _beside(empty.figures(), full.figures())


def _tell(progress: str) -> None:
    """Tell whoever waits, beside the figures and not among them: it takes minutes."""
    print(progress, file=sys.stderr, flush=True)


def _beside(empty: dict[str, float], full: dict[str, float]) -> dict[str, float]:
    """Return the three figures of each name, one after the other."""
    sides = {"empty": empty, "full": full, "ratio": ratios(full, empty)}
    return {f"{side}_{name}": figures[name] for name in empty for side, figures in sides.items()}
