"""Who writes to the file? One thread: it takes all that waits, and wakes the loop once for it.

While one batch is being written, the next one gathers; there is no artificial delay. The thread
also shortens the log of changes (the WAL) between batches, where the process leads. What a batch
means is in `batch`; this module knows queues, the loop, and when to do what.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from makegood.errors import EngineClosed, MakegoodError, StoreFailed
from makegood.journal.sqlite.batch import apply_batch
from makegood.journal.sqlite.jobs import AppendJob, Between, Call
from makegood.journal.sqlite.lanes.jobs import FinishJob, PublishJob
from makegood.journal.sqlite.opening import BUSY_MILLISECONDS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.messages import Finished, Malformed, Receipt, Settled
    from makegood.journal.protocol import Append, Fenced, Refused, Verdict
    from makegood.journal.reply import Reply
    from makegood.journal.sqlite.jobs import Job, Shared
    from makegood.journal.sqlite.opening import File
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant

__all__ = ["BATCH_BYTES_MAX", "BATCH_JOBS_MAX", "Writer", "checkpoint"]

BATCH_JOBS_MAX = 128
"""The most appends and calls in one commit."""

FEW_JOBS = 2
"""While commits are this small there is nothing to gather, and waiting would only be slower."""

BATCH_BYTES_MAX = 4_000_000
"""The most bytes of appends in one commit, unless one append alone is larger."""

CALLS_WAITING_MAX = 4_096
"""The most calls that wait for the writer; later callers wait for their turn. Appends need no
such bound: a run that is held has at most one under way, and the held runs are bounded."""

CHECKPOINT_PAGES = 1_000
"""After how many written pages the content of the log is moved into the file."""

IDLE_SECONDS = 1.0
"""After how long without work the log is emptied."""

T = TypeVar("T")


class Writer:
    """The one thread that writes. Made on the event loop whose tasks it answers.

    `leads` says whether this process may shorten the log: it becomes true while a `between` runs.
    `before_checkpoint` raises when the file is not to be touched, and `on_failure` lets go of it.
    `commits` counts the batches that were written.
    """

    def __init__(
        self,
        file: File,
        *,
        before_checkpoint: Callable[[], None],
        on_failure: Callable[[], None],
    ) -> None:
        self.leads: bool = False
        self.commits: int = 0
        self._file = file
        self._before_checkpoint = before_checkpoint
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Job] = deque()
        self._room = asyncio.Semaphore(CALLS_WAITING_MAX)
        self._bell: SimpleQueue[None] = SimpleQueue()
        """One entry a ring: a queue in C wakes the thread sooner than a semaphore of Python's."""
        self._last_batch = 0
        """How many jobs the last commit had."""
        self._rings = False
        self._ends = False
        self._failure: str | None = None
        self._pages_moved = 0
        self._log_is_empty = False
        self._thread = threading.Thread(target=self._run, name="makegood journal writer")
        self._thread.start()

    def append(self, append: Append) -> Reply[Verdict]:
        """Queue an append and return what will have its verdict."""
        job = AppendJob(append)
        self._submit(job)
        return job.reply

    def publish(
        self, messages: Sequence[Envelope | Malformed], now: Instant
    ) -> Reply[tuple[Receipt, ...]]:
        """Queue messages and return what will have their receipts."""
        job = PublishJob(messages, now)
        self._submit(job)
        return job.reply

    def finish(self, finished: Finished) -> Reply[Settled | Fenced | Refused]:
        """Queue what came of a lane's deliveries and return what will have the verdict."""
        job = FinishJob(finished)
        self._submit(job)
        return job.reply

    async def call(self, run: Callable[[Connection], T]) -> T:
        """Run a small write that shares the next commit, and return what it returns."""
        async with self._room:
            future: asyncio.Future[T] = self._loop.create_future()
            self._submit(Call(run, future))
            return await future

    async def between(self, run: Callable[[], T]) -> T:
        """Run something on the writer's thread, alone and outside of any transaction."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._submit(Between(run, future))
        return await future

    async def end(self, last: Callable[[], None]) -> None:
        """Finish what waits, run `last`, and end the thread."""
        try:
            if self._failure is None:
                await self.between(lambda: self._end_with(last))
        finally:
            await self._loop.run_in_executor(None, self._thread.join)

    def require_unbroken(self) -> None:
        """Raise `StoreFailed` once the file broke: nothing is written or read any more."""
        if self._failure is not None:
            raise StoreFailed(self._failure)

    def _submit(self, job: Job) -> None:
        self.require_unbroken()
        if self._ends:
            message = "the journal is closed"
            raise EngineClosed(message)
        self._queue.append(job)
        if self._rings:
            return
        self._rings = True
        if self._last_batch <= FEW_JOBS:
            self._ring()
        else:
            # At the end of this turn of the loop, so that all that is appended in it waits
            # together; a thread that woke at once would fight the loop for Python's global lock.
            self._loop.call_soon(self._ring)

    def _ring(self) -> None:
        self._rings = False
        self._bell.put(None)

    def _answer_the_rest(self) -> None:
        """On the loop: nothing can be added any more, for whoever adds sees why first."""
        while self._queue:
            job = self._queue.popleft()
            job.outcome = StoreFailed(self._failure) if self._failure else EngineClosed()
            job.settle()

    # Everything below runs on the writer's thread.

    def _run(self) -> None:
        failure = "a defect ended its thread; please report it"
        try:
            self._work()
            failure = ""
        except (apsw.Error, OSError, MakegoodError) as error:
            failure = str(error)
        finally:
            if failure:
                self._break(failure)
            # A loop that is closed has nobody who waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answer_the_rest)

    def _work(self) -> None:
        while not self._ends:
            try:
                self._bell.get(timeout=IDLE_SECONDS)
            except Empty:
                self._idle()
            else:
                self._write_what_waits(len(self._queue))

    def _break(self, reason: str) -> None:
        self._failure = (
            f"the journal broke: {reason}; what was under way may or may not be written: start the "
            "engine again to find out"
        )
        self.leads = False
        self._on_failure()

    def _end_with(self, last: Callable[[], None]) -> None:
        self._ends = True
        last()

    def _write_what_waits(self, count: int) -> None:
        """Write the jobs that were there when the bell rang; it rings again for later ones."""
        while count > 0 and not self._ends:
            if isinstance(self._queue[0], Between):
                self._do(self._queue[0])
                count -= 1
                continue
            batch = self._next_batch()
            count -= len(batch)
            self._write(batch)
            if self.leads:
                self._move_log()

    def _do(self, job: Between[Any]) -> None:
        """Do a job that stands alone. One that fails in the store stays queued, to be told why."""
        try:
            job.outcome = job.run()
        except MakegoodError as error:
            job.outcome = error
        self._queue.popleft()
        self._deliver((job,))

    def _next_batch(self) -> list[Shared]:
        """Take what waits, up to the bounds: never two appends of one run, and no `Between`."""
        batch: list[Shared] = []
        runs: set[str] = set()
        size = 0
        while self._queue and len(batch) < BATCH_JOBS_MAX:
            job = self._queue[0]
            if isinstance(job, Between):
                break
            if not isinstance(job, Call):
                size += job.size
                if batch and size > BATCH_BYTES_MAX:
                    break
            if isinstance(job, AppendJob):
                if job.append.run in runs:
                    break
                runs.add(job.append.run)
            batch.append(job)
            self._queue.popleft()
        return batch

    def _write(self, batch: Sequence[Shared]) -> None:
        try:
            apply_batch(self._file.connection, self._file.guard, batch)
        except BaseException:
            # Whoever waits is told with all the others.
            self._queue.extendleft(reversed(batch))
            raise
        self._log_is_empty = False
        self.commits += 1
        self._last_batch = len(batch)
        self._deliver(batch)

    def _deliver(self, jobs: Sequence[Job]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, jobs)

    def _idle(self) -> None:
        """Empty the log when there has been no work for a while."""
        if self._loop.is_closed():
            # Nobody can close this journal any more, and the thread would outlive its process.
            self._ends = True
            self._on_failure()
        elif self.leads and not self._log_is_empty:
            self._empty_log()

    def _move_log(self) -> None:
        """Move the log's content into the file once there is enough of it."""
        written = self._pages_written()
        if written - self._pages_moved >= CHECKPOINT_PAGES:
            self._pages_moved = written
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _empty_log(self) -> None:
        self._log_is_empty = self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._pages_moved = self._pages_written()

    def _pages_written(self) -> int:
        return self._file.connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]

    def _checkpoint(self, mode: int) -> bool:
        self._before_checkpoint()
        return checkpoint(self._file.connection, mode)


def checkpoint(connection: Connection, mode: int) -> bool:
    """Move the log into the file without waiting for anybody; say whether all of it was moved.

    A full disk is no failure here: everything is still in the log.
    """
    connection.set_busy_timeout(0)
    try:
        connection.wal_checkpoint(mode=mode)
    except (apsw.BusyError, apsw.LockedError, apsw.FullError):
        return False
    finally:
        connection.set_busy_timeout(BUSY_MILLISECONDS_MAX)
    return True


def _settle(jobs: Sequence[Job]) -> None:
    """Hand each outcome to whoever still waits for it."""
    waiting = iter(jobs)
    try:
        for job in waiting:
            job.settle()
    finally:
        # A defect in one who waits must not leave the others without their answer.
        rest = list(waiting)
        if rest:
            asyncio.get_running_loop().call_soon(_settle, rest)
