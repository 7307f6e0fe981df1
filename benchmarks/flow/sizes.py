"""What a turn costs by the size of the plan: whether a large workflow is slow for its size alone.

A chain of plain steps makes one turn a step. Every size carries out about as many steps, one run
after the other and in memory, so that what differs is the plan.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.checkout import Receipt, reserve
from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Figures
from makegood import Engine, Workflow, chain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["measure_sizes"]


def measure_sizes(sizes: Sequence[int], *, steps: int, repeat: int) -> Figures:
    """Return how long declaring a plan of each size takes, and a turn of it, beside the first."""
    figures: Figures = {"steps": steps}
    plans: dict[int, Workflow[[str], Receipt]] = {}
    for size in sizes:
        started = time.perf_counter()
        plans[size] = _of(size)
        figures[f"declare_ms_{size}"] = round((time.perf_counter() - started) * 1e3, 1)
    turns: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(repeat):
        for size, plan in plans.items():
            turns[size].append(asyncio.run(_seconds_a_turn(plan, max(steps // size, 1), size)))
    for size in sizes:
        figures[f"turn_us_{size}"] = round(median(turns[size]) * 1e6, 1)
    for size in sizes:
        figures[f"turn_ratio_{size}"] = round(median(turns[size]) / median(turns[sizes[0]]), 3)
    return figures


def _of(size: int) -> Workflow[[str], Receipt]:
    """Declare a chain of so many plain steps."""
    links = chain(f"chain_of_{size}", reserve)
    for number in range(1, size):
        links = links.then(reserve.named(f"step_{number}"), using=lambda order_id, _: order_id)
    return links.workflow()


async def _seconds_a_turn(plan: Workflow[[str], Receipt], runs: int, size: int) -> float:
    async with Engine(journal="memory://") as engine:
        engine.serve(plan)

        async def run_once(number: int) -> None:
            run = await engine.start(plan(f"order-{number}"))
            await run.result()

        await closed_loop(run_once, runs=1, clients=1)
        seconds, _ = await closed_loop(run_once, runs=runs, clients=1)
        # The start of a run is a turn of its own.
        return seconds / (runs * (size + 1))
