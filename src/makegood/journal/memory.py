"""What is remembered while the process lives: the journal's promises over dicts.

For tests, examples and the simulator. Nothing here suspends: a verdict is there before `append`
returns. Several `MemoryJournal`s over one `MemoryStore` are several workers on one store. With
no process whose death a lock would show, a lease here has a deadline, measured by the instants
that callers hand in: every call of `lease` renews what its worker holds for `lease_seconds`, and
a worker that no longer calls loses its runs when that time has passed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, NoReturn

from makegood.errors import EngineClosed, UnknownRun
from makegood.journal.claiming import claimed_at_once
from makegood.journal.protocol import (
    Append,
    Applied,
    Conflict,
    Exists,
    Fenced,
    Filter,
    History,
    Leased,
    Leases,
    Migration,
    NewRun,
    Page,
    Post,
    Posted,
    Refused,
    RunRow,
    StoredPlan,
    Verdict,
)
from makegood.journal.reply import Reply
from makegood.values.instants import Instant
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.journal.application.scratch import Scratch
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Sql

__all__ = ["MemoryJournal", "MemoryStore"]


class MemoryStore:
    """What several memory journals share. Give each worker a `MemoryJournal` over one of these.

    `lease_seconds` is how long a run stays with a worker that does not renew it.
    """

    def __init__(self, *, lease_seconds: float = 10.0) -> None:
        assert lease_seconds > 0, "a lease lasts some time"
        self.lease_micros: int = round(lease_seconds * 1_000_000)
        self.records: dict[RunId, _Record] = {}
        self.sorted_ids: list[RunId] = []
        self.keys: dict[tuple[str, str], RunId] = {}
        self.wakeable: set[RunId] = set()
        """The runs with a wake time: all others need not be looked at to find what is due."""
        self.held: dict[WorkerId, set[RunId]] = {}
        self.plans: dict[str, StoredPlan] = {}
        self._scratch: Scratch | None = None

    def scratch(self) -> Scratch:
        """Return the database of the application's own tables, made when first needed."""
        if self._scratch is None:
            # Most tests need no SQL, and so no SQLite.
            from makegood.journal.application.scratch import Scratch  # noqa: PLC0415

            self._scratch = Scratch()
        return self._scratch


