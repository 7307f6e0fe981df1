"""Who writes? One task: it takes all that waits, writes it in one round trip, and begins again.

While one batch is on its way the next one gathers; there is no artificial delay. The verdicts of
a batch are handed out while the next one is under way, so that server and event loop work at the
same time. Appends with a step's own statements go to `stepping`, on other connections.

A connection that breaks leaves open whether its batch was committed. The batch is then kept as it
is, nobody is told anything, and the same appends are written again on a new connection: their
tokens tell those that were committed from those that were not. A read would prove nothing, for
the old transaction may still commit; writing waits for its locks. The same is done when a commit
was not confirmed by its standby: an append is acknowledged when a commit at or behind its own has
returned without that warning. As long as the standby is missing nothing is acknowledged at all,
and everything goes on when it is back, or is no longer asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar, assert_never

from makegood.errors import EngineClosed, InvalidInput, StoreBusy, StoreFailed, StoreFull
from makegood.journal.outage import Outage
from makegood.journal.postgres.appending import (
    AppendJob,
    has_more,
    told_of_rest,
    write,
)
from makegood.journal.postgres.connection import (
    TROUBLE,
    Fault,
    Patience,
    fault_of,
    in_transaction,
    said,
    within,
)
from makegood.journal.postgres.lanes.writing import publish_with
from makegood.journal.protocol import Applied

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.steps.stepping import Steps
    from makegood.journal.protocol import Append, Verdict
    from makegood.journal.reply import Reply
    from makegood.values.ids import RunId

__all__ = ["BATCH_BYTES_MAX", "BATCH_JOBS_MAX", "Writer"]

BATCH_JOBS_MAX = 128
"""The most appends in one commit."""

BATCH_BYTES_MAX = 4_000_000
"""The most bytes of facts in one commit, unless one append alone is larger."""

T = TypeVar("T")

_TRIES_TOGETHER_MAX = 2
"""How often a batch gives way to others before each of its appends is written by itself."""

_TRIES_MAX = 4
"""How often one append gives way, before whoever waits is told to come again."""

_APPLIED = Applied()


class Writer:
    """The one task that writes plain appends. Made on the event loop whose tasks it answers.

    `commits` counts the batches and the steps' transactions that were written, and `noticed` is
    told what became of every append. `ring` is called when somebody else may have messages to take.
    """

    def __init__(
        self,
        place: Place,
        connection: Connection,
        steps: Steps,
        *,
        driver: Driver,
        noticed: Callable[[Append, object], None],
        ring: Callable[[], None],
    ) -> None:
        self.commits: int = 0
        self._noticed = noticed
        self._ring_others = ring
        self._place = place
        self._driver = driver
        self._connection: Connection | None = connection
        self._steps = steps
        self._outage = Outage(place.shown)
        self._loop = asyncio.get_running_loop()
        self._queue: deque[AppendJob] = deque()
        self._bell: asyncio.Future[None] | None = None
        self._at_step: set[RunId] = set()
        """Runs whose step's transaction is under way: nothing else of them is written."""
        self._tasks: dict[asyncio.Task[None], None] = {}
        """The steps that are under way, in the order in which they began."""
        self._ends = False
        self._failure: str | None = None
        self._task = self._loop.create_task(self._work())

    def append(self, append: Append) -> Reply[Verdict]:
        """Queue an append and return what will have its verdict."""
        self.require_unbroken()
        if self._ends:
            message = "the journal is closed"
            raise EngineClosed(message)
        job = AppendJob(append)
        self._queue.append(job)
        self._ring()
        return job.reply

    @property
    def is_broken(self) -> bool:
        """Whether nothing can be written any more."""
        return self._failure is not None

    def require_unbroken(self) -> None:
        """Raise `StoreFailed` once the store broke: nothing is written any more."""
        if self._failure is not None:
            raise StoreFailed(self._failure)

    async def end(self) -> None:
        """Finish what waits and close the connection; a server out of reach is given up on."""
        self._ends = True
        self._ring()
        _, late = await asyncio.wait([self._task], timeout=self._place.close_seconds_max)
        left = [*late, *self._tasks]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        self._answer_the_rest()
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                async with within(connection, self._place.answer_seconds_max):
                    await connection.close(timeout=self._place.answer_seconds_max)
            except TROUBLE:
                connection.terminate()

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def _work(self) -> None:
        batch: list[AppendJob] = []
        try:
            while self._failure is None:
                batch = self._next_batch()
                if batch:
                    await self._write_until_known(batch)
                    # Handed out after the next batch is sent, while this side would be waiting.
                    self._loop.call_soon(self._settle, [job for job in batch if job.is_plain])
                    batch = []
                elif self._ends and not self._queue and not self._tasks:
                    return
                else:
                    self._bell = self._loop.create_future()
                    await self._bell
        except BaseException:
            # Whoever waits is told with all the others.
            self._queue.extendleft(reversed(batch))
            if not self._ends:
                self._break("a defect ended its task; please report it")
            raise
        finally:
            self._answer_the_rest()

    def _next_batch(self) -> list[AppendJob]:
        """Take what waits, up to the bounds: never two appends of one run, and no steps."""
        batch: list[AppendJob] = []
        runs: set[RunId] = set()
        size = 0
        queue = self._queue
        while queue and len(batch) < BATCH_JOBS_MAX:
            job = queue[0]
            run = job.append.run
            size += job.size
            if run in runs or run in self._at_step or (batch and size > BATCH_BYTES_MAX):
                break
            queue.popleft()
            if job.is_plain:
                runs.add(run)
                batch.append(job)
            else:
                self._begin_step(job)
        return batch

    def _begin_step(self, job: AppendJob) -> None:
        """Write an append on a connection of its own, where it keeps no other one waiting."""
        job.is_plain = False
        self._at_step.add(job.append.run)
        task = self._loop.create_task(self._take_step(job))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._step_ended(job, done))

    async def _take_step(self, job: AppendJob) -> None:
        job.outcome = await self._steps.outcome_of(job)
        self.commits += 1

    def _step_ended(self, job: AppendJob, done: asyncio.Task[None]) -> None:
        self._at_step.discard(job.append.run)
        del self._tasks[done]
        error = None if done.cancelled() else done.exception()
        if error is not None:
            job.outcome = error
            if isinstance(error, StoreFailed):
                self._break(str(error))
                job.outcome = StoreFailed(self._failure)
        elif job.outcome is None:
            job.outcome = StoreFailed(_UNKNOWN)
        self._settle((job,))
        self._ring()

    async def _write_until_known(
        self, batch: Sequence[AppendJob], *, is_doubtful: bool = False
    ) -> None:
        """Write the batch, again for each connection that was lost, until each has an outcome.

        Once a connection was lost the batch may have been written. From then on nobody is told
        that it was not, whatever is in the way: one who starts a run would start another.
        """
        patience = Patience()
        tries = 0
        while True:
            try:
                await self._write(batch)
            except TROUBLE as error:
                fault = fault_of(error)
                if fault is Fault.GONE:
                    is_doubtful = True
                    self._drop_connection()
                elif fault is Fault.AGAIN:
                    tries += 1
                if fault is Fault.AGAIN and _may_be_awaited(batch) and not is_doubtful:
                    self._begin_step(batch[0])
                    return
                if len(batch) > 1 and (fault is Fault.REFUSED or tries == _TRIES_TOGETHER_MAX):
                    for job in batch:
                        await self._write_until_known((job,), is_doubtful=is_doubtful)
                    return
                if _is_final(fault, tries, is_doubtful=is_doubtful):
                    self._fail(batch, fault, error)
                    return
                self._outage.tell("an append", said(error))
            else:
                self.commits += 1
                self._outage.is_over()
                return
            await patience.wait()

    async def _write(self, batch: Sequence[AppendJob]) -> None:
        connection = self._connection
        if connection is None or connection.is_closed():
            self._connection = connection = await self._driver.connect(self._place)
        async with within(connection, self._place.answer_seconds_max):
            is_one = self._place.pooled or has_more(batch)
            ask = in_transaction if is_one else _ask
            left, is_heard = await ask(connection, partial(self._write_all, batch))
            # Only here is it certain that what was written is committed.
            for job in batch:
                job.outcome = _APPLIED
            if is_heard:
                self._ring_others()
            for job in left:
                tell = partial(
                    told_of_rest,
                    schema=self._place.schema,
                    job=job,
                    lease_micros=self._place.lease_micros,
                )
                job.outcome = await ask(connection, tell)

    async def _write_all(
        self, batch: Sequence[AppendJob], connection: Connection
    ) -> tuple[list[AppendJob], bool]:
        """Write what fits and what comes with it.

        Return what does not fit, and whether somebody is to be given a message.
        """
        schema = self._place.schema
        left = await write(connection, schema, batch, self._place.lease_micros)
        published = [job.append for job in batch if job.append.messages and job not in left]
        is_heard = bool(published) and await publish_with(connection, schema, published)
        return left, is_heard

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _fail(self, batch: Sequence[AppendJob], fault: Fault, error: Exception) -> None:
        for job in batch:
            if fault is Fault.FULL:
                message = f"the disk of {self._place.shown} is full; free some room, then go on"
                job.outcome = StoreFull(message)
            elif fault is Fault.AGAIN:
                # What it may have written before is told by its token when it is sent again.
                message = f"others are in the way ({said(error)}); try again later"
                job.outcome = StoreBusy(message)
            elif fault is Fault.REFUSED:
                message = f"the append cannot be stored: {said(error)}; give other values"
                job.outcome = InvalidInput(message)
            else:
                self._break(said(error))
                job.outcome = StoreFailed(self._failure)

    def _break(self, reason: str) -> None:
        self._failure = self._failure or (
            f"the journal broke: {reason}; what was under way may or may not be written: start the "
            "engine again to find out"
        )
        self._ring()

    def _settle(self, jobs: Sequence[AppendJob]) -> None:
        """Hand each outcome to whoever still waits for it."""
        waiting = iter(jobs)
        try:
            for job in waiting:
                self._noticed(job.append, job.outcome)
                job.settle()
        finally:
            # A defect in one who waits must not leave the others without their answer.
            rest = list(waiting)
            if rest:
                self._loop.call_soon(self._settle, rest)

    def _answer_the_rest(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            job.outcome = StoreFailed(self._failure or _UNKNOWN)
            job.settle()


def _may_be_awaited(batch: Sequence[AppendJob]) -> bool:
    """Say whether this is one start whose key somebody's open transaction may have taken.

    It may stay open for as long as its owner likes, and all other appends would wait for it.
    """
    new = batch[0].append.create
    return len(batch) == 1 and new is not None and new.key is not None


def _is_final(fault: Fault, tries: int, *, is_doubtful: bool) -> bool:
    """Say whether an append that failed so, and so often, is given up."""
    match fault:
        case Fault.GONE:
            return False
        case Fault.AGAIN:
            return tries >= _TRIES_MAX and not is_doubtful
        case Fault.FULL:
            return not is_doubtful
        case Fault.REFUSED | Fault.BROKEN:
            return True
        case _:
            assert_never(fault)


async def _ask(connection: Connection, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Let every statement be a transaction by itself."""
    return await work(connection)


_UNKNOWN = (
    "the journal was closed while its server could not be reached; what was under way may or may "
    "not be written: start the engine again to find out"
)
