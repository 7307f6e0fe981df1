"""How many workflows a fixed number of clients gets through, each waiting for its own result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

__all__ = ["closed_loop"]


async def closed_loop(
    run_once: Callable[[int], Awaitable[object]], *, runs: int, clients: int
) -> tuple[float, tuple[float, ...]]:
    """Run `runs` workflows by `clients` clients; return the seconds and each latency in ms.

    A client starts its next workflow when it has the result of the one before. `run_once` is
    given the workflow's number, from 0.
    """
    numbers = iter(range(runs))
    latencies: list[float] = []
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(min(clients, runs)):
            group.create_task(_client(run_once, numbers, latencies))
    return time.perf_counter() - started, tuple(latencies)


async def _client(
    run_once: Callable[[int], Awaitable[object]], numbers: Iterator[int], latencies: list[float]
) -> None:
    for number in numbers:
        started = time.perf_counter()
        await run_once(number)
        latencies.append((time.perf_counter() - started) * 1000)
