"""What is in a store in memory? Records in dicts, and the functions that change them."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from makegood.journal.beside.retaining import ended_before_of
from makegood.journal.delivering import (
    Change,
    ChangeClaims,
    CountKept,
    FindClaims,
    Found,
    Look,
    Posts,
)
from makegood.journal.lanes.office import Office
from makegood.journal.protocol import (
    Append,
    Conflict,
    Exists,
    Fenced,
    Filter,
    Leased,
    LocalOutcome,
    NewRun,
    Post,
    Posted,
    RunRow,
    StoredPlan,
    Undelivered,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator
    from datetime import timedelta

    from makegood.journal.application.scratch import Scratch
    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.delivering import Address, Asked
    from makegood.journal.halting import Halt, HaltKind
    from makegood.journal.mail import Claimant, KeptLetter, Waiter
    from makegood.journal.staging import Move
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.instants import Instant

__all__ = [
    "MemoryStore",
    "Record",
    "add",
    "claim",
    "due_by_plan",
    "free_key",
    "give",
    "give_back",
    "has_undelivered",
    "hold",
    "holder_of",
    "is_settled",
    "may_be_erased",
    "newest_first",
    "oldest_letters",
    "prunable",
    "prune",
    "put",
    "refusal_of",
    "run_of_key",
    "shows",
    "wake",
    "write",
]


class MemoryStore:
    """What several memory journals share. Give each worker a `MemoryJournal` over one of these.

    `lease_seconds` is how long a run stays with a worker that does not renew it.
    """

    def __init__(self, *, lease_seconds: float = 10.0) -> None:
        assert lease_seconds > 0, "a lease lasts some time"
        self.lease_micros: int = round(lease_seconds * 1_000_000)
        self.records: dict[RunId, Record] = {}
        self.sorted_ids: list[RunId] = []
        self.keys: dict[tuple[str, str], RunId] = {}
        """Who has which key of a workflow."""
        self.keys_before: dict[tuple[str, str], set[RunId]] = {}
        """Who had a key until its end."""
        self.moves: dict[RunId, dict[int, Move]] = {}
        """The moves of a run between its stages, by version."""
        self.wakeable: set[RunId] = set()
        """The runs with a wake time: all others need not be looked at to find what is due."""
        self.held: dict[WorkerId, set[RunId]] = {}
        self.plans: dict[str, StoredPlan] = {}
        self.outgoing: dict[int, Undelivered] = {}
        """What is on its way, by numbers that count up."""
        self.outgoing_last = 0
        """The number that was given last."""
        self.letters: dict[str, KeptLetter] = {}
        """What was sent and is remembered, by id."""
        self.waiters: dict[Address, Waiter] = {}
        """Who waits for what."""
        self.claims: dict[tuple[str, RunId, str], Claimant] = {}
        """Who holds or waits for which key, by the key, the run and the name of the claim."""
        self.halts: dict[tuple[HaltKind, str], Halt] = {}
        self.office = Office()
        """What was published, and who is to be given it."""
        self.schedules: dict[str, ScheduleRow] = {}
        self.periods: dict[str, timedelta] = {}
        """How long the ended runs of a workflow are kept."""
        self._scratch: Scratch | None = None

    def scratch(self) -> Scratch:
        """Return the database of the application's own tables, made when first needed."""
        if self._scratch is None:
            # Most tests need no SQL, and so no SQLite.
            from makegood.journal.application.scratch import Scratch  # noqa: PLC0415

            self._scratch = Scratch()
        return self._scratch


class Record:
    """A run's row, its appends and its inbox, changed in place by the functions below."""

    __slots__ = (
        "appends",
        "cause",
        "claims",
        "ended_at",
        "epoch",
        "inbox",
        "inbox_head",
        "key_is_free",
        "new",
        "owner",
        "pruned_at",
        "reason",
        "rollback",
        "run",
        "seq",
        "stage",
        "stage_since",
        "status",
        "subject",
        "token",
        "wake_at",
    )

    def __init__(self, run: RunId, new: NewRun, status: str, *, epoch: int) -> None:
        self.run = run
        self.new = new
        self.subject = new.subject
        self.status = status
        self.cause: str | None = None
        self.rollback: str | None = None
        self.reason: str | None = None
        self.stage: str | None = None
        self.stage_since: Instant | None = None
        self.key_is_free = False
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
            subject=self.subject,
            stage=self.stage,
            stage_since=self.stage_since,
            correlation=new.correlation,
            causation=new.causation,
        )


def refusal_of(store: MemoryStore, record: Record | None, append: Append) -> Verdict | None:
    """Compare what the append expects with the record; None when it may be written."""
    if append.create is not None:
        return holder_of(store, append.run, append.create)
    if record is None or record.epoch != append.epoch or record.owner != append.worker:
        return Fenced()
    if record.seq != append.seq - 1 or record.inbox_head != append.inbox_head:
        return Conflict()
    return None


