"""What is remembered: the one Protocol behind which every store stands.

A journal keeps, per run, one row that is the truth about the run and an ordered list of appends.
It knows nothing of plans, steps or what a fact means: facts are JSON text to it. It decides
nothing but who may write. One contract suite, `tests/journal/contract.py`, holds every
implementation to the numbered promises below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.journal.beside.retaining import KeepsPeriods
from makegood.journal.beside.scheduling import KeepsSchedules
from makegood.journal.halting import KeepsHalts
from makegood.journal.mail import (
    Delivered,
    Exists,
    JoinsTransactions,
    KeepsLetters,
    NewRun,
    Outgoing,
    Post,
    Posted,
    ToRun,
    ToStart,
    Undelivered,
)
from makegood.journal.rows import Filter, History, Page, RunRow
from makegood.journal.staging import KeepsStages, Move
from makegood.values.envelope import Envelope
from makegood.values.ids import RunId, WorkerId
from makegood.values.injectable import Sql
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from makegood.journal.messages import KeepsMessages
    from makegood.journal.reply import Pending
    from makegood.values.injectable import Transaction

__all__ = [
    "Append",
    "Applied",
    "Conflict",
    "Delivered",
    "Exists",
    "Fenced",
    "Filter",
    "History",
    "JoinsTransactions",
    "Journal",
    "Leased",
    "Leases",
    "LocalOutcome",
    "LocalWork",
    "Migration",
    "Move",
    "NewRun",
    "Outgoing",
    "Page",
    "Post",
    "Posted",
    "Refused",
    "RunRow",
    "Statement",
    "StoredPlan",
    "Summary",
    "ToRun",
    "ToStart",
    "Undelivered",
    "Verdict",
]


class StoredPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it is kept: once for all of its runs, by fingerprint."""

    fingerprint: str
    workflow: str
    json: str


class Summary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an append makes the run row say. The words are those of the decision core."""

    status: str
    cause: str | None = None
    rollback: str | None = None
    reason: str | None = None
    """Why it is parked."""
    ended_at: Instant | None = None
    """When it became final; None while it is not."""
    stage: str | None = None
    """Where the run stands in its lifecycle; None for what has no stages."""
    stage_since: Instant | None = None
    """Since when it has stood there."""


class Statement(msgspec.Struct, frozen=True, gc=False):
    """One collected statement of a step's `Writes`."""

    sql: str
    parameters: tuple[Sql, ...] = ()
    expect_rows: int | None = None


class LocalOutcome(msgspec.Struct, frozen=True, gc=False):
    """What a local step's body comes to."""

    facts: bytes
    """A JSON array."""
    messages: tuple[Envelope, ...] = ()
    """What is published because of it, in order."""


class LocalWork(Protocol):
    """A local step's body, to be run inside the transaction of its append."""

    timeout_seconds: float

    async def run(self, transaction: Transaction) -> LocalOutcome:
        """Run the body and return the facts to append, and what goes out with them.

        It awaits nothing but the transaction. It raises what the body raises, after which the
        body's writes are taken back and `failed` is asked for the facts instead.
        """
        ...

    def failed(self, error: Exception) -> LocalOutcome:
        """Return the facts that record the failure."""
        ...


