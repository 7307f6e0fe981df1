"""How long exploring the shop's own workflow takes, and how many worlds that is a second.

Nothing is waited for while worlds are played, so the processor's time is told too: on a machine
that is busy otherwise it is the truer figure.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from makegood.commerce.place_order import place_order
from makegood.testing import explore

if TYPE_CHECKING:
    from benchmarks.measurement import Figures

__all__ = ["measure_exploring"]


def measure_exploring(*, repeat: int) -> Figures:
    """Return how long every single fault takes, and every pair."""
    figures: Figures = {"explored": place_order.name}
    for name, pairs in (("singles", False), ("pairs", True)):
        worlds = 0
        seconds: list[float] = []
        processor: list[float] = []
        for _ in range(repeat):
            started, at_work = time.perf_counter(), time.process_time()
            worlds = explore(place_order, pairs=pairs).worlds
            seconds.append(time.perf_counter() - started)
            processor.append(time.process_time() - at_work)
        figures[f"{name}_worlds"] = worlds
        figures[f"{name}_seconds"] = round(median(seconds), 3)
        figures[f"{name}_processor_seconds"] = round(median(processor), 3)
        figures[f"{name}_worlds_per_second"] = round(worlds / median(seconds))
    return figures
