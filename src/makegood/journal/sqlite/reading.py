"""How is the file read? On one thread, by a connection that cannot write.

So no read waits for a commit. Knows statements that read; nothing of leases or batches.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar, cast

import apsw
import msgspec

from makegood.errors import StoreBusy, StoreFailed
from makegood.journal.application.tables import rows_of
from makegood.journal.protocol import Filter, History, Page, Posted, StoredPlan
from makegood.journal.rows import RUN_COLUMNS, plain_conditions, refuse_unknown, run_row, wanted_of
from makegood.journal.sqlite.opening import open_reader
from makegood.values.limits import PAGE_RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.sqlite.opening import Place
    from makegood.values.ids import RunId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

__all__ = [
    "READ_SECONDS_MAX",
    "Reader",
    "histories_of",
    "history_of",
    "page_of",
    "plan_of",
    "run_of_key",
    "settled_of",
]

READ_SECONDS_MAX = 5.0
"""How long one read may take: a long one keeps the log of changes from being shortened."""

READS_WAITING_MAX = 1_024
"""The most reads that wait for the one connection; later callers wait for their turn."""

_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 10_000

T = TypeVar("T")


class Reader:
    """The thread that reads, and its connection."""

    def __init__(self, place: Place, *, seconds_max: float = READ_SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        self._connection, self._guard = open_reader(place)
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK)
        self._deadline = 0.0
        self._room = asyncio.Semaphore(READS_WAITING_MAX)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="makegood journal reader")

    async def read(self, run: Callable[[Connection], T]) -> T:
        """Run a function that only reads, and return what it returns."""
        return await self._run(lambda: self._in_time(run))

    async def query(self, sql: str, parameters: Sequence[Sql]) -> list[tuple[Sql, ...]]:
        """Return the rows of the application's own query."""
        return await self.read(lambda connection: rows_of(connection, self._guard, sql, parameters))

    async def close(self) -> None:
        """Finish what waits, then close."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._room:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _in_time(self, run: Callable[[Connection], T]) -> T:
        self._deadline = time.monotonic() + self._seconds_max
        try:
            # One transaction, so that everything is read as of one moment.
            self._connection.execute("BEGIN")
            return run(self._connection)
        except apsw.InterruptError:
            message = f"the read took longer than {self._seconds_max:g} s; narrow it"
            raise StoreBusy(message) from None
        except apsw.BusyError:
            message = "another process holds the journal; try again later"
            raise StoreBusy(message) from None
        except apsw.Error as error:
            message = f"the journal cannot be read ({error}); restore it from a backup"
            raise StoreFailed(message) from error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline


def histories_of(connection: Connection, runs: Sequence[RunId]) -> tuple[History, ...]:
    """Return everything that is remembered of these runs, those left out that are not there."""
    found = (_history_or_none(connection, run) for run in runs)
    return tuple(history for history in found if history is not None)


def history_of(connection: Connection, run: RunId) -> History:
    """Return everything that is remembered of a run."""
    history = _history_or_none(connection, run)
    if history is None:
        refuse_unknown(run)
    return history


def _history_or_none(connection: Connection, run: RunId) -> History | None:
    found = connection.execute(
        f"SELECT {RUN_COLUMNS} FROM makegood_run WHERE id = ?",  # noqa: S608 - our own columns
        (run,),
    ).fetchone()
    if found is None:
        return None
    appends = connection.execute(
        "SELECT body FROM makegood_facts WHERE run = ? ORDER BY seq", (run,)
    ).fetchall()
    inbox = connection.execute(
        "SELECT n, body, at FROM makegood_inbox WHERE run = ? ORDER BY n", (run,)
    ).fetchall()
    return History(
        row=run_row(found),
        appends=tuple(cast("bytes", body) for (body,) in appends),
        inbox=tuple(
            Posted(n, body, at) for n, body, at in cast("list[tuple[int, bytes, Instant]]", inbox)
        ),
    )


def run_of_key(connection: Connection, workflow: str, key: str) -> RunId | None:
    """Return the run that has a key, else the newest that had it, or None."""
    found = connection.execute(
        """
        SELECT coalesce(
            (SELECT id FROM makegood_run WHERE workflow = ?1 AND key = ?2 AND key_hold < 2),
            (SELECT max(id) FROM makegood_run WHERE workflow = ?1 AND key = ?2 AND key_hold = 2))
        """,
        (workflow, key),
    ).get
    return cast("RunId | None", found)


def settled_of(connection: Connection, runs: Collection[RunId]) -> frozenset[RunId]:
    """Return those of the runs that ended, are parked, or are not there."""
    found = connection.execute(
        """
        SELECT asked.value FROM json_each(?) AS asked
          LEFT JOIN makegood_run AS run ON run.id = asked.value
         WHERE run.id IS NULL OR run.ended_at IS NOT NULL OR run.status = 'parked'
        """,
        (msgspec.json.encode(tuple(runs)).decode(),),
    ).fetchall()
    return frozenset(cast("RunId", run) for (run,) in found)


def plan_of(connection: Connection, fingerprint: str) -> StoredPlan | None:
    """Return a stored plan, or None."""
    found = connection.execute(
        "SELECT workflow, json FROM makegood_plan WHERE fingerprint = ?", (fingerprint,)
    ).fetchone()
    if found is None:
        return None
    workflow, json = cast("tuple[str, str]", found)
    return StoredPlan(fingerprint=fingerprint, workflow=workflow, json=json)


def page_of(connection: Connection, filter: Filter) -> Page:
    """Return one page of rows, the newest first."""
    limit = min(filter.limit, PAGE_RUNS_MAX)
    conditions, parameters = _conditions(filter)
    found = connection.execute(
        f"SELECT {RUN_COLUMNS} FROM makegood_run"  # noqa: S608 - conditions of ours, values bound
        f" WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",
        (*parameters, limit + 1),
    ).fetchall()
    rows = tuple(run_row(values) for values in found[:limit])
    return Page(rows=rows, next=rows[-1].run if len(found) > limit else None)


def _conditions(filter: Filter) -> tuple[list[str], list[Sql]]:
    """Return the conditions of a listing, and the values that they bind."""
    conditions: list[str] = ["TRUE"]
    parameters: list[Sql] = []
    for column, wanted in wanted_of(filter):
        conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
        parameters.extend(wanted)
    for condition, *value in plain_conditions(filter):
        conditions.append(condition)
        parameters.extend(value)
    if filter.key is not None:
        # Each half has an index of its own, which serves only who repeats its condition.
        conditions.append("(key = ? AND key_hold < 2 OR key = ? AND key_hold = 2)")
        parameters.extend((filter.key, filter.key))
    if filter.not_of:
        conditions.append(f"fingerprint NOT IN ({', '.join('?' * len(filter.not_of))})")
        parameters.extend(sorted(filter.not_of))
    if filter.posted:
        conditions.append("id IN (SELECT run FROM makegood_inbox)")
    return conditions, parameters
