"""How is a batch of appends written? Knows the one statement, and what its refusals mean.

Every field of the appends is one array, and the statement takes all arrays at once. It compares
each append with the row of its run in the update that writes it, so that those which do not fit
are left out and the others are written: nothing is refused for its neighbour's sake.

What does not fit may have been written before, and is told by its token. That it is there is no
proof that it is durable: its commit may not have been confirmed by the server's standby, because
the wait for it was cancelled or the server was started again. So before anybody is told, that
answer is made as durable as something that is written now.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from makegood.journal.postgres.connection import Overtaken
from makegood.journal.postgres.delivering import remember
from makegood.journal.postgres.lanes.writing import publish_with
from makegood.journal.protocol import Applied, Conflict, Exists, Fenced
from makegood.journal.reply import Reply
from makegood.values.ids import RunId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from makegood.journal.postgres.connection import Connection
    from makegood.journal.protocol import Append, NewRun, Verdict

# The schema is a plain name, checked in `place`; values are bound.
# ruff: noqa: S608

__all__ = [
    "TOKEN_BYTES",
    "AppendJob",
    "confirm",
    "correlate",
    "has_more",
    "told_of_rest",
    "verdict_instead",
    "write",
]

TOKEN_BYTES = 16
"""The length of an append's token."""

_NONE_MADE: tuple[tuple[Any, ...], ...] = ((),) * 25  # Any: one array a parameter
_NONE_MOVED: tuple[tuple[Any, ...], ...] = ((),) * 19

_APPLIED = Applied()


class AppendJob:
    """One append and who waits for its verdict; taken apart by the caller."""

    __slots__ = ("append", "is_plain", "order", "outcome", "reply", "values")

    def __init__(self, append: Append) -> None:
        self.append = append
        self.reply: Reply[Verdict] = Reply()
        self.is_plain: bool = append.local is None and not append.writes
        self.outcome: Verdict | BaseException | None = None
        summary = append.summary
        create = append.create
        shared = (
            append.run,
            append.worker,
            append.epoch,
            append.seq,
            append.inbox_head,
            append.inbox_taken,
            append.token,
            append.at,
            summary.status,
            summary.cause,
            summary.rollback,
            summary.reason,
            summary.ended_at,
            summary.stage,
            summary.stage_since,
            append.release,
            append.wake_at,
            None if append.local is not None else append.facts,
        )
        self.order: tuple[str, ...]
        """Whatever is written together is locked in this order by everybody."""
        self.values: tuple[object, ...]
        if create is None:
            self.order = (append.run,)
            self.values = (*shared, append.progress)
        else:
            self.order = (create.workflow, create.key or "", append.run)
            self.values = (
                *shared,
                create.workflow,
                create.key,
                create.fingerprint,
                create.input_hash,
                create.created_at,
                create.subject,
                create.key_until_ended,
            )

    @property
    def size(self) -> int:
        """How many bytes it brings."""
        append = self.append
        return len(append.facts) + sum(len(each.body) for each in append.messages)

    def settle(self) -> None:
        """Hand the outcome to whoever waits for it."""
        assert self.outcome is not None, "an append has a verdict"
        if not self.reply.done():
            self.reply.give(self.outcome)


@cache
def _statement_of(schema: str) -> str:
    """Return the statement that writes a batch."""
    made, moved = _numbered(1, 26), _numbered(27, 45)
    return f'SELECT "{schema}".make_runs({made}), "{schema}".move_runs({moved})'


@cache
def _statement_with_moves_of(schema: str) -> str:
    """Return the statement that writes a batch in which runs move between stages.

    Moves are remembered after the appends: it takes what became of those to remember them.
    """
    made, moved, told = _numbered(1, 26), _numbered(27, 45), _numbered(46, 54)
    return f"""
        SELECT refused, written, "{schema}".remember_moves({told}, refused, written)
          FROM (SELECT "{schema}".make_runs({made}) AS refused,
                       "{schema}".move_runs({moved}) AS written) AS done
        """


def _numbered(first: int, last: int) -> str:
    return ", ".join(f"${number}" for number in range(first, last + 1))


async def write(
    connection: Connection, schema: str, jobs: Sequence[AppendJob], lease_micros: int
) -> list[AppendJob]:
    """Write what fits, and return the jobs that do not fit.

    Where one of them has something for other runs this is to be in a transaction.
    """
    making = sorted((job for job in jobs if job.append.create is not None), key=_order)
    moving = sorted((job for job in jobs if job.append.create is None), key=_order)
    moves = _moves_of(jobs)
    row = await connection.fetchrow(
        _statement_with_moves_of(schema) if moves else _statement_of(schema),
        *(zip(*(job.values for job in making), strict=True) if making else _NONE_MADE),
        lease_micros,
        *(zip(*(job.values for job in moving), strict=True) if moving else _NONE_MOVED),
        *zip(*moves, strict=True),
    )
    assert row is not None, "a SELECT of functions gives one row"
    refused: list[int] = row[0] or []
    written: set[int] = set(row[1] or ())
    left = [making[position - 1] for position in refused]
    if len(written) < len(moving):
        left += [job for position, job in enumerate(moving, 1) if position not in written]
    correlated = [job.append for job in making if _is_correlated(job.append) and job not in left]
    if correlated:
        await correlate(connection, schema, [(each.run, each.create) for each in correlated])
    if any(job.append.outgoing for job in jobs):
        await remember(connection, schema, [job.append for job in jobs if job not in left])
    return left


