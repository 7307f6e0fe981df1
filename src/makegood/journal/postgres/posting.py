"""How do callers without a lease reach a run? Posts that wait together share one commit."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput, MakegoodError, StoreFailed
from makegood.journal.postgres.appending import TOKEN_BYTES, confirm, correlate
from makegood.journal.postgres.connection import TROUBLE, Fault, fault_of, in_transaction
from makegood.journal.postgres.delivering import deliver_oldest, send_letter
from makegood.journal.protocol import Exists
from makegood.journal.rows import unknown
from makegood.values.ids import RunId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.mail import KeptLetter, Letter
    from makegood.journal.postgres.connection import Connection, Row
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.protocol import Delivered, Post
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["Poster"]

_POSTS_MAX = 128
"""The most posts in one commit."""

_POSTS_WAITING_MAX = 4_096
"""The most posts that wait; later callers wait for their turn."""


class Poster:
    """Carries posts to the server, in the order in which they came, one commit at a time.

    `noticed` is told of every post that was stored who holds its run, or None.
    """

    def __init__(self, schema: str, desk: Desk, *, noticed: Callable[[str | None], None]) -> None:
        self._desk = desk
        self._noticed = noticed
        self._schema = schema
        self._sql = (
            f'SELECT * FROM "{schema}".post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)'
        )
        self._waiting: list[_PostJob] = []
        self._room = asyncio.Semaphore(_POSTS_WAITING_MAX)
        self._task: asyncio.Task[None] | None = None
        self.commits: int = 0

    async def post(self, post: Post) -> int | Exists:
        """Return the number of the post, or the run that has its id or its key already."""
        async with self._room:
            job = _PostJob(post)
            self._waiting.append(job)
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._carry())
            return await job.answer

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them, in one transaction."""
        holders: list[str | None] = []
        post = partial(self._post_all, holders)
        deliver = partial(deliver_oldest, schema=self._schema, post=post, limit=limit, now=now)
        delivered = await self._desk.ask(deliver, bare=True)
        self._made(delivered.count, holders)
        return delivered

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter | None:
        """Deliver a letter from outside and return it as it is kept."""
        holders: list[str | None] = []
        post = partial(self._post_all, holders)
        send = partial(send_letter, schema=self._schema, post=post, letter=letter, now=now)
        kept = await self._desk.ask(send, bare=True)
        self._made(1, holders)
        return kept

    async def post_all(
        self, connection: Connection, posts: Sequence[Post]
    ) -> Sequence[int | Exists]:
        """Make starts in a transaction that is open, and ring for those that are made."""
        holders: list[str | None] = []
        answers = await self._post_all(holders, connection, posts)
        for holder in holders:
            self._noticed(holder)
        return [_there(post, answer) for post, answer in zip(posts, answers, strict=True)]

    async def _post_all(
        self, holders: list[str | None], connection: Connection, posts: Sequence[Post]
    ) -> Sequence[int | Exists | None]:
        """Make posts in a transaction that is open, and note who holds their runs."""
        jobs = [_PostJob(post) for post in posts]
        order = sorted(jobs, key=_order)
        answers = await self._send(connection, order)
        holders.extend(holder for answer, holder in answers if isinstance(answer, int))
        given = dict(zip(order, answers, strict=True))
        return [given[job][0] for job in jobs]

    def _made(self, count: int, holders: Sequence[str | None]) -> None:
        if count:
            self.commits += 1
        for holder in holders:
            self._noticed(holder)

    async def end(self) -> None:
        """Wait until all that was posted has its answer."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _carry(self) -> None:
        batch: list[_PostJob] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_POSTS_MAX], self._waiting[_POSTS_MAX:]
                await self._put(batch)
        except BaseException:
            message = "a defect ended the posting of what waited; please report it"
            _fail([*batch, *self._waiting], StoreFailed(message))
            self._waiting = []
            raise
        finally:
            self._task = None

    async def _put(self, batch: Sequence[_PostJob]) -> None:
        """Put a batch into its inboxes; when it is refused, each post by itself."""
        jobs = sorted(batch, key=_order)
        try:
            answers = await self._ask(jobs)
        except MakegoodError as error:
            if len(jobs) == 1 or not _is_in_the_way(error):
                _fail(jobs, error)
                return
        except TROUBLE as error:
            # A desk lets nothing pass but what the server refuses.
            if len(jobs) == 1:
                message = f"the post cannot be stored: {error}; give other values"
                _fail(jobs, InvalidInput(message))
                return
        else:
            self.commits += 1
            for job, (answer, holder) in zip(jobs, answers, strict=True):
                if isinstance(answer, int):
                    self._noticed(holder)
                job.give(answer)
            return
        for job in jobs:
            await self._put((job,))

    async def _ask(self, jobs: Sequence[_PostJob]) -> list[tuple[int | Exists | None, str | None]]:
        send = partial(self._send, jobs=jobs)
        if any(job.post.create is not None and job.post.create.is_correlated for job in jobs):
            return await self._desk.ask(lambda each: in_transaction(each, send), bare=True)
        return await self._desk.ask(send)

    async def _send(
        self, connection: Connection, jobs: Sequence[_PostJob]
    ) -> list[tuple[int | Exists | None, str | None]]:
        rows = await connection.fetch(self._sql, *zip(*(job.values for job in jobs), strict=True))
        answers = [_answer(row) for row in rows]
        for answer, _holder in answers:
            if isinstance(answer, Exists):
                await confirm(connection, self._schema, answer.run)
        made = [
            (job.post.run, job.post.create)
            for job, (answer, _holder) in zip(jobs, answers, strict=True)
            if isinstance(answer, int)
        ]
        await correlate(connection, self._schema, made)
        return answers


class _PostJob:
    """One post, its token, and who waits for its answer."""

    __slots__ = ("answer", "order", "post", "values")

    def __init__(self, post: Post) -> None:
        self.post = post
        self.answer: asyncio.Future[int | Exists] = asyncio.get_running_loop().create_future()
        new = post.create
        self.order: tuple[str, ...]
        """Whatever is written together is locked in this order by everybody: keys, then runs."""
        created: tuple[object, ...]
        if new is None:
            self.order = ("posted", post.run)
            created = (None, None, None, None, None, None, None)
        else:
            self.order = ("made", new.workflow, new.key or "", post.run)
            created = (
                *(new.workflow, new.key, new.fingerprint, new.input_hash, new.created_at),
                *(new.subject, new.key_until_ended),
            )
        token = os.urandom(TOKEN_BYTES)
        self.values: tuple[object, ...] = (
            *(post.run, post.body, post.at, token, post.status),
            *created,
        )

    def give(self, answer: int | Exists | None) -> None:
        if self.answer.done():
            return
        if answer is None:
            self.answer.set_exception(unknown(self.post.run))
        else:
            self.answer.set_result(answer)


def _is_in_the_way(error: MakegoodError) -> bool:
    """Say whether a transaction of somebody else held up the batch, most likely for one run."""
    cause = error.__cause__
    return isinstance(cause, Exception) and fault_of(cause) is Fault.AGAIN


def _answer(row: Row) -> tuple[int | Exists | None, str | None]:
    """Return what the caller is told, and who holds the run."""
    number, other, other_hash, holder = row
    if other is not None:
        return Exists(RunId(other), other_hash), holder
    return (None if number is None else int(number)), holder


def _there(post: Post, answer: int | Exists | None) -> int | Exists:
    if answer is None:
        raise unknown(post.run)
    return answer


def _fail(jobs: Sequence[_PostJob], error: Exception) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(error)


def _order(job: _PostJob) -> tuple[str, ...]:
    return job.order
