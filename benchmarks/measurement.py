"""What was measured, and how repeats become one figure. It knows nothing of engines or stores."""

from __future__ import annotations

import math
import os
import time
from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "Figures",
    "Sample",
    "Summary",
    "disk_sync_ms",
    "figures_of",
    "named",
    "percentile",
    "ratios",
    "summarize",
]

Figures = dict[str, str | int | float]
"""What is printed: one figure a line, in this order."""

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


def figures_of(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the summary of repeats, figure by name."""
    return msgspec.structs.asdict(summarize(samples))


def ratios(figures: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    """Return how many times the other each figure is, where both have it and it is not zero."""
    return {
        name: round(figure / others[name], 3)
        for name, figure in figures.items()
        if others.get(name)
    }


def named(prefix: str, figures: Mapping[str, float]) -> Figures:
    """Return figures under the name of what they are of."""
    return {f"{prefix}_{name}": figure for name, figure in figures.items()}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed."""
    assert values, "a percentile of nothing was asked for"
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


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
