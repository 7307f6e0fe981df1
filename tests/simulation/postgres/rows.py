"""What is in the simulated database: rows, and a transaction's own view of them.

What is committed stands in a `MemoryStore`, where the witness looks. A transaction changes copies,
which nobody else sees before its end; a lock keeps each row to one transaction at a time.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from makegood.journal.memory_store import Record, add, free_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.memory import MemoryStore
    from makegood.journal.protocol import NewRun, StoredPlan, Undelivered
    from makegood.journal.staging import Move
    from makegood.values.ids import RunId
    from tests.simulation.postgres.locks import Locks, Waiting
    from tests.simulation.postgres.session import Session

__all__ = ["Row", "Transaction"]


class Row(Record):
    """A run's row, with what only this store remembers."""

    __slots__ = ("post_tokens",)

    def __init__(self, run: RunId, new: NewRun, status: str, *, epoch: int) -> None:
        super().__init__(run, new, status, epoch=epoch)
        self.post_tokens: tuple[bytes, ...] = ()

    def twin(self) -> Row:
        """Return a copy that can be changed."""
        twin = copy(self)
        twin.appends = list(self.appends)
        twin.inbox = list(self.inbox)
        return twin


class Transaction:
    """What one transaction has changed and locked."""

    __slots__ = (
        "delivered",
        "is_failed",
        "locked",
        "locks",
        "moves",
        "notices",
        "plans",
        "rows",
        "saved",
        "schedules",
        "sent",
        "session",
        "shelf",
        "store",
        "works",
    )

    def __init__(self, store: MemoryStore, locks: Locks, session: Session) -> None:
        self.store = store
        self.locks = locks
        self.session = session
        self.rows: dict[RunId, Row] = {}
        """What it has changed."""
        self.plans: list[StoredPlan] = []
        self.schedules: dict[str, ScheduleRow] = {}
        """The schedules that it has written."""
        self.works: list[Callable[[], object]] = []
        """What it does to messages, whose lanes and names it has locked: all of it at its end."""
        self.moves: list[Move] = []
        """The moves between stages that it has remembered."""
        self.sent: dict[int, Undelivered] = {}
        """What it has put on its way, by numbers that are given when that is done."""
        self.delivered: list[int] = []
        """What it has taken from there."""
        self.shelf: list[tuple[str, str, int]] = []
        """What it has done to the application's tables: an operation, its order, an amount."""
        self.notices: list[Callable[[Mapping[RunId, Row]], None]] = []
        """Who is told once it is committed, with the rows as they were before."""
        self.locked: list[str] = []
        self.saved = 0
        """How much of what was done to the application's tables is before the savepoint."""
        self.is_failed = False
        """A statement of it was refused: nothing but its end is carried out any more."""

    def see(self, run: RunId) -> Row | None:
        """Return a row as this transaction sees it."""
        row: Any = self.rows.get(run) or self.store.records.get(run)  # Any: all records are rows.
        found: Row | None = row
        return found

    def holder_of_key(self, workflow: str, key: str | None) -> RunId | None:
        """Return the run that has a key, as this transaction sees it."""
        if key is None:
            return None
        for row in self.rows.values():
            if (row.new.workflow, row.new.key) == (workflow, key) and not row.key_is_free:
                return row.run
        run = self.store.keys.get((workflow, key))
        has_let_go = run in self.rows and self.rows[run].key_is_free
        return None if has_let_go else run

    def lock(self, name: str) -> Waiting[None]:
        """Wait until nobody else holds this lock, and hold it to the end."""
        return self.locks.take(self, name)

    def change(self, run: RunId) -> Row:
        """Return a row of this transaction's own, to be changed; it holds the lock."""
        assert run in self.locked, "a row is locked before it is changed"
        if run not in self.rows:
            row = self.see(run)
            assert row is not None
            self.rows[run] = row.twin()
        return self.rows[run]

    def send(self, waiting: Undelivered) -> None:
        """Put something on its way."""
        self.store.outgoing_last += 1
        self.sent[self.store.outgoing_last] = waiting

    def on_its_way(self) -> list[tuple[int, Undelivered]]:
        """Return what this transaction sees on its way, the oldest first."""
        seen = {**self.store.outgoing, **self.sent}
        return [(n, seen[n]) for n in sorted(seen) if n not in self.delivered]

    def commit(self) -> None:
        """Let everybody see what was changed, and tell whoever watches."""
        store = self.store
        before: dict[RunId, Row] = {}
        for run, row in self.rows.items():
            was: Any = store.records.get(run)  # Any: as above.
            if was is not None:
                before[run] = was
                store.records[run] = row
                if row.key_is_free and not was.key_is_free:
                    row.key_is_free = False
                    free_key(store, row)
            if row.wake_at is None:
                store.wakeable.discard(run)
            else:
                store.wakeable.add(run)
        for run, row in self.rows.items():
            if run not in before:
                add(store, row)
                if row.key_is_free:
                    row.key_is_free = False
                    free_key(store, row)
        store.outgoing.update(self.sent)
        for number in self.delivered:
            del store.outgoing[number]
        for move in self.moves:
            store.moves.setdefault(move.run, {}).setdefault(move.version, move)
        for plan in self.plans:
            store.plans.setdefault(plan.fingerprint, plan)
        store.schedules.update(self.schedules)
        for work in self.works:
            work()
        for notice in self.notices:
            notice(before)
