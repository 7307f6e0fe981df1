"""What any engine on this disk could reach: the journal's own writes, and nothing else.

A bare group commit: whatever waits at one moment is written in one transaction. There is no plan,
no decision, no typed value, no lease, no recovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import uuid_utils

from benchmarks.closed_loop import closed_loop
from benchmarks.measurement import Sample

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextlib import AbstractAsyncContextManager

__all__ = ["FACTS", "Floor", "measure_floor"]

FACTS = (
    b'[{"t":"done","n":3,"v":{"order_id":"order-1234","reference":"7f1d2a90c4b8","stage":3}}]' * 2
)
"""The body of each append: about as long as the engine's."""


class Floor(Protocol):
    """What appends, and counts its commits."""

    commits: int

    def append(self, run: str, seq: int, *, is_last: bool) -> Awaitable[None]:
        """Have one append written; what is returned is there once it is durable."""
        ...


async def measure_floor(
    opened: AbstractAsyncContextManager[Floor],
    *,
    appends: int,
    runs: int,
    clients: int,
    warmup: int,
) -> Sample:
    """Measure one repeat of the bare loop, of so many durable waits for each workflow."""
    async with opened as floor:

        async def run_once(_number: int) -> None:
            run = str(uuid_utils.uuid7())
            for seq in range(1, appends + 1):
                await floor.append(run, seq, is_last=seq == appends)

        await closed_loop(run_once, runs=warmup, clients=clients)
        commits_before = floor.commits
        seconds, latencies = await closed_loop(run_once, runs=runs, clients=clients)
        commits = floor.commits - commits_before
    return Sample(seconds=seconds, latencies_ms=latencies, commits=commits)