def write(store: MemoryStore, record: Record, append: Append, made: LocalOutcome) -> None:
    """Put an append that fits into its record."""
    summary = append.summary
    record.seq = append.seq
    record.token = append.token
    record.status = summary.status
    record.cause = summary.cause
    record.rollback = summary.rollback
    record.reason = summary.reason
    record.ended_at = summary.ended_at
    record.stage = summary.stage
    record.stage_since = summary.stage_since
    if record.ended_at is not None and record.new.key_until_ended:
        free_key(store, record)
    for move in append.moves:
        store.moves.setdefault(record.run, {}).setdefault(move.version, move)
    if append.progress:
        record.claims = 0
    record.appends.append(made.facts)
    for message in (*append.messages, *made.messages):
        store.office.store(message, append.at)
    for entry in append.outgoing:
        store.outgoing_last += 1
        store.outgoing[store.outgoing_last] = Undelivered(
            sender=record.run, at=append.at, entry=entry, subject=record.subject
        )
    if record.inbox and append.inbox_taken >= record.inbox[0].n:
        record.inbox = [post for post in record.inbox if post.n > append.inbox_taken]
    if append.release:
        give_back(store, record, append.wake_at)


def put(store: MemoryStore, post: Post) -> int | Exists | None:
    """Put a post into its inbox; None where there is no run to post to."""
    if post.create is not None:
        taken = holder_of(store, post.run, post.create)
        if taken is not None:
            return taken
        add(store, Record(post.run, post.create, post.status, epoch=0))
    record = store.records.get(post.run)
    if record is None or record.pruned_at is not None:
        return None
    record.inbox_head += 1
    record.inbox.append(Posted(record.inbox_head, post.body, post.at))
    if record.owner is None:
        wake(store, record, post.at)
    return record.inbox_head


def give(store: MemoryStore, asked: Asked) -> object:
    """Give a delivery what it asks for."""
    match asked:
        case Posts(posts=posts):
            return [put(store, post) for post in posts]
        case Look(addresses=addresses, ids=ids, now=now):
            kept = (
                letter
                for letter in oldest_letters(store)
                if letter.id in ids or _is_kept(letter, addresses, now)
            )
            waiters = (store.waiters.get(address) for address in addresses)
            return Found([each for each in waiters if each is not None], [*kept])
        case CountKept(address=address, now=now):
            return sum(_is_kept(letter, (address,), now) for letter in store.letters.values())
        case Change():
            store.letters.update((letter.id, letter) for letter in asked.letters)
            for address in asked.gone:
                del store.waiters[address]
            for waiter in asked.coming:
                store.waiters[waiter.message, waiter.key] = waiter
            return None
        case FindClaims(keys=keys):
            return [claim for claim in store.claims.values() if claim.key in keys]
        case ChangeClaims():
            for gone in asked.gone:
                del store.claims[gone.key, gone.run, gone.id]
            for claim in (*asked.changed, *asked.coming):
                store.claims[claim.key, claim.run, claim.id] = claim
            return None
        case _:
            assert_never(asked)


def _is_kept(letter: KeptLetter, at: Container[Address], now: Instant) -> bool:
    """Say whether a letter is still there for somebody who waits at one of these addresses."""
    return (letter.message, letter.key) in at and letter.taken_by is None and letter.until > now


def oldest_letters(store: MemoryStore) -> list[KeptLetter]:
    """Return all letters, the oldest first."""
    return sorted(store.letters.values(), key=lambda letter: (letter.at, letter.id))


def has_undelivered(store: MemoryStore, run: RunId) -> bool:
    """Say whether a run has said something that nobody was given yet."""
    return any(waiting.sender == run for waiting in store.outgoing.values())


def holder_of(store: MemoryStore, run: RunId, new: NewRun) -> Exists | None:
    """Return the run that has this id or this key already, or None."""
    other = run if run in store.records else None
    if new.key is not None:
        other = store.keys.get((new.workflow, new.key), other)
    return None if other is None else Exists(other, store.records[other].new.input_hash)


def add(store: MemoryStore, record: Record) -> None:
    """Make a record known by its id and its key."""
    store.records[record.run] = record
    insort(store.sorted_ids, record.run)
    if record.new.key is not None:
        store.keys[record.new.workflow, record.new.key] = record.run


def free_key(store: MemoryStore, record: Record) -> None:
    """Let another run have the key of one that has ended."""
    new = record.new
    if new.key is not None and not record.key_is_free:
        record.key_is_free = True
        del store.keys[new.workflow, new.key]
        store.keys_before.setdefault((new.workflow, new.key), set()).add(record.run)


def run_of_key(store: MemoryStore, workflow: str, key: str) -> RunId | None:
    """Return the run that has a key, else the newest that had it, or None."""
    before = store.keys_before.get((workflow, key), ())
    return store.keys.get((workflow, key)) or max(before, default=None)


def due_by_plan(
    store: MemoryStore, fingerprints: Collection[str], now: Instant
) -> dict[str, list[Record]]:
    """Return the runs that are due, by plan, the longest due first."""
    due = [
        (record.wake_at, record.run, record)
        for record in map(store.records.__getitem__, store.wakeable)
        if record.wake_at is not None and record.wake_at <= now
    ]
    due.sort(key=lambda entry: entry[:2])
    by_plan: dict[str, list[Record]] = {plan: [] for plan in fingerprints}
    for _, _, record in due:
        if record.new.fingerprint in by_plan:
            by_plan[record.new.fingerprint].append(record)
    return by_plan


