"""What a journal keeps of messages, at the other end of a wire."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from makegood.journal.reply import Reply
from makegood.testing.simulation.models import SimulatedModels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from makegood.journal.messages import (
        Deliveries,
        DeliveryFilter,
        Erased,
        Finished,
        Held,
        KeepsMessages,
        Kept,
        Lag,
        Lane,
        LaneId,
        Malformed,
        MessageFilter,
        Messages,
        Moved,
        Order,
        Pruned,
        Receipt,
        Settled,
        Subscription,
    )
    from makegood.journal.protocol import Fenced, Refused
    from makegood.testing.simulation.calls import Calls
    from makegood.values.envelope import Envelope
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["SimulatedMessages"]


class SimulatedMessages:
    """What a worker asks of messages takes time and fares as the fates say; what people ask not."""

    def __init__(self, messages: KeepsMessages, calls: Calls) -> None:
        self._messages = messages
        self._calls = calls
        self.models = SimulatedModels(messages.models, calls)

    async def subscribe(self, subscriptions: Sequence[Subscription], *, now: Instant) -> None:
        """Let recipients be given every message of their types from now on."""
        work = partial(self._messages.subscribe, subscriptions, now=now)
        await self._calls.ask("subscribe", "", work)

    async def own(
        self, subscriptions: Sequence[Subscription], *, beside: tuple[str, ...], now: Instant
    ) -> Subscription | None:
        """Be given every message of these types as nobody else is; return who is already."""
        work = partial(self._messages.own, subscriptions, beside=beside, now=now)
        return await self._calls.ask("subscribe", "", work)

    async def unsubscribe(self, recipient: str, types: Sequence[str]) -> int:
        """End subscriptions of a recipient, at once."""
        return await self._messages.unsubscribe(recipient, types)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return who wants what, at once."""
        return await self._messages.subscriptions()

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Reply[tuple[Receipt, ...]]:
        """Store messages, and return a receipt for each."""
        given: Reply[tuple[Receipt, ...]] = Reply()
        subject = messages[0].id if messages else ""
        work = partial(self._messages.publish, messages, now=now)
        self._calls.carry("publish", subject, lambda: work().result(), given.give)
        return given

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Lease lanes that are due."""
        work = partial(
            self._messages.take, worker, room=room, per_lane=per_lane, limit=limit, now=now
        )
        return await self._calls.ask("take", "", work)

    def finish(self, finished: Finished) -> Reply[Settled | Fenced | Refused]:
        """Remember what came of a lane's deliveries."""
        given: Reply[Settled | Fenced | Refused] = Reply()
        work = partial(self._messages.finish, finished)
        self._calls.carry("finish", finished.id.lane, lambda: work().result(), given.give)
        return given

    async def release(self, worker: WorkerId, lanes: Sequence[LaneId], *, now: Instant) -> None:
        """Give lanes back that were not worked on."""
        work = partial(self._messages.release, worker, lanes, now=now)
        await self._calls.ask("give_back", "", work)

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Become the one that listens under a name, or stay it; say whether that was done."""
        work = partial(self._messages.claim_listening, name, worker, now=now)
        return await self._calls.ask("claim_listening", name, work)

    async def release_listening(self, name: str, worker: WorkerId, *, now: Instant) -> None:
        """Let others listen under a name."""
        work = partial(self._messages.release_listening, name, worker, now=now)
        await self._calls.ask("release_listening", name, work)

    async def resend(self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False) -> Moved:
        """Make dead letters due again, at once."""
        return await self._messages.resend(chosen, order, dry_run=dry_run)

    async def discard(
        self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False
    ) -> Moved:
        """Put dead letters away, at once."""
        return await self._messages.discard(chosen, order, dry_run=dry_run)

    async def deliveries(self, filter: DeliveryFilter) -> Deliveries:
        """Return one page of deliveries, at once."""
        return await self._messages.deliveries(filter)

    async def messages(self, filter: MessageFilter) -> Messages:
        """Return one page of messages, at once."""
        return await self._messages.messages(filter)

    async def message(self, seq: int) -> Kept | None:
        """Return a message as it was stored."""
        return await self._calls.ask("read", "", partial(self._messages.message, seq))

    async def lanes(
        self, recipient: str, *, after: LaneId | None = None, limit: int
    ) -> tuple[Lane, ...]:
        """Return lanes of a recipient, at once."""
        return await self._messages.lanes(recipient, after=after, limit=limit)

    async def lag(self) -> tuple[Lag, ...]:
        """Return how far every recipient is behind, at once."""
        return await self._messages.lag()

    async def prune(
        self,
        *,
        before: Instant,
        dead_before: Instant,
        limit: int,
        after: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Forget old messages, at once: nothing else depends on when."""
        return await self._messages.prune(
            before=before, dead_before=dead_before, limit=limit, after=after, dry_run=dry_run
        )

    async def erase(
        self,
        *,
        subject: str | None = None,
        tenant: str = "",
        key: str | None = None,
        limit: int,
        now: Instant,
    ) -> Erased:
        """Take what is about a subject, or of a key, out of the store, at once."""
        return await self._messages.erase(
            subject=subject, tenant=tenant, key=key, limit=limit, now=now
        )
