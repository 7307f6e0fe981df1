"""What was measured, and how repeats become one figure. It knows nothing of engines or stores."""

from __future__ import annotations

import math
import os
import resource
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sample", "Summary", "disk_sync_ms", "peak_rss_mb", "percentile", "summarize"]

_SYNCS = 200


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One repeat: how long it took in all, and how long each workflow took."""

    seconds: float
    latencies_ms: tuple[float, ...]
    commits: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All repeats of one measurement: medians, and the span of the rate."""

    workflows_per_second: float
    workflows_per_second_min: float
    workflows_per_second_max: float
    p50_ms: float
    p99_ms: float
    commits_per_workflow: float


def summarize(samples: Sequence[Sample]) -> Summary:
    """Return the median of each figure over the repeats, with the slowest and fastest rate."""
    rates = [len(sample.latencies_ms) / sample.seconds for sample in samples]
    return Summary(
        workflows_per_second=round(median(rates), 1),
        workflows_per_second_min=round(min(rates), 1),
        workflows_per_second_max=round(max(rates), 1),
        p50_ms=round(median(percentile(sample.latencies_ms, 50) for sample in samples), 3),
        p99_ms=round(median(percentile(sample.latencies_ms, 99) for sample in samples), 3),
        commits_per_workflow=round(
            median(sample.commits / len(sample.latencies_ms) for sample in samples), 4
        ),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed."""
    assert values, "a percentile of nothing was asked for"
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def peak_rss_mb() -> float:
    """Return the most memory that this process has held so far, in megabytes.

    Linux hands `ru_maxrss` on from the parent through fork and exec; its own figure for the
    program that runs now is VmHWM, so that one is taken where it exists.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def disk_sync_ms(folder: Path) -> float:
    """Return the median time of one small durable write in a folder: what a commit cannot beat."""
    times: list[float] = []
    probe = folder / "sync-probe"
    with probe.open("wb") as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    probe.unlink()
    return round(median(times), 3)
