"""A filesystem layer for SQLite that fails when a test says so: real SQLite over a bad disk."""

from __future__ import annotations

import apsw

Name = str | apsw.URIFilename | None


class FaultyDisk(apsw.VFS):
    """The operating system's files, with faults on the writing of SQLite's log."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "unix")
        self.name = name
        self.is_full = False
        self.fails_to_sync = False
        self.tears_writes = False

    def xOpen(self, name: Name, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        return _LogFile(self, name, flags) if is_log else apsw.VFSFile("unix", name, flags)


class _LogFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: Name, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._disk.is_full:
            message = "no room"
            raise apsw.FullError(message)
        if self._disk.tears_writes:
            super().xWrite(data[: len(data) // 2], offset)
            message = "the write was torn"
            raise apsw.IOError(message)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if self._disk.fails_to_sync:
            message = "the disk does not answer"
            raise apsw.IOError(message)
        super().xSync(flags)
