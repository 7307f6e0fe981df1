"""A journal at the other end of a wire."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from makegood.journal.protocol import Delivered
from makegood.journal.reply import Reply
from makegood.testing.simulation.calls import Calls
from makegood.testing.simulation.messages import SimulatedMessages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import timedelta

    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.mail import Claimant, KeptLetter, Letter, Waiter
    from makegood.journal.protocol import (
        Append,
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
    from makegood.journal.staging import Move, MoveCount, StageCount
    from makegood.testing.simulation.fates import Fates
    from makegood.testing.simulation.host import Host
    from makegood.testing.simulation.simulation import Simulation
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

__all__ = ["SimulatedJournal"]


class SimulatedJournal:
    """A `Journal` whose every call takes time and fares as the fates say; it keeps messages, too.

    The journal behind it must answer at once, as one in memory does. A call whose outcome nobody
    knows breaks this journal, as a failed commit breaks the real one: whatever waits or comes
    later gets `StoreFailed`, and only a new process goes on.
    """

    def __init__(self, journal: Journal, simulation: Simulation, host: Host, fates: Fates) -> None:
        self._journal = journal
        self._host = host
        self._calls = Calls(simulation, host, fates)
        self.messages = SimulatedMessages(journal.messages, self._calls)

    @property
    def leads(self) -> bool:
        """Whether this process may hold runs now."""
        return self._journal.leads and not self._calls.is_broken

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,
    ) -> None:
        """Open the store."""
        await self._journal.open(work=work, migrations=migrations, ring=ring)

    async def close(self) -> None:
        """Close this process's view."""
        if not self._host.lane.is_dead:
            await self._journal.close()

    def append(self, append: Append) -> Reply[Verdict]:
        """Write one turn of one run."""
        given: Reply[Verdict] = Reply()
        self._calls.carry(
            "append", append.run, lambda: self._journal.append(append).result(), given.give
        )
        return given

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run."""
        return await self._calls.ask("post", post.run, partial(self._journal.post, post))

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Claim runs that are due."""
        work = partial(self._journal.lease, worker, room=room, limit=limit, now=now)
        return await self._calls.ask("lease", "", work)

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back."""
        await self._calls.ask("release", "", partial(self._journal.release, worker, runs, now=now))

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run."""
        return await self._calls.ask("read", run, partial(self._journal.read, run))

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return everything that is remembered of these runs."""
        return await self._calls.ask("read", "", partial(self._journal.read_all, runs))

    async def find(self, workflow: str, key: str) -> RunId | None:
        """Return the run of a workflow and key."""
        return await self._calls.ask("find", key, partial(self._journal.find, workflow, key))

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows."""
        return await self._calls.ask("list", "", partial(self._journal.list, filter))

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves."""
        return await self._calls.ask("settled", "", partial(self._journal.settled, runs))

    async def query(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Return rows of the application's own tables."""
        return await self._calls.ask("read", "", partial(self._journal.query, sql, *parameters))

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan."""
        await self._calls.ask("keep_plan", plan.workflow, partial(self._journal.keep_plan, plan))

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return a stored plan."""
        return await self._calls.ask("plan", fingerprint, partial(self._journal.plan, fingerprint))

    async def prune(self, *, ended_before: Instant, limit: int, now: Instant) -> int:
        """Remove the history of ended runs, at once: nothing else depends on when."""
        return await self._journal.prune(ended_before=ended_before, limit=limit, now=now)

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
        """Replace what a run holds by what may be kept of it."""
        erase = partial(
            self._journal.erase, run, seq=seq, appends=appends, last=last, token=token, now=now
        )
        return await self._calls.ask("erase", run, erase)

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
        """Let a run go by another plan."""
        adopt = partial(
            self._journal.adopt,
            run,
            plan=plan,
            instead_of=instead_of,
            seq=seq,
            now=now,
            wakes=wakes,
        )
        return await self._calls.ask("adopt", run, adopt)

    async def retain(self, workflow: str, period: timedelta | None) -> None:
        """Keep how long the ended runs of a workflow are kept, at once."""
        await self._journal.retain(workflow, period)

    async def retained(self) -> Mapping[str, timedelta]:
        """Return the period of each workflow that has one, at once."""
        return await self._journal.retained()

    async def halt(self, halt: Halt) -> Halt:
        """Keep a halt, at once: what is simulated is who sees it, and when."""
        return await self._journal.halt(halt)

    async def unhalt(
        self, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None = None
    ) -> Halt | None:
        """Lift a halt, at once."""
        return await self._journal.unhalt(kind, name, lifting, of=of)

    async def halts(self) -> tuple[Halt, ...]:
        """Return the newest halt of every kind and name, at once."""
        return await self._journal.halts()

    async def moves(self, run: RunId, *, after: int = 0, limit: int) -> tuple[Move, ...]:
        """Return the moves of a run."""
        return await self._journal.moves(run, after=after, limit=limit)

    async def stage_counts(self, workflow: str | None = None) -> tuple[StageCount, ...]:
        """Return where unfinished runs stand."""
        return await self._journal.stage_counts(workflow)

    async def move_counts(
        self, workflow: str | None = None, *, since: Instant
    ) -> tuple[MoveCount, ...]:
        """Return which moves were made since a moment."""
        return await self._journal.move_counts(workflow, since=since)

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands; the answer may be late, or lost."""
        return await self._calls.ask("keep_schedule", "", partial(self._journal.keep_schedule, row))

    async def schedules(self) -> tuple[ScheduleRow, ...]:
        """Return all schedules, at once."""
        return await self._journal.schedules()

    async def forget_schedule(self, name: str) -> bool:
        """Remove a schedule, at once."""
        return await self._journal.forget_schedule(name)

    async def crashes(self) -> int:
        """Return how many unclean ends were found."""
        return await self._journal.crashes()

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them; to find nothing takes no time."""
        if not await self._journal.undelivered(limit=1):
            return Delivered()
        return await self._calls.ask(
            "deliver", "", partial(self._journal.deliver, limit=limit, now=now)
        )

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter | None:
        """Deliver a letter from outside."""
        return await self._calls.ask(
            "send", letter.key, partial(self._journal.send, letter, now=now)
        )

    async def erase_letters(self, *, subject: str, now: Instant) -> int:
        """Take what is about a subject out of the letters."""
        erase = partial(self._journal.erase_letters, subject=subject, now=now)
        return await self._calls.ask("erase", subject, erase)

    async def letters(self, *, limit: int) -> tuple[KeptLetter, ...]:
        """Return what was sent and is remembered."""
        return await self._journal.letters(limit=limit)

    async def waiters(self, *, limit: int) -> tuple[Waiter, ...]:
        """Return who waits for a message."""
        return await self._journal.waiters(limit=limit)

    async def claims(self, *, limit: int) -> tuple[Claimant, ...]:
        """Return who holds a key and who waits for one."""
        return await self._journal.claims(limit=limit)

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        """Return what runs have said and nobody was given yet."""
        return await self._journal.undelivered(limit=limit)
