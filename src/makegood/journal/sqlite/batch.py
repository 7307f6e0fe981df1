"""What becomes of a batch? One transaction for all that waits, and a verdict for each.

Three ways, from the fast one to the careful one:

1. A batch of plain appends is one statement that commits by itself. It applies all or nothing.
2. Otherwise, or when one append does not fit: a transaction in which each kind is one statement,
   those that do not fit are told apart, and each call and each step's own statements stand in a
   savepoint. Messages are stored last, those of all together.
3. When the commit itself is refused (a deferred constraint): a transaction for each.

SQLite may end a transaction by itself (no room, an interrupted write, `INSERT OR ROLLBACK`), so
after every error the transaction is looked for. When it is gone nobody has been acknowledged and
the batch is applied again. This module knows no thread and no event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from makegood.errors import MakegoodError, StoreBusy, StoreFull, WritesRefused
from makegood.journal.application.connection import roll_back
from makegood.journal.application.local import result_of_local
from makegood.journal.application.tables import refusal_of
from makegood.journal.lanes.dealing import require_sound_outcome
from makegood.journal.messages import Settled
from makegood.journal.protocol import Applied, Conflict, Fenced, Refused
from makegood.journal.sqlite.appending import (
    MOVED,
    correlate,
    insert_facts,
    verdict_instead,
    write,
)
from makegood.journal.sqlite.jobs import AppendJob, Call
from makegood.journal.sqlite.keeping.mail import remember
from makegood.journal.sqlite.lanes.finishing import settled, write_finished, written_instead
from makegood.journal.sqlite.lanes.jobs import FinishJob, PublishJob
from makegood.journal.sqlite.lanes.publishing import Receipts, pack_messages, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.application.guard import Guard
    from makegood.journal.application.local import LocalBody
    from makegood.journal.protocol import Statement, Verdict
    from makegood.journal.sqlite.jobs import Shared

__all__ = ["apply_batch"]

T = TypeVar("T")

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
        roll_back(connection)
        _fail(jobs, StoreFull, "the journal's disk is full; free some room, then go on")
    except apsw.BusyError:
        roll_back(connection)
        _fail(jobs, StoreBusy, "another process holds the journal; try again later")


def _written_at_once(connection: Connection, jobs: Sequence[Shared]) -> bool:
    appends: list[AppendJob] = []
    for job in jobs:
        if not isinstance(job, AppendJob) or not job.is_plain or job.messages:
            return False
        appends.append(job)
    try:
        write(connection, [job.packed for job in appends])
    except MOVED:
        return False
    for job in appends:
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
            roll_back(connection)
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
    match job:
        case AppendJob(decided=None, is_plain=False):
            job.decided = _instead_of_refusal(job.local, str(error))
        case FinishJob(decided=None, is_plain=False):
            job.decided = _instead_of_refusal(job.local, str(error))
        case _:
            raise error
    _write_apart(connection, guard, jobs)


def _instead_of_refusal(local: LocalBody[T] | None, reason: str) -> T | Refused:
    return Refused(reason) if local is None else local.failed(WritesRefused(reason))


def _apply_all(connection: Connection, guard: Guard, jobs: Sequence[Shared]) -> None:
    appends = [job for job in jobs if isinstance(job, AppendJob) and job.is_plain]
    if appends:
        _apply_plain(connection, appends)
    finishing = [job for job in jobs if isinstance(job, FinishJob) and job.is_plain]
    if finishing:
        _apply_finishing(connection, finishing)
    _apply_messages(connection, jobs)
    for job in jobs:
        match job:
            case Call():
                _apply_call(connection, job)
            case AppendJob(is_plain=False) | FinishJob(is_plain=False):
                _apply_with_step(connection, guard, job)
            case _:
                pass


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


def _apply_finishing(connection: Connection, jobs: Sequence[FinishJob]) -> None:
    try:
        write_finished(connection, [job.packed for job in jobs])
    except MOVED:
        _require_transaction(connection)
        if len(jobs) > 1:
            for job in jobs:
                _apply_finishing(connection, (job,))
        else:
            jobs[0].outcome = written_instead(connection, jobs[0].finished) or Fenced()
    else:
        for job in jobs:
            job.outcome = settled(connection, job.finished.outcome)


def _apply_messages(connection: Connection, jobs: Sequence[Shared]) -> None:
    """Store what was published, and what comes with appends and with what was finished."""
    packed: list[bytes] = []
    published: list[tuple[PublishJob, int]] = []
    for job in jobs:
        if isinstance(job, PublishJob):
            published.append((job, len(packed)))
            packed += job.packed
        elif not isinstance(job, Call) and isinstance(job.outcome, Applied | Settled):
            # Nothing was written anew where it was written before, and then nothing is stored.
            packed += job.messages
    if packed:
        base = store(connection, packed)
        if published:
            receipts = Receipts(connection, base)
            for job, place in published:
                job.outcome = receipts.of(job.messages, place)


def _apply_call(connection: Connection, job: Call[Any]) -> None:
    connection.execute("SAVEPOINT makegood_job")
    try:
        job.outcome = job.run(connection)
    except _REFUSED_CALL as error:
        _require_transaction(connection)
        connection.execute("ROLLBACK TO makegood_job")
        job.outcome = error
    connection.execute("RELEASE makegood_job")


def _apply_with_step(connection: Connection, guard: Guard, job: AppendJob | FinishJob) -> None:
    """Apply one together with its step's statements or body, or nothing of both."""
    connection.execute("SAVEPOINT makegood_job")
    try:
        if isinstance(job, AppendJob):
            job.outcome = _outcome_with_step(connection, guard, job)
        else:
            job.outcome = _outcome_with_receptor(connection, guard, job)
    except (apsw.Error, _TransactionLost):
        raise
    except BaseException as error:  # noqa: BLE001 - what ends a body ends in who waits for it
        _require_transaction(connection)
        job.outcome = error
    if not isinstance(job.outcome, Applied | Settled):
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
    if append.create is not None and append.create.is_correlated:
        correlate(connection, append.run, append.create)
    if job.messages:
        store(connection, job.messages)
    refused = _refused(connection, guard, job, append.writes)
    if refused is not None:
        return refused
    if append.local is None:
        return _APPLIED
    made = job.decided
    if made is None:
        made = result_of_local(connection, guard, append.local)
        if not connection.in_transaction:
            job.decided = made
            raise _TransactionLost
    insert_facts(connection, append, made.facts)
    if made.messages:
        store(connection, pack_messages(made.messages, append.at))
    return Applied(made.facts)


