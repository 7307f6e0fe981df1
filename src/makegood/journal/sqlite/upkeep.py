"""What keeps a journal's file in order? Its schema, its settings, its log and its disk; no run."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import apsw

from makegood.errors import StoreBusy, StoreRefused
from makegood.journal.application.numbering import ENGINE, name_of, terminated, to_apply
from makegood.journal.sqlite.keeping.retaining import prunable_of
from makegood.journal.sqlite.leading import SidecarLock
from makegood.journal.sqlite.mounts import MOUNT_TABLE
from makegood.journal.sqlite.opening import (
    SCHEMA_NUMBER,
    Place,
    number_of,
    open_file,
    open_reader,
    require_place,
    require_version,
    scripts,
    statements_from,
)
from makegood.journal.sqlite.rows import HELD
from makegood.journal.sqlite.writer import checkpoint
from makegood.journal.upkeep import (
    Bounds,
    Check,
    Health,
    Schema,
    indexes_check,
    indexes_made,
    lag,
    require_since,
    schema_check,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import Migration
    from makegood.values.instants import Instant

# The owner of a migration is quoted where it stands in a text.
# ruff: noqa: S608

__all__ = ["SqliteUpkeep"]

_LITTLE = 16
"""Less than this part of what there should be on the disk is wrong, and not only little."""

T = TypeVar("T")


class SqliteUpkeep:
    """The `Upkeep` of a journal in one file."""

    def __init__(self, path: str | Path, *, bounds: Bounds | None = None) -> None:
        place = Path(path).absolute()
        self._place = Place(path=place, mount_table=MOUNT_TABLE, vfs=None)
        self._bounds = bounds or Bounds()

    def __repr__(self) -> str:
        return f"<SqliteUpkeep of {self._place.path}>"

    @property
    def where(self) -> str:
        """The path of the file."""
        return str(self._place.path)

    async def schema(self, migrations: Sequence[Migration] = ()) -> Schema:
        """Say how far the file's schema is; looking changes nothing."""
        return await asyncio.to_thread(self._schema, migrations)

    async def upgrade(self, migrations: Sequence[Migration] = ()) -> tuple[str, ...]:
        """Bring the schema to its newest number; the file is made where there is none."""
        return await asyncio.to_thread(self._upgrade, migrations)

    async def script(
        self, migrations: Sequence[Migration] = (), *, since: int | None = None
    ) -> str:
        """Return as text what `upgrade` would do, for the program `sqlite3`."""
        if since is None:
            number, missing = await asyncio.to_thread(self._missing, migrations)
        else:
            number, missing = require_since(since, SCHEMA_NUMBER), to_apply(migrations, ())
        return _script(number, missing)

    async def examine(
        self, *, now: Callable[[], Instant], thorough: bool = False
    ) -> tuple[Check, ...]:
        """Look at the file, its settings, its log, its disk, and whoever leads it."""
        return await asyncio.to_thread(self._examine, now(), thorough=thorough)

    async def prunable(self, *, ended_before: Instant, now: Instant) -> int:
        """Return how many runs a prune would take."""
        count = partial(prunable_of, ended_before=ended_before, now=now)
        return await asyncio.to_thread(self._read, count)

    async def sweep(self) -> str | None:
        """Empty the log, where nobody leads the file: whoever does empties it by itself."""
        return await asyncio.to_thread(self._sweep)

    # The methods below run on a thread of their own.

    def _schema(self, migrations: Sequence[Migration]) -> Schema:
        number, missing = self._missing(migrations)
        own = tuple(name_of(ENGINE, each) for each in range(number + 1, SCHEMA_NUMBER + 1))
        tables = tuple(name_of(each.owner, each.number) for each in missing)
        return Schema(number=number, newest=SCHEMA_NUMBER, pending=own + tables)

    def _missing(self, migrations: Sequence[Migration]) -> tuple[int, list[Migration]]:
        """Return the file's number, and which of these migrations were not applied to it."""
        number = self._number()
        applied: set[tuple[str, int]] = set()
        if number and migrations:
            applied = self._read(_applied)
        return number, to_apply(migrations, applied)

    def _number(self) -> int:
        require_version(apsw.sqlite_lib_version())
        if not self._place.path.exists():
            return 0
        require_place(self._place)
        with self._told():
            return number_of(self._place)

    def _upgrade(self, migrations: Sequence[Migration]) -> tuple[str, ...]:
        file = open_file(self._place, migrations)
        file.connection.close()
        return file.applied

    def _read(self, run: Callable[[Connection], T]) -> T:
        with self._told():
            connection, _guard = open_reader(self._place)
            try:
                return run(connection)
            finally:
                connection.close()

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        """Have what goes wrong told as a store's trouble."""
        try:
            yield
        except apsw.BusyError:
            message = f"another process holds {self._place.path}; try again later"
            raise StoreBusy(message) from None
        except apsw.Error as error:
            message = (
                f"{self._place.path} cannot be read ({error}); look at its rights and the disk"
            )
            raise StoreRefused(message) from error

    def _sweep(self) -> str | None:
        lock = SidecarLock(self._place.sidecar)
        if not lock.take():
            return (
                f"{_leader(self._place)} leads {self._place.path}, and moves its log into it, over "
                "what was there, once it has been idle for a second, and when it ends"
            )
        try:
            connection, _guard = open_reader(self._place)
            try:
                is_empty = checkpoint(connection, apsw.SQLITE_CHECKPOINT_TRUNCATE)
            finally:
                connection.close()
        finally:
            lock.give_up()
        if is_empty:
            return None
        return f"somebody reads {self._place.path}, so its log could not be emptied; sweep again"

    def _examine(self, now: Instant, *, thorough: bool) -> tuple[Check, ...]:
        place, bounds = self._place, self._bounds
        if not place.path.exists():
            says = f"there is no journal at {place.path}"
            remedy = "name the file of one, or make it with `makegood db upgrade`"
            return (Check(name="schema", health=Health.WRONG, says=says, remedy=remedy),)
        number = self._number()
        checks = [
            _version(),
            schema_check(number, SCHEMA_NUMBER),
            _log(place, bounds),
            _disk(place, bounds),
        ]

        def look(connection: Connection) -> None:
            checks.append(_mode(connection))
            if number == SCHEMA_NUMBER:
                checks.append(_indexes(connection))
                oldest_due = _oldest_due(connection, now)
                checks.append(_leading(place, connection, is_due=oldest_due is not None))
                checks.append(lag(oldest_due, now, bounds))
            if thorough:
                checks.append(_intact(connection))

        self._read(look)
        return tuple(checks)