class MemoryJournal:
    """A `Journal` that forgets when the process ends. One journal is one worker's view."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self._store = MemoryStore() if store is None else store
        self._is_open = False
        self._works = False
        self.commits: int = 0
        """How many appends this journal has written, each of which is a commit here."""

    @property
    def leads(self) -> bool:
        """Whether this journal was opened to work."""
        return self._works

    async def open(self, *, work: bool, migrations: Sequence[Migration] = ()) -> None:
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
        if post.create is not None:
            taken = _taken(self._store, post.run, post.create)
            if taken is not None:
                return taken
            _add(self._store, _Record(post.run, post.create, post.status, epoch=0))
        record = self._record(post.run)
        if record.pruned_at is not None:
            _refuse_unknown(post.run)
        record.inbox_head += 1
        record.inbox.append(Posted(record.inbox_head, post.body, post.at))
        if record.owner is None:
            _wake(self._store, record, post.at)
        return record.inbox_head

    async def lease(
        self, worker: WorkerId, *, fingerprints: Sequence[str], limit: int, now: Instant
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
        due = _due(store, frozenset(fingerprints), now)[:limit]
        taken = due[: claimed_at_once([record.claims for record in due])]
        claimed = tuple(_claim(store, record, worker, renewed) for record in taken)
        return Leases(claimed=claimed, rung=rung)

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back, due at once, without counting the claim."""
        self._require_open()
        for run in runs:
            record = self._store.records.get(run)
            if record is not None and record.owner == worker:
                record.claims = max(0, record.claims - 1)
                _give_back(self._store, record, now)

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run."""
        self._require_open()
        record = self._record(run)
        return History(row=record.row(), appends=tuple(record.appends), inbox=tuple(record.inbox))

    async def find(self, workflow: str, key: str) -> RunId | None:
        """Return the run of a workflow and key, or None."""
        self._require_open()
        return self._store.keys.get((workflow, key))

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows, the newest first."""
        self._require_open()
        limit = min(filter.limit, PAGE_RUNS_MAX)
        rows: list[RunRow] = []
        for record in _newest_first(self._store, filter.after):
            if not _shows(filter, record):
                continue
            if len(rows) == limit:
                return Page(rows=tuple(rows), next=rows[-1].run)
            rows.append(record.row())
        return Page(rows=tuple(rows), next=None)

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
        ended = [
            record
            for record in self._store.records.values()
            if record.ended_at is not None
            and record.ended_at < ended_before
            and record.pruned_at is None
            and record.wake_at is None
        ]
        ended.sort(key=lambda record: (record.ended_at, record.run))
        for record in ended[:limit]:
            _prune(self._store, record, now)
        return len(ended[:limit])

    async def crashes(self) -> int:
        """Return 0: a store in memory ends with its process, so it never finds a crash."""
        self._require_open()
        return 0

    def _verdict(self, append: Append) -> Verdict:
        if not self._works:
            return Fenced()
        store = self._store
        record = store.records.get(append.run)
        if record is not None and record.token == append.token and record.seq == append.seq:
            given_again = append.local is not None and record.pruned_at is None
            return Applied(record.appends[-1]) if given_again else Applied()
        refusal = _refusal(store, record, append)
        if refusal is not None:
            return refusal
        facts = append.facts
        if append.writes or append.local is not None:
            outcome = store.scratch().apply(append)
            if isinstance(outcome, Refused):
                return outcome
            facts = outcome
        if record is None:
            assert append.create is not None, "a run without a row is being created"
            record = _Record(append.run, append.create, append.summary.status, epoch=1)
            _add(store, record)
            _hold(store, record, append.worker, Instant(append.at + store.lease_micros))
        _write(store, record, append, facts)
        self.commits += 1
        return Applied() if append.local is None else Applied(facts)

    def _record(self, run: RunId) -> _Record:
        record = self._store.records.get(run)
        if record is None:
            _refuse_unknown(run)
        return record

    def _require_open(self) -> None:
        if not self._is_open:
            raise _closed()


class _Record:
    """A run's row, its appends and its inbox, changed in place by the functions below."""

    __slots__ = (
        "appends",
        "cause",
        "claims",
        "ended_at",
        "epoch",
        "inbox",
        "inbox_head",
        "new",
        "owner",
        "pruned_at",
        "reason",
        "rollback",
        "run",
        "seq",
        "status",
        "token",
        "wake_at",
    )

    def __init__(self, run: RunId, new: NewRun, status: str, *, epoch: int) -> None:
        self.run = run
        self.new = new
        self.status = status
        self.cause: str | None = None
        self.rollback: str | None = None
        self.reason: str | None = None
        self.seq = 0
        self.inbox_head = 0
        self.epoch = epoch
        self.claims = 0
        self.owner: WorkerId | None = None
        self.wake_at: Instant | None = None
        self.ended_at: Instant | None = None
        self.pruned_at: Instant | None = None
        self.token = b""
        self.appends: list[bytes] = []
        self.inbox: list[Posted] = []

    def row(self) -> RunRow:
        """Return what the record says now."""
        new = self.new
        return RunRow(
            run=self.run,
            workflow=new.workflow,
            key=new.key,
            fingerprint=new.fingerprint,
            input_hash=new.input_hash,
            status=self.status,
            cause=self.cause,
            rollback=self.rollback,
            reason=self.reason,
            seq=self.seq,
            inbox_head=self.inbox_head,
            epoch=self.epoch,
            claims=self.claims,
            owner=self.owner,
            wake_at=self.wake_at,
            created_at=new.created_at,
            ended_at=self.ended_at,
            pruned_at=self.pruned_at,
        )


def _closed() -> EngineClosed:
    return EngineClosed("the journal is closed, or was never opened")


def _refusal(store: MemoryStore, record: _Record | None, append: Append) -> Verdict | None:
    """Compare what the append expects with the record; None when it may be written."""
    if append.create is not None:
        return _taken(store, append.run, append.create)
    if record is None or record.epoch != append.epoch or record.owner != append.worker:
        return Fenced()
    if record.seq != append.seq - 1 or record.inbox_head != append.inbox_head:
        return Conflict()
    return None


