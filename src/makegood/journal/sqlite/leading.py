"""Which process leads a file? The one that holds the lock beside it. Knows no run's contents.

The lock is an flock on `<file>.lock`: the kernel gives it back when its owner dies, however it
dies, so a standby takes over at once and no clock is asked. Whoever gains it knows that every
lease in the file is dead.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from makegood.errors import StoreFailed
from makegood.journal.sqlite.lanes.taking import free_lanes
from makegood.journal.sqlite.leasing import free_held

if TYPE_CHECKING:
    from pathlib import Path

    from makegood.journal.application.connection import Connection


__all__ = ["SidecarLock", "begin_to_lead", "crashes_recorded", "end_to_lead"]

QUICK_CHECK_BYTES_MAX = 1_000_000
"""A file up to this size is checked whenever a process begins to lead; a larger one only after
an unclean end, for a check reads the whole file."""


class SidecarLock:
    """The lock on the file beside the journal, held from `take` to `give_up`."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock if it is free, without waiting; say whether it is held now."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        owner = f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.encode(), 0)
        self._descriptor = descriptor
        return True

    def give_up(self) -> None:
        """Give the lock back; the file stays, for another process may be waiting on it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_in_place(self) -> bool:
        """Say whether the locked file is still the one that others would lock."""
        if self._descriptor is None:
            return True
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def begin_to_lead(connection: Connection, size_bytes: int) -> None:
    """Count an unclean end, check the file, and make the runs of dead workers due.

    The caller holds the sidecar lock. Raises `StoreFailed` when the file is damaged.
    """
    unclean = not _recorded(connection, "clean", default=1)
    if unclean or size_bytes <= QUICK_CHECK_BYTES_MAX:
        _check(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _record(connection, "crashes", crashes_recorded(connection) + int(unclean))
        _record(connection, "clean", 0)
        free_held(connection)
        free_lanes(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has ended the transaction by itself for some errors, and not for others.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def end_to_lead(connection: Connection) -> None:
    """Record an orderly end; the caller still holds the sidecar lock."""
    _record(connection, "clean", 1)


def crashes_recorded(connection: Connection) -> int:
    """Return how many unclean ends were found so far."""
    return _recorded(connection, "crashes", default=0)


def _check(connection: Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        message = f"the journal is damaged ({found}); restore it from a backup"
        raise StoreFailed(message)


def _recorded(connection: Connection, name: str, *, default: int) -> int:
    found = connection.execute("SELECT value FROM makegood_meta WHERE name = ?", (name,)).get
    return default if found is None else cast("int", found)


def _record(connection: Connection, name: str, value: int) -> None:
    connection.execute(
        """INSERT INTO makegood_meta (name, value) VALUES (?, ?)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value""",
        (name, value),
    )
