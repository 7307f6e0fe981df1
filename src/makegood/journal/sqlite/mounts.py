"""Is a path on a filesystem whose locks can be trusted? Knows the mount table, nothing else.

SQLite's locks and its shared memory do not work on network and shared filesystems: two processes
there would write over each other.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["MOUNT_TABLE", "shared_filesystem"]

MOUNT_TABLE = Path("/proc/self/mountinfo")
"""Where Linux lists this process's mounts; other systems have no such file."""

_SHARED = frozenset(
    {
        "9p", "afs", "ceph", "cifs", "drvfs", "fuse", "gfs2", "glusterfs", "lustre", "ncpfs",
        "nfs", "nfs4", "ocfs2", "prl_fs", "smb", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs",
        "vmhgfs",
    }
)  # fmt: skip


def shared_filesystem(path: Path, mount_table: Path = MOUNT_TABLE) -> str | None:
    """Return the type of the shared filesystem that holds the path, or None for a local one."""
    try:
        lines = mount_table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    kind = _type_of_longest_mount(path.resolve(), lines)
    return kind if kind.partition(".")[0] in _SHARED else None


def _type_of_longest_mount(path: Path, lines: list[str]) -> str:
    """Return the filesystem's type of the deepest mount above the path, the newest if several."""
    longest, found = -1, ""
    for line in lines:
        fields, _, filesystem = line.partition(" - ")
        point = _unescaped(fields.split()[4])
        if path.is_relative_to(point) and len(os.fspath(point)) >= longest:
            longest, found = len(os.fspath(point)), filesystem.split()[0]
    return found


def _unescaped(point: str) -> Path:
    """Return a mount point with its spaces back: the kernel writes them as octal numbers."""
    for escaped, plain in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        point = point.replace(escaped, plain)
    return Path(point)
