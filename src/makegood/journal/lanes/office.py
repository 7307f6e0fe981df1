"""What is known of messages in a store in memory? Records in dicts, and what changes them.

A lane's due deliveries are a sorted list of numbers. A recipient's lanes are a sorted list of
moments at which they may be taken; a held lane stands there with the end of its lease.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from makegood.journal.beside.models import RowKey
from makegood.journal.lanes.naming import lane_of
from makegood.journal.messages import (
    Dead,
    Delivery,
    DeliveryId,
    DeliveryState,
    Done,
    Due,
    Duplicate,
    Held,
    Kept,
    Lane,
    LaneId,
    Later,
    Malformed,
    Order,
    Stored,
)
from makegood.values.envelope import Envelope

if TYPE_CHECKING:
    from makegood.journal.beside.models import Edition, RowKept
    from makegood.journal.messages import Finished, Handling, Outcome, Receipt, Subscription
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["LaneRecord", "Office", "StoredDelivery", "StoredMessage"]

UNFINISHED = frozenset({DeliveryState.DUE, DeliveryState.LATER})
"""The states of a delivery that somebody is still to be given."""


class StoredMessage:
    """A message and its deliveries."""

    __slots__ = ("deliveries", "erased_at", "message", "seq", "stored_at")

    def __init__(self, seq: int, stored_at: Instant, message: Envelope) -> None:
        self.seq = seq
        self.stored_at = stored_at
        self.message = message
        self.deliveries: dict[str, StoredDelivery] = {}
        self.erased_at: Instant | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody is still to be given it."""
        return any(each.state in UNFINISHED for each in self.deliveries.values())

    def shown(self, *, whole: bool = False) -> Kept:
        """Return what is shown of it, with its body or without."""
        deliveries = self.deliveries
        return Kept(
            seq=self.seq,
            stored_at=self.stored_at,
            message=self.message if whole else replace(self.message, body=b""),
            deliveries=tuple(deliveries[name].shown(self) for name in sorted(deliveries)),
            erased_at=self.erased_at,
        )


class StoredDelivery:
    """One message for one recipient."""

    __slots__ = (
        "attempts",
        "blocks",
        "done_at",
        "due_at",
        "epoch",
        "error",
        "failed_at",
        "fault",
        "id",
        "lane",
        "order",
        "reason",
        "sending",
        "state",
    )

    def __init__(self, id: DeliveryId, lane: LaneId, due_at: Instant) -> None:
        self.id = id
        self.lane = lane
        self.state = DeliveryState.DUE
        self.due_at = due_at
        self.attempts = 0
        self.sending = 0
        self.reason: str | None = None
        self.error = b""
        self.fault = ""
        self.failed_at: Instant | None = None
        self.done_at: Instant | None = None
        self.order: Order | None = None
        self.epoch = 0
        """Under which lease it was handled last."""
        self.blocks = False

    def shown(self, of: StoredMessage) -> Delivery:
        """Return what is shown of it."""
        return Delivery(
            id=self.id,
            lane=self.lane.lane,
            state=self.state,
            attempts=self.attempts,
            sending=self.sending,
            due_at=self.due_at,
            reason=self.reason,
            error=self.error,
            fault=self.fault,
            failed_at=self.failed_at,
            done_at=self.done_at,
            order=self.order,
            stored_at=of.stored_at,
            message=replace(of.message, body=b""),
        )


class LaneRecord:
    """A lane while something is due in it, or a dead letter blocks it."""

    __slots__ = ("blocked_by", "claims", "due", "due_at", "epoch", "id", "owner")

    def __init__(self, id: LaneId) -> None:
        self.id = id
        self.due: list[int] = []
        """The numbers of the messages that are due, sorted."""
        self.due_at: Instant | None = None
        self.owner: WorkerId | None = None
        self.epoch = 0
        self.claims = 0
        self.blocked_by: int | None = None

    def shown(self) -> Lane:
        """Return what is shown of it."""
        return Lane(
            id=self.id,
            due_at=self.due_at,
            owner=self.owner,
            epoch=self.epoch,
            claims=self.claims,
            blocked_by=self.blocked_by,
        )


