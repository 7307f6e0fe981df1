"""A process that publishes orders and folds them, until it is killed: `child.py JOURNAL FIRST`."""

from __future__ import annotations

import asyncio
import sys

from makegood import Engine
from tests.runtime.projecting.orders import DAYS, SUMMARIES, Placed


async def work(journal: str, first: int) -> None:
    """Publish one order after the other, and say the number of each that is durable."""
    async with Engine(f"sqlite:///{journal}") as engine:
        engine.serve(DAYS, SUMMARIES)
        number = first
        while True:
            # Whoever was killed before it could say so has its order published once more.
            await engine.publish(Placed(f"order-{number}", number), id=f"event-{number}")
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            number += 1


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