def _write(store: MemoryStore, record: _Record, append: Append, facts: bytes) -> None:
    summary = append.summary
    record.seq = append.seq
    record.token = append.token
    record.status = summary.status
    record.cause = summary.cause
    record.rollback = summary.rollback
    record.reason = summary.reason
    record.ended_at = summary.ended_at
    if append.progress:
        record.claims = 0
    record.appends.append(facts)
    if record.inbox and append.inbox_taken >= record.inbox[0].n:
        record.inbox = [post for post in record.inbox if post.n > append.inbox_taken]
    if append.release:
        _give_back(store, record, append.wake_at)


def _taken(store: MemoryStore, run: RunId, new: NewRun) -> Exists | None:
    other = run if run in store.records else None
    if new.key is not None:
        other = store.keys.get((new.workflow, new.key), other)
    return None if other is None else Exists(other, store.records[other].new.input_hash)


def _add(store: MemoryStore, record: _Record) -> None:
    store.records[record.run] = record
    insort(store.sorted_ids, record.run)
    if record.new.key is not None:
        store.keys[record.new.workflow, record.new.key] = record.run


def _due(store: MemoryStore, fingerprints: frozenset[str], now: Instant) -> list[_Record]:
    due = [
        (record.wake_at, record.run, record)
        for record in map(store.records.__getitem__, store.wakeable)
        if record.wake_at is not None
        and record.wake_at <= now
        and record.new.fingerprint in fingerprints
    ]
    due.sort(key=lambda entry: entry[:2])
    return [record for _, _, record in due]


def _claim(store: MemoryStore, record: _Record, worker: WorkerId, until: Instant) -> Leased:
    if record.owner is not None:
        store.held[record.owner].discard(record.run)
    record.epoch += 1
    record.claims += 1
    _hold(store, record, worker, until)
    return Leased(
        run=record.run,
        epoch=record.epoch,
        fingerprint=record.new.fingerprint,
        claims=record.claims,
    )


def _hold(store: MemoryStore, record: _Record, worker: WorkerId, until: Instant) -> None:
    record.owner = worker
    store.held.setdefault(worker, set()).add(record.run)
    _wake(store, record, until)


def _give_back(store: MemoryStore, record: _Record, wake_at: Instant | None) -> None:
    assert record.owner is not None, "only a held run is given back"
    store.held[record.owner].discard(record.run)
    record.owner = None
    record.wake_at = None
    store.wakeable.discard(record.run)
    if wake_at is not None:
        _wake(store, record, wake_at)


def _wake(store: MemoryStore, record: _Record, at: Instant) -> None:
    """Let the run be found at this moment, or earlier where it is due earlier already."""
    held = record.owner is not None
    record.wake_at = at if held or record.wake_at is None else min(record.wake_at, at)
    store.wakeable.add(record.run)


def _prune(store: MemoryStore, record: _Record, pruned_at: Instant) -> None:
    record.appends.clear()
    record.inbox.clear()
    record.pruned_at = pruned_at
    if record.new.key is None:
        del store.records[record.run]
        del store.sorted_ids[bisect_left(store.sorted_ids, record.run)]


def _newest_first(store: MemoryStore, after: RunId | None) -> Iterator[_Record]:
    ids = store.sorted_ids
    end = len(ids) if after is None else bisect_left(ids, after)
    for position in range(end - 1, -1, -1):
        yield store.records[ids[position]]


def _shows(filter: Filter, record: _Record) -> bool:
    return (
        (not filter.statuses or record.status in filter.statuses)
        and (not filter.causes or record.cause in filter.causes)
        and (not filter.reasons or record.reason in filter.reasons)
        and (filter.workflow is None or record.new.workflow == filter.workflow)
        and (filter.created_before is None or record.new.created_at < filter.created_before)
        and (filter.created_after is None or record.new.created_at >= filter.created_after)
        and (filter.unfinished is None or filter.unfinished == (record.ended_at is None))
        and (not filter.wakeless or record.wake_at is None)
        and (not filter.posted or bool(record.inbox))
    )


def _refuse_unknown(run: RunId) -> NoReturn:
    message = f"no run {run!r} is in the journal; look at the id, or whether it was pruned"
    raise UnknownRun(message)