def _moves_of(jobs: Sequence[AppendJob]) -> list[tuple[object, ...]]:
    """Return the moves of these appends as the statement takes them."""
    return [
        (
            *(append.run, append.token, move.version, move.workflow, move.origin),
            *(move.destination, move.cause, move.actor, move.at),
        )
        for append in (job.append for job in jobs)
        for move in append.moves
    ]


def has_more(jobs: Sequence[AppendJob]) -> bool:
    """Say whether one of them has more to write than the one statement does."""
    return any(
        job.append.outgoing or job.append.messages or _is_correlated(job.append) for job in jobs
    )


async def correlate(
    connection: Connection, schema: str, made: Iterable[tuple[RunId, NewRun | None]]
) -> None:
    """Say what runs belong to that were just made. Most have nothing that is to be said."""
    told = [
        (run, new.correlation, new.causation)
        for run, new in made
        if new is not None and new.is_correlated
    ]
    if told:
        await connection.execute(
            f"""
            UPDATE "{schema}".run
               SET correlation = given.correlation, causation = given.causation
              FROM unnest($1::text[], $2::text[], $3::text[])
                   AS given (id, correlation, causation)
             WHERE run.id = given.id
            """,
            *zip(*told, strict=True),
        )


async def told_of_rest(
    connection: Connection, schema: str, job: AppendJob, lease_micros: int
) -> Verdict:
    """Say what an append is that was not written with its batch.

    A run whose key another one of the batch has just let go of is written after all.
    """
    try:
        return await verdict_instead(connection, schema, job.append)
    except Overtaken:
        if await write(connection, schema, (job,), lease_micros):
            raise
        await publish_with(connection, schema, (job.append,))
        return _APPLIED


async def verdict_instead(connection: Connection, schema: str, append: Append) -> Verdict:
    """Say what an append is that was not written; raise `Overtaken` where it may be by now."""
    found = await connection.fetchrow(
        f"""
        SELECT seq, epoch, owner, token, input_hash
          FROM "{schema}".run WHERE id = $1
        """,
        append.run,
    )
    if found is None:
        if append.create is None:
            return Fenced()
        holder = await _holder_of_key(connection, schema, append.create)
        if holder is None:
            message = f"the key {append.create.key!r} was let go of at this moment"
            raise Overtaken(message)
        return holder
    seq, epoch, owner, token, input_hash = found
    if token == append.token and seq == append.seq:
        await confirm(connection, schema, append.run)
        return await _applied_before(connection, schema, append)
    if append.create is not None:
        taken = await _holder_of_key(connection, schema, append.create)
        if taken is None:
            await confirm(connection, schema, append.run)
        return taken or Exists(append.run, input_hash)
    if epoch != append.epoch or owner != append.worker:
        return Fenced()
    # The sequence or the inbox has moved, and neither ever moves back.
    return Conflict()


async def _applied_before(connection: Connection, schema: str, append: Append) -> Applied:
    """Return again what a local step gave when its append was written the first time."""
    if append.local is None:
        return _APPLIED
    body = await connection.fetchval(
        f'SELECT body FROM "{schema}".facts WHERE run = $1 AND seq = $2',
        append.run,
        append.seq,
    )
    return Applied(body or b"")


async def _holder_of_key(connection: Connection, schema: str, new: NewRun) -> Exists | None:
    """Return the run that has this key already, or None."""
    if new.key is None:
        return None
    found = await connection.fetchrow(
        f"""
        SELECT id, input_hash FROM "{schema}".run
         WHERE workflow = $1 AND key = $2 AND key_hold < 2
        """,
        new.workflow,
        new.key,
    )
    if found is None:
        return None
    holder = Exists(RunId(found[0]), found[1])
    await confirm(connection, schema, holder.run)
    return holder


async def confirm(connection: Connection, schema: str, run: RunId) -> None:
    """Let what was found of a run be as durable as what is written now.

    To lock its row is to write to the server's log, behind whatever made the row what it is; the
    commit of that waits for the standby in its turn. Without a standby there is nothing to do.
    """
    await connection.execute(
        f"""
        SELECT FROM "{schema}".run
         WHERE id = $1 AND current_setting('synchronous_standby_names') <> '' FOR KEY SHARE
        """,
        run,
    )


def _is_correlated(append: Append) -> bool:
    return append.create is not None and append.create.is_correlated


def _order(job: AppendJob) -> tuple[str, ...]:
    return job.order
