"""Which statements does the journal send? All of them, word for word: another one is a defect.

Whoever changes what the journal asks of its server is told here, by name, that the simulated
server does not know it yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.journal.mail import read_outgoing, write_outgoing
from makegood.journal.memory_store import run_of_key, shows
from makegood.journal.postgres.delivering import delivery_lock_of
from makegood.journal.postgres.opening import lock_of
from makegood.journal.postgres.steps.guard import Permission, permitted
from makegood.journal.postgres.working.horizon import _HOLDERS
from makegood.journal.protocol import Filter, StoredPlan, Undelivered
from makegood.journal.rows import RUN_COLUMNS
from tests.simulation.postgres import functions
from tests.simulation.postgres.beside import messages, schedules
from tests.simulation.postgres.faults import refusal
from tests.simulation.workflows import LOOK, NOTE, PUT_BACK, TAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.values.ids import RunId
    from makegood.values.instants import Instant
    from tests.simulation.postgres.locks import Rows
    from tests.simulation.postgres.rows import Row, Transaction
    from tests.simulation.postgres.server import Server

# Columns and parameters are numbered and named here; nothing comes from outside.
# ruff: noqa: S608

__all__ = ["SCHEMA", "Statement", "understood"]

SCHEMA = "makegood"
"""The engine's schema."""

_SCHEMA_NUMBER = 16
"""The number of the schema whose functions are played in `functions`: those of runs, that is."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the server knows of a statement."""

    operation: str
    """What it is called where faults are drawn and counted."""
    carry_out: Callable[..., Rows]


@cache
def understood(query: str) -> Statement:
    """Return what a statement is; an AssertionError names one that nobody sends."""
    plain = " ".join(query.split())
    found = _KNOWN.get(plain)
    assert found is not None, f"the simulated server does not know: {plain}"
    return found


# Looking ----------------------------------------------------------------------------------------


def _histories(_server: Server, transaction: Transaction, runs: Sequence[RunId]) -> Rows:
    yield from ()
    rows = (transaction.see(run) for run in sorted(runs))
    return [
        (
            *msgspec.structs.astuple(row.row()),
            list(row.appends),
            [posted.n for posted in row.inbox],
            [posted.body for posted in row.inbox],
            [posted.at for posted in row.inbox],
        )
        for row in rows
        if row is not None
    ]


def _verdict(_server: Server, transaction: Transaction, run: RunId) -> Rows:
    yield from ()
    row = transaction.see(run)
    if row is None:
        return []
    return [(row.seq, row.epoch, row.owner, row.token, row.new.input_hash)]


def _facts(_server: Server, transaction: Transaction, run: RunId, seq: int) -> Rows:
    yield from ()
    row = transaction.see(run)
    return [] if row is None or len(row.appends) < seq else [(row.appends[seq - 1],)]


def _run_of_key(_server: Server, transaction: Transaction, workflow: str, key: str) -> Rows:
    yield from ()
    row = _by_key(transaction, workflow, key)
    return [(run_of_key(transaction.store, workflow, key) if row is None else row.run,)]


def _holder_of_key(_server: Server, transaction: Transaction, workflow: str, key: str) -> Rows:
    yield from ()
    row = _by_key(transaction, workflow, key)
    return [] if row is None else [(row.run, row.new.input_hash)]


def _by_key(transaction: Transaction, workflow: str, key: str) -> Row | None:
    run = transaction.holder_of_key(workflow, key)
    return None if run is None else transaction.see(run)


def _of_other_plans(*, unfinished: bool, posted: bool) -> Statement:
    """Return the listing of the runs of a workflow whose plan is none of those named."""

    def listed(
        _server: Server, transaction: Transaction, workflow: str, plans: Sequence[str]
    ) -> Rows:
        yield from ()
        wanted = Filter(
            workflow=workflow, not_of=frozenset(plans), unfinished=unfinished, posted=posted
        )
        seen = (transaction.see(run) for run in sorted(transaction.store.records, reverse=True))
        return [
            msgspec.structs.astuple(row.row())
            for row in seen
            if row is not None and shows(wanted, row)
        ][: wanted.limit + 1]

    return Statement("read", listed)


# Ringing ----------------------------------------------------------------------------------------


def _listen(server: Server, transaction: Transaction) -> Rows:
    yield from ()
    transaction.notices.append(lambda _before: server.listen(transaction.session))
    return []


def _notify(server: Server, transaction: Transaction, channel: str, whom: Sequence[str]) -> Rows:
    yield from ()
    assert channel == SCHEMA
    transaction.notices.append(lambda _before: server.ring(whom))
    return [(None,) for _ in whom]