# The schema as text -----------------------------------------------------------------------------


def _script(number: int, missing: Sequence[Migration]) -> str:
    statements = statements_from(number)
    if not statements and not missing:
        return "-- The file is up to date: there is nothing to apply.\n"
    for migration in missing:
        owner = migration.owner.replace("'", "''")
        statements.append(migration.sql)
        values = f"('{owner}', {migration.number})"
        statements.append(f"INSERT INTO makegood_migration (owner, number) VALUES {values}")
    head = (
        f"-- Brings a journal's file from schema {number} to {SCHEMA_NUMBER}. Run it with\n"
        "--\n--     sqlite3 -bail FILE < this.sql"
    )
    guard = (
        "-- This ends it where the file has another number by now.\n"
        f"CREATE TEMP TABLE makegood_expected (number INTEGER CHECK (number = {number}));\n"
        "INSERT INTO makegood_expected SELECT user_version FROM pragma_user_version;\n"
        "DROP TABLE temp.makegood_expected;"
    )
    parts = [head, "BEGIN IMMEDIATE;", guard, *(terminated(each) for each in statements), "COMMIT;"]
    return "\n\n".join(parts) + "\n"


def _applied(connection: Connection) -> set[tuple[str, int]]:
    rows = connection.execute("SELECT owner, number FROM makegood_migration")
    return cast("set[tuple[str, int]]", set(rows))


# The checks -------------------------------------------------------------------------------------


def _version() -> Check:
    return Check(name="server", health=Health.OK, says=f"SQLite {apsw.sqlite_lib_version()}")


def _log(place: Place, bounds: Bounds) -> Check:
    with contextlib.suppress(FileNotFoundError):
        size = place.log.stat().st_size
        if size > bounds.log_bytes_max:
            return Check(
                name="log",
                health=Health.WARNING,
                says=f"the log of changes has {size:,} bytes",
                remedy="end whoever reads for a long time; the worker that leads shortens it",
            )
        return Check(name="log", health=Health.OK, says=f"the log of changes has {size:,} bytes")
    return Check(name="log", health=Health.OK, says="there is no log of changes, so none is long")


def _disk(place: Place, bounds: Bounds) -> Check:
    disk = os.statvfs(place.path.parent)
    free = disk.f_bavail * disk.f_frsize
    if free >= bounds.disk_bytes_min:
        return Check(name="disk", health=Health.OK, says=f"{free:,} bytes are free")
    is_wrong = free < bounds.disk_bytes_min // _LITTLE
    return Check(
        name="disk",
        health=Health.WRONG if is_wrong else Health.WARNING,
        says=f"only {free:,} bytes are free",
        remedy="make room; `makegood prune` removes what ended long ago",
    )


def _mode(connection: Connection) -> Check:
    # Everything else is set, and read back, by whoever opens a connection: this one too.
    mode = connection.execute("PRAGMA journal_mode").get
    if mode == "wal":
        return Check(name="settings", health=Health.OK, says="as durability needs them")
    return Check(
        name="settings",
        health=Health.WARNING,
        says=f"journal_mode is {mode}, as another program left it",
        remedy="nothing: the next worker sets it to wal",
    )


def _indexes(connection: Connection) -> Check:
    there = cast(
        "set[tuple[str]]",
        set(connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")),
    )
    return indexes_check(indexes_made(scripts()) - {name for (name,) in there}, ())


def _oldest_due(connection: Connection, now: Instant) -> Instant | None:
    found = connection.execute(
        "SELECT min(wake_at) FROM makegood_run WHERE wake_at IS NOT NULL AND wake_at <= ?", (now,)
    ).get
    return cast("Instant | None", found)


def _leading(place: Place, connection: Connection, *, is_due: bool) -> Check:
    if _is_led(place):
        return Check(name="leader", health=Health.OK, says=f"{_leader(place)} leads the file")
    held = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM makegood_run WHERE wake_at = ?)", (HELD,)
    ).get
    if not held and not is_due:
        return Check(
            name="leader", health=Health.OK, says="nobody leads, and nothing is to be done"
        )
    says = "no worker is up, and runs wait for one"
    return Check(name="leader", health=Health.WARNING, says=says, remedy="start a worker")


def _is_led(place: Place) -> bool:
    """Say whether somebody has the lock of whoever leads, without ever having it alone."""
    try:
        descriptor = os.open(place.sidecar, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _leader(place: Place) -> str:
    """Return who leads, as it has written into the sidecar."""
    return place.sidecar.read_text(encoding="utf-8").strip() or "another process"


def _intact(connection: Connection) -> Check:
    found = connection.execute("PRAGMA quick_check(1)").get
    if found == "ok":
        return Check(
            name="content", health=Health.OK, says="the whole file was read, and is intact"
        )
    return Check(
        name="content",
        health=Health.WRONG,
        says=f"the file is damaged: {found}",
        remedy="stop all workers and restore a backup",
    )
