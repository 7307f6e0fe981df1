"""What do we use of apsw's connection? Its few methods, with types that can be checked.

apsw's own annotations name a type that Python 3.11 does not have, so that checkers see holes in
them. Only this module makes connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import apsw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from makegood.values.injectable import Sql

__all__ = ["Connection", "Rows", "array_of", "connect", "roll_back"]


class Rows(Protocol):
    """The rows of a statement, taken one after the other."""

    def __iter__(self) -> Iterator[tuple[Sql, ...]]: ...

    def fetchone(self) -> tuple[Sql, ...] | None:
        """Return the next row, or None."""
        ...

    def fetchall(self) -> list[tuple[Sql, ...]]:
        """Return all rows that are left."""
        ...

    @property
    def get(self) -> Any:  # Any: a value, a row or rows, as the statement has it.
        """Return what the statement gives with the least structure around it."""
        ...


class Connection(Protocol):
    """A connection to SQLite; see apsw's reference for each of these."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    authorizer: Callable[[int, str | None, str | None, str | None, str | None], int] | None

    # Any: what is bound is a value of SQL, or an array made by `array_of`.
    def execute(
        self, statements: str, bindings: Sequence[Any] | None = None, *, can_cache: bool = True
    ) -> Rows:
        """Run statements up to the first row."""
        ...

    def changes(self) -> int:
        """Return how many rows the last writing statement changed."""
        ...

    def total_changes(self) -> int:
        """Return how many rows were changed since the connection was made."""
        ...

    def set_progress_handler(self, look: Callable[[], bool] | None, /, nsteps: int = 100) -> None:
        """Ask after so many steps whether to interrupt."""
        ...

    def set_busy_timeout(self, milliseconds: int) -> None:
        """Wait so long for another process."""
        ...

    def config(self, op: int, value: int) -> int:
        """Set one of SQLite's switches."""
        ...

    def status(self, op: int) -> tuple[int, int]:
        """Return one of SQLite's counters, and its highest value."""
        ...

    def wal_checkpoint(self, *, mode: int) -> tuple[int, int]:
        """Move the log of changes into the file."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def connect(path: str, *, vfs: str | None = None) -> Connection:
    """Open a database that is there already, or `:memory:`."""
    made: list[object] = [apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)]
    return cast("Connection", made[0])


def roll_back(connection: Connection) -> None:
    """Leave the transaction that is open, if any."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def array_of(values: tuple[bytes, ...]) -> object:
    """Return what a `carray(?)` in a statement is bound to; there is at least one value."""
    return cast("Callable[[tuple[bytes, ...]], object]", apsw.carray)(values)