# From run to run --------------------------------------------------------------------------------


def _remember(
    _server: Server,
    transaction: Transaction,
    senders: Sequence[RunId],
    ats: Sequence[Instant],
    bodies: Sequence[bytes],
) -> Rows:
    yield from ()
    for sender, at, body in zip(senders, ats, bodies, strict=True):
        transaction.send(Undelivered(sender=sender, at=at, entry=read_outgoing(body)))
    return []


def _has_outgoing(_server: Server, transaction: Transaction) -> Rows:
    yield from ()
    return [(bool(transaction.on_its_way()),)]


def _take_delivery(server: Server, transaction: Transaction) -> Rows:
    yield from ()
    is_free = transaction.locks.take_free(transaction, "delivery")
    if not is_free:
        server.reached("deliver: somebody else does")
    return [(is_free,)]


def _oldest_outgoing(_server: Server, transaction: Transaction, limit: int) -> Rows:
    yield from ()
    return [
        (n, waiting.sender, waiting.at, write_outgoing(waiting.entry))
        for n, waiting in transaction.on_its_way()[:limit]
    ]


def _forget_outgoing(_server: Server, transaction: Transaction, numbers: Sequence[int]) -> Rows:
    yield from ()
    assert "delivery" in transaction.locked, "one delivers at a time"
    transaction.delivered += numbers
    return []


def _correlate(_server: Server, transaction: Transaction, *given: Any) -> Rows:
    for run, correlation, causation in zip(*given, strict=True):
        yield from transaction.lock(run)
        row = transaction.change(run)
        row.new = msgspec.structs.replace(row.new, correlation=correlation, causation=causation)
    return []


# Plans ------------------------------------------------------------------------------------------


def _keep_plan(_server: Server, transaction: Transaction, *values: str) -> Rows:
    fingerprint, workflow, json = values
    if fingerprint in transaction.store.plans:
        return []
    yield from transaction.lock(f"plan {fingerprint}")
    transaction.plans.append(StoredPlan(fingerprint=fingerprint, workflow=workflow, json=json))
    return [(fingerprint,)]


def _plan(_server: Server, transaction: Transaction, fingerprint: str) -> Rows:
    yield from ()
    plan = transaction.store.plans.get(fingerprint)
    return [] if plan is None else [(plan.workflow, plan.json)]


# The application's tables -----------------------------------------------------------------------


def _look(server: Server, transaction: Transaction, order: str) -> Rows:
    yield from ()
    return [(server.count_on_shelf(transaction, order),)]


def _take(server: Server, transaction: Transaction, order: str, amount: int) -> Rows:
    yield from transaction.lock(f"shelf {order}")
    # Every other constraint is looked at only at the end of the transaction.
    if not amount % 2 and not server.count_on_shelf(transaction, order):
        raise refusal("23514")
    transaction.shelf.append(("take", order, amount))
    return [(order,)]


def _put_back(_server: Server, transaction: Transaction, order: str, amount: int) -> Rows:
    yield from transaction.lock(f"shelf {order}")
    transaction.shelf.append(("put back", order, amount))
    return [(order,)]


def _note(_server: Server, transaction: Transaction, order: str, amount: int) -> Rows:
    yield from ()
    transaction.shelf.append(("note", order, amount))
    return [(order,)]


# Opening ----------------------------------------------------------------------------------------


def _answering(*rows: tuple[object, ...]) -> Statement:
    def answer(_server: Server, _transaction: Transaction, *_given: object) -> Rows:
        yield from ()
        return list(rows)

    return Statement("open", answer)


def _whether_only_read(server: Server, _transaction: Transaction) -> Rows:
    yield from ()
    return [("on" if server.is_only_read else "off",)]


def _parameters(first: int, last: int) -> str:
    return ", ".join(f"${number}" for number in range(first, last + 1))


