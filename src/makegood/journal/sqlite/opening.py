"""May this file be opened, and how? Every check comes before the first change to anything.

Knows the file, its settings and its schema's number; it knows no run and no thread.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, cast

import apsw

from makegood.errors import StoreBusy, StoreFailed, StoreFull, StoreRefused
from makegood.journal.application.connection import connect, roll_back
from makegood.journal.application.guard import Guard
from makegood.journal.application.numbering import ENGINE, name_of
from makegood.journal.application.tables import MIGRATION_TABLE, migrate
from makegood.journal.sqlite.mounts import shared_filesystem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import Migration

__all__ = [
    "APPLICATION_ID",
    "BUSY_MILLISECONDS_MAX",
    "SCHEMA_NUMBER",
    "File",
    "Place",
    "connect_to",
    "number_of",
    "open_file",
    "open_reader",
    "require_place",
    "require_version",
    "scripts",
    "statements_from",
]

APPLICATION_ID = 0x6D676F64
"""The letters "mgod" in SQLite's header: this file is a journal of makegood."""

SCHEMA_NUMBER = 14
"""The newest schema that this code knows; SQLite's `user_version` holds the file's."""

SQLITE_VERSION_MIN = (3, 51, 3)
"""Older ones can damage a file when one connection writes and another shortens the log."""

BUSY_MILLISECONDS_MAX = 10_000
"""How long a statement waits for another process."""

_LOG_BYTES_KEPT_MAX = 64 * 1024 * 1024

_SETTINGS: tuple[tuple[str, str | int], ...] = (
    ("synchronous", 2),
    ("foreign_keys", 1),
    ("recursive_triggers", 1),
    ("mmap_size", 0),
    ("trusted_schema", 0),
    ("cell_size_check", 1),
    ("journal_size_limit", _LOG_BYTES_KEPT_MAX),
    ("secure_delete", 1),
    ("wal_autocheckpoint", 0),
)
"""What durability and the triggers rest on: set on every connection, and read back."""

_MAC_SETTINGS = (("fullfsync", 1), ("checkpoint_fullfsync", 1))
"""On macOS an fsync does not reach the disk without these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the file is, and what a test may replace of the world around it."""

    path: Path
    mount_table: Path
    vfs: str | None
    """The name of the SQLite filesystem layer; None for the operating system's."""

    @property
    def sidecar(self) -> Path:
        """The file whose lock says which process leads."""
        return self.path.with_name(self.path.name + ".lock")

    @property
    def log(self) -> Path:
        """SQLite's log of changes, which is there as long as the file is open."""
        return self.path.with_name(self.path.name + "-wal")


@dataclass(frozen=True, slots=True)
class File:
    """An open journal file: its writing connection, and which file it was when it was opened."""

    place: Place
    connection: Connection
    guard: Guard
    identity: tuple[int, int]
    applied: tuple[str, ...]
    """The migrations that opening it has applied, by name."""

    def require_same(self) -> None:
        """Raise `StoreFailed` when the path no longer leads to the file that is open."""
        path = self.place.path
        try:
            in_place = _identity(path) == self.identity and self.place.log.exists()
        except FileNotFoundError:
            in_place = False
        if not in_place:
            message = (
                f"{path} or its log was replaced or removed while it was open; start again on "
                "the right files"
            )
            raise StoreFailed(message)


def open_file(place: Place, migrations: Sequence[Migration]) -> File:
    """Open the journal for writing; make or migrate its schema.

    Raises `StoreRefused`, with nothing created or changed, for a file that is not to be opened.
    """
    require_version(apsw.sqlite_lib_version())
    try:
        require_place(place)
        return _open(place, migrations)
    except apsw.BusyError:
        message = f"another process holds {place.path}; try again later"
        raise StoreBusy(message) from None
    except apsw.FullError:
        message = f"there is no room for {place.path}; free some, then try again"
        raise StoreFull(message) from None
    except (apsw.CorruptError, apsw.NotADBError) as error:
        message = f"{place.path} is damaged ({error}); restore it from a backup"
        raise StoreRefused(message) from error
    except (PermissionError, apsw.Error) as error:
        message = f"{place.path} cannot be opened ({error}); look at the rights and at the disk"
        raise StoreRefused(message) from error


