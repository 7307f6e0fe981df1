"""A process of its own that books trips until it is killed; its parent reads what it says.

Called with the journal's path, the path of the bank's own book, and how many trips to book.
"""

from __future__ import annotations

import asyncio
import os
import sys

from makegood import Engine, IdempotencyKey
from tests.runtime.outside import Outside
from tests.runtime.trips import book

__all__ = ["Book", "calls_in", "main", "say"]


class Book(Outside):
    """Writes every call into a file before it answers, as another company would."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def do(self, name: str, key: IdempotencyKey) -> str:
        os.write(self._file, f"{name} {key}\n".encode())
        return await super().do(name, key)


def calls_in(path: str) -> list[tuple[str, str]]:
    """Return the name and the key of every call in a book."""
    with open(path, encoding="ascii") as lines:  # noqa: PTH123 - the path is a string here
        return [(name, key) for name, _, key in (line.strip().partition(" ") for line in lines)]


async def main(journal: str, book_path: str, trips: int) -> None:
    """Book trips, eight at a time, and say of each when it was started and when it ended."""
    bank: Outside = Book(book_path)
    async with Engine(f"sqlite:///{journal}", services={Outside: bank}) as engine:
        engine.serve(book)
        at_once = asyncio.Semaphore(8)

        async def book_one(number: int) -> None:
            async with at_once:
                run = await engine.start(book(f"trip {number}"), key=f"trip-{number}")
                say(f"started {number} {run.id}")
                await run.result()
                say(f"ended {number} {run.id}")

        await asyncio.gather(*(book_one(number) for number in range(trips)))
    say("closed")


def say(line: str) -> None:
    """Tell the parent, which may kill us right after."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