_OPENING = {
    "SHOW server_version_num": _answering(("180000",)),
    "SHOW transaction_read_only": Statement("open", _whether_only_read),
    "SHOW fsync": _answering(("on",)),
    "SHOW full_page_writes": _answering(("on",)),
    "SHOW synchronous_commit": _answering(("on",)),
    "SHOW client_min_messages": _answering(("warning",)),
    # Nothing is ever to be migrated, so that nobody has to wait for another one.
    f"SELECT {lock_of(SCHEMA)}": _answering((None,)),
    "SELECT to_regclass($1) IS NOT NULL": _answering((True,)),
    'SELECT value FROM "makegood".meta WHERE name = $1': _answering((_SCHEMA_NUMBER,)),
    'SELECT owner, number FROM "makegood".migration': _answering(),
}
_OF_OTHER_PLANS = f'SELECT {RUN_COLUMNS} FROM "makegood".run WHERE TRUE AND workflow = $1 AND '
_LOOKING = {
    f"{_OF_OTHER_PLANS}ended_at IS NULL AND fingerprint <> ALL ($2) "
    "ORDER BY id DESC LIMIT 51": _of_other_plans(unfinished=True, posted=False),
    f"{_OF_OTHER_PLANS}ended_at IS NOT NULL AND fingerprint <> ALL ($2) "
    "AND inbox_taken < inbox_head ORDER BY id DESC LIMIT 51": _of_other_plans(
        unfinished=False, posted=True
    ),
    f"SELECT {RUN_COLUMNS}, "
    'ARRAY(SELECT body FROM "makegood".facts WHERE facts.run = run.id ORDER BY seq), '
    'ARRAY(SELECT n FROM "makegood".inbox WHERE inbox.run = run.id ORDER BY n), '
    'ARRAY(SELECT body FROM "makegood".inbox WHERE inbox.run = run.id ORDER BY n), '
    'ARRAY(SELECT at FROM "makegood".inbox WHERE inbox.run = run.id ORDER BY n) '
    'FROM "makegood".run WHERE id = ANY ($1)': Statement("read", _histories),
    "SELECT coalesce( "
    '(SELECT id FROM "makegood".run WHERE workflow = $1 AND key = $2 AND key_hold < 2), '
    '(SELECT max(id) FROM "makegood".run WHERE workflow = $1 AND key = $2 AND key_hold = 2))': (
        Statement("read", _run_of_key)
    ),
    'SELECT * FROM "makegood".settled($1)': Statement("read", functions.settled),
    'SELECT workflow, json FROM "makegood".plan WHERE fingerprint = $1': Statement("read", _plan),
    'SELECT seq, epoch, owner, token, input_hash FROM "makegood".run WHERE id = $1': Statement(
        "verdict", _verdict
    ),
    # Nobody halts anything here.
    "SELECT kind, name, actor, reason, at, until, lifted_by, lifted_because, lifted_at "
    'FROM "makegood".halt ORDER BY kind, name': Statement("read", _answering().carry_out),
    # No workflow here says how long its runs are kept.
    'SELECT workflow, micros FROM "makegood".period': Statement("read", _answering().carry_out),
    'SELECT body FROM "makegood".facts WHERE run = $1 AND seq = $2': Statement("verdict", _facts),
    'SELECT id, input_hash FROM "makegood".run WHERE workflow = $1 AND key = $2 '
    "AND key_hold < 2": Statement("verdict", _holder_of_key),
    # There is no standby, and so nothing that could be found there.
    'SELECT FROM "makegood".run WHERE id = $1 AND '
    "current_setting('synchronous_standby_names') <> '' FOR KEY SHARE": Statement(
        "verdict", _answering().carry_out
    ),
}
_WRITING = {
    f'SELECT "makegood".make_runs({_parameters(1, 26)}), '
    f'"makegood".move_runs({_parameters(27, 45)})': Statement("append", functions.make_and_move),
    f'SELECT refused, written, "makegood".remember_moves({_parameters(46, 54)}, refused, written) '
    f'FROM (SELECT "makegood".make_runs({_parameters(1, 26)}) AS refused, '
    f'"makegood".move_runs({_parameters(27, 45)}) AS written) AS done': Statement(
        "append", functions.make_and_move_and_tell
    ),
    f'SELECT "makegood".record_local({_parameters(1, 7)})': Statement(
        "append", functions.record_local
    ),
    f'SELECT * FROM "makegood".post({_parameters(1, 12)})': Statement("post", functions.post),
    f'SELECT * FROM "makegood".lease({_parameters(1, 7)})': Statement("lease", functions.lease),
    f'SELECT * FROM "makegood".renew({_parameters(1, 3)})': Statement("renew", functions.renew),
    f'SELECT "makegood".release({_parameters(1, 3)})': Statement("release", functions.release),
    'WITH free AS MATERIALIZED ( SELECT id, owner FROM "makegood".run '
    "WHERE id = $1 AND fingerprint = $3 AND seq = $4 AND pruned_at IS NULL "
    'AND (owner IS NULL OR wake_at <= "makegood".server_now()) FOR UPDATE ), lost AS ( '
    'INSERT INTO "makegood".lost_worker (id) SELECT owner FROM free WHERE owner IS NOT NULL '
    'ON CONFLICT DO NOTHING ) UPDATE "makegood".run AS run '
    "SET fingerprint = $2, epoch = run.epoch + 1, owner = NULL, "
    "wake_at = CASE WHEN free.owner IS NOT NULL THEN $5 "
    "WHEN $6 THEN least(run.wake_at, $5) ELSE run.wake_at END "
    "FROM free WHERE run.id = free.id RETURNING run.id": Statement("adopt", functions.adopt),
    'UPDATE "makegood".run SET correlation = given.correlation, causation = given.causation '
    "FROM unnest($1::text[], $2::text[], $3::text[]) AS given (id, correlation, causation) "
    "WHERE run.id = given.id": Statement("post", _correlate),
    'INSERT INTO "makegood".plan (fingerprint, workflow, json) VALUES ($1, $2, $3) '
    "ON CONFLICT DO NOTHING": Statement("keep_plan", _keep_plan),
}
_DELIVERING = {
    'INSERT INTO "makegood".outgoing (sender, at, body) SELECT sender, at, body '
    "FROM unnest($1::text[], $2::bigint[], $3::bytea[]) WITH ORDINALITY "
    "AS given (sender, at, body, place) ORDER BY place": Statement("append", _remember),
    'SELECT EXISTS (SELECT FROM "makegood".outgoing)': Statement("read", _has_outgoing),
    f"SELECT {delivery_lock_of(SCHEMA, is_awaited=False)}": Statement("deliver", _take_delivery),
    'SELECT n, sender, at, body FROM "makegood".outgoing ORDER BY n LIMIT $1': Statement(
        "read", _oldest_outgoing
    ),
    'DELETE FROM "makegood".outgoing WHERE n = ANY ($1)': Statement("deliver", _forget_outgoing),
}
_OF_STEPS = {
    permitted(sql, Permission.WRITE, schema=SCHEMA): Statement("local", carry_out)
    for sql, carry_out in ((LOOK, _look), (TAKE, _take), (PUT_BACK, _put_back), (NOTE, _note))
}
_BESIDE = {
    'LISTEN "makegood"': Statement("listen", _listen),
    "SELECT 1": Statement("listen", _answering((1,)).carry_out),
    "SELECT pg_notify($1, whom) FROM unnest($2::text[]) AS given (whom)": Statement(
        "ring", _notify
    ),
    " ".join(_HOLDERS.split()): Statement("watch", _answering().carry_out),
}
_OF_MESSAGES = {
    'INSERT INTO "makegood".subscription (type, recipient, since, seen_at) '
    "SELECT type, recipient, $3, $3 FROM unnest($1::text[], $2::text[]) "
    "AS given (type, recipient) ON CONFLICT (type, recipient) "
    "DO UPDATE SET seen_at = excluded.seen_at": Statement("subscribe", messages.subscribe),
    "SELECT fitting, seqs, fresh, heard_types, heard_by FROM "
    f'"makegood".work_messages({_parameters(1, 38)})': Statement("work", messages.work),
    f'SELECT * FROM "makegood".were_written({_parameters(1, 4)})': Statement(
        "verdict", messages.were_written
    ),
    f'SELECT * FROM "makegood".take_lanes({_parameters(1, 9)})': Statement(
        "take", messages.take_lanes
    ),
    f'SELECT * FROM "makegood".renew_lanes({_parameters(1, 4)})': Statement(
        "renew", messages.renew_lanes
    ),
    f'SELECT "makegood".release_lanes({_parameters(1, 4)})': Statement(
        "release", messages.release_lanes
    ),
}
_SCHEDULE = 'SELECT name, version, wake_at, body FROM "makegood".schedule'
_OF_SCHEDULES = {
    'UPDATE "makegood".schedule SET version = $2, wake_at = $3, body = $4 '
    "WHERE name = $1 AND version = $2::bigint - 1": Statement(
        "keep_schedule", schedules.change_schedule
    ),
    'INSERT INTO "makegood".schedule (name, version, wake_at, body) '
    "SELECT $1, $2, $3, $4 WHERE $2::bigint = 1 ON CONFLICT (name) DO NOTHING": Statement(
        "keep_schedule", schedules.add_schedule
    ),
    f"{_SCHEDULE} WHERE name = $1": Statement("read", schedules.one_schedule),
    f"{_SCHEDULE} ORDER BY name": Statement("read", schedules.schedules),
}
_KNOWN = {
    **_OPENING,
    **_LOOKING,
    **_WRITING,
    **_DELIVERING,
    **_OF_STEPS,
    **_BESIDE,
    **_OF_MESSAGES,
    **_OF_SCHEDULES,
}
