"""What the functions of the engine's schema do, over rows: see `journal/postgres/schema`.

Each is a generator, for whatever changes rows may have to wait for their locks. As in READ
COMMITTED a row is looked at, locked, and looked at again. What is skipped is not waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from makegood.journal.claiming import claimed_at_once, deal
from makegood.journal.memory_store import is_settled
from makegood.journal.protocol import (
    Append,
    Applied,
    Conflict,
    Exists,
    Fenced,
    Leased,
    Leases,
    NewRun,
    Post,
    Posted,
    Summary,
)
from makegood.journal.staging import Move
from makegood.values.instants import Instant
from tests.simulation.postgres.rows import Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.protocol import Verdict
    from makegood.values.ids import RunId, WorkerId
    from tests.simulation.postgres.locks import Rows, Waiting
    from tests.simulation.postgres.rows import Transaction
    from tests.simulation.postgres.server import Server

__all__ = [
    "lease",
    "make_and_move",
    "make_and_move_and_tell",
    "post",
    "record_local",
    "release",
    "renew",
    "settled",
]

_MADE = 26
"""How many parameters `make_runs` takes."""
_MOVED = 19
"""How many `move_runs` takes; what else a statement has are the moves between stages."""
_TOKENS = 6
"""Where the tokens are in the parameters of both."""

_POST_TOKENS_MAX = 8


class Written(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One append as its row of the arrays has it."""

    append: Append
    body: bytes | None
    """Its facts; None while those of a local step are not known."""


