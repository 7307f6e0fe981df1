"""A disk that gives trouble: full, failing to sync, torn, or losing what was not synced.

It stands between SQLite and the files of the journal. A power cut is the hardest: of what was
written since a file's last sync, each piece is kept, kept in part, or lost, as a disk may do that
orders its writes as it likes.
"""

from __future__ import annotations

import os
import signal
from typing import Literal

import apsw
import msgspec

from makegood.decision.retry import Chance

__all__ = ["Disk", "Trouble"]

Name = str | apsw.URIFilename | None

SECTOR_BYTES = 512
FULL_WRITES_MAX = 20
"""How many writes in a row fail at most, before there is room again."""

TROUBLED = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_WAL


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong, and at which of the disk's writes and syncs, counted from 1."""

    kind: Literal["full", "fails_to_sync", "torn", "torn_death", "death", "power_cut", "stop"]
    at: int
    """For `full`: how many writes succeed on average before there is no room."""
    seed: int = 0


class Disk(apsw.VFS):
    """The operating system's files, but for their trouble."""

    def __init__(self, trouble: Trouble) -> None:
        self.name = f"{trouble.kind}-{trouble.at}-{trouble.seed}"
        super().__init__(self.name, "unix")
        self.trouble = trouble
        self.chance = Chance(trouble.seed)
        self.times_full = 0
        self.operations = 0
        self._writes_without_room = 0
        self._has_struck = False
        self._files: list[_File] = []

    def xOpen(self, name: Name, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        if not flags[0] & TROUBLED:
            return apsw.VFSFile("unix", name, flags)
        file = _File(self, name, flags)
        self._files.append(file)
        return file

    def forget(self, file: _File) -> None:
        self._files.remove(file)

    def strikes(self, *kinds: str) -> bool:
        """Say whether the time of one of these troubles has come: once, at most."""
        if self._has_struck or self.trouble.kind not in kinds:
            return False
        self._has_struck = self.operations >= self.trouble.at
        return self._has_struck

    def has_room(self) -> bool:
        if self.trouble.kind != "full":
            return True
        if self._writes_without_room > 0:
            self._writes_without_room -= 1
            return False
        if self.chance.fraction("full", self.operations) < 1 / self.trouble.at:
            self.times_full += 1
            length = self.chance.fraction("length", self.operations)
            self._writes_without_room = int(length * FULL_WRITES_MAX)
            return False
        return True

    def lose_what_was_not_synced(self) -> None:
        """Do to the files what a power cut does; whoever calls dies of it."""
        for file in self._files:
            file.lose_what_was_not_synced()


class _Change(msgspec.Struct, frozen=True):
    """What a write or a truncation changed."""

    offset: int
    new: bytes | None
    """None for a truncation."""
    old: bytes
    old_size: int


class _File(apsw.VFSFile):
    """One file of the journal."""

    def __init__(self, disk: Disk, name: Name, flags: list[int]) -> None:
        self._disk = disk
        self._unsynced: list[_Change] = []
        super().__init__("unix", name, flags)

    def xClose(self) -> None:  # noqa: N802 - SQLite's name
        self._disk.forget(self)
        super().xClose()

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        disk = self._disk
        disk.operations += 1
        if not disk.has_room():
            message = "no room"
            raise apsw.FullError(message)
        if disk.strikes("torn", "torn_death"):
            super().xWrite(data[: len(data) // 2], offset)
            if disk.trouble.kind == "torn_death":
                die()
            message = "the write was torn"
            raise apsw.IOError(message)
        self._die_if_struck()
        self._remember(offset, data, len(data))
        super().xWrite(data, offset)
        if disk.strikes("stop"):
            os.kill(os.getpid(), signal.SIGSTOP)

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        self._remember(size, None, self.xFileSize())
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        disk = self._disk
        disk.operations += 1
        if disk.strikes("fails_to_sync"):
            message = "the disk does not answer"
            raise apsw.IOError(message)
        self._die_if_struck()
        super().xSync(flags)
        self._unsynced.clear()

    def lose_what_was_not_synced(self) -> None:
        for change in reversed(self._unsynced):
            if change.old:
                super().xWrite(change.old, change.offset)
            super().xTruncate(change.old_size)
        for number, change in enumerate(self._unsynced):
            drawn = self._disk.chance.fraction("kept", number)
            if change.new is None:
                if drawn < 1 / 2:
                    super().xTruncate(change.offset)
                continue
            sectors = len(change.new) // SECTOR_BYTES
            kept = len(change.new) if drawn < 1 / 3 else int(drawn * sectors) * SECTOR_BYTES
            if drawn < 2 / 3 and kept:
                super().xWrite(change.new[:kept], change.offset)

    def _die_if_struck(self) -> None:
        if self._disk.strikes("power_cut"):
            self._disk.lose_what_was_not_synced()
            die()
        if self._disk.strikes("death"):
            die()

    def _remember(self, offset: int, new: bytes | None, length: int) -> None:
        if self._disk.trouble.kind != "power_cut":
            return
        size = self.xFileSize()
        overwritten = min(length, max(0, size - offset))
        old = self.xRead(overwritten, offset) if overwritten else b""
        self._unsynced.append(_Change(offset, new, old, size))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
