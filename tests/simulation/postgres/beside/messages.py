"""What the functions for messages do, over the lanes of a store: see `0010_messages.sql`.

Every lane and every name that a transaction writes is locked to its end. So what it has found under
these locks still holds when it is committed, and is only then done to the store. Numbers are drawn
when they are asked for, and never given back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from makegood.journal.claiming import claimed_at_once, deal
from makegood.journal.lanes.office import StoredMessage
from makegood.journal.lanes.rows import envelope_of
from makegood.journal.messages import (
    Dead,
    DeliveryId,
    DeliveryState,
    Done,
    Finished,
    LaneId,
    Later,
    Outcome,
    Subscription,
)
from makegood.values.envelope import Envelope
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.lanes.office import LaneRecord, Office, StoredDelivery
    from makegood.journal.messages import Handling
    from makegood.values.ids import WorkerId
    from tests.simulation.postgres.locks import Rows, Waiting
    from tests.simulation.postgres.rows import Transaction
    from tests.simulation.postgres.server import Server

__all__ = [
    "release_lanes",
    "renew_lanes",
    "subscribe",
    "take_lanes",
    "were_written",
    "work",
    "work_without_names",
]

_OF_LANE, _OF_HANDLED = 7, 11
"""How many arrays there are of each; what else there is are those of messages."""


def subscribe(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Let recipients be given every message of their types from now on."""
    names, recipients, now = given
    wanted = server.store.office.wanted
    for name, recipient in sorted(zip(names, recipients, strict=True)):
        yield from transaction.lock(f"subscription {name} {recipient}")
        there = wanted.get(name, {}).get(recipient)
        since = now if there is None else there.since
        kept = Subscription(recipient=recipient, type=name, since=since, seen_at=now)
        transaction.works.append(partial(_want, server.store.office, kept))
    return []


def _want(office: Office, kept: Subscription) -> None:
    office.wanted.setdefault(kept.type, {})[kept.recipient] = kept


# Writing ----------------------------------------------------------------------------------------


