"""Who writes to the file? One thread: it takes all that waits, and wakes the loop once for it.

While one batch is being written, the next one gathers; there is no artificial delay. The thread
also shortens the log of changes (the WAL) between batches, where the process leads. What a batch
means is in `batch`; this module knows queues, the loop and when to checkpoint.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

import apsw

from makegood.errors import EngineClosed, StoreFailed
from makegood.journal.sqlite.batch import apply_batch
from makegood.journal.sqlite.jobs import AppendJob, Between, Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.protocol import Append, Verdict
    from makegood.journal.sqlite.batch import Shared
    from makegood.journal.sqlite.jobs import Job
    from makegood.journal.sqlite.opening import File

__all__ = ["BATCH_BYTES_MAX", "BATCH_JOBS_MAX", "Writer"]

BATCH_JOBS_MAX = 256
"""The most appends and calls in one commit."""

BATCH_BYTES_MAX = 4_000_000
"""The most bytes of appends in one commit, unless one append alone is larger."""

CALLS_WAITING_MAX = 4_096
"""The most calls that wait for the writer; later callers wait for their turn. Appends need no
such bound, for a run that is held has at most one under way."""

CHECKPOINT_PAGES = 1_000
"""After how many written pages the log's content is moved into the file."""

IDLE_SECONDS = 1.0
"""After how long without work the log is emptied."""

T = TypeVar("T")


class Writer:
    """The one thread that writes. Made on the event loop whose tasks it answers."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Job] = deque()
        self._room = asyncio.Semaphore(CALLS_WAITING_MAX)
        self._bell = threading.Semaphore(0)
        self._sleeps = True
        self._ended = False
        self._failure: str | None = None
        self._pages_written = 0
        self._log_has_content = True
        self._thread = threading.Thread(target=self._run, name="makegood journal writer")
        self._thread.start()

    def append(self, append: Append) -> asyncio.Future[Verdict]:
        """Queue an append and return the future of its verdict."""
        future: asyncio.Future[Verdict] = self._loop.create_future()
        self._submit(AppendJob(append, future))
        return future

    async def call(self, run: Callable[[apsw.Connection], T]) -> T:
        """Run a small write that shares the next commit, and return what it returns."""
        async with self._room:
            future: asyncio.Future[T] = self._loop.create_future()
            self._submit(Call(run, future))  # type: ignore[arg-type]
            return await future

    async def between(self, run: Callable[[], T]) -> T:
        """Run something on the writer's thread, alone and outside of any transaction."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._submit(Between(run, future))  # type: ignore[arg-type]
        return await future

    async def end(self, last: Callable[[], None]) -> None:
        """Finish what waits, run `last` and end the thread. Without effect when it has ended."""
        if not self._ended and self._failure is None:
            await self.between(lambda: self._end(last))
        self._ended = True
        self._bell.release()
        await self._loop.run_in_executor(None, self._thread.join)

    def _submit(self, job: Job) -> None:
        if self._ended:
            message = "the journal is closed"
            raise EngineClosed(message)
        self._queue.append(job)
        if self._sleeps:
            self._sleeps = False
            self._bell.release()

    def _end(self, last: Callable[[], None]) -> None:
        self._ended = True
        last()

    # Everything below runs on the writer's thread.

    def _run(self) -> None:
        try:
            while not self._ended:
                self._write_all_that_waits()
                self._checkpoint_when_due()
                self._sleep()
        except (apsw.Error, OSError, StoreFailed, AssertionError) as error:
            self._fail(error)
        self._answer_the_rest()

    def _write_all_that_waits(self) -> None:
        while self._queue and not self._ended:
            if isinstance(self._queue[0], Between):
                self._do_between(self._queue.popleft())
                continue
            batch = self._next_batch()
            try:
                apply_batch(self._file.connection, self._file.guard, batch)
            except BaseException:
                self._queue.extendleft(reversed(batch))
                raise
            self._log_has_content = True
            self._deliver(batch)
            self._checkpoint_when_due()
"""Placeholder end"""
