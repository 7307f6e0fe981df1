"""What a round of an `each` costs, beside what a plain step costs.

The yardstick is checkout5, the chain of five plain steps, of which as many are at work at once as
the `each` has rounds. So on both sides the same number of steps returns about 100 bytes each, and
as many are under way at any time. The `each` has to grow the graph of its one run; the chains have
a beginning and an end each, which their steps share.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.checkout import STEPS, Receipt, checkout5, reserve
from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Figures
from benchmarks.throughput.engine import completing
from makegood import Engine, each, workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.store import Store

__all__ = ["AT_ONCE", "measure_rounds", "reserve_all"]

AT_ONCE = 64
"""How many rounds, or checkouts, are at work at once."""

_CarryOut = Callable[[Engine, int], Awaitable[int]]
"""Carries out about so many steps on an engine, and returns how many those were."""


@workflow
def reserve_all(order_ids: list[str]) -> list[Receipt]:
    """Do nothing for each of several orders, 64 at once."""
    return each(order_ids, reserve, at_once=AT_ONCE)


def measure_rounds(stores: Mapping[str, Store], *, items: int, repeat: int) -> Figures:
    """Return what a round and a plain step cost on each store, and their ratio.

    The two sides take turns, so that both meet the same weather.
    """
    figures: Figures = {"items": items, "at_once": AT_ONCE}
    for kind, store in stores.items():
        items_us: list[float] = []
        steps_us: list[float] = []
        for _ in range(repeat):
            items_us.append(_microseconds(store, _carry_out_rounds, items))
            steps_us.append(_microseconds(store, _carry_out_steps, items))
        item, step = median(items_us), median(steps_us)
        figures[f"{kind}_item_us"] = round(item, 1)
        figures[f"{kind}_plain_step_us"] = round(step, 1)
        figures[f"{kind}_times_plain_step"] = round(item / step, 3)
    return figures


def _microseconds(store: Store, carry_out: _CarryOut, items: int) -> float:
    """Return how long one of so many takes on a fresh journal, which few have gone before."""

    async def measure(url: str) -> float:
        async with Engine(journal=url) as engine:
            engine.serve(reserve_all, checkout5)
            await carry_out(engine, AT_ONCE)
            started = time.perf_counter()
            carried_out = await carry_out(engine, items)
            return (time.perf_counter() - started) / carried_out * 1e6

    with store.fresh() as url:
        return asyncio.run(measure(url))


async def _carry_out_rounds(engine: Engine, items: int) -> int:
    run = await engine.start(reserve_all([f"order-{number}" for number in range(items)]))
    return len(await run.result())


async def _carry_out_steps(engine: Engine, items: int) -> int:
    """Carry out as many steps as there are items, in whole checkouts."""
    runs = math.ceil(items / STEPS)
    await closed_loop(completing(engine), runs=runs, clients=AT_ONCE)
    return runs * STEPS
