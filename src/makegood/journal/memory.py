"""What is remembered while the process lives: the journal's promises over dicts.

For tests, examples and the simulator. Nothing here suspends: a verdict is there before `append`
returns. Several `MemoryJournal`s over one `MemoryStore` are several workers on one store. With
no process whose death a lock would show, a lease here has a deadline, measured by the instants
that callers hand in: every call of `lease` renews what its worker holds for `lease_seconds`, and
a worker that no longer calls loses its runs when that time has passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from makegood.errors import EngineClosed, UnknownRun
from makegood.journal.beside.counting import move_counts, stage_counts
from makegood.journal.claiming import claimed_at_once, deal
from makegood.journal.delivering import as_told, delivery, driven, noting_news
from makegood.journal.halting import outlasts
from makegood.journal.lanes.memory import MemoryMessages
from makegood.journal.memory_store import (
    MemoryStore,
    Record,
    add,
    adopt,
    claim,
    due_by_plan,
    give,
    give_back,
    hold,
    is_settled,
    may_be_erased,
    newest_first,
    oldest_letters,
    prunable,
    prune,
    put,
    refusal_of,
    run_of_key,
    shows,
    write,
)
from makegood.journal.protocol import (
    Append,
    Applied,
    Delivered,
    Exists,
    Fenced,
    Filter,
    History,
    Leases,
    LocalOutcome,
    Migration,
    Page,
    Post,
    Refused,
    RunRow,
    StoredPlan,
    Undelivered,
    Verdict,
)
from makegood.journal.reply import Reply
from makegood.journal.staging import bare_of
from makegood.values.instants import Instant
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import timedelta

    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.mail import Claimant, KeptLetter, Letter, Waiter
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.staging import Move, MoveCount, StageCount
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Sql

__all__ = ["MemoryJournal", "MemoryStore"]


class MemoryJournal:
    """A `Journal` that forgets when the process ends. One journal is one worker's view."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self._store = MemoryStore() if store is None else store
        self._is_open = False
        self._works = False
        self.messages: KeepsMessages = MemoryMessages(
            self._store,
            require_open=self._require_open,
            works=lambda: self._works,
            put=self._put,
        )
        self.commits: int = 0
        """How many appends this journal has written, each of which is a commit here."""

    @property
    def leads(self) -> bool:
        """Whether this journal was opened to work."""
        return self._works

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,  # noqa: ARG002 - everybody here is in one process
    ) -> None:
        """Open the store; with `work=False` only read and post."""
        if migrations:
            self._store.scratch().migrate(migrations)
        self._is_open = True
        self._works = work

    async def close(self) -> None:
        """Close this worker's view; the store and what it holds remain."""
        self._is_open = False
        self._works = False

    def append(self, append: Append) -> Reply[Verdict]:
        """Write one turn of one run; the verdict is there already."""
        given: Reply[Verdict] = Reply()
        given.give(self._verdict(append) if self._is_open else _closed())
        return given

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one without holding it."""
        self._require_open()
        return self._put(post)

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Renew what this worker holds, claim what is due, and name held runs posted to."""
        self._require_open()
        if not self._works:
            return Leases()
        store = self._store
        renewed = Instant(now + store.lease_micros)
        held = store.held.setdefault(worker, set())
        for run in held:
            store.records[run].wake_at = renewed
        rung = tuple(run for run in sorted(held) if store.records[run].inbox)
        waiting = due_by_plan(store, room, now)
        due = deal(
            lambda plan, skipped, count: waiting[plan][skipped : skipped + count],
            room=room,
            limit=limit,
        )
        taken = due[: claimed_at_once([record.claims for record in due])]
        claimed = tuple(claim(store, record, worker, renewed) for record in taken)
        return Leases(claimed=claimed, rung=rung)

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back, due at once, without counting the claim."""
        self._require_open()
        for run in runs:
            record = self._store.records.get(run)
            if record is not None and record.owner == worker:
                record.claims = max(0, record.claims - 1)
                give_back(self._store, record, now)

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run."""
        self._require_open()
        record = self._record(run)
        return History(row=record.row(), appends=tuple(record.appends), inbox=tuple(record.inbox))

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return everything that is remembered of these runs."""
        return tuple([await self.read(run) for run in runs if run in self._store.records])

    async def find(self, workflow: str, key: str) -> RunId | None:
        """Return the run of a workflow and key, or None."""
        self._require_open()
        return run_of_key(self._store, workflow, key)

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows, the newest first."""
        self._require_open()
        limit = min(filter.limit, PAGE_RUNS_MAX)
        rows: list[RunRow] = []
        for record in newest_first(self._store, filter.after):
            if not shows(filter, record):
                continue
            if len(rows) == limit:
                return Page(rows=tuple(rows), next=rows[-1].run)
            rows.append(record.row())
        return Page(rows=tuple(rows), next=None)

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves."""
        self._require_open()
        records = self._store.records
        return frozenset(run for run in runs if run not in records or is_settled(records[run]))

    async def query(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Return the rows of a read-only statement over the application's tables."""
        self._require_open()
        return self._store.scratch().rows(sql, parameters)

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan under its fingerprint; one already there is left as it is."""
        self._require_open()
        self._store.plans.setdefault(plan.fingerprint, plan)

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return a stored plan, or None."""
        self._require_open()
        return self._store.plans.get(fingerprint)

    async def prune(self, *, ended_before: Instant, limit: int, now: Instant) -> int:
        """Remove the history of runs that ended before a moment; return how many."""
        self._require_open()
        ended = prunable(self._store, ended_before=ended_before, now=now)
        for record in ended[:limit]:
            prune(self._store, record, now)
        letters = self._store.letters
        over = [(each.until, each.id) for each in letters.values() if each.until < ended_before]
        for _until, id in sorted(over)[:limit]:
            del letters[id]
        return len(ended[:limit])

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
        """Replace what a run holds by what may be kept of it; say whether that was done."""
        del now  # An append here keeps no time of its own.
        self._require_open()
        assert len(appends) == seq, "an erased run keeps its sequence"
        record = self._store.records.get(run)
        if record is None or record.seq != seq or not may_be_erased(self._store, record):
            return False
        record.status, record.subject = "erased", None
        record.appends = [*appends, last]
        record.inbox.clear()
        record.seq, record.token = seq + 1, token
        moves = self._store.moves.get(run, {})
        moves.update((version, bare_of(move)) for version, move in list(moves.items()))
        return True

    async def retain(self, workflow: str, period: timedelta | None) -> None:
        """Keep how long the ended runs of a workflow are kept, or take that back."""
        self._require_open()
        self._store.periods.pop(workflow, None)
        if period is not None:
            self._store.periods[workflow] = period

    async def retained(self) -> Mapping[str, timedelta]:
        """Return the period of each workflow that has one."""
        self._require_open()
        return dict(self._store.periods)

    async def halt(self, halt: Halt) -> Halt:
        """Keep a halt, and return the one that stands now."""
        self._require_open()
        kept = self._store.halts.get((halt.kind, halt.name))
        if kept is None or not outlasts(kept, halt):
            self._store.halts[halt.kind, halt.name] = kept = halt
        return kept

    async def unhalt(
        self, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None = None
    ) -> Halt | None:
        """Lift the halt that stands; None where none does."""
        self._require_open()
        kept = self._store.halts.get((kind, name))
        if kept is None:
            return None
        if kept.stands(lifting.at) and of in {None, kept.actor}:
            self._store.halts[kind, name] = kept = replace(kept, lifted=lifting)
        return kept if kept.lifted == lifting else None

    async def halts(self) -> tuple[Halt, ...]:
        """Return the newest halt of every kind and name."""
        self._require_open()
        return tuple(halt for _, halt in sorted(self._store.halts.items()))

    async def moves(self, run: RunId, *, after: int = 0, limit: int) -> tuple[Move, ...]:
        """Return the moves of a run behind a version, the oldest first."""
        self._require_open()
        moves = self._store.moves.get(run, {})
        return tuple(moves[version] for version in sorted(moves) if version > after)[:limit]

    async def stage_counts(self, workflow: str | None = None) -> tuple[StageCount, ...]:
        """Return where unfinished runs stand, of one lifecycle or of all."""
        self._require_open()
        return tuple(stage_counts(self._store, workflow))

    async def move_counts(
        self, workflow: str | None = None, *, since: Instant
    ) -> tuple[MoveCount, ...]:
        """Return which moves were made since a moment, of one lifecycle or of all."""
        self._require_open()
        return tuple(move_counts(self._store, workflow, since))

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands, over the version before it; say whether that was done."""
        self._require_open()
        kept = self._store.schedules.get(row.name)
        if (0 if kept is None else kept.version) == row.version - 1:
            self._store.schedules[row.name] = kept = row
        return kept == row

    async def schedules(self) -> tuple[ScheduleRow, ...]:
        """Return all schedules, sorted by name."""
        self._require_open()
        return tuple(row for _, row in sorted(self._store.schedules.items()))

    async def forget_schedule(self, name: str) -> bool:
        """Remove a schedule; say whether there was one."""
        self._require_open()
        return self._store.schedules.pop(name, None) is not None

    async def crashes(self) -> int:
        """Return 0: a store in memory ends with its process, so it never finds a crash."""
        self._require_open()
        return 0

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them."""
        self._require_open()
        outgoing = self._store.outgoing
        taken = sorted(outgoing)[:limit]
        delivering = delivery([outgoing[number] for number in taken], now)
        posted = driven(delivering, lambda asked: give(self._store, asked))
        for number in taken:
            del outgoing[number]
        return Delivered(count=len(taken), posted=posted, has_more=bool(outgoing))

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter | None:
        """Deliver a letter from outside and return it as it is kept."""
        self._require_open()
        waiting = Undelivered(sender=None, at=now, entry=letter)
        news: list[str] = []
        delivering = noting_news(delivery([waiting], now), letter, news)
        driven(delivering, lambda asked: give(self._store, asked))
        return as_told(self._store.letters.get(letter.id), news)

    async def erase_letters(self, *, subject: str, now: Instant) -> int:
        """Take what is about a subject out of the letters; return how many there were."""
        self._require_open()
        letters = self._store.letters
        about = [letter for letter in letters.values() if letter.subject == subject]
        for letter in about:
            until = min(letter.until, now) if letter.taken_by is None else letter.until
            letters[letter.id] = replace(letter, body=b"", until=until, subject=None)
        return len(about)

    async def letters(self, *, limit: int) -> tuple[KeptLetter, ...]:
        """Return what was sent and is remembered."""
        self._require_open()
        return tuple(oldest_letters(self._store)[:limit])

    async def waiters(self, *, limit: int) -> tuple[Waiter, ...]:
        """Return who waits for a message."""
        self._require_open()
        waiters = self._store.waiters.values()
        return tuple(sorted(waiters, key=lambda each: (each.since, each.run, each.node))[:limit])

    async def claims(self, *, limit: int) -> tuple[Claimant, ...]:
        """Return who holds a key and who waits for one."""
        self._require_open()
        return tuple(self._store.claims.values())[:limit]

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        """Return what runs have said and nobody was given yet."""
        self._require_open()
        outgoing = self._store.outgoing
        return tuple(outgoing[number] for number in sorted(outgoing)[:limit])

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
        """Let a run go by another plan; say whether that was done."""
        self._require_open()
        record = self._store.records.get(run)
        if record is None or record.pruned_at is not None:
            return False
        if (record.new.fingerprint, record.seq) != (instead_of, seq):
            return False
        return adopt(self._store, record, plan, now, wakes=wakes)

    def _verdict(self, append: Append) -> Verdict:
        if not self._works:
            return Fenced()
        store = self._store
        record = store.records.get(append.run)
        if record is not None and record.token == append.token and record.seq == append.seq:
            given_again = append.local is not None and record.pruned_at is None
            return Applied(record.appends[-1]) if given_again else Applied()
        refusal = refusal_of(store, record, append)
        if refusal is not None:
            return refusal
        made = LocalOutcome(append.facts)
        if append.writes or append.local is not None:
            outcome = store.scratch().apply(append.writes, append.local)
            if isinstance(outcome, Refused):
                return outcome
            made = made if outcome is None else outcome
        if record is None:
            assert append.create is not None, "a run without a row is being created"
            record = Record(append.run, append.create, append.summary.status, epoch=1)
            add(store, record)
            hold(store, record, append.worker, Instant(append.at + store.lease_micros))
        write(store, record, append, made)
        self.commits += 1
        return Applied() if append.local is None else Applied(made.facts)

    def _put(self, post: Post) -> int | Exists:
        answer = put(self._store, post)
        if answer is None:
            _refuse_unknown(post.run)
        return answer

    def _record(self, run: RunId) -> Record:
        record = self._store.records.get(run)
        if record is None:
            _refuse_unknown(run)
        return record

    def _require_open(self) -> None:
        if not self._is_open:
            raise _closed()


def _closed() -> EngineClosed:
    return EngineClosed("the journal is closed, or was never opened")


def _refuse_unknown(run: RunId) -> NoReturn:
    message = f"no run {run!r} is in the journal; look at the id, or whether it was pruned"
    raise UnknownRun(message)