class Office:
    """Messages, deliveries and lanes, and the changes that can be made to them."""

    def __init__(self) -> None:
        self.messages: dict[int, StoredMessage] = {}
        """In the order in which they were stored."""
        self.ids: dict[tuple[str, str, str], int] = {}
        """Numbers by tenant, source and id."""
        self.wanted: dict[str, dict[str, Subscription]] = {}
        """Subscriptions by type and recipient."""
        self.lanes: dict[LaneId, LaneRecord] = {}
        self.queues: dict[str, list[tuple[Instant, str]]] = {}
        """By recipient, when each of its lanes may be taken, sorted."""
        self.later: list[tuple[Instant, DeliveryId]] = []
        """What has no place in its lane before its time, sorted."""
        self.held: dict[WorkerId, set[LaneId]] = {}
        self.listeners: dict[str, tuple[WorkerId, Instant]] = {}
        """By the names under which they listen, and until when the name is theirs."""
        self.editions: dict[tuple[str, int], Edition] = {}
        """The editions of read models, by model and number."""
        self.rows: dict[str, dict[RowKey, RowKept]] = {}
        """The rows of each, by its recipient."""
        self.sources: dict[str, dict[int, str]] = {}
        """By recipient and number, to which row a message went that is not that of its key."""
        self._last = 0
        self._leases = 0

    def delivery(self, id: DeliveryId) -> StoredDelivery:
        """Return a delivery that is there."""
        return self.messages[id.seq].deliveries[id.recipient]

    # Storing

    def store(self, message: Envelope | Malformed, now: Instant) -> Receipt:
        """Store a message and its deliveries, unless it is known."""
        name = (message.tenant, message.source, message.id)
        known = self.ids.get(name)
        if known is not None:
            return Duplicate(known)
        self._last += 1
        seq = self.ids[name] = self._last
        if isinstance(message, Malformed):
            self._store_malformed(seq, message, now)
            return Stored(seq)
        stored = self.messages[seq] = StoredMessage(seq, now, message)
        recipients = tuple(sorted(self.wanted.get(message.type, ())))
        for recipient in recipients:
            self.give(stored, recipient, now)
        return Stored(seq, recipients)

    def give(self, stored: StoredMessage, recipient: str, now: Instant) -> None:
        """Let a recipient be given a message, unless it is already."""
        if recipient in stored.deliveries:
            return
        message = stored.message
        lane = LaneId(recipient, lane_of(message))
        delivery = StoredDelivery(DeliveryId(stored.seq, recipient), lane, now)
        stored.deliveries[recipient] = delivery
        if message.not_before is not None and message.not_before > now:
            delivery.state = DeliveryState.LATER
            delivery.due_at = message.not_before
            insort(self.later, (message.not_before, delivery.id))
        else:
            self._put_in_line(delivery)

    def _store_malformed(self, seq: int, raw: Malformed, now: Instant) -> None:
        message = Envelope(
            id=raw.id,
            source=raw.source,
            type="",
            body=raw.body,
            at=raw.at,
            correlation="",
            tenant=raw.tenant,
            headers=raw.headers,
        )
        stored = self.messages[seq] = StoredMessage(seq, now, message)
        delivery = StoredDelivery(
            DeliveryId(seq, raw.recipient), LaneId(raw.recipient, lane_of(raw)), now
        )
        delivery.state, delivery.reason, delivery.error = DeliveryState.DEAD, raw.reason, raw.error
        delivery.failed_at = now
        stored.deliveries[raw.recipient] = delivery

    def promote(self, now: Instant, *, limit: int) -> None:
        """Give what has waited for its time its place in its lane."""
        count = bisect_right(self.later, now, key=lambda each: each[0])
        come = self.later[: min(count, limit)]
        del self.later[: len(come)]
        for _, id in come:
            delivery = self.delivery(id)
            delivery.state = DeliveryState.DUE
            self._put_in_line(delivery)

    def _put_in_line(self, delivery: StoredDelivery) -> None:
        """Let a due delivery stand in its lane, which is made where there is none."""
        lane = self.lanes.get(delivery.lane)
        if lane is None:
            lane = self.lanes[delivery.lane] = LaneRecord(delivery.lane)
            self._move(lane, delivery.due_at)
        insort(lane.due, delivery.id.seq)
        is_first = lane.due[0] == delivery.id.seq
        if is_first and lane.owner is None and lane.due_at is not None:
            self._move(lane, min(lane.due_at, delivery.due_at))

    # Taking

    def due_behind(
        self, recipient: str, last: LaneRecord | None, count: int, now: Instant
    ) -> list[LaneRecord]:
        """Return lanes that may be taken, the longest due first, behind one or from the start."""
        queue = self.queues.get(recipient, [])
        start = 0
        if last is not None:
            assert last.due_at is not None, "what was due has a due time"
            start = bisect_left(queue, (last.due_at, last.id.lane)) + 1
        found = [name for due_at, name in queue[start : start + count] if due_at <= now]
        return [self.lanes[LaneId(recipient, name)] for name in found]

    def next_epoch(self) -> int:
        """Return a number for a lease that no other has."""
        self._leases += 1
        return self._leases

    def hold(self, lane: LaneRecord, worker: WorkerId, epoch: int, until: Instant) -> None:
        """Lease a lane to a worker."""
        self._let_go(lane)
        lane.owner, lane.epoch = worker, epoch
        lane.claims += 1
        self.held.setdefault(worker, set()).add(lane.id)
        self._move(lane, until)

    def renew(self, worker: WorkerId, until: Instant) -> None:
        """Let everything that a worker holds be its own until then."""
        for id in self.held.get(worker, ()):
            self._move(self.lanes[id], until)
        for name, (listener, _) in self.listeners.items():
            if listener == worker:
                self.listeners[name] = (worker, until)

    def handed(self, lane: LaneRecord, due: list[StoredDelivery]) -> Held:
        """Return a held lane with these deliveries, as its worker is given it."""
        return Held(
            id=lane.id,
            epoch=lane.epoch,
            claims=lane.claims,
            due=tuple(
                Due(
                    seq=each.id.seq,
                    attempts=each.attempts,
                    sending=each.sending,
                    message=self.messages[each.id.seq].message,
                )
                for each in due
            ),
        )

    def oldest_of(self, lane: LaneRecord, count: int) -> list[StoredDelivery]:
        """Return the oldest of what is due in a lane."""
        recipient = lane.id.recipient
        return [self.delivery(DeliveryId(seq, recipient)) for seq in lane.due[:count]]

    # Finishing

    def was_written(self, finished: Finished) -> bool:
        """Say whether this was written before: each of its deliveries knows under which lease."""
        local = finished.local
        seqs = [each.seq for each in finished.outcome.handled] if local is None else [local.seq]
        found = [self._delivery_or_none(seq, finished.id.recipient) for seq in seqs]
        return bool(found) and all(
            each is not None and each.epoch == finished.epoch for each in found
        )

    def holds(self, finished: Finished) -> LaneRecord | None:
        """Return the lane if its worker holds it under this lease."""
        lane = self.lanes.get(finished.id)
        if lane is None or (lane.owner, lane.epoch) != (finished.worker, finished.epoch):
            return None
        return lane

    def settle(self, lane: LaneRecord, finished: Finished, outcome: Outcome) -> None:
        """Write what came of a lane's deliveries, and give it back or keep it."""
        for each in outcome.handled:
            self._handle(lane, each, finished)
        if outcome.handled:
            lane.claims = 0
        if finished.release:
            self.give_back(lane, finished.at)

    def give_back(self, lane: LaneRecord, at: Instant) -> None:
        """Let nobody hold a lane: it stands behind all that are due now, or is gone."""
        self._let_go(lane)
        if lane.blocked_by is not None:
            self._move(lane, None)
        elif lane.due:
            first = self.delivery(DeliveryId(lane.due[0], lane.id.recipient))
            self._move(lane, max(first.due_at, at))
        else:
            self._move(lane, None)
            del self.lanes[lane.id]

    def _handle(self, lane: LaneRecord, handled: Handling, finished: Finished) -> None:
        delivery = self.delivery(DeliveryId(handled.seq, lane.id.recipient))
        delivery.epoch = finished.epoch
        match handled:
            case Done():
                delivery.state, delivery.done_at = DeliveryState.DONE, finished.at
                delivery.attempts += 1
            case Later():
                delivery.due_at, delivery.error = handled.due_at, handled.error
                delivery.failed_at = finished.at
                delivery.attempts += handled.is_attempt
                return
            case Dead():
                delivery.state, delivery.failed_at = DeliveryState.DEAD, finished.at
                delivery.reason, delivery.error = handled.reason, handled.error
                delivery.fault, delivery.blocks = handled.fault, handled.blocks
                delivery.attempts += handled.is_attempt
                if handled.blocks:
                    lane.blocked_by = handled.seq
            case _:
                assert_never(handled)
        lane.due.remove(handled.seq)

    # Operating

    def send_again(self, delivery: StoredDelivery, order: Order) -> None:
        """Make a dead letter due again."""
        delivery.state, delivery.order = DeliveryState.DUE, order
        delivery.attempts, delivery.due_at = 0, order.at
        delivery.sending += 1
        self._put_in_line(delivery)
        self._unblock(delivery, order.at)

    def put_away(self, delivery: StoredDelivery, order: Order) -> None:
        """Discard a dead letter."""
        delivery.state, delivery.order = DeliveryState.DISCARDED, order
        self._unblock(delivery, order.at)

    def _unblock(self, delivery: StoredDelivery, at: Instant) -> None:
        delivery.blocks = False
        lane = self.lanes.get(delivery.lane)
        if lane is not None and lane.blocked_by == delivery.id.seq:
            lane.blocked_by = None
            if lane.owner is None:
                self.give_back(lane, at)

    def erase(self, stored: StoredMessage, now: Instant) -> None:
        """Take out of a message what somebody wrote into it."""
        self._tear_rows(stored)
        stored.message = replace(stored.message, body=b"", headers=(), subject=None)
        stored.erased_at = now
        for each in stored.deliveries.values():
            if each.state is DeliveryState.DEAD:
                self.put_away(each, Order(actor="makegood", reason="erased", at=now))
            each.error = b""

    def _tear_rows(self, stored: StoredMessage) -> None:
        """Empty the rows of read models that a message went to."""
        message = stored.message
        for recipient, rows in self.rows.items():
            for key in {message.key, self.sources.get(recipient, {}).get(stored.seq)}:
                at = None if key is None else RowKey(message.tenant, key)
                if at in rows:
                    before = rows[at]
                    rows[at] = replace(
                        before, body=None, revision=before.revision + 1, is_torn=True
                    )

    def take_from(self, recipient: str, count: int) -> bool:
        """Remove so much of what a recipient was given; say whether there is more."""
        given = [each for each in self.messages.values() if recipient in each.deliveries]
        for stored in given[:count]:
            del stored.deliveries[recipient]
        if len(given) > count:
            return True
        self.later = [each for each in self.later if each[1].recipient != recipient]
        self.queues.pop(recipient, None)
        for id in [each for each in self.lanes if each.recipient == recipient]:
            lane = self.lanes.pop(id)
            if lane.owner is not None:
                self.held[lane.owner].discard(id)
        self.rows.pop(recipient, None)
        self.sources.pop(recipient, None)
        return False

    def forget(self, stored: StoredMessage) -> None:
        """Remove a message and its deliveries."""
        message = stored.message
        del self.messages[stored.seq]
        del self.ids[message.tenant, message.source, message.id]

    # Where lanes stand

    def _let_go(self, lane: LaneRecord) -> None:
        if lane.owner is not None:
            self.held[lane.owner].discard(lane.id)
            lane.owner = None

    def _move(self, lane: LaneRecord, due_at: Instant | None) -> None:
        """Let a lane stand where its new moment places it, or nowhere."""
        queue = self.queues.setdefault(lane.id.recipient, [])
        if lane.due_at is not None:
            del queue[bisect_left(queue, (lane.due_at, lane.id.lane))]
        lane.due_at = due_at
        if due_at is not None:
            insort(queue, (due_at, lane.id.lane))

    def _delivery_or_none(self, seq: int, recipient: str) -> StoredDelivery | None:
        stored = self.messages.get(seq)
        return None if stored is None else stored.deliveries.get(recipient)
