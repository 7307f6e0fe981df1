"""Messages that are remembered while the process lives: the promises of `KeepsMessages` over dicts.

Nothing here suspends. A lease ends by the instants that callers hand in, as that of a run does in
the journal in memory: every call of `take` renews what its worker holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from makegood.errors import MakegoodError
from makegood.journal.beside.memory_models import MemoryModels
from makegood.journal.beside.models import MODEL_PREFIX
from makegood.journal.lanes.choosing import is_chosen, is_shown, other_owner
from makegood.journal.lanes.dealing import (
    handed_out,
    lanes_taken,
    require_sound,
    require_sound_outcome,
)
from makegood.journal.messages import (
    Deliveries,
    DeliveryState,
    Erased,
    Kept,
    Lag,
    Messages,
    Moved,
    Pruned,
    Settled,
    Subscription,
)
from makegood.journal.protocol import Fenced, Refused
from makegood.journal.reply import Reply
from makegood.values.instants import Instant
from makegood.values.limits import LAG_COUNTED_MAX, PAGE_MESSAGES_MAX, PROMOTED_AT_ONCE_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from makegood.journal.lanes.office import LaneRecord, Office, StoredDelivery, StoredMessage
    from makegood.journal.mail import Exists, Post
    from makegood.journal.memory_store import MemoryStore
    from makegood.journal.messages import (
        DeliveryFilter,
        Finished,
        Held,
        Lane,
        LaneId,
        Malformed,
        MessageFilter,
        Order,
        Receipt,
    )
    from makegood.values.envelope import Envelope
    from makegood.values.ids import WorkerId

__all__ = ["MemoryMessages"]

T = TypeVar("T")


class MemoryMessages:
    """What one worker's journal in memory keeps of messages.

    `require_open` raises where the journal is not open, `works` says whether it may hold lanes, and
    `put` makes a post.
    """

    def __init__(
        self,
        store: MemoryStore,
        *,
        require_open: Callable[[], None],
        works: Callable[[], bool],
        put: Callable[[Post], int | Exists],
    ) -> None:
        self._store = store
        self._require_open = require_open
        self._works = works
        self._put = put
        self.models = MemoryModels(lambda: self._office, works=works)
        """What this store keeps of read models."""

    @property
    def _office(self) -> Office:
        self._require_open()
        return self._store.office

    async def subscribe(self, subscriptions: Sequence[Subscription], *, now: Instant) -> None:
        """Let recipients be given every message of their types from now on."""
        wanted = self._office.wanted
        for each in subscriptions:
            of_type = wanted.setdefault(each.type, {})
            known = of_type.get(each.recipient)
            since = now if known is None else known.since
            of_type[each.recipient] = Subscription(
                recipient=each.recipient, type=each.type, since=since, seen_at=now
            )

    async def own(
        self, subscriptions: Sequence[Subscription], *, beside: tuple[str, ...], now: Instant
    ) -> Subscription | None:
        """Be given every message of these types as nobody else is; return who is already."""
        other = other_owner(subscriptions, await self.subscriptions(), beside)
        if other is None:
            await self.subscribe(subscriptions, now=now)
        return other

    async def unsubscribe(self, recipient: str, types: Sequence[str]) -> int:
        """End subscriptions of a recipient; return how many there were."""
        wanted = self._office.wanted
        ended = [wanted.get(name, {}).pop(recipient, None) for name in types]
        return sum(each is not None for each in ended)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return who wants what."""
        found = [each for of_type in self._office.wanted.values() for each in of_type.values()]
        return tuple(sorted(found, key=lambda each: (each.recipient, each.type)))

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Reply[tuple[Receipt, ...]]:
        """Store messages; the receipts are there already."""
        return _given(lambda: tuple(self._office.store(each, now) for each in messages))

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Renew what this worker holds, and lease lanes that are due."""
        office = self._office
        if not self._works():
            return ()
        until = Instant(now + self._store.lease_micros)
        office.renew(worker, until)
        office.promote(now, limit=PROMOTED_AT_ONCE_MAX)
        taken: list[LaneRecord] = lanes_taken(
            lambda recipient, last, count: office.due_behind(recipient, last, count, now),
            room=room,
            limit=limit,
        )
        epoch = office.next_epoch()
        for lane in taken:
            office.hold(lane, worker, epoch, until)
        held: list[Held] = []
        for lane in taken:
            due = handed_out(office.oldest_of(lane, per_lane), now)
            if due:
                held.append(office.handed(lane, due))
            else:
                lane.claims -= 1
                office.give_back(lane, now)
        return tuple(held)

    def finish(self, finished: Finished) -> Reply[Settled | Fenced | Refused]:
        """Remember what came of a lane's deliveries; the verdict is there already."""
        require_sound(finished)
        return _given(lambda: self._settled(finished))

    async def release(self, worker: WorkerId, lanes: Sequence[LaneId], *, now: Instant) -> None:
        """Give lanes back that were not worked on."""
        office = self._office
        for id in lanes:
            lane = office.lanes.get(id)
            if lane is not None and lane.owner == worker:
                lane.claims = max(0, lane.claims - 1)
                office.give_back(lane, now)

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Become the one that listens under a name, or stay it; say whether that was done."""
        listeners = self._office.listeners
        if not self._works():
            return False
        listener, until = listeners.get(name, (worker, now))
        if listener != worker and now < until:
            return False
        listeners[name] = (worker, Instant(now + self._store.lease_micros))
        return True

    async def release_listening(self, name: str, worker: WorkerId, *, now: Instant) -> None:
        """Let others listen under a name."""
        del now
        listener, _ = self._office.listeners.get(name, (None, None))
        if listener == worker:
            del self._office.listeners[name]

    async def resend(self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False) -> Moved:
        """Make dead letters due again."""
        return self._moved(chosen, order, None if dry_run else self._office.send_again)

    async def discard(
        self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False
    ) -> Moved:
        """Put dead letters away."""
        return self._moved(chosen, order, None if dry_run else self._office.put_away)

    async def deliveries(self, filter: DeliveryFilter) -> Deliveries:
        """Return one page of deliveries."""
        after = filter.after
        found = (
            delivery.shown(stored)
            for stored in self._newest_first()
            for _, delivery in sorted(stored.deliveries.items(), reverse=True)
            if is_chosen(filter, delivery.shown(stored)) and (after is None or delivery.id < after)
        )
        rows, has_more = _page(found, filter.limit)
        return Deliveries(rows=rows, next=rows[-1].id if has_more else None)

    async def messages(self, filter: MessageFilter) -> Messages:
        """Return one page of messages and what became of them."""
        after = filter.after
        found = (
            stored.shown()
            for stored in self._newest_first()
            if (after is None or stored.seq < after) and is_shown(filter, stored.shown())
        )
        rows, has_more = _page(found, filter.limit)
        return Messages(rows=rows, next=rows[-1].seq if has_more else None)

    async def message(self, seq: int) -> Kept | None:
        """Return a message as it was stored, with its body, or None."""
        stored = self._office.messages.get(seq)
        return None if stored is None else stored.shown(whole=True)

    async def lanes(
        self, recipient: str, *, after: LaneId | None = None, limit: int
    ) -> tuple[Lane, ...]:
        """Return lanes of a recipient, sorted by their names."""
        found = sorted(
            id
            for id in self._office.lanes
            if id.recipient == recipient and (after is None or id > after)
        )
        return tuple(self._office.lanes[id].shown() for id in found[:limit])

    async def lag(self) -> tuple[Lag, ...]:
        """Return how far every recipient is behind."""
        waiting: dict[str, list[Instant]] = {}
        dead: dict[str, int] = {}
        for stored in self._office.messages.values():
            for each in stored.deliveries.values():
                of_recipient = waiting.setdefault(each.id.recipient, [])
                dead.setdefault(each.id.recipient, 0)
                if each.state is DeliveryState.DUE:
                    of_recipient.append(stored.stored_at)
                dead[each.id.recipient] += each.state is DeliveryState.DEAD
        subscribed = {each.recipient for each in await self.subscriptions()}
        return tuple(
            Lag(
                recipient=name,
                waiting=min(len(waiting.get(name, ())), LAG_COUNTED_MAX),
                oldest_at=min(waiting.get(name, ()), default=None),
                dead=min(dead.get(name, 0), LAG_COUNTED_MAX),
            )
            for name in sorted(subscribed | {name for name in dead if waiting[name] or dead[name]})
        )

    async def prune(
        self,
        *,
        before: Instant,
        dead_before: Instant,
        limit: int,
        after: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Forget old messages."""
        office = self._office
        looked_at = [seq for seq in office.messages if after is None or seq > after][:limit]
        old = [office.messages[seq] for seq in looked_at if office.messages[seq].stored_at < before]
        over = [stored for stored in old if not _is_needed(stored, dead_before)]
        for stored in () if dry_run else over:
            office.forget(stored)
        goes_on = bool(old) and len(looked_at) == limit
        return Pruned(count=len(over), next=looked_at[-1] if goes_on else None)

    async def erase(
        self,
        *,
        subject: str | None = None,
        tenant: str = "",
        key: str | None = None,
        limit: int,
        now: Instant,
    ) -> Erased:
        """Take what is about a subject, or of a key, out of the store."""
        assert (subject is None) != (key is None), "either a subject or a key is erased"
        office = self._office
        meant = [
            stored
            for stored in office.messages.values()
            if stored.erased_at is None
            and (
                stored.message.subject == subject
                if key is None
                else (stored.message.tenant, stored.message.key) == (tenant, key)
            )
        ]
        erased = [stored for stored in meant if not stored.is_waited_for][:limit]
        for stored in erased:
            office.erase(stored, now)
        return Erased(count=len(erased), waiting=sum(stored.is_waited_for for stored in meant))

    def _settled(self, finished: Finished) -> Settled | Fenced | Refused:
        office = self._office
        lane = office.holds(finished) if self._works() else None
        if lane is None or not _are_due(lane, finished):
            return Settled() if office.was_written(finished) else Fenced()
        outcome = finished.outcome
        if finished.writes or finished.local is not None:
            made = self._store.scratch().apply(finished.writes, finished.local)
            if isinstance(made, Refused):
                return made
            outcome = outcome if made is None else made
            require_sound_outcome(finished, outcome)
        office.settle(lane, finished, outcome)
        for message in outcome.messages:
            office.store(message, finished.at)
        return Settled(outcome, tuple(self._put(post) for post in outcome.starts))

    def _moved(
        self,
        chosen: DeliveryFilter,
        order: Order,
        move: Callable[[StoredDelivery, Order], None] | None,
    ) -> Moved:
        wanted = replace(chosen, states=frozenset({DeliveryState.DEAD}))
        found = (
            delivery
            for _, stored in sorted(self._office.messages.items())
            for _, delivery in sorted(stored.deliveries.items())
            if is_chosen(wanted, delivery.shown(stored))
        )
        meant, has_more = _page(found, chosen.limit)
        for delivery in meant if move is not None else ():
            assert move is not None, "nothing is moved in a dry run"
            move(delivery, order)
        return Moved(ids=tuple(each.id for each in meant), has_more=has_more)

    def _newest_first(self) -> Iterator[StoredMessage]:
        messages = self._office.messages
        return (messages[seq] for seq in sorted(messages, reverse=True))


