"""The journal in PostgreSQL: the Protocol's methods over one writing connection and a few others.

Any number of processes work on one schema. A run is held under a lease that ends by the server's
clock, and every write compares the epoch of the lease in the statement that writes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from makegood.errors import EngineClosed, MakegoodError
from makegood.journal.postgres.appending import TOKEN_BYTES
from makegood.journal.postgres.connection import ASYNCPG
from makegood.journal.postgres.delivering import undelivered_of
from makegood.journal.postgres.desk import Desk
from makegood.journal.postgres.joining import Joiner
from makegood.journal.postgres.keeping.adopting import adopt_run
from makegood.journal.postgres.keeping.claims import claims_of
from makegood.journal.postgres.keeping.erasing import Erasure, erase_run
from makegood.journal.postgres.keeping.halting import halts_kept, keep_halt, lift_halt
from makegood.journal.postgres.keeping.letters import (
    erase_letters,
    forget_letters,
    letters_of,
    waiters_of,
)
from makegood.journal.postgres.keeping.retaining import keep_period, periods_kept
from makegood.journal.postgres.keeping.scheduling import (
    forget_schedule_named,
    keep_schedule_row,
    schedules_kept,
)
from makegood.journal.postgres.keeping.stages import moves_counted, moves_of, stages_counted
from makegood.journal.postgres.lanes.carrying import Carrier
from makegood.journal.postgres.lanes.messages import PostgresMessages
from makegood.journal.postgres.lanes.taking import LanesHeld
from makegood.journal.postgres.leasing import Holdings
from makegood.journal.postgres.opening import open_database
from makegood.journal.postgres.place import Place
from makegood.journal.postgres.posting import Poster
from makegood.journal.postgres.reading import (
    crashes_recorded,
    histories_of,
    history_of,
    page_of,
    plan_of,
    run_of_key,
    settled_of,
)
from makegood.journal.postgres.steps.application import rows_read
from makegood.journal.postgres.steps.attempting import Attempts
from makegood.journal.postgres.steps.stepping import Steps
from makegood.journal.postgres.working.doorbell import ANYBODY, Doorbell
from makegood.journal.postgres.working.leaseholds import Leaseholds
from makegood.journal.postgres.working.work import Work
from makegood.journal.postgres.writer import Writer
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

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import timedelta

    from makegood.journal.beside.scheduling import ScheduleRow
    from makegood.journal.halting import Halt, HaltKind, Lifting
    from makegood.journal.mail import Claimant, KeptLetter, Letter, Waiter
    from makegood.journal.messages import KeepsMessages, LaneId
    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.staging import Move, MoveCount, StageCount
    from makegood.values.ids import RunId, WorkerId
    from makegood.values.injectable import Sql
    from makegood.values.instants import Instant

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = ["PostgresJournal"]


class PostgresJournal:
    """A `Journal` in a schema of a PostgreSQL database, made when it is first opened.

    `place` is an address, `postgresql://user@host/database`, or a `Place` with every setting.
    `driver` makes the connections; a simulation has one of its own.
    """

    def __init__(self, place: str | Place, *, driver: Driver = ASYNCPG) -> None:
        self._place = Place.of(place) if isinstance(place, str) else place
        self._driver = driver
        self._opened: _Opened | None = None
        self.messages: KeepsMessages = PostgresMessages(self._place, self._ready)

    def __repr__(self) -> str:
        return f"<PostgresJournal {self._place.schema} at {self._place.shown}>"

    @property
    def leads(self) -> bool:
        """Whether this journal was opened to work, and can renew the leases of what it holds.

        Any number of workers may hold runs.
        """
        opened = self._opened
        if opened is None or opened.work is None or opened.writer.is_broken:
            return False
        return opened.work.heartbeat.is_heard

    @property
    def commits(self) -> int:
        """How many commits have carried appends and posts since the journal was opened."""
        opened = self._opened
        if opened is None:
            return 0
        return opened.writer.commits + opened.poster.commits + opened.carrier.commits

    async def open(
        self,
        *,
        work: bool,
        migrations: Sequence[Migration] = (),
        ring: Callable[[], None] | None = None,
    ) -> None:
        """Connect and bring the schema to its newest number; `StoreRefused` says why not."""
        assert self._opened is None, "a journal is opened once"
        connection = await open_database(self._place, migrations, driver=self._driver)
        self._opened = await _Opened.over(self._place, connection, self._driver)
        if work:
            self._opened.begin_to_work(ring)

    async def close(self) -> None:
        """Finish what waits, and close all connections."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        await opened.writer.end()
        await opened.carrier.end()
        await opened.poster.end()
        if opened.work is not None:
            await opened.work.end()
        await opened.doorbell.end()
        await opened.desk.close()
        await opened.steps_desk.close()

    def append(self, append: Append) -> Reply[Verdict]:
        """Queue one turn of one run for the next commit; a journal that only reads is fenced."""
        assert len(append.token) == TOKEN_BYTES, "a token has 16 bytes"
        try:
            opened = self._ready()
            return given(Fenced()) if opened.work is None else opened.writer.append(append)
        except MakegoodError as error:
            # Whoever appends looks for the verdict, and learns there that there is no journal.
            return given(error)

    async def post(self, post: Post) -> int | Exists:
        """Leave something for a run, or start one without holding it."""
        return await self._ready().poster.post(post)

    async def post_within(self, post: Post, connection: object) -> int | Exists:
        """Start a run in the transaction that is open on a connection of the caller's."""
        return await self._ready().joiner.post(post, connection)

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        """Claim what is due, and name held runs that were posted to.

        Nothing is claimed while leases cannot be renewed.
        """
        opened = self._ready()
        if opened.work is None:
            return Leases()
        limit = limit if opened.work.heartbeat.is_heard else 0
        return await opened.holdings.lease(worker, room=room, limit=limit, now=now)

    async def release(self, worker: WorkerId, runs: Sequence[RunId], *, now: Instant) -> None:
        """Give held runs back, due at once, without counting the claim."""
        await self._ready().holdings.release(worker, runs, now=now)

    async def read(self, run: RunId) -> History:
        """Return everything that is remembered of a run."""
        return await self._desk().ask(partial(history_of, schema=self._place.schema, run=run))

    async def read_all(self, runs: Sequence[RunId]) -> tuple[History, ...]:
        """Return everything that is remembered of these runs."""
        return await self._desk().ask(partial(histories_of, schema=self._place.schema, runs=runs))

    async def find(self, workflow: str, key: str) -> RunId | None:
        """Return the run of a workflow and key, or None."""
        schema = self._place.schema
        return await self._desk().ask(
            partial(run_of_key, schema=schema, workflow=workflow, key=key)
        )

    async def list(self, filter: Filter) -> Page:
        """Return one page of rows, the newest first."""
        return await self._desk().ask(partial(page_of, schema=self._place.schema, filter=filter))

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        """Return those of the runs that move no more by themselves."""
        return await self._desk().ask(partial(settled_of, schema=self._place.schema, runs=runs))

    async def query(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Return the rows of a read-only statement over the application's tables."""
        return await self._desk().ask(
            partial(rows_read, schema=self._place.schema, sql=sql, parameters=parameters),
            bare=True,
        )

    async def keep_plan(self, plan: StoredPlan) -> None:
        """Store a plan under its fingerprint; one already there is left as it is."""
        sql = (
            f'INSERT INTO "{self._place.schema}".plan (fingerprint, workflow, json) '
            "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        )

        async def keep(connection: Connection) -> None:
            await connection.execute(sql, plan.fingerprint, plan.workflow, plan.json)

        await self._desk().ask(keep)

    async def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return a stored plan, or None."""
        return await self._desk().ask(
            partial(plan_of, schema=self._place.schema, fingerprint=fingerprint)
        )

    async def prune(self, *, ended_before: Instant, limit: int, now: Instant) -> int:
        """Remove the history of runs that ended before a moment; return how many."""
        sql = f'SELECT "{self._place.schema}".prune($1, $2, $3)'

        async def remove(connection: Connection) -> int:
            await forget_letters(connection, self._place.schema, before=ended_before, limit=limit)
            removed: int = await connection.fetchval(sql, ended_before, limit, now)
            return removed

        return await self._desk().ask(remove)

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
        erasure = Erasure(run=run, seq=seq, appends=appends, last=last, token=token, at=now)
        return await self._desk().ask(
            partial(erase_run, schema=self._place.schema, erasure=erasure), bare=True
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
        return await self._desk().ask(
            partial(
                adopt_run,
                schema=self._place.schema,
                run=run,
                plan=plan,
                instead_of=instead_of,
                seq=seq,
                now=now,
                wakes=wakes,
            )
        )

    async def retain(self, workflow: str, period: timedelta | None) -> None:
        """Keep how long the ended runs of a workflow are kept, or take that back."""
        schema = self._place.schema
        await self._desk().ask(
            partial(keep_period, schema=schema, workflow=workflow, period=period)
        )

    async def retained(self) -> Mapping[str, timedelta]:
        """Return the period of each workflow that has one."""
        return await self._desk().ask(partial(periods_kept, schema=self._place.schema))

    async def halt(self, halt: Halt) -> Halt:
        """Keep a halt, and return the one that stands now."""
        return await self._desk().ask(partial(keep_halt, schema=self._place.schema, halt=halt))

    async def unhalt(
        self, kind: HaltKind, name: str, lifting: Lifting, *, of: str | None = None
    ) -> Halt | None:
        """Lift the halt that stands; None where none does."""
        schema = self._place.schema
        return await self._desk().ask(
            partial(lift_halt, schema=schema, kind=kind, name=name, lifting=lifting, of=of)
        )

    async def halts(self) -> tuple[Halt, ...]:
        """Return the newest halt of every kind and name."""
        return await self._desk().ask(partial(halts_kept, schema=self._place.schema))

    async def moves(self, run: RunId, *, after: int = 0, limit: int) -> tuple[Move, ...]:
        """Return the moves of a run behind a version, the oldest first."""
        schema = self._place.schema
        return await self._desk().ask(
            partial(moves_of, schema=schema, run=run, after=after, limit=limit)
        )

    async def stage_counts(self, workflow: str | None = None) -> tuple[StageCount, ...]:
        """Return where unfinished runs stand, of one lifecycle or of all."""
        return await self._desk().ask(
            partial(stages_counted, schema=self._place.schema, workflow=workflow)
        )

    async def move_counts(
        self, workflow: str | None = None, *, since: Instant
    ) -> tuple[MoveCount, ...]:
        """Return which moves were made since a moment, of one lifecycle or of all."""
        schema = self._place.schema
        return await self._desk().ask(
            partial(moves_counted, schema=schema, workflow=workflow, since=since)
        )

    async def keep_schedule(self, row: ScheduleRow) -> bool:
        """Keep how a schedule stands, over the version before it; say whether that was done."""
        return await self._desk().ask(
            partial(keep_schedule_row, schema=self._place.schema, row=row)
        )

    async def schedules(self) -> tuple[ScheduleRow, ...]:
        """Return all schedules, sorted by name."""
        return await self._desk().ask(partial(schedules_kept, schema=self._place.schema))

    async def forget_schedule(self, name: str) -> bool:
        """Remove a schedule; say whether there was one."""
        return await self._desk().ask(
            partial(forget_schedule_named, schema=self._place.schema, name=name)
        )

    async def crashes(self) -> int:
        """Return how many workers lost a run because they were not heard of in time."""
        return await self._desk().ask(partial(crashes_recorded, schema=self._place.schema))

    async def deliver(self, *, limit: int, now: Instant) -> Delivered:
        """Give others what runs have said to them, unless somebody else does so just now."""
        return await self._ready().poster.deliver(limit=limit, now=now)

    async def erase_letters(self, *, subject: str, now: Instant) -> int:
        """Take what is about a subject out of the letters; return how many there were."""
        return await self._desk().ask(
            partial(erase_letters, schema=self._place.schema, subject=subject, now=now)
        )

    async def send(self, letter: Letter, *, now: Instant) -> KeptLetter | None:
        """Deliver a letter from outside and return it as it is kept."""
        return await self._ready().poster.send(letter, now=now)

    async def letters(self, *, limit: int) -> tuple[KeptLetter, ...]:
        """Return what was sent and is remembered."""
        return await self._desk().ask(partial(letters_of, schema=self._place.schema, limit=limit))

    async def waiters(self, *, limit: int) -> tuple[Waiter, ...]:
        """Return who waits for a message."""
        return await self._desk().ask(partial(waiters_of, schema=self._place.schema, limit=limit))

    async def claims(self, *, limit: int) -> tuple[Claimant, ...]:
        """Return who holds a key and who waits for one."""
        return await self._desk().ask(partial(claims_of, schema=self._place.schema, limit=limit))

    async def undelivered(self, *, limit: int) -> tuple[Undelivered, ...]:
        """Return what runs have said and nobody was given yet."""
        return await self._desk().ask(
            partial(undelivered_of, schema=self._place.schema, limit=limit)
        )

    def _desk(self) -> Desk:
        return self._ready().desk

    def _ready(self) -> _Opened:
        opened = self._opened
        if opened is None:
            message = "the journal is closed, or was never opened"
            raise EngineClosed(message)
        opened.writer.require_unbroken()
        return opened


class _Opened:
    """What an open journal has."""

    __slots__ = (
        "_driver",
        "_place",
        "carrier",
        "desk",
        "doorbell",
        "holdings",
        "joiner",
        "lane_leases",
        "lanes",
        "poster",
        "run_leases",
        "steps_desk",
        "work",
        "writer",
    )

    def __init__(
        self, place: Place, connection: Connection, driver: Driver, *, desk: Desk, steps_desk: Desk
    ) -> None:
        self._place = place
        self._driver = driver
        self.work: Work | None = None
        """What goes on in it by itself; None where it does not work."""
        self.desk = desk
        self.steps_desk = steps_desk
        self.doorbell = Doorbell(place, desk)
        self.run_leases: Leaseholds[RunId] = Leaseholds()
        self.lane_leases: Leaseholds[LaneId] = Leaseholds()
        self.holdings = Holdings(place, desk, self.run_leases, ring=self.doorbell.ring)
        self.joiner = Joiner(place, desk)
        self.poster = Poster(place.schema, desk, noticed=self.holdings.posted)
        attempts = Attempts(place, steps_desk)
        self.lanes = LanesHeld(place, desk, self.lane_leases, ring=self.ring_anybody)
        self.carrier = Carrier(
            place,
            desk,
            attempts,
            post=self.poster.post_all,
            noticed=self.lanes.notice,
            ring=self.ring_anybody,
        )
        self.writer = Writer(
            place,
            connection,
            Steps(place, attempts, ring=self.ring_anybody),
            driver=driver,
            noticed=self.holdings.notice,
            ring=self.ring_anybody,
        )

    @classmethod
    async def over(cls, place: Place, connection: Connection, driver: Driver) -> _Opened:
        desk, steps_desk = await Desk.at(place, driver), await Desk.at(place, driver)
        return cls(place, connection, driver, desk=desk, steps_desk=steps_desk)

    def begin_to_work(self, ring: Callable[[], None] | None) -> None:
        """Renew leases from now on, and listen for whoever is to be rung."""
        self.work = Work(
            self._place,
            self._driver,
            desk=self.desk,
            workers=self.holdings.workers,
            runs=self.run_leases,
            lanes=self.lane_leases,
            ring=ring,
        )

    def ring_anybody(self) -> None:
        """Have anybody rung who has room."""
        self.doorbell.ring(ANYBODY)
