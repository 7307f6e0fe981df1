"""Messages in the file: the promises of `KeepsMessages` over the writing and the reading thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from makegood.errors import MakegoodError
from makegood.journal.lanes.asking import About
from makegood.journal.lanes.dealing import require_sound
from makegood.journal.lanes.showing import (
    deliveries_shown,
    lag_of_all,
    lanes_shown,
    message_shown,
    messages_shown,
    subscriptions_kept,
)
from makegood.journal.messages import Order
from makegood.journal.protocol import Fenced
from makegood.journal.reply import Reply, given
from makegood.journal.sqlite.lanes.models import SqliteModels
from makegood.journal.sqlite.lanes.operating import (
    discard_letters,
    erase_messages,
    own_types,
    prune_messages,
    resend_letters,
    subscribe_to,
    unsubscribe_from,
)
from makegood.journal.sqlite.lanes.showing import DIALECT, shown_in
from makegood.journal.sqlite.lanes.taking import give_lanes_back, take_lanes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

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
    from makegood.journal.protocol import Refused
    from makegood.journal.sqlite.reading import Reader
    from makegood.journal.sqlite.writer import Writer
    from makegood.values.envelope import Envelope
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant

__all__ = ["SqliteMessages"]

T = TypeVar("T")


class _Opened(Protocol):
    """The threads of an open file."""

    @property
    def writer(self) -> Writer: ...

    @property
    def reader(self) -> Reader: ...


class SqliteMessages:
    """What a journal in a file keeps of messages.

    `ready` raises where the file is not open; `leading` takes over where the leader has gone.
    """

    def __init__(
        self, ready: Callable[[], _Opened], leading: Callable[[], Awaitable[Writer | None]]
    ) -> None:
        self._ready = ready
        self._leading = leading
        self._listeners: dict[str, WorkerId] = {}
        """Who listens, by name. The process that leads the file is the only one that may, so that
        nothing of it need be kept there."""
        self.models = SqliteModels(ready)
        """What it keeps of read models."""

    async def subscribe(self, subscriptions: Sequence[Subscription], *, now: Instant) -> None:
        """Let recipients be given every message of their types from now on."""
        await self._ready().writer.call(
            lambda connection: subscribe_to(connection, subscriptions, now)
        )

    async def own(
        self, subscriptions: Sequence[Subscription], *, beside: tuple[str, ...], now: Instant
    ) -> Subscription | None:
        """Be given every message of these types as nobody else is; return who is already."""
        return await self._ready().writer.call(
            lambda connection: own_types(connection, subscriptions, beside, now)
        )

    async def unsubscribe(self, recipient: str, types: Sequence[str]) -> int:
        """End subscriptions of a recipient; return how many there were."""
        return await self._ready().writer.call(
            lambda connection: unsubscribe_from(connection, recipient, types)
        )

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return who wants what."""
        return await self._shown(subscriptions_kept(DIALECT))

    def publish(
        self, messages: Sequence[Envelope | Malformed], *, now: Instant
    ) -> Reply[tuple[Receipt, ...]]:
        """Queue messages for the next commit."""
        try:
            writer = self._ready().writer
            return writer.publish(messages, now) if messages else given(())
        except MakegoodError as error:
            return given(error)

    async def take(
        self, worker: WorkerId, *, room: Mapping[str, int], per_lane: int, limit: int, now: Instant
    ) -> tuple[Held, ...]:
        """Lease lanes that are due, where this process leads the file."""
        writer = await self._leading()
        if writer is None:
            return ()
        return await writer.call(
            lambda connection: take_lanes(
                connection, worker, room=room, per_lane=per_lane, limit=limit, now=now
            )
        )

    def finish(self, finished: Finished) -> Reply[Settled | Fenced | Refused]:
        """Queue what came of a lane's deliveries; a process that does not lead is fenced."""
        require_sound(finished)
        try:
            writer = self._ready().writer
            return writer.finish(finished) if writer.leads else given(Fenced())
        except MakegoodError as error:
            return given(error)

    async def release(self, worker: WorkerId, lanes: Sequence[LaneId], *, now: Instant) -> None:
        """Give lanes back that were not worked on."""
        await self._ready().writer.call(
            lambda connection: give_lanes_back(connection, worker, lanes, now)
        )

    async def claim_listening(self, name: str, worker: WorkerId, *, now: Instant) -> bool:
        """Become the one that listens under a name, where this process leads the file."""
        del now
        leads = await self._leading() is not None
        return leads and self._listeners.setdefault(name, worker) == worker

    async def release_listening(self, name: str, worker: WorkerId, *, now: Instant) -> None:
        """Let others listen under a name."""
        del now
        self._ready()
        if self._listeners.get(name) == worker:
            del self._listeners[name]

    async def resend(self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False) -> Moved:
        """Make dead letters due again."""
        return await self._ready().writer.call(
            lambda connection: resend_letters(connection, chosen, order, dry_run=dry_run)
        )

    async def discard(
        self, chosen: DeliveryFilter, order: Order, *, dry_run: bool = False
    ) -> Moved:
        """Put dead letters away."""
        return await self._ready().writer.call(
            lambda connection: discard_letters(connection, chosen, order, dry_run=dry_run)
        )

    async def deliveries(self, filter: DeliveryFilter) -> Deliveries:
        """Return one page of deliveries."""
        return await self._shown(deliveries_shown(DIALECT, filter))

    async def messages(self, filter: MessageFilter) -> Messages:
        """Return one page of messages and what became of them."""
        return await self._shown(messages_shown(DIALECT, filter))

    async def message(self, seq: int) -> Kept | None:
        """Return a message as it was stored, with its body, or None."""
        return await self._shown(message_shown(DIALECT, seq))

    async def lanes(
        self, recipient: str, *, after: LaneId | None = None, limit: int
    ) -> tuple[Lane, ...]:
        """Return lanes of a recipient, sorted by their names."""
        return await self._shown(lanes_shown(DIALECT, recipient, after=after, limit=limit))

    async def lag(self) -> tuple[Lag, ...]:
        """Return how far every recipient is behind."""
        return await self._shown(lag_of_all(DIALECT))

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
        return await self._ready().writer.call(
            lambda connection: prune_messages(
                connection,
                before=before,
                dead_before=dead_before,
                limit=limit,
                after=after or 0,
                dry_run=dry_run,
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
        return await self._ready().writer.call(
            lambda connection: erase_messages(connection, about, limit=limit, order=order)
        )

    async def _shown(self, shown: Shown[T]) -> T:
        return await self._ready().reader.read(lambda connection: shown_in(connection, shown))
