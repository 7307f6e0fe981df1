"""How is one append, or a batch of them, written? Knows the comparing statement and its refusals.

A batch is one statement over an array of packed appends. SQLite runs it from its first
comparison to its last fsync without Python's global lock, so the event loop works meanwhile;
with a statement per append the two threads would hand the lock to and fro (measured at 256 runs
on 2 cores: 39 µs an append instead of 46, where the event loop alone needs 36).

A packed append is its token (16 bytes), the length of its head (6 digits), its head (a JSON
array of small values) and its facts, which SQLite copies without looking into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import apsw
import msgspec

from makegood.journal.application.connection import array_of
from makegood.journal.protocol import Applied, Conflict, Exists, Fenced
from makegood.journal.sqlite.rows import HELD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import Append, NewRun, Verdict
    from makegood.values.ids import RunId

__all__ = [
    "MOVED",
    "TOKEN_BYTES",
    "correlate",
    "holder_of_key",
    "insert_facts",
    "pack",
    "verdict_instead",
    "write",
]

TOKEN_BYTES = 16
"""The length of an append's token."""

MOVED = (apsw.ConstraintError,)
"""What the comparing statement raises when an append does not fit its run: nothing is written."""

_WRITE = """
WITH packed AS MATERIALIZED (
    SELECT substr(value, 1, 16) AS token,
           CAST(substr(value, 23, CAST(substr(value, 17, 6) AS INTEGER)) AS TEXT) AS head,
           substr(value, 23 + CAST(substr(value, 17, 6) AS INTEGER)) AS facts
      FROM carray(?)
)
INSERT INTO makegood_append (run, worker, epoch, seq, inbox_head, inbox_taken, token, at, status,
       cause, rollback, reason, ended_at, progress, release, wake_at, stage, stage_since, moves,
       creation, facts)
SELECT head ->> 0, head ->> 1, head ->> 2, head ->> 3, head ->> 4, head ->> 5, token, head ->> 6,
       head ->> 7, head ->> 8, head ->> 9, head ->> 10, head ->> 11, head ->> 12, head ->> 13,
       head ->> 14, head ->> 15, head ->> 16, head ->> 17, head -> 18, facts
  FROM packed
"""

_encode = msgspec.json.Encoder().encode


def pack(append: Append) -> bytes:
    """Return an append as the comparing statement takes it."""
    summary = append.summary
    fields = (
        append.run,
        append.worker,
        append.epoch,
        append.seq,
        append.inbox_head,
        append.inbox_taken,
        append.at,
        summary.status,
        summary.cause,
        summary.rollback,
        summary.reason,
        summary.ended_at,
        append.progress,
        append.release,
        append.wake_at if append.release else HELD,
        summary.stage,
        summary.stage_since,
        append.moves or None,
    )
    # Absent and not null, for SQLite reads a JSON null as the text "null".
    head = _encode(fields if append.create is None else (*fields, _creation(append.create)))
    return b"%b%06d%b%b" % (append.token, len(head), head, append.facts)


def _creation(new: NewRun) -> tuple[str | int | None, ...]:
    return (
        new.workflow,
        new.key,
        new.fingerprint,
        new.input_hash,
        new.created_at,
        new.subject,
        int(new.key_until_ended),
    )


def write(connection: Connection, packed: Sequence[bytes]) -> None:
    """Write all of these appends or none of them; raise `MOVED` when one does not fit."""
    connection.execute(_WRITE, (array_of(tuple(packed)),))


def correlate(connection: Connection, run: RunId, new: NewRun) -> None:
    """Say what a run belongs to that was just made. Most have nothing that is to be said."""
    connection.execute(
        "UPDATE makegood_run SET correlation = ?, causation = ? WHERE id = ?",
        (new.correlation, new.causation, run),
    )


def insert_facts(connection: Connection, append: Append, facts: bytes) -> None:
    """Add the facts of an append whose row was written before they were known."""
    connection.execute(
        "INSERT INTO makegood_facts (run, seq, epoch, token, at, body) VALUES (?, ?, ?, ?, ?, ?)",
        (append.run, append.seq, append.epoch, append.token, append.at, facts),
    )


def verdict_instead(connection: Connection, append: Append) -> Verdict | None:
    """Say what an append is that does not fit its run, or None when it does fit."""
    found = connection.execute(
        "SELECT seq, epoch, owner, inbox_head, token, input_hash FROM makegood_run WHERE id = ?",
        (append.run,),
    ).fetchone()
    if found is None:
        return Fenced() if append.create is None else holder_of_key(connection, append.create)
    seq, epoch, owner, inbox_head, token, input_hash = cast(
        "tuple[int, int, str | None, int, bytes, str]", found
    )
    if token == append.token and seq == append.seq:
        return Applied(_facts_of_local(connection, append))
    if append.create is not None:
        return holder_of_key(connection, append.create) or Exists(append.run, input_hash)
    if epoch != append.epoch or owner != append.worker:
        return Fenced()
    if seq != append.seq - 1 or inbox_head != append.inbox_head:
        return Conflict()
    return None


def holder_of_key(connection: Connection, new: NewRun) -> Exists | None:
    """Return the run that has this key already, or None."""
    if new.key is None:
        return None
    found = connection.execute(
        """SELECT id, input_hash FROM makegood_run
            WHERE workflow = ? AND key = ? AND key_hold < 2""",
        (new.workflow, new.key),
    ).fetchone()
    if found is None:
        return None
    run, input_hash = cast("tuple[RunId, str]", found)
    return Exists(run, input_hash)


def _facts_of_local(connection: Connection, append: Append) -> bytes:
    """Return again what a local step gave when its append was written the first time."""
    if append.local is None:
        return b""
    body: bytes | None = connection.execute(
        "SELECT body FROM makegood_facts WHERE run = ? AND seq = ?", (append.run, append.seq)
    ).get
    return b"" if body is None else body