class _Given(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message as its row of the arrays has it."""

    of: int
    """With which lane it belongs, counted from 1; 0: it is simply published."""
    stored_at: Instant
    lane: str
    envelope: Envelope

    @property
    def name(self) -> tuple[str, str, str]:
        """By which it is known."""
        return self.envelope.tenant, self.envelope.source, self.envelope.id


def work(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Write what came of lanes under leases that hold, and messages that are new."""
    return _work(server, transaction, given, is_unique=True)


def work_without_names(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Do the same in a schema in which no index knows messages by their names."""
    return _work(server, transaction, given, is_unique=False)


def _work(
    server: Server, transaction: Transaction, given: Sequence[Any], *, is_unique: bool
) -> Rows:
    office = server.store.office
    lanes = [*zip(*given[:_OF_LANE], strict=True)]
    handled = [*zip(*given[_OF_LANE : _OF_LANE + _OF_HANDLED], strict=True)]
    messages = [_message(row) for row in zip(*given[_OF_LANE + _OF_HANDLED :], strict=True)]
    known = [office.ids.get(each.name) if is_unique else None for each in messages]
    heard = {
        each.envelope.type: sorted(office.wanted.get(each.envelope.type, ())) for each in messages
    }
    yield from _lock_lanes(
        transaction,
        {id for id in (LaneId(row[0], row[1]) for row in lanes) if id in office.lanes},
        {
            LaneId(recipient, each.lane)
            for each, number in zip(messages, known, strict=True)
            if number is None
            for recipient in heard[each.envelope.type]
        },
    )
    fitting = [*_fitting(server, office, lanes, handled)]
    for n in fitting:
        of_it = [row for row in handled if row[0] == n]
        transaction.works.append(partial(_finish, office, _finished(lanes[n - 1], of_it)))
    seqs = [
        server.next_message() if number is None and each.of in {0, *fitting} else None
        for each, number in zip(messages, known, strict=True)
    ]
    numbered = {place: seq for place, seq in enumerate(seqs) if seq is not None}
    new = set(numbered)
    if is_unique:
        new = yield from _new(
            server, transaction, {place: messages[place].name for place in numbered}
        )
    for place in sorted(new):
        recipients = heard[messages[place].envelope.type]
        transaction.works.append(
            partial(_put, server, messages[place], numbered[place], recipients)
        )
    fresh = [place in new for place in range(len(messages))]
    told = [
        seq if is_fresh else office.ids.get(each.name, fresh_one)
        for each, seq, is_fresh, fresh_one in zip(
            messages, seqs, fresh, _first_of_name(messages, seqs, fresh), strict=True
        )
    ]
    pairs = [(name, recipient) for name in sorted(heard) for recipient in heard[name]]
    return [(fitting, told, fresh, [pair[0] for pair in pairs], [pair[1] for pair in pairs])]


def _lock_lanes(transaction: Transaction, *wanted: set[LaneId]) -> Waiting[None]:
    """Wait for lanes in one order."""
    for id in sorted({*wanted[0], *wanted[1]}, key=lambda id: (id.recipient, id.lane)):
        yield from transaction.lock(_name(id))


def _name(id: LaneId) -> str:
    return f"lane {id.recipient} {id.lane}"


def _fitting(
    server: Server, office: Office, lanes: Sequence[Any], handled: Sequence[Any]
) -> list[int]:
    """Return which lanes are finished under a lease that holds, by their places from 1."""
    fitting: list[int] = []
    for n, (recipient, name, worker, epoch, *_) in enumerate(lanes, 1):
        lane = office.lanes.get(LaneId(recipient, name))
        seqs = [row[3] for row in handled if row[0] == n]
        is_held = lane is not None and (lane.owner, lane.epoch) == (worker, epoch)
        if is_held and all(_is_due(office, seq, recipient) for seq in seqs):
            fitting.append(n)
        else:
            server.reached("lane: it is somebody else's")
    return fitting


def _is_due(office: Office, seq: int, recipient: str) -> bool:
    return office.delivery(DeliveryId(seq, recipient)).state is DeliveryState.DUE


def _new(
    server: Server, transaction: Transaction, names: Mapping[int, tuple[str, str, str]]
) -> Waiting[set[int]]:
    """Take names in one order, and say which were new, by their places."""
    new: dict[tuple[str, str, str], int] = {}
    for place, name in sorted(names.items(), key=lambda each: (each[1], each[0])):
        yield from transaction.lock(f"message {' '.join(name)}")
        if name in server.store.office.ids or name in new:
            server.reached("message: it was stored meanwhile")
        else:
            new[name] = place
    return {*new.values()}


def _first_of_name(
    messages: Sequence[_Given], seqs: Sequence[int | None], fresh: Sequence[bool]
) -> list[int | None]:
    """Return, for each message, the number under which its name is stored by this statement."""
    stored = {
        each.name: seq
        for each, seq, is_fresh in zip(messages, seqs, fresh, strict=True)
        if is_fresh
    }
    return [stored.get(each.name) for each in messages]


def _put(server: Server, given: _Given, seq: int, recipients: Sequence[str]) -> None:
    office = server.store.office
    stored = office.messages[seq] = StoredMessage(seq, given.stored_at, given.envelope)
    office.ids[given.name] = seq
    for recipient in recipients:
        office.give(stored, recipient, given.stored_at)
    server.stored(given.envelope.id)


def _finish(office: Office, finished: Finished) -> None:
    office.settle(office.lanes[finished.id], finished, finished.outcome)


def _finished(lane: Any, handled: Sequence[Any]) -> Finished:
    recipient, name, worker, epoch, at, release, _blocking = lane
    return Finished(
        id=LaneId(recipient, name),
        worker=worker,
        epoch=epoch,
        at=at,
        outcome=Outcome(handled=tuple(_handling(row[3:]) for row in handled)),
        release=release,
    )


def _handling(row: Sequence[Any]) -> Handling:
    seq, state, attempts, due_at, reason, error, fault, blocks = row
    match state:
        case "done":
            return Done(seq)
        case "due":
            return Later(seq=seq, due_at=due_at, error=error.encode(), is_attempt=bool(attempts))
        case _:
            return Dead(
                seq=seq,
                reason=reason,
                error=error.encode(),
                fault=fault,
                blocks=blocks,
                is_attempt=bool(attempts),
            )


def _message(row: Sequence[Any]) -> _Given:
    of, tenant, source, id, name, version, key, correlation, causation, trace, *others = row
    subject, headers, at, not_before, stored_at, lane, letter_recipient, _, _, body = others
    assert letter_recipient is None, "nothing comes from outside that cannot be read"
    assert not_before is None, "nothing has to wait for its time"
    envelope = envelope_of(
        (
            *(id, source, name, version, key, tenant, subject, correlation, causation, trace),
            *(headers, at, not_before, body),
        )
    )
    return _Given(of=of, stored_at=stored_at, lane=lane, envelope=envelope)


def were_written(server: Server, _transaction: Transaction, *given: Any) -> Rows:
    """Say of what did not fit whether it was written before, by the lease of its deliveries."""
    yield from ()
    office = server.store.office
    by_place: dict[int, list[bool]] = {}
    for place, recipient, seq, epoch in zip(*given, strict=True):
        delivery = office.messages[seq].deliveries[recipient]
        by_place.setdefault(place, []).append(delivery.epoch == epoch)
    return [(place,) for place, are in by_place.items() if all(are)]


# Leases -----------------------------------------------------------------------------------------


def take_lanes(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Lease lanes that are due, and return the oldest of what is due in each."""
    worker, recipients, rooms, limit, per_lane, caller_now, lease_micros, *_ = given
    yield from ()
    office, present = server.store.office, server.now()
    waiting = {each: _due(office, each, caller_now, present) for each in recipients}

    def due(recipient: str, _skipped: int, count: int) -> list[LaneRecord]:
        found: list[LaneRecord] = []
        while waiting[recipient] and len(found) < count:
            lane = waiting[recipient].pop(0)
            if transaction.locks.take_free(transaction, _name(lane.id)):
                found.append(lane)
            else:
                server.reached("lane: it is locked")
        return found

    room: Mapping[str, int] = dict(zip(recipients, rooms, strict=True))
    dealt = deal(due, room=room, limit=limit)
    taken = dealt[: claimed_at_once([lane.claims for lane in dealt])]
    epoch = server.next_lease()
    rows: list[Any] = []
    for lane in taken:
        if lane.owner is not None:
            server.reached("lane: its lease had run out")
        transaction.works.append(
            partial(office.hold, lane, worker, epoch, Instant(present + lease_micros))
        )
        rows += _rows_of(office, lane, epoch, per_lane)
    return rows


def _due(office: Office, recipient: str, caller_now: int, present: int) -> list[LaneRecord]:
    """Return the lanes of a recipient that are due: a lease ends by the server's clock alone."""
    lanes = [office.lanes[LaneId(recipient, name)] for _, name in office.queues.get(recipient, ())]
    return [
        lane
        for lane in lanes
        if lane.due_at is not None
        and lane.due_at <= (caller_now if lane.owner is None else present)
    ]


def _rows_of(office: Office, lane: LaneRecord, epoch: int, per_lane: int) -> list[Any]:
    shared = (lane.id.recipient, lane.id.lane, epoch, lane.claims + 1)
    oldest = office.oldest_of(lane, per_lane)
    return [(*shared, *_columns(office, each)) for each in oldest] or [(*shared, *(None,) * 18)]


def _columns(office: Office, delivery: StoredDelivery) -> tuple[Any, ...]:
    message = office.messages[delivery.id.seq].message
    headers = msgspec.json.encode(message.headers).decode() if message.headers else None
    return (
        *(delivery.due_at, delivery.id.seq, delivery.attempts, delivery.sending),
        *(message.id, message.source, message.type, message.version, message.key),
        *(message.tenant, message.subject, message.correlation, message.causation),
        *(message.traceparent, headers, message.at, message.not_before, message.body),
    )


def renew_lanes(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Extend the leases of lanes that a worker holds, but for those that are locked."""
    worker, recipients, names, lease_micros = given
    yield from ()
    office = server.store.office
    until = Instant(server.now() + lease_micros)
    renewed: list[Any] = []
    for recipient, name in sorted(zip(recipients, names, strict=True)):
        lane = office.lanes.get(LaneId(recipient, name))
        if lane is None or lane.owner != worker:
            server.reached("lane: it is not renewed")
        elif transaction.locks.take_free(transaction, _name(lane.id)):
            transaction.works.append(partial(office._move, lane, until))
            renewed.append((recipient, name))
    return renewed


def release_lanes(server: Server, transaction: Transaction, *given: Any) -> Rows:
    """Give held lanes back, as if they had not been taken."""
    worker, recipients, names, caller_now = given
    office = server.store.office
    for recipient, name in sorted(zip(recipients, names, strict=True)):
        id = LaneId(recipient, name)
        if not _is_held(office, id, worker):
            continue
        yield from transaction.lock(_name(id))
        if _is_held(office, id, worker):
            transaction.works.append(partial(_give_back, office, office.lanes[id], caller_now))
    return [(None,)]


def _is_held(office: Office, id: LaneId, worker: WorkerId) -> bool:
    return id in office.lanes and office.lanes[id].owner == worker


def _give_back(office: Office, lane: LaneRecord, at: Instant) -> None:
    lane.claims = max(lane.claims - 1, 0)
    office.give_back(lane, at)
