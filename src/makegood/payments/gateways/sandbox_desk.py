"""How many who ask at once share one thread, one set of books and one commit.

The desk opens the books in a thread of its own and takes in whatever waits as one transaction.
It knows nothing of what is asked or answered.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from makegood.payments.errors import GatewayUnavailable
from makegood.payments.gateways.sandbox_books import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Desk"]

VISITS_PER_COMMIT_MAX = 256
"""The most visits that one transaction of the books takes in."""

T = TypeVar("T")


class Desk:
    """The one place where the books are worked on, for one event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="makegood-sandbox")
        self._books: Books | None = None
        # Any: each visit keeps its own value and hands it to nobody but whoever made it.
        self._waiting: list[_Visit[Any]] = []
        self._working: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the books, or start them."""
        self._books = await asyncio.get_running_loop().run_in_executor(
            self._thread, Books, self._path
        )

    async def close(self) -> None:
        """Finish what waits and close the books; later visits are turned away."""
        books, self._books = self._books, None
        while self._working is not None:
            await asyncio.wait([self._working])
        if books is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, books.close)
        self._thread.shutdown(wait=False)

    async def visit(self, work: Callable[[Books], T]) -> T:
        """Have work done on the books, and return its value once that is committed."""
        if self._books is None:
            message = "the sandbox is not open; use it inside `async with`"
            raise GatewayUnavailable(message)
        answered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Visit(work, answered))
        self._begin(self._books)
        return await answered

    def _begin(self, books: Books) -> None:
        """Take in what waits, unless a transaction is under way: its end begins the next one."""
        if self._working is not None or not self._waiting:
            return
        batch = self._waiting[:VISITS_PER_COMMIT_MAX]
        del self._waiting[:VISITS_PER_COMMIT_MAX]
        self._working = asyncio.get_running_loop().run_in_executor(
            self._thread, _work_off, books, batch
        )
        self._working.add_done_callback(partial(self._end, books, batch))

    def _end(
        self, books: Books, batch: Sequence[_Visit[Any]], worked: asyncio.Future[None]
    ) -> None:
        """Hand out the values, or the one error for which everything was rolled back."""
        self._working = None
        error = worked.exception()
        for visit in batch:
            visit.hand_out(error)
        self._begin(books)


class _Visit(Generic[T]):
    """Work that waits for the books, and the future of whoever waits for it."""

    __slots__ = ("answered", "value", "work")

    def __init__(self, work: Callable[[Books], T], answered: asyncio.Future[T]) -> None:
        self.work = work
        self.answered = answered
        self.value: T

    def hand_out(self, error: BaseException | None) -> None:
        """Wake whoever waits, unless they have given up; the work is done all the same."""
        if self.answered.done():
            return
        if error is None:
            self.answered.set_result(self.value)
        else:
            self.answered.set_exception(error)


def _work_off(books: Books, batch: Sequence[_Visit[Any]]) -> None:
    with books.together():
        for visit in batch:
            visit.value = visit.work(books)