def make_and_move(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Write a batch: `make_runs` and then `move_runs`."""
    *made, lease_micros = given[:_MADE]
    moving = given[_MADE:]
    server.sent((*made[_TOKENS], *moving[_TOKENS]))
    refused: list[int] = []
    for position, values in enumerate(zip(*made, strict=True), 1):
        if not (yield from _make(server, transaction, _made(values), lease_micros)):
            refused.append(position)
    moved: list[int] = []
    for position, values in enumerate(zip(*moving, strict=True), 1):
        if (yield from _move(server, transaction, _moved(values))):
            moved.append(position)
    return [(refused or None, moved or None)]


def make_and_move_and_tell(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Write a batch, and remember the moves of the appends that were written."""
    ((refused, moved),) = yield from make_and_move(server, transaction, *given[: _MADE + _MOVED])
    for run, token, *values in zip(*given[_MADE + _MOVED :], strict=True):
        row = transaction.see(run)
        if row is not None and row.token == token:
            version, workflow, origin, destination, cause, actor, at = values
            move = Move(
                run=run,
                version=version,
                workflow=workflow,
                origin=origin,
                destination=destination,
                cause=cause,
                actor=actor,
                at=at,
            )
            transaction.moves.append(move)
    return [(refused, moved, None)]


def _made(values: Sequence[Any]) -> Written:
    *shared, workflow, key, fingerprint, input_hash, created_at, subject, key_until_ended = values
    create = NewRun(
        workflow=workflow,
        key=key,
        fingerprint=fingerprint,
        input_hash=input_hash,
        created_at=created_at,
        subject=subject,
        key_until_ended=key_until_ended,
    )
    return _written(shared, create=create)


def _moved(values: Sequence[Any]) -> Written:
    *shared, progress = values
    return _written(shared, progress=progress)


def _written(shared: Sequence[Any], **other: Any) -> Written:
    run, worker, epoch, seq, inbox_head, inbox_taken, token, at = shared[:8]
    status, cause, rollback, reason, ended_at, stage, stage_since = shared[8:15]
    released, wake_at, body = shared[15:]
    append = Append(
        run=run,
        worker=worker,
        epoch=epoch,
        seq=seq,
        inbox_head=inbox_head,
        inbox_taken=inbox_taken,
        token=token,
        facts=body or b"",
        at=at,
        summary=Summary(
            status=status,
            cause=cause,
            rollback=rollback,
            reason=reason,
            ended_at=ended_at,
            stage=stage,
            stage_since=stage_since,
        ),
        release=released,
        wake_at=wake_at,
        **other,
    )
    return Written(append=append, body=body)


def _make(
    server: Server, transaction: Transaction, written: Written, lease_micros: int
) -> Waiting[bool]:
    append = written.append
    assert append.create is not None
    is_new = yield from _insert(transaction, append.run, append.create)
    if not is_new:
        server.refused(transaction, append)
        return False
    row = Row(append.run, append.create, append.summary.status, epoch=append.epoch)
    row.owner = append.worker
    row.wake_at = Instant(server.now() + lease_micros)
    row.inbox_head = append.inbox_head
    transaction.rows[append.run] = row
    _write(row, written)
    server.wrote(transaction, append)
    return True


def _insert(transaction: Transaction, run: RunId, create: NewRun) -> Waiting[bool]:
    """Say whether neither the id nor the key is taken; who is about to take it is waited for."""
    names: list[str] = [run]
    if create.key is not None:
        names.append(f"{create.workflow} {create.key}")
    for name in names:
        if _is_taken(transaction, run, create):
            return False
        yield from transaction.lock(name)
    return not _is_taken(transaction, run, create)


def _is_taken(transaction: Transaction, run: RunId, create: NewRun) -> bool:
    if transaction.see(run) is not None:
        return True
    return transaction.holder_of_key(create.workflow, create.key) is not None


def _move(server: Server, transaction: Transaction, written: Written) -> Waiting[bool]:
    append = written.append
    fits = _fits(transaction.see(append.run), append)
    if fits:
        yield from transaction.lock(append.run)
        fits = _fits(transaction.see(append.run), append)
    if not fits:
        server.refused(transaction, append)
        return False
    row = transaction.change(append.run)
    _write(row, written)
    server.wrote(transaction, append)
    return True


def _fits(row: Row | None, append: Append) -> bool:
    return row is not None and (row.epoch, row.owner, row.seq, row.inbox_head) == (
        append.epoch,
        append.worker,
        append.seq - 1,
        append.inbox_head,
    )


def _write(row: Row, written: Written) -> None:
    append, summary = written.append, written.append.summary
    row.seq, row.token = append.seq, append.token
    row.status, row.cause = summary.status, summary.cause
    row.rollback, row.reason = summary.rollback, summary.reason
    row.ended_at = summary.ended_at
    row.stage, row.stage_since = summary.stage, summary.stage_since
    row.key_is_free |= row.new.key_until_ended and row.ended_at is not None
    row.inbox = [posted for posted in row.inbox if posted.n > append.inbox_taken]
    if append.progress:
        row.claims = 0
    if append.release:
        row.owner, row.wake_at = None, append.wake_at
    if written.body is not None:
        row.appends.append(written.body)


def verdict_on(row: Row | None, append: Append, holder: RunId | None) -> Verdict:
    """Say what an append is that was not written, as everybody sees it now."""
    if row is not None and (row.token, row.seq) == (append.token, append.seq):
        return Applied()
    if append.create is not None:
        return Exists(holder or append.run, "")
    if row is None or (row.epoch, row.owner) != (append.epoch, append.worker):
        return Fenced()
    return Conflict()


def record_local(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Add the facts of a local step to the append that was written before it."""
    run, seq, _epoch, token, _at, body, lease_micros = given
    yield from transaction.lock(run)
    row = transaction.change(run)
    assert (row.seq, row.token) == (seq, token), "its append was written in this transaction"
    server.carried_out(token)
    row.appends.append(body)
    if row.owner is not None:
        row.wake_at = Instant(server.now() + lease_micros)
    return [(None,)]


def post(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Put posts into inboxes, in the order given."""
    answers: list[Any] = []
    for values in zip(*given, strict=True):
        answer = yield from _post(server, transaction, *values)
        answers += [answer]
    return answers


def _post(server: Server, transaction: Transaction, *values: Any) -> Waiting[tuple[Any, ...]]:
    run, body, at, token, status, workflow, key, *others = values
    plan, input_hash, created_at, subject, key_until_ended = others
    create: NewRun | None = None
    other: RunId | None = None
    if workflow is not None:
        create = NewRun(
            workflow=workflow,
            key=key,
            fingerprint=plan,
            input_hash=input_hash,
            created_at=created_at,
            subject=subject,
            key_until_ended=key_until_ended,
        )
        if (yield from _insert(transaction, run, create)):
            row = Row(run, create, status, epoch=0)
            row.wake_at = at
            transaction.rows[run] = row
        else:
            other = transaction.holder_of_key(workflow, key) or run
    if other is None or other == run:
        found = yield from _posted_row(transaction, run)
        if found is not None and token in found.post_tokens:
            tokens = found.post_tokens
            return (
                found.inbox_head - len(tokens) + tokens.index(token) + 1,
                None,
                None,
                found.owner,
            )
        if other is None:
            if found is None:
                return (None, None, None, None)
            sent = Post(run=run, body=body, at=at, create=create, status=status)
            number = _put(transaction.change(run), sent, token)
            server.posted(transaction, sent, number, token)
            return (number, None, None, found.owner)
    assert other is not None
    taken = transaction.see(other)
    assert taken is not None
    server.reached("start: another was first")
    return (None, other, taken.new.input_hash, None)


def _posted_row(transaction: Transaction, run: RunId) -> Waiting[Row | None]:
    if transaction.see(run) is None:
        return None
    yield from transaction.lock(run)
    row = transaction.see(run)
    return None if row is None or row.pruned_at is not None else row


def _put(row: Row, sent: Post, token: bytes) -> int:
    row.inbox_head += 1
    row.inbox.append(Posted(row.inbox_head, sent.body, sent.at))
    if row.owner is None:
        row.wake_at = sent.at if row.wake_at is None else min(row.wake_at, sent.at)
    row.post_tokens = (*row.post_tokens, token)[-_POST_TOKENS_MAX:]
    return row.inbox_head


def renew(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Extend the leases of runs that a worker holds, but for those that are locked."""
    worker, held, lease_micros = given
    yield from ()
    renewed: list[Any] = []
    for run in sorted(held):
        row = transaction.see(run)
        if row is None or row.owner != worker:
            server.reached("renew: it is somebody else's")
        elif transaction.locks.take_free(transaction, run):
            transaction.change(run).wake_at = Instant(server.now() + lease_micros)
            renewed.append((run,))
        else:
            server.reached("renew: it is locked")
    return renewed


def lease(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Name what was posted to of a worker's runs, and claim what is due."""
    worker, plans, rooms, limit, caller_now, lease_micros, _together_max = given
    yield from ()
    rows = _all(transaction)
    answers: list[Any] = [
        ("rung", row.run, row.epoch, row.new.fingerprint, row.claims)
        for row in sorted(rows, key=lambda row: row.run)
        if row.owner == worker and row.inbox
    ]
    present = server.now()
    waiting = {plan: _due(rows, plan, caller_now, present) for plan in plans}

    def due(plan: str, _skipped: int, count: int) -> list[Row]:
        found: list[Row] = []
        while waiting[plan] and len(found) < count:
            row = waiting[plan].pop(0)
            if transaction.locks.take_free(transaction, row.run):
                found.append(row)
            else:
                server.reached("lease: it is locked")
        return found

    room: Mapping[str, int] = dict(zip(plans, rooms, strict=True))
    dealt = deal(due, room=room, limit=limit)
    claimed = [
        _claim(transaction, row.run, worker, Instant(present + lease_micros))
        for row in dealt[: claimed_at_once([row.claims for row in dealt])]
    ]
    server.leased(transaction, Leases(claimed=tuple(claimed)), tuple(plans), caller_now)
    return answers + [
        ("claimed", each.run, each.epoch, each.fingerprint, each.claims) for each in claimed
    ]


def _all(transaction: Transaction) -> list[Row]:
    rows: Any = transaction.store.records.values()  # Any: all records of the store are rows.
    return list(rows)


def _due(rows: Sequence[Row], plan: str, caller_now: int, present: int) -> list[Row]:
    """Return the runs of a plan that are due: a lease ends by the server's clock alone."""
    due = [
        (row.wake_at, row.run, row)
        for row in rows
        if row.new.fingerprint == plan
        and row.wake_at is not None
        and row.wake_at <= (caller_now if row.owner is None else present)
    ]
    return [row for _, _, row in sorted(due, key=lambda entry: entry[:2])]


def _claim(transaction: Transaction, run: RunId, worker: WorkerId, until: Instant) -> Leased:
    row = transaction.change(run)
    row.epoch += 1
    row.claims += 1
    row.owner, row.wake_at = worker, until
    return Leased(run=run, epoch=row.epoch, fingerprint=row.new.fingerprint, claims=row.claims)


def release(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Give back held runs, due at once, as if they had not been claimed."""
    worker, held, caller_now = given
    released: list[RunId] = []
    for run in sorted(held):
        row = transaction.see(run)
        if row is None or row.owner != worker:
            continue
        yield from transaction.lock(run)
        row = transaction.see(run)
        if row is None or row.owner != worker:
            continue
        row = transaction.change(run)
        row.owner, row.wake_at = None, caller_now
        row.claims = max(0, row.claims - 1)
        released.append(run)
    server.released(transaction, released)
    return [(None,)]


def adopt(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Let a run that nobody holds go by another plan."""
    run, plan, instead_of, seq, caller_now, wakes = given
    if not _is_free(transaction.see(run), instead_of, seq, server.now()):
        return []
    yield from transaction.lock(run)
    if not _is_free(transaction.see(run), instead_of, seq, server.now()):
        return []
    row = transaction.change(run)
    if row.owner is not None:
        row.owner, row.wake_at = None, caller_now
    elif wakes:
        row.wake_at = caller_now if row.wake_at is None else min(row.wake_at, caller_now)
    row.new = replace(row.new, fingerprint=plan)
    row.epoch += 1
    return [(run,)]


def _is_free(row: Row | None, plan: str, seq: int, present: Instant) -> bool:
    if row is None or (row.new.fingerprint, row.seq) != (plan, seq) or row.pruned_at is not None:
        return False
    return row.owner is None or (row.wake_at is not None and row.wake_at <= present)


def settled(_server: Server, transaction: Transaction, asked: Sequence[RunId]) -> Rows:
    """Say which of these runs move no more by themselves."""
    yield from ()
    rows = ((run, transaction.see(run)) for run in asked)
    return [(run,) for run, row in rows if row is None or is_settled(row)]
