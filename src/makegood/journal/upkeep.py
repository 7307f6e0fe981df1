"""What keeps a store in order, and how is it known that it is? Beside the journal, never within.

An `Upkeep` looks after a store that need not be open, and changes its schema only when it is
asked to. The auditor, `forgotten`, needs no more than a journal: tests ask it after every crash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.errors import InvalidInput
from makegood.journal.protocol import Filter, ToRun, ToStart
from makegood.values.limits import PAGE_RUNS_MAX, UNDELIVERED_SEEN_MAX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from makegood.journal.mail import Claimant
    from makegood.journal.protocol import Journal, Migration, RunRow, Undelivered
    from makegood.values.ids import RunId
    from makegood.values.instants import Instant

__all__ = [
    "Bounds",
    "Check",
    "Health",
    "Schema",
    "Upkeep",
    "every_row",
    "forgotten",
    "held_in_vain",
    "indexes_check",
    "indexes_made",
    "lag",
    "mail_check",
    "require_since",
    "schema_check",
]


class Health(StrEnum):
    """How something stands."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should look at it before it does not."""
    WRONG = "wrong"
    """A promise of the engine is broken, or about to be."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing."""

    name: str
    health: Health
    says: str
    remedy: str | None = None
    """What to do about it; None where nothing is to be done."""


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """How far the schema of a store is."""

    number: int
    """0 where there is none."""
    newest: int
    """The newest that this program knows."""
    pending: tuple[str, ...]
    """What an upgrade would apply, in order: whose migration, and its number."""

    @property
    def is_current(self) -> bool:
        """Whether this program can work on it as it is."""
        return self.number == self.newest and not self.pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """From when on something is worth a warning, or wrong."""

    lag_seconds: float = 60.0
    """How long a run that is due may wait for a worker; five times as long is wrong."""
    lease_seconds_over: float = 60.0
    """How long after the end of a lease another worker should have claimed the run."""
    transaction_seconds: float = 60.0
    """How old the oldest transaction may be; five times as old is wrong."""
    skew_seconds: float = 1.0
    """How far the clocks of this host and of the server may be apart."""
    log_bytes_max: int = 64 * 1024 * 1024
    """How large SQLite's log of changes should be at most."""
    disk_bytes_min: int = 256 * 1024 * 1024
    """How much room there should be on the disk."""


class Upkeep(Protocol):
    """Looks after one store, which need not be open, nor be there.

    Every method raises `StoreRefused` for what is not ours, and `StoreBusy` for what cannot be
    reached. Only `upgrade` and `sweep` change anything.
    """

    @property
    def where(self) -> str:
        """Name what it looks after, for messages: never a user or a password."""
        ...

    async def schema(self, migrations: Sequence[Migration] = ()) -> Schema:
        """Say how far the schema is, the tables of these migrations included."""
        ...

    async def upgrade(self, migrations: Sequence[Migration] = ()) -> tuple[str, ...]:
        """Bring the schema to its newest number, under its lock; return what was applied.

        All of it is one transaction: whoever is killed half-way has done nothing.
        """
        ...

    async def script(
        self, migrations: Sequence[Migration] = (), *, since: int | None = None
    ) -> str:
        """Return as text what `upgrade` would do, with its bookkeeping, in one transaction.

        With `since` the store is not asked: the text begins at that number.
        """
        ...

    async def examine(
        self, *, now: Callable[[], Instant], thorough: bool = False
    ) -> tuple[Check, ...]:
        """Look at everything that the store's promises rest on.

        `now` tells this host's time. `thorough` is what takes as long as the store is large.
        """
        ...

    async def prunable(self, *, ended_before: Instant, now: Instant) -> int:
        """Return how many runs a prune would take now."""
        ...

    async def sweep(self) -> str | None:
        """Remove what an erasure left lying about; say what remains, and when it goes."""
        ...


_KEPT_UNREAD = ("parked", "poison")
"""The status of a run, and the reason for it, whose inbox may wait for a person."""


async def forgotten(journal: Journal) -> tuple[RunRow, ...]:
    """Return the runs that nothing will wake, the newest first: there should never be one.

    Nobody holds them and they have no wake time, though they have not ended and no person is
    waited for, or though something was posted to them. What is on its way wakes a run, and
    so does a message, for which it may wait for ever. To one that is parked as poison something
    may have been posted that cannot be read: that waits for a person with it.
    """
    unfinished = Filter(unfinished=True, wakeless=True, limit=PAGE_RUNS_MAX)
    posted = Filter(posted=True, wakeless=True, limit=PAGE_RUNS_MAX)
    found = {
        row.run: row
        async for row in every_row(journal, unfinished)
        if row.status not in {"parked", "paused"} and row.owner is None
    }
    async for row in every_row(journal, posted):
        if row.owner is None and (row.status, row.reason) != _KEPT_UNREAD:
            found[row.run] = row
    if found:
        for run in await _awaited(journal):
            found.pop(run, None)
    return tuple(found[run] for run in sorted(found, reverse=True))


