"""How purchases wait to become orders: each is taken once, and no more than may be placed."""

from __future__ import annotations

import asyncio

import pytest

from makegood import InvalidInput
from makegood.cli.demo import demo
from makegood.cli.demo.shop import Queue
from makegood.commerce.cdnow import Purchase, read_rows

SAMPLE = [row for row in read_rows() if isinstance(row, Purchase)][:6]


async def served_by(clerks: int, queue: Queue) -> tuple[list[Purchase], list[asyncio.Task[None]]]:
    """Have clerks take from a queue; return what they take, and the clerks."""
    taken: list[Purchase] = []

    async def clerk() -> None:
        async for purchase in queue:
            taken.extend([purchase])

    tasks = [asyncio.create_task(clerk()) for _ in range(clerks)]
    # A clerk that waits has gone as far as it may after one round of the loop.
    await asyncio.wait(tasks, timeout=0)
    return taken, tasks


async def test_each_purchase_is_taken_by_one_clerk() -> None:
    taken, clerks = await served_by(3, Queue(SAMPLE))
    await asyncio.gather(*clerks)
    assert taken == SAMPLE


async def test_clerks_wait_for_what_may_not_be_placed_yet_and_end_with_the_last() -> None:
    queue = Queue(SAMPLE, placed_max=0)
    taken, clerks = await served_by(3, queue)
    assert taken == []
    for placed_max in (1, 4, 4):
        queue.allow(placed_max)
        await asyncio.wait(clerks, timeout=0)
        assert taken == SAMPLE[:placed_max]
    queue.allow(len(SAMPLE))
    await asyncio.gather(*clerks)
    assert taken == SAMPLE


@pytest.mark.parametrize("workers", [0, 33])
def test_a_number_of_workers_out_of_bounds_is_refused_with_the_bounds(workers: int) -> None:
    with pytest.raises(InvalidInput, match=f"--workers is {workers}; .* from 1 to 32"):
        demo(workers=workers)
