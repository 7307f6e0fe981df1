"""A process of its own in which records go their way until it is killed.

Called with the journal's path, the path of the book of the outside, how many orders to take, and
what their numbers begin with.
"""

from __future__ import annotations

import asyncio
import sys

from makegood import Engine
from tests.runtime.child import Book, say
from tests.runtime.lifecycle.shop import Order, Packed, Paid, Status, orders
from tests.runtime.outside import Outside

__all__ = ["main"]


async def main(journal: str, book_path: str, count: int, life: str) -> None:
    """Take orders, eight at a time, and say of each how far it has come."""
    outside: Outside = Book(book_path)
    async with Engine(f"sqlite:///{journal}", services={Outside: outside}) as engine:
        engine.serve(orders)
        at_once = asyncio.Semaphore(8)

        async def take(order: str) -> None:
            async with at_once:
                run = await engine.start(orders(Order(order)))
                say(f"started {run.id}")
                await engine.send(Paid(7), key=order, id=f"paid {order}")
                await run.await_status(Status.PAID)
                say(f"paid {run.id}")
                await engine.send(Packed("p"), key=order, id=f"packed {order}")
                await run.result()
                say(f"ended {run.id}")

        await asyncio.gather(*(take(f"{life}-{number}") for number in range(count)))
    say("closed")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
