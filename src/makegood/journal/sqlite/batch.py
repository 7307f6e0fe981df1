"""What becomes of a batch? One transaction for all that waits, and a verdict for each.

Three ways, from the fast one to the careful one:

1. A batch of plain appends is one statement that commits by itself. It applies all or nothing.
2. Otherwise, or when one append does not fit: a transaction in which each is told apart and
   each call and each step's own statements stand in a savepoint.
3. When the commit itself is refused (a deferred constraint): a transaction for each.

SQLite may end a transaction by itself (no room, an interrupted write, `INSERT OR ROLLBACK`), so
after every error the transaction is looked for. When it is gone nobody has been acknowledged and
the batch is applied again. This module knows no thread and no event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from makegood.errors import MakegoodError, StoreBusy, StoreFull, WritesRefused
from makegood.journal.application.local import facts_of_local
from makegood.journal.application.tables import refusal_of
from makegood.journal.protocol import Applied, Conflict, Refused
from makegood.journal.sqlite.appending import MOVED, insert_facts, verdict_instead, write
from makegood.journal.sqlite.jobs import AppendJob, Call
from makegood.journal.sqlite.keeping.mail import remember

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.application.guard import Guard
    from makegood.journal.protocol import Verdict

__all__ = ["Shared", "apply_batch"]

# Any: what a call returns is known to its caller alone.
Shared = AppendJob | Call[Any]
"""What may share a commit."""

_APPLIED = Applied()


_REFUSED_CALL = (MakegoodError, apsw.ConstraintError, TypeError, ValueError, OverflowError)
"""What is the fault of the caller of one call, and leaves the others as they are."""


class _TransactionLost(Exception):
    """SQLite has ended the transaction by itself; nothing of the batch was written."""


def apply_batch(connection: Connection, guard: Guard, jobs: Sequence[Shared]) -> None:
    """Write the batch and set every job's outcome.

    Raises what SQLite raises when the outcome is not known: the connection is then not to be
    used again. Without room, or when another process holds the file too long, every job's
    outcome is `StoreFull` or `StoreBusy`, and nothing was written.
    """
    try:
        if not _written_at_once(connection, jobs):
            _write_apart(connection, guard, jobs)
    except apsw.FullError:
        _roll_back(connection)
        _fail(jobs, StoreFull, "the journal's disk is full; free some room, then go on")
    except apsw.BusyError:
        _roll_back(connection)
        _fail(jobs, StoreBusy, "another process holds the journal; try again later")


def _written_at_once(connection: Connection, jobs: Sequence[Shared]) -> bool:
    packed: list[bytes] = []
    for job in jobs:
        if not isinstance(job, AppendJob) or not job.is_plain:
            return False
        packed.append(job.packed)
    try:
        write(connection, packed)
    except MOVED:
        return False
    for job in jobs:
        job.outcome = _APPLIED
    return True


def _write_apart(connection: Connection, guard: Guard, jobs: Sequence[Shared]) -> None:
    """Apply the batch in one transaction, again for each time that it was lost."""
    # Every loss is decided for the step that caused it, so there are no more losses than jobs.
    for _ in range(len(jobs) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _apply_all(connection, guard, jobs)
            connection.execute("COMMIT")
        except _TransactionLost:
            assert not connection.in_transaction, "a lost transaction is over"
            continue
        except apsw.ConstraintError as error:
            _roll_back(connection)
            _refuse_commit(connection, guard, jobs, error)
        return
    message = "a step ends the journal's transaction again and again"
    raise AssertionError(message)


def _refuse_commit(
    connection: Connection, guard: Guard, jobs: Sequence[Shared], error: Exception
) -> None:
    """Find out whose rows the commit was refused for: all others are written."""
    if len(jobs) > 1:
        for job in jobs:
            _write_apart(connection, guard, (job,))
        return
    job = jobs[0]
    if not isinstance(job, AppendJob) or job.decided is not None or job.is_plain:
        raise error
    job.decided = _outcome_of_refusal(job, str(error))
    _write_apart(connection, guard, jobs)


def _outcome_of_refusal(job: AppendJob, reason: str) -> bytes | Refused:
    local = job.append.local
    return Refused(reason) if local is None else local.failed(WritesRefused(reason))


def _apply_all(connection: Connection, guard: Guard, jobs: Sequence[Shared]) -> None:
    plain = [job for job in jobs if isinstance(job, AppendJob) and job.is_plain]
    if plain:
        _apply_plain(connection, plain)
    for job in jobs:
        if isinstance(job, Call):
            _apply_call(connection, job)
        elif not job.is_plain:
            _apply_with_step(connection, guard, job)


def _apply_plain(connection: Connection, jobs: Sequence[AppendJob]) -> None:
    try:
        write(connection, [job.packed for job in jobs])
    except MOVED:
        _require_transaction(connection)
        if len(jobs) > 1:
            for job in jobs:
                _apply_plain(connection, (job,))
        else:
            jobs[0].outcome = verdict_instead(connection, jobs[0].append) or Conflict()
    else:
        for job in jobs:
            job.outcome = _APPLIED


def _apply_call(connection: Connection, job: Call[Any]) -> None:
    connection.execute("SAVEPOINT makegood_job")
    try:
        job.outcome = job.run(connection)
    except _REFUSED_CALL as error:
        _require_transaction(connection)
        connection.execute("ROLLBACK TO makegood_job")
        job.outcome = error
    connection.execute("RELEASE makegood_job")


def _apply_with_step(connection: Connection, guard: Guard, job: AppendJob) -> None:
    """Apply an append together with its step's statements or body, or nothing of both."""
    connection.execute("SAVEPOINT makegood_job")
    try:
        job.outcome = _outcome_with_step(connection, guard, job)
    except (apsw.Error, _TransactionLost):
        raise
    except BaseException as error:  # noqa: BLE001 - what ends a body ends in who waits for it
        _require_transaction(connection)
        job.outcome = error
    if not isinstance(job.outcome, Applied):
        connection.execute("ROLLBACK TO makegood_job")
    connection.execute("RELEASE makegood_job")


def _outcome_with_step(connection: Connection, guard: Guard, job: AppendJob) -> Verdict:
    append = job.append
    instead = verdict_instead(connection, append)
    if instead is not None:
        return instead
    if isinstance(job.decided, Refused):
        return job.decided
    write(connection, (job.packed,))
    remember(connection, append)
    if append.writes:
        refusal = refusal_of(connection, guard, append.writes)
        if refusal is not None:
            job.decided = Refused(refusal)
            _require_transaction(connection)
            return job.decided
    if append.local is None:
        return _APPLIED
    if job.decided is None:
        facts = facts_of_local(connection, guard, append.local)
        if not connection.in_transaction:
            job.decided = facts
            raise _TransactionLost
    else:
        facts = job.decided
    insert_facts(connection, append, facts)
    return Applied(facts)


def _require_transaction(connection: Connection) -> None:
    if not connection.in_transaction:
        raise _TransactionLost


def _roll_back(connection: Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _fail(jobs: Sequence[Shared], kind: type[MakegoodError], message: str) -> None:
    for job in jobs:
        job.outcome = kind(message)