def _given(outcome: Callable[[], T]) -> Reply[T]:
    given: Reply[T] = Reply()
    try:
        given.give(outcome())
    except MakegoodError as error:
        given.give(error)
    return given


def _page(found: Iterator[T], limit: int) -> tuple[tuple[T, ...], bool]:
    """Return as many as a page may hold, and whether there are more."""
    size = min(limit, PAGE_MESSAGES_MAX)
    rows: list[T] = []
    for each in found:
        if len(rows) == size:
            return tuple(rows), True
        rows.append(each)
    return tuple(rows), False


def _are_due(lane: LaneRecord, finished: Finished) -> bool:
    local = finished.local
    seqs = [each.seq for each in finished.outcome.handled] if local is None else [local.seq]
    return all(seq in lane.due for seq in seqs)


def _is_needed(stored: StoredMessage, dead_before: Instant) -> bool:
    """Say whether a message is still to be given to somebody, or has a dead letter to be kept.

    A read model needs what it was made of, to be made again.
    """
    if any(name.startswith(MODEL_PREFIX) for name in stored.deliveries):
        return True
    return stored.is_waited_for or any(
        each.state is DeliveryState.DEAD
        and (each.blocks or each.failed_at is None or each.failed_at >= dead_before)
        for each in stored.deliveries.values()
    )
