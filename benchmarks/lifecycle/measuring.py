"""What a transition costs beside a step: two closed loops that take turns on journals of their own.

Both sides make the same number of appends, one more than there are steps or transitions, and carry
about the same bytes. What a transition has besides is the record's status in the row of its run and
a row for the move. So the two figures differ by what a lifecycle costs, and by nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.checkout import STEPS, checkout5
from benchmarks.closed_loop import closed_loop
from benchmarks.lifecycle.stages import checkout5_stages, placed
from benchmarks.measurement import percentile
from benchmarks.throughput.engine import completing
from makegood import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measurement import Figures
    from benchmarks.store import Store

__all__ = ["measure_transitions"]

_WARMUP_SHARE = 10

_Side = Callable[[Engine], Callable[[int], Awaitable[None]]]
"""What carries out one run by its number, on an engine."""


class _Turn(msgspec.Struct, frozen=True):
    """What one side took in one turn, each for one step or transition."""

    wall_us: float
    cpu_us: float
    """Of this process alone: the engine, and a store that is a part of it."""
    p50_ms: float
    """For a whole run."""


def measure_transitions(
    store: Store, *, concurrency: Sequence[int], runs_of: Callable[[int], int], repeat: int
) -> Figures:
    """Return what a step and a transition cost at each number of clients, and their ratio."""
    figures: Figures = {}
    for clients in concurrency:
        steps: list[_Turn] = []
        transitions: list[_Turn] = []
        for _ in range(repeat):
            steps.append(_turn(store, completing, runs_of(clients), clients))
            transitions.append(_turn(store, _moving, runs_of(clients), clients))
        figures |= _named(clients, _medians(steps), _medians(transitions))
    return figures


def _named(clients: int, step: Mapping[str, float], transition: Mapping[str, float]) -> Figures:
    figures: Figures = {}
    for name, figure in step.items():
        figures[f"at_{clients}_step_{name}"] = round(figure, 2)
        figures[f"at_{clients}_transition_{name}"] = round(transition[name], 2)
        figures[f"at_{clients}_times_{name}"] = round(transition[name] / figure, 3)
    return figures


def _medians(turns: Sequence[_Turn]) -> dict[str, float]:
    return {name: median(getattr(turn, name) for turn in turns) for name in _Turn.__struct_fields__}


def _turn(store: Store, side: _Side, runs: int, clients: int) -> _Turn:
    """Measure one side on a fresh journal; the warm-up is in no figure."""

    async def measure(url: str) -> _Turn:
        async with Engine(journal=url) as engine:
            engine.serve(checkout5, checkout5_stages)
            carry_out = side(engine)
            warmup = max(runs // _WARMUP_SHARE, 1)
            await closed_loop(lambda number: carry_out(-number - 1), runs=warmup, clients=clients)
            processor = time.process_time()
            seconds, latencies = await closed_loop(carry_out, runs=runs, clients=clients)
            spent = time.process_time() - processor
        return _Turn(
            wall_us=seconds / (runs * STEPS) * 1e6,
            cpu_us=spent / (runs * STEPS) * 1e6,
            p50_ms=percentile(latencies, 50),
        )

    with store.fresh() as url:
        return asyncio.run(measure(url))


def _moving(engine: Engine) -> Callable[[int], Awaitable[None]]:
    async def move(number: int) -> None:
        run = await engine.start(checkout5_stages(placed(f"order-{number}")))
        await run.result()

    return move
