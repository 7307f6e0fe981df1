"""The journal in one SQLite file: the Protocol's methods over a writing and a reading thread.

The file belongs to the engine: nothing else in this process may open it, for a second SQLite
library would silently drop this one's locks. One process leads a file, by the lock beside it;
another that wants to work waits as a standby, reads and posts, and takes over in its next
`lease` once the lock is free.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from makegood.errors import (
    EngineClosed,
    MakegoodError,
    StoreBusy,
    StoreError,
    StoreFailed,
    StoreFull,
    StoreRefused,
)
from makegood.journal.protocol import (
    Append,
    Delivered,
    Exists,
    Fenced,
    Filter,
    History,
    Leases,
    Migration,
    Page,
    Post,
    StoredPlan,
    Undelivered,
    Verdict,
)
from makegood.journal.reply import Reply, given
from makegood.journal.sqlite.appending import TOKEN_BYTES
from makegood.journal.sqlite.keeping.adopting import adopt_run
from makegood.journal.sqlite.keeping.claims import claims_of
from makegood.journal.sqlite.keeping.erasing import erase_run
from makegood.journal.sqlite.keeping.halting import halts_kept, keep_halt, lift_halt
from makegood.journal.sqlite.keeping.mail import (
    deliver_oldest,
    erase_letters,
    forget_letters,
    has_outgoing,
    letters_of,
    send_letter,
    undelivered_of,
    waiters_of,
)
from makegood.journal.sqlite.keeping.retaining import keep_period, periods_kept, prune_ended
from makegood.journal.sqlite.keeping.scheduling import (
    forget_schedule_named,
    keep_schedule_row,
    schedules_kept,
)
from makegood.journal.sqlite.keeping.stages import moves_counted, moves_of, stages_counted
from makegood.journal.sqlite.lanes.messages import SqliteMessages
from makegood.journal.sqlite.leading import (
    SidecarLock,
    begin_to_lead,
    crashes_recorded,
    end_to_lead,
)
from makegood.journal.sqlite.leasing import claim_due, give_back
from makegood.journal.sqlite.mounts import MOUNT_TABLE
from makegood.journal.sqlite.opening import Place, open_file
from makegood.journal.sqlite.posting import post_to_run
from makegood.journal.sqlite.reading import (
    READ_SECONDS_MAX,
    Reader,
    histories_of,
    history_of,
    page_of,
    plan_of,
    run_of_key,
    settled_of,
)
from makegood.journal.sqlite.writer import Writer, checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import timedelta

    from makegood.journal.application.connection import Connection
    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.mail import Claimant, KeptLetter, Letter, Waiter
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.sqlite.opening import File
    from makegood.journal.staging import Move, MoveCount, StageCount
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

__all__ = ["SqliteJournal"]


class SqliteJournal:
    """A `Journal` in one file, made when it is first opened.

    A read or a query that takes longer than `read_seconds_max` raises `StoreBusy`.
    `mount_table` is where the system lists its mounts, and `vfs` the name of SQLite's filesystem
    layer; both are there for tests.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        read_seconds_max: float = READ_SECONDS_MAX,
        mount_table: Path = MOUNT_TABLE,
        vfs: str | None = None,
    ) -> None:
        place = Path(path).absolute()
        self._place = Place(path=place, mount_table=mount_table, vfs=vfs)
        self._lock = SidecarLock(self._place.sidecar)
        self._read_seconds_max = read_seconds_max
        self._works = False
        self._is_forked = False
        self._opened: _Opened | None = None
        self.messages: KeepsMessages = SqliteMessages(self._ready, self._leading)

    @property
    def leads(self) -> bool:
        """Whether this process holds the file's lock and may hold runs."""
        return self._opened is not None and self._opened.writer.leads

    @property
    def commits(self) -> int:
        """How many commits have carried appends and posts since the file was opened."""
        return 0 if self._opened is None else self._opened.writer.commits

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,  # noqa: ARG002 - a file rings for nobody
    ) -> None:
        """Open the file, and with `work` lead it or stand by; `StoreRefused` says why not."""
        assert self._opened is None, "a journal is opened once"
        file = await asyncio.to_thread(open_file, self._place, migrations)
        try:
            reader = Reader(self._place, seconds_max=self._read_seconds_max)
        except BaseException:
            file.connection.close()
            raise
        writer = Writer(
            file,
            before_checkpoint=lambda: self._require_in_place(file),
            on_failure=lambda: self._abandon(file),
        )
        _tell_of_fork(self)
        self._works = work
        self._opened = _Opened(file, writer, reader)
        if work:
            try:
                await writer.between(lambda: self._try_to_lead(file, writer))
            except StoreError:
                await self.close()
                raise

    async def close(self) -> None:
        """Finish what waits, empty the log where this process leads, and close the file."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        await opened.reader.close()
        await opened.writer.end(lambda: self._finish(opened.file, opened.writer))

    def append(self, append: Append) -> Reply[Verdict]:
        """Queue one turn of one run for the next commit; a process that does not lead is fenced."""
        assert len(append.token) == TOKEN_BYTES, "a token has 16 bytes"
        try:
            writer = self._ready().writer
            return writer.append(append) if writer.leads else given(Fenced())
        except MakegoodError as error:
            # Whoever appends looks for the verdict, and learns there that there is no journal.
            return given(error)

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one without holding it."""
        return await self._ready().writer.call(lambda connection: post_to_run(connection, post))

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Take over when the leader has gone; then claim what is due and name what was rung."""
        writer = await self._leading()
        if writer is None:
            return Leases()
        return await writer.call(
            lambda connection: claim_due(connection, worker, room=room, limit=limit, now=now)
        )

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back, due at once, without counting the claim."""
        await self._ready().writer.call(lambda connection: give_back(connection, worker, runs, now))

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run."""
        return await self._ready().reader.read(lambda connection: history_of(connection, run))

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return everything that is remembered of these runs."""
        return await self._ready().reader.read(lambda connection: histories_of(connection, runs))

    async def find(self, workflow: str, key: str) -> RunId | None:
        """Return the run of a workflow and key, or None."""
        return await self._ready().reader.read(
            lambda connection: run_of_key(connection, workflow, key)
        )

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows, the newest first."""
        return await self._ready().reader.read(lambda connection: page_of(connection, filter))

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves."""
        return await self._ready().reader.read(lambda connection: settled_of(connection, runs))

    async def query(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Return the rows of a read-only statement over the application's tables."""
        return await self._ready().reader.query(sql, parameters)

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan under its fingerprint; one already there is left as it is."""
        await self._ready().writer.call(lambda connection: _keep_plan(connection, plan))

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return a stored plan, or None."""
        return await self._ready().reader.read(lambda connection: plan_of(connection, fingerprint))

    async def prune(self, *, ended_before: Instant, limit: int, now: Instant) -> int:
        """Remove the history of runs that ended before a moment; return how many."""

        def forget(connection: Connection) -> int:
            forget_letters(connection, before=ended_before, limit=limit)
            return prune_ended(connection, ended_before=ended_before, limit=limit, now=now)

        return await self._ready().writer.call(forget)

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
        return await self._ready().writer.call(
            lambda connection: erase_run(
                connection, run, seq=seq, appends=appends, last=last, token=token, now=now
            )
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
        """Let a run go by another plan; say whether that was done."""
        # A lease here ends with its process, and with no clock.
        due = now if wakes else None
        return await self._ready().writer.call(
            lambda connection: adopt_run(
                connection, run, plan=plan, instead_of=instead_of, seq=seq, due=due
            )
        )

    async def retain(self, workflow: str, period: timedelta | None) -> None:
        """Keep how long the ended runs of a workflow are kept, or take that back."""
        writer = self._ready().writer
        await writer.call(lambda connection: keep_period(connection, workflow, period))

    async def retained(self) -> Mapping[str, timedelta]:
        """Return the period of each workflow that has one."""
        return await self._ready().reader.read(periods_kept)

    async def halt(self, halt: Halt) -> Halt:
        """Keep a halt, and return the one that stands now."""
        return await self._ready().writer.call(lambda connection: keep_halt(connection, halt))

    async def unhalt(
        self, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None = None
    ) -> Halt | None:
        """Lift the halt that stands; None where none does."""
        return await self._ready().writer.call(
            lambda connection: lift_halt(connection, kind, name, lifting, of=of)
        )

    async def halts(self) -> tuple[Halt, ...]:
        """Return the newest halt of every kind and name."""
        return await self._ready().reader.read(halts_kept)

    async def moves(self, run: RunId, *, after: int = 0, limit: int) -> tuple[Move, ...]:
        """Return the moves of a run behind a version, the oldest first."""
        return await self._ready().reader.read(
            lambda connection: moves_of(connection, run, after=after, limit=limit)
        )

    async def stage_counts(self, workflow: str | None = None) -> tuple[StageCount, ...]:
        """Return where unfinished runs stand, of one lifecycle or of all."""
        return await self._ready().reader.read(
            lambda connection: stages_counted(connection, workflow)
        )

    async def move_counts(
        self, workflow: str | None = None, *, since: Instant
    ) -> tuple[MoveCount, ...]:
        """Return which moves were made since a moment, of one lifecycle or of all."""
        return await self._ready().reader.read(
            lambda connection: moves_counted(connection, workflow, since)
        )

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands, over the version before it; say whether that was done."""
        return await self._ready().writer.call(
            lambda connection: keep_schedule_row(connection, row)
        )

    async def schedules(self) -> tuple[ScheduleRow, ...]:
        """Return all schedules, sorted by name."""
        return await self._ready().reader.read(schedules_kept)

    async def forget_schedule(self, name: str) -> bool:
        """Remove a schedule; say whether there was one."""
        return await self._ready().writer.call(
            lambda connection: forget_schedule_named(connection, name)
        )

    async def crashes(self) -> int:
        """Return how many unclean ends were found when a process began to lead this file."""
        return await self._ready().reader.read(crashes_recorded)

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them; where there is nothing, nothing is written."""
        opened = self._ready()
        if not await opened.reader.read(has_outgoing):
            return Delivered()
        return await opened.writer.call(
            lambda connection: deliver_oldest(connection, limit=limit, now=now)
        )

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter | None:
        """Deliver a letter from outside and return it as it is kept."""
        return await self._ready().writer.call(
            lambda connection: send_letter(connection, letter, now=now)
        )

    async def erase_letters(self, *, subject: str, now: Instant) -> int:
        """Take what is about a subject out of the letters; return how many there were."""
        return await self._ready().writer.call(
            lambda connection: erase_letters(connection, subject=subject, now=now)
        )

    async def letters(self, *, limit: int) -> tuple[KeptLetter, ...]:
        """Return what was sent and is remembered."""
        return await self._ready().reader.read(lambda connection: letters_of(connection, limit))

    async def waiters(self, *, limit: int) -> tuple[Waiter, ...]:
        """Return who waits for a message."""
        return await self._ready().reader.read(lambda connection: waiters_of(connection, limit))

    async def claims(self, *, limit: int) -> tuple[Claimant, ...]:
        """Return who holds a key and who waits for one."""
        return await self._ready().reader.read(lambda connection: claims_of(connection, limit))

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        """Return what runs have said and nobody was given yet."""
        return await self._ready().reader.read(lambda connection: undelivered_of(connection, limit))

    async def _leading(self) -> Writer | None:
        """Return the writer, once the leader's place could be taken; None where it cannot."""
        opened = self._ready()
        writer = opened.writer
        if self._works and not writer.leads:
            await writer.between(lambda: self._try_to_lead(opened.file, writer))
        return writer if writer.leads else None

    def _ready(self) -> _Opened:
        opened = self._opened
        if opened is None:
            message = "the journal is closed, or was never opened"
            raise EngineClosed(message)
        if self._is_forked:
            message = "the journal was opened before a fork; open one of its own in this process"
            raise StoreRefused(message)
        opened.writer.require_unbroken()
        return opened

    def mark_forked(self) -> None:
        """Refuse everything from here on: this is the copy of a journal in a forked child."""
        self._is_forked = True

    # The methods below run on the writer's thread.

    def _try_to_lead(self, file: File, writer: Writer) -> None:
        if writer.leads or not self._lock.take():
            return
        try:
            begin_to_lead(file.connection, file.place.path.stat().st_size)
        except (apsw.FullError, apsw.BusyError) as error:
            # Nothing was written: whoever tries next finds the file as it is.
            self._lock.give_up()
            if isinstance(error, apsw.FullError):
                message = f"there is no room to lead {file.place.path}; free some, then go on"
                raise StoreFull(message) from None
            message = f"another process holds {file.place.path}; try again later"
            raise StoreBusy(message) from None
        writer.leads = True

    def _finish(self, file: File, writer: Writer) -> None:
        if writer.leads:
            # Without room the end is not recorded; it is then found as an unclean one.
            with contextlib.suppress(apsw.FullError, apsw.BusyError):
                end_to_lead(file.connection)
            self._require_in_place(file)
            checkpoint(file.connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
        file.connection.close()
        writer.leads = False
        self._lock.give_up()

    def _require_in_place(self, file: File) -> None:
        file.require_same()
        if not self._lock.is_in_place():
            message = (
                f"{self._lock.path} was replaced or removed, so another process may lead; "
                "leave the file in place and start again"
            )
            raise StoreFailed(message)

    def _abandon(self, file: File) -> None:
        """Let go of a file that broke; whoever leads next finds an unclean end."""
        file.connection.close()
        self._lock.give_up()


class _Opened:
    """What an open journal has."""

    __slots__ = ("file", "reader", "writer")

    def __init__(self, file: File, writer: Writer, reader: Reader) -> None:
        self.file = file
        self.writer = writer
        self.reader = reader


def _keep_plan(connection: Connection, plan: StoredPlan) -> None:
    connection.execute(
        """INSERT INTO makegood_plan (fingerprint, workflow, json) VALUES (?, ?, ?)
           ON CONFLICT (fingerprint) DO NOTHING""",
        (plan.fingerprint, plan.workflow, plan.json),
    )


def _tell_of_fork(journal: SqliteJournal) -> None:
    """Have a forked child's copy told what it is: asking for the process at every append costs."""
    reference = weakref.ref(journal)

    def mark() -> None:
        if (copy := reference()) is not None:
            copy.mark_forked()

    os.register_at_fork(after_in_child=mark)