class Append(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that one turn of one run wants remembered: all of it, or nothing."""

    run: RunId
    worker: WorkerId
    epoch: int
    """The lease under which this is written; 1 for a new run."""
    seq: int
    """The number of this append in its run, counted from 1, without gaps."""
    inbox_head: int
    """The last post that the writer has seen; 0 when there was none."""
    inbox_taken: int
    """Posts up to this number have become facts and leave the inbox."""
    token: bytes
    """16 random bytes that name this append, so that applying it again is harmless."""
    facts: bytes
    """A JSON array. Empty when `local` provides the facts."""
    at: Instant
    summary: Summary
    create: NewRun | None = None
    """Set on the first append of a run, which makes its row and takes its lease."""
    release: bool = False
    """Give the lease back with this append. `wake_at` then says when anyone may take the run;
    without `release` the lease stays and `wake_at` is ignored."""
    wake_at: Instant | None = None
    """None with `release`: nothing wakes the run but a post."""
    progress: bool = True
    """Whether this append is progress, which sets the count of claims back to 0."""
    writes: tuple[Statement, ...] = ()
    """Statements of a step, applied in the same transaction, before the facts."""
    local: LocalWork | None = None
    outgoing: tuple[Outgoing, ...] = ()
    """What others are to be given because of it, in order."""
    moves: tuple[Move, ...] = ()
    """How the run has moved between the stages of its lifecycle, in order."""
    messages: tuple[Envelope, ...] = ()
    """What is published because of it, in order."""


class Applied(msgspec.Struct, frozen=True, gc=False):
    """The append is durable. `facts` is what `local` gave, and empty without it."""

    facts: bytes = b""


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """Another worker holds the run, or it is gone: drop it, write nothing more."""


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The lease holds, but the sequence or the inbox moved: read again, decide again."""


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A statement in `writes` was refused by the store; nothing of the append was written."""

    reason: str


Verdict = Applied | Fenced | Conflict | Exists | Refused


class Leased(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run that this worker has just claimed."""

    run: RunId
    epoch: int
    fingerprint: str
    claims: int
    """How often it has been claimed since its last progress, this claim included."""


class Leases(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `lease` found: runs claimed now, and runs already held whose inbox is not empty."""

    claimed: tuple[Leased, ...] = ()
    rung: tuple[RunId, ...] = ()


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered step of the schema of an extension's own tables. Forward only."""

    owner: str
    """Whose tables these are: the extension's name."""
    number: int
    sql: str


class Journal(KeepsHalts, KeepsLetters, KeepsPeriods, KeepsSchedules, KeepsStages, Protocol):
    """Where facts are remembered, in order, per run, and beside them what is halted.

    **Writing**
    1. `append` is one compare-and-set: epoch, sequence and inbox head are compared in the
       statement that writes. On a match all of it is durable before `Applied` is returned.
    2. A wrong epoch, or a run that is not there, is `Fenced`; the right epoch with another
       sequence or another inbox head is `Conflict`. Either way nothing is written.
    3. An append whose token is already that of the run's newest append is `Applied` again and
       written once, however often it is sent and whatever became of the first reply.
    4. With `create` the row is made and leased to the worker at epoch 1, in the same
       transaction. A second run with the same workflow and key is `Exists`, also when two race.
    5. Appends that wait at the same moment share one commit; each gets its own verdict, and one
       that fails leaves the others untouched. At most one append of a run is in a commit. One
       that brings `writes` or `local` may have a commit of its own.
    6. `writes` are applied in the same transaction; one that the store refuses, or that changes
       other than the expected rows, makes the whole append `Refused`.
    7. `local` is run inside the transaction, after the compare-and-set. What it raises takes its
       own writes back and records `failed`. A body that awaits anything else, or takes longer
       than its timeout, fails the same way. It may be run again when the commit is lost.
    8. Without room for the write `StoreFull` is raised: nothing was written, nothing
       acknowledged is lost, and the same append succeeds once there is room. An outcome of a
       commit that is not known is found out by writing the same appends again (3); where it
       cannot be known the journal is closed and every waiter gets `StoreFailed`.

    **Posting**
    9. `post` adds to the run's inbox under the next number, without gaps, and lets the holder or
       the next worker find it: `wake_at` becomes the post's time where nobody holds the run.
       What an append does not take stays, in its order, and wakes nobody a second time.
    10. With `create` the row is made unleased and due at once; the key is unique as in 4, and the
        answer is `Exists` where it is taken. Otherwise the post's number is returned.
    11. Posting to a run that is not there raises `UnknownRun`. A run may be posted to whatever
        its status: what becomes of the post is decided by the run's holder.

    **Leasing**
    12. `lease` claims at most `limit` runs that are due and that nobody holds: epoch + 1 and
        claims + 1 each. Only runs with one of the given fingerprints are claimed, no more of each
        than there is room for. They are dealt out fairly, as `claiming.deal` says: a plan of which
        many are due does not keep the others waiting. One that was claimed `CLAIMS_TOGETHER_MAX`
        times without progress is claimed alone, in its turn.
    13. It also names the runs that this worker holds whose inbox is not empty.
    14. The runs of a dead worker become claimable without anyone's help; those of a live one
        never do. A stale holder's append is `Fenced`, whatever the clocks say.
    15. `release` gives held runs back unchanged, due at once, without counting as a claim.

    **Reading**
    16. `read` gives the row, all appends and the inbox as of one moment; `UnknownRun` otherwise.
        `read_all` does so for several runs at once, and leaves out those that are not there.
    17. `list` pages through rows with the newest first; a page holds at most `limit` rows and
        never repeats or skips a run that was there all along.
    18. `query` reads the application's own tables, and cannot write.
    19. `settled` names those of the given runs that move no more by themselves: they ended or are
        parked, or are not there.
    20. `plan` returns a stored plan; `keep_plan` stores one, once, before any of its runs does
        anything: a run that another one starts has its plan stored by whoever takes it first.

    **Keeping**
    21. `prune` removes the facts of at most `limit` runs that ended before the moment given, or
        whose period is over (`KeepsPeriods`), the oldest of each workflow first. A run that has a
        key keeps its row, so that the key stays taken; another goes whole.
    22. `erase` puts the appends given in the place of those of a run that has ended, adds one
        more, and takes the subject off its row, whose status becomes `erased`; the inbox is
        emptied. Nothing else ever changes stored facts. A run that is not there, is held, is due or
        has another sequence is left as it is, and the answer is False.
    23. `open` makes or migrates the schema, the extensions' tables included, each migration
        exactly once and in order; what is not ours or is newer raises `StoreRefused`.
    24. `crashes` counts the unclean ends that the store could find: when leadership was gained,
        or when a run was taken whose holder's lease had run out.

    **Delivering**
    25. The `outgoing` of an append is remembered in its transaction, once, in its order. No row of
        another run is touched by that. `undelivered` returns what is remembered, the oldest first.
    26. `deliver` takes the oldest, at most `limit`, posts each to the run that it is for, as in 9
        and 10, and forgets it: in one transaction, so exactly once, and what one run has to say in
        its order. One delivers at a time; whoever comes meanwhile is told to come again.
    27. What is for a run that is not there, or was pruned, is answered to its sender with
        `refused`, and forgotten where that is None or the sender is not there either.
    28. The start of a run whose id or key is taken starts nothing. A run with the same input is
        posted `joined`; where it has another input, `refused` goes to the sender as in 27.
    29. A run that has something undelivered is neither pruned nor erased.

    **Moving on**
    30. `adopt` lets a run go by another plan, if nobody holds it and it still has the plan and the
        sequence given; a lease that has run out holds nothing. The epoch rises, so that nothing
        of a holder before is written any more. Where it `wakes`, the run is due at once, and else
        when it was. Otherwise all is left as it is, and it says False.

    **Keys that are free again**
    31. A key that a run has only until it ends is unique as in 4, 10 and 28 among those that have
        it. The append that ends the run frees it, in its transaction, and nothing gives it back:
        not even that the run goes on after its end. Such a run is pruned whole.
    32. `find` gives the run that has the key; where none has it any more, the newest that had it.

    **Belonging together**
    33. What makes a run says what it belongs to and what has started it, where there is more to say
        than its own id does. Both are on its row, written with it; `list` finds runs by the first.
    """

    @property
    def messages(self) -> KeepsMessages:
        """What it keeps of messages, and who is to be given them."""
        ...

    @property
    def leads(self) -> bool:
        """Whether this process may hold runs now: an append with `create` is allowed."""
        ...

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,
    ) -> None:
        """Open the store; with `work=False` never take runs, only read and post (23).

        `ring` is called, on the event loop, when somebody else may have left something for this
        worker. It is a hint that may be lost, and a store need not give any.
        """
        ...

    async def close(self) -> None:
        """Finish what waits and close; later calls raise `EngineClosed`."""
        ...

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run (1–8). Returns at once; the verdict is there or will be.

        It raises nothing itself: whatever is wrong with the journal is found where the verdict
        would be.
        """
        ...

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one without holding it (9–11)."""
        ...

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Claim runs that are due, and name held runs that were posted to (12–14).

        `room` says by fingerprint how many more runs of a plan may be claimed; the first plan has
        the first turn.
        """
        ...

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back (15)."""
        ...

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run (16)."""
        ...

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return everything that is remembered of these runs, in no order (16)."""
        ...

    async def find(self, workflow: str, key: str) -> RunId | None:
        """Return the run of a workflow and key, or None (32)."""
        ...

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows (17)."""
        ...

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves (19)."""
        ...

    async def query(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Return the rows of a read-only statement over the application's tables (18)."""
        ...

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan under its fingerprint; one already there is left as it is (20)."""
        ...

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return a stored plan, or None (20)."""
        ...

    async def prune(self, *, ended_before: Instant, limit: int, now: Instant) -> int:
        """Remove the history of runs that ended before a moment; return how many (21).

        `now` is when they are marked as pruned.
        """
        ...

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
        """Replace what a run holds by what may be kept of it; say whether that was done (22).

        `seq` is the run's sequence and so how many `appends` there are; `last` is the append that
        is added, which tells of the erasure, and `token` its name.
        """
        ...

    async def crashes(self) -> int:
        """Return how many unclean ends were found when leadership was gained (24)."""
        ...

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them, at most `limit` of it (26-28).

        `now` is when it is posted.
        """
        ...

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        """Return what runs have said and nobody was given yet, the oldest first (25)."""
        ...

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
        """Let a run go by another plan, by fingerprint; say whether that was done (30)."""
        ...
