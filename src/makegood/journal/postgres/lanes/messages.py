"""Messages on the server: the promises of `KeepsMessages` over one carrier and a pool."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from makegood.errors import MakegoodError
from makegood.journal.lanes.asking import About
from makegood.journal.lanes.dealing import require_sound
from makegood.journal.lanes.naming import listening_as
from makegood.journal.lanes.showing import (
    deliveries_shown,
    lag_of_all,
    lanes_shown,
    message_shown,
    messages_shown,
    subscriptions_kept,
)
from makegood.journal.messages import Order
from makegood.journal.postgres.connection import in_transaction
from makegood.journal.postgres.lanes.models import PostgresModels
from makegood.journal.postgres.lanes.operating import (
    erase_messages,
    move_letters,
    own_types,
    prunable_messages,
    prune_messages,
    subscribe_to,
    unsubscribe_from,
)
from makegood.journal.postgres.lanes.showing import dialect_of, shown_on
from makegood.journal.protocol import Fenced
from makegood.journal.reply import Reply, given

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from makegood.journal.lanes.asking import Dialect
    from makegood.journal.lanes.showing import Shown
    from makegood.journal.messages import (
        Deliveries,
        DeliveryFilter,
        Erased,
        Finished,
        Held,
        Kept,
        Lag,
        Lane,
        LaneId,
        Malformed,
        MessageFilter,
        Messages,
        Moved,
        Pruned,
        Receipt,
        Settled,
        Subscription,
    )
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.lanes.carrying import Carrier
    from makegood.journal.postgres.lanes.taking import LanesHeld
    from makegood.journal.postgres.place import Place
    from makegood.journal.postgres.working.work import Work
    from makegood.journal.protocol import Refused
    from makegood.values.envelope import Envelope
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["PostgresMessages"]

T = TypeVar("T")


class _Opened(Protocol):
    """What an open journal has for messages."""

    work: Work | None

    @property
    def carrier(self) -> Carrier: ...

    @property
    def lanes(self) -> LanesHeld: ...

    @property
    def desk(self) -> Desk: ...

    def ring_anybody(self) -> None: ...


class PostgresMessages:
    """What a journal on a server keeps of messages. `ready` raises where it is not open."""

    def __init__(self, place: Place, ready: Callable[[], _Opened]) -> None:
        self._schema = place.schema
        self._ready = ready
        self.models = PostgresModels(place.schema, ready)
        """What it keeps of read models."""

    async def subscribe(self, subscriptions: Sequence[Subscription], *, now: Instant) -> None:
        """Let recipients be given every message of their types from now on."""
        await self._ask(partial(subscribe_to, subscriptions=subscriptions, now=now))

    async def own(
        self, subscriptions: Sequence[Subscription], *, beside: tuple[str, ...], now: Instant
    ) -> Subscription | None:
        """Be given every message of these types as nobody else is; return who is already."""
        return await self._at_once(
            partial(own_types, subscriptions=subscriptions, beside=beside, now=now)
        )

    async def unsubscribe(self, recipient: str, types: Sequence[str]) -> int:
        """End subscriptions of a recipient; return how many there were."""
        return await self._ask(partial(unsubscribe_from, recipient=recipient, types=types))

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return who wants what."""
        return await self._shown(subscriptions_kept)

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Reply[tuple[Receipt, ...]]:
        """Queue messages for the next commit."""
        try:
            carrier = self._ready().carrier
            return carrier.publish(messages, now) if messages else given(())
        except MakegoodError as error:
            return given(error)

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Lease lanes that are due; none while leases cannot be renewed."""
        opened = self._ready()
        if opened.work is None or not opened.work.heartbeat.is_heard:
            return ()
        return await opened.lanes.take(worker, room=room, per_lane=per_lane, limit=limit, now=now)

    def finish(self, finished: Finished) -> Reply[Settled | Fenced | Refused]:
        """Queue what came of a lane's deliveries; a journal that only reads is fenced."""
        require_sound(finished)
        try:
            opened = self._ready()
            return given(Fenced()) if opened.work is None else opened.carrier.finish(finished)
        except MakegoodError as error:
            return given(error)

    async def release(self, worker: WorkerId, lanes: Sequence[LaneId], *, now: Instant) -> None:
        """Give lanes back that were not worked on."""
        await self._ready().lanes.release(worker, lanes, now=now)

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Become the one that listens under a name, unless leases cannot be renewed."""
        opened = self._ready()
        if opened.work is None or not opened.work.heartbeat.is_heard:
            return False
        return await opened.lanes.claim_listening(name, worker, now=now)

    async def release_listening(self, name: str, worker: WorkerId, *, now: Instant) -> None:
        """Let others listen under a name."""
        await self._ready().lanes.release(worker, [listening_as(name)], now=now)

    async def resend(self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False) -> Moved:
        """Make dead letters due again, and have somebody rung for them."""
        ordered = None if dry_run else order
        moved = await self._at_once(partial(move_letters, chosen=chosen, order=ordered, again=True))
        if moved.ids and not dry_run:
            self._ready().ring_anybody()
        return moved

    async def discard(
        self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False
    ) -> Moved:
        """Put dead letters away."""
        ordered = None if dry_run else order
        return await self._at_once(partial(move_letters, chosen=chosen, order=ordered, again=False))

    async def deliveries(self, filter: DeliveryFilter) -> Deliveries:
        """Return one page of deliveries."""
        return await self._shown(partial(deliveries_shown, filter=filter))

    async def messages(self, filter: MessageFilter) -> Messages:
        """Return one page of messages and what became of them."""
        return await self._shown(partial(messages_shown, filter=filter))

    async def message(self, seq: int) -> Kept | None:
        """Return a message as it was stored, with its body, or None."""
        return await self._shown(partial(message_shown, seq=seq))

    async def lanes(
        self, recipient: str, *, after: LaneId | None = None, limit: int
    ) -> tuple[Lane, ...]:
        """Return lanes of a recipient, sorted by their names."""
        return await self._shown(
            partial(lanes_shown, recipient=recipient, after=after, limit=limit)
        )

    async def lag(self) -> tuple[Lag, ...]:
        """Return how far every recipient is behind."""
        return await self._shown(lag_of_all)

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
        return await self._ask(
            partial(
                prunable_messages if dry_run else prune_messages,
                before=before,
                dead_before=dead_before,
                limit=limit,
                after=after or 0,
            )
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
        """Take what is about a subject, or of a key, out of the store."""
        about = About(subject, tenant, key)
        order = Order(actor="makegood", reason="erased", at=now)
        return await self._at_once(partial(erase_messages, about=about, limit=limit, order=order))

    async def _ask(self, question: Callable[[Connection, str], Awaitable[T]]) -> T:
        return await self._ready().desk.ask(partial(_asked, question=question, schema=self._schema))

    async def _shown(self, shown: Callable[[Dialect], Shown[T]]) -> T:
        async def answered(connection: Connection) -> T:
            return await shown_on(connection, shown(dialect_of(self._schema)))

        return await self._ready().desk.ask(answered)

    async def _at_once(self, question: Callable[[Connection, str], Awaitable[T]]) -> T:
        """Ask what takes several statements, in one transaction."""
        work = partial(_asked, question=question, schema=self._schema)
        return await self._ready().desk.ask(partial(in_transaction, work=work), bare=True)


async def _asked(
    connection: Connection, *, question: Callable[[Connection, str], Awaitable[T]], schema: str
) -> T:
    return await question(connection, schema)