async def _awaited(journal: Journal) -> set[RunId]:
    """Return the runs that something on its way will wake, or a message that they wait for."""
    runs = {waiter.run for waiter in await journal.waiters(limit=UNDELIVERED_SEEN_MAX)}
    for waiting in await journal.undelivered(limit=UNDELIVERED_SEEN_MAX):
        # Who says something is posted to, be it to learn that the other one cannot be.
        if waiting.sender is not None:
            runs.add(waiting.sender)
        if isinstance(waiting.entry, ToRun | ToStart):
            runs.add(waiting.entry.run)
    return runs


async def held_in_vain(journal: Journal) -> tuple[Claimant, ...]:
    """Return the claims that stand though their run has ended: there should never be one.

    A run lets go of its keys in the append that ends it, and that is on its way for a while.
    """
    claims = await journal.claims(limit=UNDELIVERED_SEEN_MAX)
    if not claims:
        return ()
    runs = tuple(dict.fromkeys(claim.run for claim in claims))
    histories = await journal.read_all(runs)
    going = {each.row.run for each in histories if each.row.ended_at is None}
    speaking = {each.sender for each in await journal.undelivered(limit=UNDELIVERED_SEEN_MAX)}
    return tuple(claim for claim in claims if claim.run not in going | speaking)


async def every_row(journal: Journal, wanted: Filter) -> AsyncIterator[RunRow]:
    """Give the rows of every page."""
    page = await journal.list(wanted)
    while True:
        for row in page.rows:
            yield row
        if page.next is None:
            return
        page = await journal.list(msgspec.structs.replace(wanted, after=page.next))


def indexes_made(scripts: Iterable[str]) -> frozenset[str]:
    """Return the names of the indexes that these scripts leave behind them, in order."""
    there: set[str] = set()
    for script in scripts:
        for made, dropped in _INDEX.findall(script):
            if dropped:
                there.discard(dropped)
            else:
                there.add(made)
    return frozenset(there)


_INDEX = re.compile(
    r"^(?:CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(\w+)|DROP INDEX (\w+))", re.MULTILINE
)


def lag(oldest_due: Instant | None, now: Instant, bounds: Bounds) -> Check:
    """Judge how long the run that has been due the longest waits for a worker."""
    waits = 0.0 if oldest_due is None else max(now - oldest_due, 0) / 1_000_000
    if waits <= bounds.lag_seconds:
        says = "no run waits for a worker" if not waits else f"a run is due since {waits:.1f} s"
        return Check(name="lag", health=Health.OK, says=says)
    is_wrong = waits > bounds.lag_seconds * 5
    return Check(
        name="lag",
        health=Health.WRONG if is_wrong else Health.WARNING,
        says=f"a run is due since {waits:,.0f} s, and no worker has taken it",
        remedy="start more workers, and look with `makegood stuck` whether any serves it",
    )


def mail_check(oldest: Undelivered | None, now: Instant, bounds: Bounds) -> Check:
    """Judge how long what a run says to another one has been on its way."""
    waits = 0.0 if oldest is None else max(now - oldest.at, 0) / 1_000_000
    if waits <= bounds.lag_seconds:
        return Check(name="mail", health=Health.OK, says="what runs say to others is delivered")
    is_wrong = waits > bounds.lag_seconds * 5
    return Check(
        name="mail",
        health=Health.WRONG if is_wrong else Health.WARNING,
        says=f"what a run says to another one is on its way since {waits:,.0f} s",
        remedy="start a worker: any engine that works delivers it, whatever it serves",
    )


def schema_check(number: int, newest: int) -> Check:
    """Judge the number of a schema."""
    if number == newest:
        return Check(name="schema", health=Health.OK, says=f"its number is {number}, the newest")
    if number > newest:
        says = f"its number is {number}, and this program knows only {newest}"
        return Check(
            name="schema", health=Health.WRONG, says=says, remedy="upgrade makegood on this host"
        )
    says = "there is none" if number == 0 else f"its number is {number}, and {newest} is needed"
    return Check(name="schema", health=Health.WRONG, says=says, remedy="run `makegood db upgrade`")


def indexes_check(missing: Iterable[str], invalid: Iterable[str]) -> Check:
    """Judge whether the schema has all of its indexes."""
    found = [*(f"{name} is missing" for name in sorted(missing))]
    found += [f"{name} is invalid" for name in sorted(invalid)]
    if not found:
        return Check(name="indexes", health=Health.OK, says="all are there")
    remedy = "make them again, as `makegood db sql --since 0` shows"
    return Check(name="indexes", health=Health.WRONG, says=", ".join(found), remedy=remedy)


def require_since(since: int, newest: int) -> int:
    """Return the number that a text of SQL is to begin at; refuse one that there is not."""
    if not 0 <= since <= newest:
        message = f"--since {since}: this program knows the numbers 0 to {newest}"
        raise InvalidInput(message)
    return since