def claim(store: MemoryStore, record: Record, worker: WorkerId, until: Instant) -> Leased:
    """Give a run to a worker under the next epoch."""
    if record.owner is not None:
        store.held[record.owner].discard(record.run)
    record.epoch += 1
    record.claims += 1
    hold(store, record, worker, until)
    return Leased(
        run=record.run,
        epoch=record.epoch,
        fingerprint=record.new.fingerprint,
        claims=record.claims,
    )


def hold(store: MemoryStore, record: Record, worker: WorkerId, until: Instant) -> None:
    """Let a worker hold a run until its lease runs out."""
    record.owner = worker
    store.held.setdefault(worker, set()).add(record.run)
    wake(store, record, until)


def give_back(store: MemoryStore, record: Record, wake_at: Instant | None) -> None:
    """Let nobody hold a run, and wake it then, or not at all."""
    assert record.owner is not None, "only a held run is given back"
    store.held[record.owner].discard(record.run)
    record.owner = None
    record.wake_at = None
    store.wakeable.discard(record.run)
    if wake_at is not None:
        wake(store, record, wake_at)


def wake(store: MemoryStore, record: Record, at: Instant) -> None:
    """Let the run be found at this moment, or earlier where it is due earlier already."""
    held = record.owner is not None
    record.wake_at = at if held or record.wake_at is None else min(record.wake_at, at)
    store.wakeable.add(record.run)


def adopt(
    store: MemoryStore, record: Record, plan: str, now: Instant, *, wakes: bool = False
) -> bool:
    """Let a run that nobody holds go by another plan; say whether nobody does."""
    if record.owner is not None:
        if record.wake_at is None or record.wake_at > now:
            return False
        give_back(store, record, now)
    record.new = replace(record.new, fingerprint=plan)
    record.epoch += 1
    if wakes:
        wake(store, record, now)
    return True


def is_settled(record: Record) -> bool:
    """Say whether a run moves no more by itself."""
    return record.ended_at is not None or record.status == "parked"


def may_be_erased(store: MemoryStore, record: Record) -> bool:
    """Say whether a run has ended, nothing moves it, and all that it has said was delivered."""
    is_at_rest = record.owner is None and record.wake_at is None
    has_ended = record.ended_at is not None and record.pruned_at is None
    return is_at_rest and has_ended and not has_undelivered(store, record.run)


def prunable(store: MemoryStore, *, ended_before: Instant, now: Instant) -> list[Record]:
    """Return the ended runs whose time is over, the oldest of each workflow first."""
    found: list[tuple[str, Instant, Record]] = []
    for record in store.records.values():
        period, ended_at = store.periods.get(record.new.workflow), record.ended_at
        before = ended_before_of(period, ended_before=ended_before, now=now)
        if ended_at is None or ended_at >= before or record.pruned_at is not None:
            continue
        if record.wake_at is None and not has_undelivered(store, record.run):
            found.append((record.new.workflow, ended_at, record))
    found.sort(key=lambda each: (each[0], each[1], each[2].run))
    return [record for _workflow, _ended_at, record in found]


def prune(store: MemoryStore, record: Record, pruned_at: Instant) -> None:
    """Remove what a run did, and the run itself where no key keeps its row."""
    record.appends.clear()
    record.inbox.clear()
    store.moves.pop(record.run, None)
    record.pruned_at, record.subject = pruned_at, None
    new = record.new
    if new.key is None or record.key_is_free:
        if new.key is not None:
            store.keys_before[new.workflow, new.key].discard(record.run)
        del store.records[record.run]
        del store.sorted_ids[bisect_left(store.sorted_ids, record.run)]


def newest_first(store: MemoryStore, after: RunId | None) -> Iterator[Record]:
    """Yield all records, or those older than a run."""
    ids = store.sorted_ids
    end = len(ids) if after is None else bisect_left(ids, after)
    for position in range(end - 1, -1, -1):
        yield store.records[ids[position]]


def shows(filter: Filter, record: Record) -> bool:
    """Say whether a listing shows a record."""
    return (
        (not filter.statuses or record.status in filter.statuses)
        and (not filter.causes or record.cause in filter.causes)
        and (not filter.reasons or record.reason in filter.reasons)
        and filter.workflow in {None, record.new.workflow}
        and filter.stage in {None, record.stage}
        and filter.subject in {None, record.subject}
        and filter.key in {None, record.new.key}
        and filter.correlation in {None, record.new.correlation}
        and (filter.created_before is None or record.new.created_at < filter.created_before)
        and (filter.created_after is None or record.new.created_at >= filter.created_after)
        and (filter.unfinished is None or filter.unfinished == (record.ended_at is None))
        and (not filter.wakeless or record.wake_at is None)
        and (not filter.posted or bool(record.inbox))
        and record.new.fingerprint not in filter.not_of
    )
