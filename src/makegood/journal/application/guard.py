"""What may the application's own SQL do? Knows SQLite's authorizer, and no statement.

The authorizer is asked while a statement is prepared and never while it runs. The engine's own
statements are prepared once, with the guard off, and then come from the connection's cache; the
application's are prepared anew every time, with the guard on. So the guard costs the plain path
nothing, and no statement escapes it.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from collections.abc import Generator

    from makegood.journal.application.connection import Connection

__all__ = ["ENGINE_PREFIX", "Guard", "Permission"]

ENGINE_PREFIX = "makegood_"
"""What the names of the engine's own tables begin with."""

_READING = frozenset(
    {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
)
_WRITING = _READING | {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE}
_NEVER = frozenset(
    {
        apsw.SQLITE_TRANSACTION,
        apsw.SQLITE_SAVEPOINT,
        apsw.SQLITE_ATTACH,
        apsw.SQLITE_DETACH,
        apsw.SQLITE_PRAGMA,
    }
)


class Permission(Enum):
    """What the SQL that is about to run may do."""

    EVERYTHING = "everything"
    """The engine's own statements."""
    READ = "read"
    WRITE = "write"
    """Read and change rows of the application's tables."""
    DEFINE = "define"
    """Also make and change the application's tables, as migrations do."""


class Guard:
    """Refuses what the application's SQL may not do, on one connection."""

    __slots__ = ("_permission",)

    def __init__(self, connection: Connection) -> None:
        self._permission = Permission.EVERYTHING
        connection.authorizer = self._authorize

    @contextmanager
    def only(self, permission: Permission) -> Generator[None]:
        """Allow only this to what is prepared inside the `with` block."""
        self._permission = permission
        try:
            yield
        finally:
            self._permission = Permission.EVERYTHING

    def _authorize(
        self,
        operation: int,
        name: str | None,
        detail: str | None,
        database: str | None,  # noqa: ARG002 - the authorizer's signature is SQLite's
        trigger: str | None,  # noqa: ARG002
    ) -> int:
        permission = self._permission
        if permission is Permission.EVERYTHING:
            return apsw.SQLITE_OK
        if operation in _NEVER or _is_engines(name) or _is_engines(detail):
            return apsw.SQLITE_DENY
        if operation == apsw.SQLITE_FUNCTION and detail == "load_extension":
            return apsw.SQLITE_DENY
        if permission is Permission.DEFINE:
            return apsw.SQLITE_OK
        if operation not in (_READING if permission is Permission.READ else _WRITING):
            return apsw.SQLITE_DENY
        if operation not in _READING and name is not None and name.startswith("sqlite_"):
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK


def _is_engines(name: str | None) -> bool:
    return name is not None and name.lower().startswith(ENGINE_PREFIX)