def _open(place: Place, migrations: Sequence[Migration]) -> File:
    is_new = not place.path.exists()
    if not is_new:
        _require_known(place, number_of(place))
    place.sidecar.touch(mode=0o600)
    if is_new:
        os.close(os.open(place.path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = connect_to(place)
    guard = Guard(connection)
    try:
        _use_log(connection)
        _set_up(connection)
        applied = _make_schema(connection, guard, migrations)
    except BaseException:
        connection.close()
        raise
    return File(place, connection, guard, _identity(place.path), applied)


def require_version(version: str) -> None:
    """Raise `StoreRefused` for a version of SQLite that can damage a file used as ours is."""
    if tuple(int(part) for part in version.split(".")) < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        message = f"SQLite is {version}; upgrade apsw to have {wanted} or newer"
        raise StoreRefused(message)


def open_reader(place: Place) -> tuple[Connection, Guard]:
    """Open a connection that cannot write."""
    connection = connect_to(place)
    _set_up(connection)
    connection.execute("PRAGMA query_only = 1")
    return connection, Guard(connection)


def require_place(place: Place) -> None:
    """Raise `StoreRefused` for a folder or a file that cannot be worked in."""
    folder = place.path.parent
    if not folder.is_dir():
        message = f"the folder {folder} does not exist; make it first"
        raise StoreRefused(message)
    if not os.access(folder, os.W_OK | os.X_OK):
        message = f"the folder {folder} cannot be written to; the journal needs files beside it"
        raise StoreRefused(message)
    kind = shared_filesystem(folder, place.mount_table)
    if kind is not None:
        message = f"{place.path} is on a shared filesystem ({kind}); put it on a local disk"
        raise StoreRefused(message)
    if place.path.exists():
        _require_writable_file(place.path)


def _require_writable_file(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        message = f"{path} is not a file; give the path of the journal's file"
        raise StoreRefused(message)
    if not os.access(path, os.R_OK | os.W_OK):
        message = f"{path} cannot be read and written by this user; change its owner or its mode"
        raise StoreRefused(message)


def number_of(place: Place) -> int:
    """Return the number of a file's schema without changing the file; refuse one that is not ours.

    An empty file is ours only when the sidecar stands beside it: that is what a first start
    leaves when it is killed. Its number is 0.
    """
    had_log = place.log.exists()
    connection = connect_to(place)
    # Without a log there is nothing to move into the file; closing then takes away the empty log
    # that looking has made.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(had_log))
    try:
        # One transaction, for another process may be making the schema at this moment.
        connection.execute("BEGIN")
        application = connection.execute("PRAGMA application_id").get
        number = cast("int", connection.execute("PRAGMA user_version").get)
        is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    except apsw.NotADBError:
        message = f"{place.path} is not a database; give the path of a journal or of a new file"
        raise StoreRefused(message) from None
    finally:
        connection.close()
    if application == 0 and is_empty and place.sidecar.exists():
        return 0
    if application != APPLICATION_ID:
        message = (
            f"{place.path} is not a journal of makegood; give the path of a journal or of a "
            "new file"
        )
        raise StoreRefused(message)
    return number


def _require_known(place: Place, number: int) -> None:
    if number > SCHEMA_NUMBER:
        message = (
            f"{place.path} has schema {number} and this version of makegood knows only "
            f"{SCHEMA_NUMBER}; upgrade makegood"
        )
        raise StoreRefused(message)


def connect_to(place: Place) -> Connection:
    """Open a connection, with the switches that each of them has and no setting yet."""
    connection = connect(os.fspath(place.path), vfs=place.vfs)
    connection.set_busy_timeout(BUSY_MILLISECONDS_MAX)
    # The last connection to be closed would otherwise empty the log of whoever leads.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    return connection


def _use_log(connection: Connection) -> None:
    """Write ahead to a log, in this file for ever; wait while another process says the same."""
    deadline = time.monotonic() + BUSY_MILLISECONDS_MAX / 1000
    while True:
        with contextlib.suppress(apsw.BusyError):
            mode = connection.execute("PRAGMA journal_mode = WAL").get
            if mode == "wal":
                return
            message = f"SQLite keeps journal_mode {mode!r}, not 'wal'; put the file on a local disk"
            raise StoreRefused(message)
        # SQLite does not wait by itself here, for it fears a deadlock.
        if time.monotonic() > deadline:
            message = "another process holds the journal; try again later"
            raise StoreBusy(message)
        time.sleep(0.01)


def _set_up(connection: Connection) -> None:
    settings = _SETTINGS + (_MAC_SETTINGS if sys.platform == "darwin" else ())
    for name, wanted in settings:
        connection.execute(f"PRAGMA {name} = {wanted}")
        found = connection.execute(f"PRAGMA {name}").get
        if found != wanted:
            message = f"SQLite keeps {name} = {found}, not {wanted}; use the apsw from PyPI"
            raise StoreRefused(message)


def _make_schema(
    connection: Connection, guard: Guard, migrations: Sequence[Migration]
) -> tuple[str, ...]:
    """Bring the schema to its newest number, in one transaction that others wait for.

    Return the names of what was applied.
    """
    with contextlib.ExitStack() as stack:
        connection.execute("BEGIN IMMEDIATE")
        stack.callback(roll_back, connection)
        number = cast("int", connection.execute("PRAGMA user_version").get)
        for statements in statements_from(number):
            connection.execute(statements)
        applied = [name_of(ENGINE, each) for each in range(number + 1, SCHEMA_NUMBER + 1)]
        applied += migrate(connection, guard, migrations)
        connection.execute("COMMIT")
    return tuple(applied)


def statements_from(number: int) -> list[str]:
    """Return what brings a schema with this number to the newest, in order."""
    if number >= SCHEMA_NUMBER:
        return []
    return [
        *scripts()[number:],
        MIGRATION_TABLE,
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_NUMBER}",
    ]


def scripts() -> list[str]:
    """Return the numbered scripts of the schema, in order."""
    folder = files("makegood.journal.sqlite").joinpath("schema")
    named = {entry.name: entry for entry in folder.iterdir() if entry.name.endswith(".sql")}
    return [named[name].read_text(encoding="utf-8") for name in sorted(named)]


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
