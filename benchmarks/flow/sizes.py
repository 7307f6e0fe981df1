"""What a plan costs by its size: whether a large workflow is slow for its size alone.

A chain of plain steps makes one turn a step. Every size carries out about as many steps, one run
after the other and in memory, so that what differs is the plan. Reading a run is what a restart
does before it goes on: its facts are read, decoded and folded.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.checkout import Receipt, reserve
from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Figures
from makegood import Engine, Workflow, chain, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["measure_sizes"]

_Chain = Workflow[[str], Receipt]


class _Cost(NamedTuple):
    """What one repeat measured."""

    turn: float
    """Seconds of one turn."""
    read: float
    """Seconds of reading a run that has ended, for each of its nodes."""


def measure_sizes(sizes: Sequence[int], *, steps: int, repeat: int) -> Figures:
    """Return what plans of these sizes cost: declared, drawn, in a turn and in reading a run."""
    figures: Figures = {"steps": steps}
    plans: dict[int, _Chain] = {}
    for size in sizes:
        started = time.perf_counter()
        plans[size] = _of(size)
        figures[f"declare_ms_{size}"] = _milliseconds(started)
    for size, plan in plans.items():
        for draw in (picture.text, picture.mermaid, picture.svg):
            started = time.perf_counter()
            draw(plan.plan)
            figures[f"{draw.__name__}_ms_{size}"] = _milliseconds(started)
    costs: dict[int, list[_Cost]] = {size: [] for size in sizes}
    for _ in range(repeat):
        for size, plan in plans.items():
            costs[size].append(asyncio.run(_cost_of(plan, max(steps // size, 1), size)))
    turns = {size: median(cost.turn for cost in found) for size, found in costs.items()}
    for size, turn in turns.items():
        figures[f"turn_us_{size}"] = round(turn * 1e6, 1)
    for size, turn in turns.items():
        figures[f"turn_ratio_{size}"] = round(turn / turns[sizes[0]], 3)
    for size, found in costs.items():
        figures[f"read_node_us_{size}"] = round(median(cost.read for cost in found) * 1e6, 1)
    return figures


def _of(size: int) -> _Chain:
    """Declare a chain of so many plain steps."""
    links = chain(f"chain_of_{size}", reserve)
    for number in range(1, size):
        links = links.then(reserve.named(f"step_{number}"), using=lambda order_id, _: order_id)
    return links.workflow()


async def _cost_of(plan: _Chain, runs: int, size: int) -> _Cost:
    async with Engine(journal="memory://") as engine:
        engine.serve(plan)

        async def run_once(number: int) -> None:
            run = await engine.start(plan(f"order-{number}"))
            await run.result()

        await closed_loop(run_once, runs=1, clients=1)
        seconds, _ = await closed_loop(run_once, runs=runs, clients=1)
        last = await engine.start(plan("the last order"))
        await last.result()
        started = time.perf_counter()
        await last.describe()
        read = time.perf_counter() - started
    # The start of a run is a turn of its own.
    return _Cost(turn=seconds / (runs * (size + 1)), read=read / size)


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1e3, 1)
