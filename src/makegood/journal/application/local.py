"""How is a local body's coroutine run inside a transaction? Knows no run, no fact, no batch.

The body is driven on the thread that owns the connection. It awaits nothing but its
`Transaction`, whose methods never suspend, so one `send` takes the coroutine to its end;
a coroutine that does suspend has awaited something else and is closed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, TypeVar

import apsw

from makegood.errors import InvalidInput, StepTimeout
from makegood.journal.application.guard import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.application.guard import Guard
    from makegood.values.injectable import Sql, Transaction

__all__ = ["LOCAL_LOST", "LocalBody", "changed_rows", "result_of_local"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_STEPS_BETWEEN_LOOKS_AT_THE_CLOCK = 1_000
"""SQLite's virtual machine asks whether to go on after this many of its instructions."""

LOCAL_LOST = (apsw.FullError, apsw.IOError, apsw.NoMemError, apsw.CorruptError, apsw.NotADBError)
"""What is the store's failure and not the body's: never recorded as the step's outcome."""


class LocalBody(Protocol[T_co]):
    """A `LocalWork` of a step, or a `LocalHandling` of a receptor."""

    timeout_seconds: float

    async def run(self, transaction: Transaction) -> T_co:
        """Run the body and return what it gives."""
        ...

    def failed(self, error: Exception) -> T_co:
        """Return what is given instead after a failure."""
        ...


def result_of_local(connection: Connection, guard: Guard, local: LocalBody[T]) -> T:
    """Run the body and return what it gives, or that of its failure once its writes are undone.

    Raises `LOCAL_LOST` for a failure of the store, and lets anything that is not an `Exception`
    pass. The whole transaction may be gone afterwards (an interrupted write takes it along): the
    caller looks at `in_transaction` before it goes on.
    """
    transaction = _OpenTransaction(connection, guard)
    deadline = time.monotonic() + local.timeout_seconds
    connection.execute("SAVEPOINT makegood_local")
    connection.set_progress_handler(
        lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS_AT_THE_CLOCK
    )
    try:
        given = _run_to_its_end(local, transaction)
        _require_transaction(connection)
        _require_in_time(deadline, local)
    except LOCAL_LOST:
        raise
    except Exception as error:  # noqa: BLE001 - a user's function ends here
        _undo(connection)
        return local.failed(_told_apart(error, local))
    finally:
        connection.set_progress_handler(None)
        transaction.close()
    connection.execute("RELEASE makegood_local")
    return given


def _run_to_its_end(local: LocalBody[T], transaction: _OpenTransaction) -> T:
    body = local.run(transaction)
    try:
        body.send(None)
    except StopIteration as end:
        given: T = end.value
        return given
    body.close()
    message = "a local step may await only its transaction; do other work in a step of its own"
    raise InvalidInput(message)


def _require_in_time(deadline: float, local: LocalBody[object]) -> None:
    if time.monotonic() > deadline:
        raise _too_late(local)


def _require_transaction(connection: Connection) -> None:
    """Refuse to go on without the transaction: the next statement would commit by itself."""
    if not connection.in_transaction:
        message = "an earlier statement of this step has rolled the transaction back"
        raise InvalidInput(message)


def _told_apart(error: Exception, local: LocalBody[object]) -> Exception:
    """Name the timeout where SQLite only says that it was interrupted."""
    return _too_late(local) if isinstance(error, apsw.InterruptError) else error


def _too_late(local: LocalBody[object]) -> StepTimeout:
    return StepTimeout(
        f"the local step took longer than {local.timeout_seconds:g} s; nothing of it was written"
    )


def _undo(connection: Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK TO makegood_local; RELEASE makegood_local")


class _OpenTransaction:
    """A `Transaction` over the connection; it answers only while its step runs."""

    __slots__ = ("_connection", "_guard", "_is_open")

    def __init__(self, connection: Connection, guard: Guard) -> None:
        self._connection = connection
        self._guard = guard
        self._is_open = True

    def close(self) -> None:
        self._is_open = False

    async def execute(self, sql: str, *parameters: Sql) -> int:
        """Run one statement and return how many rows it changed."""
        return changed_rows(self._connection, sql, parameters, self._permitting())

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Run one query and return its rows."""
        guard = self._permitting()
        with guard.only(Permission.WRITE):
            return self._connection.execute(sql, parameters, can_cache=False).fetchall()

    def _permitting(self) -> Guard:
        if not self._is_open:
            message = "the transaction ended with its step; use it only inside the step's body"
            raise InvalidInput(message)
        _require_transaction(self._connection)
        return self._guard


def changed_rows(
    connection: Connection, sql: str, parameters: tuple[Sql, ...], guard: Guard
) -> int:
    """Run the application's SQL to its end and return how many rows its last statement changed."""
    before = connection.total_changes()
    with guard.only(Permission.WRITE):
        for _ in connection.execute(sql, parameters, can_cache=False):
            pass  # A statement that returns rows has run only when the last one is taken.
    return connection.changes() if connection.total_changes() != before else 0