def _outcome_with_receptor(
    connection: Connection, guard: Guard, job: FinishJob
) -> Settled | Fenced | Refused:
    finished = job.finished
    instead = written_instead(connection, finished)
    if instead is not None:
        return instead
    if isinstance(job.decided, Refused):
        return job.decided
    refused = _refused(connection, guard, job, finished.writes)
    if refused is not None:
        return refused
    outcome = finished.outcome
    if finished.local is not None:
        made = job.decided
        if made is None:
            made = result_of_local(connection, guard, finished.local)
            require_sound_outcome(finished, made)
            if not connection.in_transaction:
                job.decided = made
                raise _TransactionLost
        outcome = made
        job.pack(outcome)
    write_finished(connection, (job.packed,))
    if job.messages:
        store(connection, job.messages)
    return settled(connection, outcome)


def _refused(
    connection: Connection,
    guard: Guard,
    job: AppendJob | FinishJob,
    writes: Sequence[Statement],
) -> Refused | None:
    refusal = refusal_of(connection, guard, writes) if writes else None
    if refusal is None:
        return None
    job.decided = Refused(refusal)
    _require_transaction(connection)
    return job.decided


def _require_transaction(connection: Connection) -> None:
    if not connection.in_transaction:
        raise _TransactionLost


def _fail(jobs: Sequence[Shared], kind: type[MakegoodError], message: str) -> None:
    for job in jobs:
        job.outcome = kind(message)
