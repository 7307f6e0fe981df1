"""A journal that a test looks into, and in which it scripts what the store answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from makegood.decision.facts import read_facts
from makegood.journal.protocol import Applied, Fenced, Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import timedelta

    from makegood.decision.facts import Fact
    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.mail import KeptLetter, Letter, Waiter
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.protocol import (
        Append,
        Delivered,
        Exists,
        Filter,
        History,
        Journal,
        Leases,
        Migration,
        Page,
        Post,
        StoredPlan,
        Undelivered,
        Verdict,
    )
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

__all__ = ["Watched"]

Answer = Exception | Fenced | Refused | Callable[[], Awaitable[object]] | None
"""What becomes of one append: an error or a verdict instead of it, something done before it."""


class Watched:
    """Passes everything on to a journal, and never answers an append at once."""

    def __init__(self, journal: Journal) -> None:
        self.within = journal
        self.appends: list[Append] = []
        """Every append that was sent, in order."""
        self.durable: list[Fact] = []
        """Every fact that was acknowledged, in order."""
        self.answers: deque[Answer] = deque()
        """What becomes of the next appends."""
        self.lease_errors: deque[Exception] = deque()
        self.read_errors: deque[Exception] = deque()
        self.release_errors: deque[Exception] = deque()
        self.period_errors: deque[Exception] = deque()
        """What the next leases, reads, releases and periods raise."""
        self.flows = asyncio.Event()
        """Clear it and the store takes its time: appends wait until it is set."""
        self.flows.set()
        self.dies_of_local = False
        """Whether the worker dies of a local body: its append is never answered."""
        self._in_flight: set[RunId] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def messages(self) -> KeepsMessages:
        return self.within.messages

    @property
    def leads(self) -> bool:
        return self.within.leads

    def is_durable(self, kind: type[Fact], node: str) -> bool:
        """Say whether a fact of this class about a node has been acknowledged."""
        return any(isinstance(fact, kind) and fact.node == node for fact in self.durable)

    def append(self, append: Append) -> asyncio.Future[Verdict]:
        assert append.run not in self._in_flight, "a run has one append in flight"
        self.appends.append(append)
        self._in_flight.add(append.run)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Verdict] = loop.create_future()
        if append.local is not None and self.dies_of_local:
            return reply
        answer = self.answers.popleft() if self.answers else None
        task = loop.create_task(self._answer(append, answer, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return reply

    async def _answer(self, append: Append, answer: Answer, reply: asyncio.Future[Verdict]) -> None:
        await self.flows.wait()
        if isinstance(answer, Exception):
            self._in_flight.discard(append.run)
            reply.set_exception(answer)
            return
        if callable(answer):
            await answer()
        verdict = answer if isinstance(answer, Fenced | Refused) else await self._write(append)
        self._in_flight.discard(append.run)
        if not reply.cancelled():
            reply.set_result(verdict)

    async def _write(self, append: Append) -> Verdict:
        verdict = await self.within.append(append)
        if isinstance(verdict, Applied):
            self.durable += read_facts(append.facts or verdict.facts)
        return verdict

    # Passed on as it is -----------------------------------------------------------------------

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,
    ) -> None:
        await self.within.open(work=work, migrations=migrations, ring=ring)

    async def close(self) -> None:
        await self.within.close()

    async def post(self, post: Post) -> int | Exists:
        return await self.within.post(post)

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        if self.lease_errors:
            raise self.lease_errors.popleft()
        return await self.within.lease(worker, room=room, limit=limit, now=now)

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        if self.release_errors:
            raise self.release_errors.popleft()
        await self.within.release(worker, runs, now=now)

    async def read(self, run: RunId) -> History:
        if self.read_errors:
            raise self.read_errors.popleft()
        return await self.within.read(run)

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        if self.read_errors:
            raise self.read_errors.popleft()
        return await self.within.read_all(runs)

    async def find(self, workflow: str, key: str) -> RunId | None:
        return await self.within.find(workflow, key)

    async def list(self, filter: Filter) -> Page:
        return await self.within.list(filter)

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        return await self.within.settled(runs)

    async def query(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        return await self.within.query(sql, *parameters)

    async def keep_plan(self, plan: StoredPlan) -> None:
        await self.within.keep_plan(plan)

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        return await self.within.plan(fingerprint)

    async def prune(self, *, ended_before: Instant, limit: int, now: Instant) -> int:
        return await self.within.prune(ended_before=ended_before, limit=limit, now=now)

    async def erase(
        self,
        run: RunId,
        *,
        seq: int,
        appends: Sequence[bytes],
        last: bytes,
        token: bytes,
        now: Instant,
    ) -> bool:
        return await self.within.erase(
            run, seq=seq, appends=appends, last=last, token=token, now=now
        )

    async def adopt(
        self,
        run: RunId,
        *,
        plan: str,
        instead_of: str,
        seq: int,
        now: Instant,
        wakes: bool = False,
    ) -> bool:
        return await self.within.adopt(
            run, plan=plan, instead_of=instead_of, seq=seq, now=now, wakes=wakes
        )

    async def retain(self, workflow: str, period: timedelta | None) -> None:
        if self.period_errors:
            raise self.period_errors.popleft()
        await self.within.retain(workflow, period)

    async def retained(self) -> Mapping[str, timedelta]:
        return await self.within.retained()

    async def halt(self, halt: Halt) -> Halt:
        return await self.within.halt(halt)

    async def unhalt(
        self, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None = None
    ) -> Halt | None:
        return await self.within.unhalt(kind, name, lifting, of=of)

    async def halts(self) -> tuple[Halt, ...]:
        return await self.within.halts()

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        return await self.within.keep_schedule(row)

    async def schedules(self) -> tuple[ScheduleRow, ...]:
        return await self.within.schedules()

    async def forget_schedule(self, name: str) -> bool:
        return await self.within.forget_schedule(name)

    async def crashes(self) -> int:
        return await self.within.crashes()

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        return await self.within.deliver(limit=limit, now=now)

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter:
        return await self.within.send(letter, now=now)

    async def letters(self, *, limit: int) -> tuple[KeptLetter, ...]:
        return await self.within.letters(limit=limit)

    async def waiters(self, *, limit: int) -> tuple[Waiter, ...]:
        return await self.within.waiters(limit=limit)

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        return await self.within.undelivered(limit=limit)
