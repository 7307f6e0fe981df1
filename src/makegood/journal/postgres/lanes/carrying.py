"""How do messages and what came of them get to the server? What waits together shares one commit.

One task carries what was published and what was finished, in one round trip at a time; meanwhile
the next batch gathers. Whatever is carried may be carried again when its answer was lost: a message
is known by its name, and what was finished by its lease. What is finished with a receptor's own
statements or body goes on a connection of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from makegood.errors import EngineClosed, InvalidInput, MakegoodError, StoreFailed
from makegood.journal.messages import Settled
from makegood.journal.postgres.connection import TROUBLE, Fault, fault_of, in_transaction
from makegood.journal.postgres.lanes.receiving import Received
from makegood.journal.postgres.lanes.writing import Finishing, Publishing, work, written_before
from makegood.journal.protocol import Fenced, Refused
from makegood.journal.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.mail import Exists, Post
    from makegood.journal.messages import Finished, LaneId, Malformed, Receipt
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.lanes.receiving import PostsAll
    from makegood.journal.postgres.lanes.writing import Written
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.steps.attempting import Attempts
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant

__all__ = ["Carrier"]

BATCH_JOBS_MAX = 128
"""The most calls that are carried in one commit."""

BATCH_BYTES_MAX = 4_000_000
"""The most bytes of messages in one commit, unless one call alone brings more."""

T = TypeVar("T")


class Carrier:
    """Carries what waits, one batch after the other. Made on the event loop that it answers.

    `post` makes posts in a transaction that is open, `noticed` is told of every lane that was given
    back or lost, and `ring` when somebody else may have something to take.
    """

    def __init__(
        self,
        place: Place,
        desk: Desk,
        attempts: Attempts,
        *,
        post: PostsAll,
        noticed: Callable[[Finished, object], None],
        ring: Callable[[], None],
    ) -> None:
        self.commits: int = 0
        self._place = place
        self._desk = desk
        self._attempts = attempts
        self._post = post
        self._noticed = noticed
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_PublishJob | _FinishJob] = deque()
        self._at_work: dict[LaneId, None] = {}
        """Lanes that are being finished in transactions of their own."""
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._task: asyncio.Task[None] | None = None
        self._ends = False

    def publish(
        self, messages: Sequence[Envelope | Malformed], now: Instant
    ) -> Reply[tuple[Receipt, ...]]:
        """Queue messages and return what will have their receipts."""
        job = _PublishJob(messages, now)
        self._submit(job)
        return job.reply

    def finish(self, finished: Finished) -> Reply[Settled | Fenced | Refused]:
        """Queue what came of a lane's deliveries and return what will have the verdict."""
        job = _FinishJob(finished)
        self._submit(job)
        return job.reply

    async def end(self) -> None:
        """Wait until all that waits has its answer, as long as the server may take for it."""
        self._ends = True
        waiting = [*self._tasks, *(() if self._task is None else (self._task,))]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self._place.close_seconds_max)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _submit(self, job: _PublishJob | _FinishJob) -> None:
        if self._ends:
            message = "the journal is closed"
            raise EngineClosed(message)
        self._queue.append(job)
        if self._task is None:
            self._task = self._loop.create_task(self._carry())

    async def _carry(self) -> None:
        batch: list[_PublishJob | _FinishJob] = []
        try:
            while True:
                batch = self._next_batch()
                if not batch:
                    return
                await self._put(batch)
        except BaseException:
            message = "a defect ended the carrying of messages; please report it"
            _settle([*batch, *self._queue], StoreFailed(message))
            self._queue.clear()
            raise
        finally:
            self._task = None

    def _next_batch(self) -> list[_PublishJob | _FinishJob]:
        """Take what waits, up to the bounds: never two of one lane, and no receptor's own part."""
        batch: list[_PublishJob | _FinishJob] = []
        lanes: set[LaneId] = set()
        size = 0
        while self._queue and len(batch) < BATCH_JOBS_MAX:
            job = self._queue[0]
            size += job.size
            if batch and size > BATCH_BYTES_MAX:
                break
            if isinstance(job, _FinishJob):
                lane = job.finished.id
                if lane in lanes or lane in self._at_work:
                    break
                if not job.is_plain:
                    self._queue.popleft()
                    self._begin_alone(job)
                    continue
                lanes.add(lane)
            self._queue.popleft()
            batch.append(job)
        return batch

    async def _put(self, batch: Sequence[_PublishJob | _FinishJob]) -> None:
        """Write a batch; where it is refused, or others are in its way, each by itself."""
        try:
            await self._write(batch)
        except MakegoodError as error:
            cause = error.__cause__
            is_in_the_way = isinstance(cause, Exception) and fault_of(cause) is Fault.AGAIN
            if len(batch) == 1 or not is_in_the_way:
                _settle(batch, error)
                return
        except TROUBLE as error:
            # A desk lets nothing pass but what the server refuses.
            if len(batch) == 1:
                message = f"the message cannot be stored: {error}; give other values"
                _settle(batch, InvalidInput(message))
                return
        else:
            return
        for job in batch:
            await self._put((job,))

    async def _write(self, batch: Sequence[_PublishJob | _FinishJob]) -> None:
        publishing = [job for job in batch if isinstance(job, _PublishJob)]
        finishing = [job for job in batch if isinstance(job, _FinishJob)]
        starts = any(job.finished.outcome.starts for job in finishing)
        started: dict[int, tuple[int | Exists, ...]] = {}

        async def write(connection: Connection) -> Written:
            written = await work(
                connection,
                self._place.schema,
                [job.given for job in publishing],
                [job.given for job in finishing],
            )
            if starts:
                started.update(await self._start(connection, finishing, written.fitting))
            return written

        ask = partial(in_transaction, work=write) if starts else write
        written = await self._desk.ask(ask, bare=starts)
        unfit = [n for n in range(len(finishing)) if n not in written.fitting]
        before: frozenset[int] = frozenset()
        if unfit:
            before = await self._desk.ask(
                partial(
                    written_before,
                    schema=self._place.schema,
                    finished=[finishing[n].finished for n in unfit],
                )
            )
        self.commits += 1
        if written.is_heard:
            self._ring()
        for published, receipts in zip(publishing, written.receipts, strict=True):
            _give(published.reply, receipts)
        for place, n in enumerate(unfit):
            self._told(finishing[n], Settled() if place in before else Fenced())
        for n in sorted(written.fitting):
            job = finishing[n]
            self._told(job, Settled(job.finished.outcome, started.get(n, ())))

    async def _start(
        self, connection: Connection, finishing: Sequence[_FinishJob], fitting: frozenset[int]
    ) -> dict[int, tuple[int | Exists, ...]]:
        """Start what is to be started with all that fits, in its transaction."""
        posts: list[Post] = []
        places: dict[int, slice] = {}
        for n in sorted(fitting):
            starts = finishing[n].finished.outcome.starts
            places[n] = slice(len(posts), len(posts) + len(starts))
            posts += starts
        answers = await self._post(connection, posts) if posts else ()
        return {n: tuple(answers[place]) for n, place in places.items()}

    def _begin_alone(self, job: _FinishJob) -> None:
        self._at_work[job.finished.id] = None
        task = self._loop.create_task(self._finish_alone(job))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._ended_alone(job, done))

    async def _finish_alone(self, job: _FinishJob) -> None:
        received = Received(self._place.schema, job.finished, post=self._post)
        outcome = await self._attempts.outcome_of(received, name="what was received")
        self.commits += 1
        if received.is_heard:
            self._ring()
        self._told(job, outcome)

    def _ended_alone(self, job: _FinishJob, done: asyncio.Task[None]) -> None:
        del self._tasks[done]
        del self._at_work[job.finished.id]
        error = None if done.cancelled() else done.exception()
        if not job.reply.done():
            message = "the journal was closed before this was known to be written"
            _give(job.reply, error or StoreFailed(message))
        if self._queue and self._task is None:
            self._task = self._loop.create_task(self._carry())

    def _told(self, job: _FinishJob, outcome: Settled | Fenced | Refused | BaseException) -> None:
        self._noticed(job.finished, outcome)
        _give(job.reply, outcome)


class _PublishJob:
    """Messages that are stored together, and who waits for their receipts."""

    __slots__ = ("given", "reply", "size")

    def __init__(self, messages: Sequence[Envelope | Malformed], now: Instant) -> None:
        self.given = Publishing(messages, now)
        self.reply: Reply[tuple[Receipt, ...]] = Reply()
        self.size: int = sum(len(each.body) for each in messages)


class _FinishJob:
    """What came of a lane's deliveries, and who waits for the verdict."""

    __slots__ = ("finished", "given", "is_plain", "reply", "size")

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        self.given = Finishing(finished, finished.outcome)
        self.reply: Reply[Settled | Fenced | Refused] = Reply()
        self.is_plain: bool = finished.local is None and not finished.writes
        self.size: int = sum(len(each.body) for each in finished.outcome.messages)


def _settle(jobs: Sequence[_PublishJob | _FinishJob], error: Exception) -> None:
    for job in jobs:
        if not job.reply.done():
            job.reply.give(error)


def _give(reply: Reply[T], outcome: T | BaseException) -> None:
    if not reply.done():
        reply.give(outcome)
