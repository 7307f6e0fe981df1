"""What a person may look at and do about messages: dead letters, lag, and what came of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput
from makegood.journal.lanes.shown import (
    DeliveryFilter,
    DeliveryState,
    Order,
)
from makegood.journal.messages import DeliveryId
from makegood.runtime.clock import pause
from makegood.runtime.emitting.trace import traced
from makegood.runtime.engine import parts_of
from makegood.runtime.receiving.fault import read_fault
from makegood.runtime.telemetry import log
from makegood.runtime.transporting.linking import deliver_again, missing_since
from makegood.values.instants import Instant, as_datetime
from makegood.values.instants import after as instant_after
from makegood.values.limits import (
    ACTOR_CHARACTERS_MAX,
    PAGE_MESSAGES_MAX,
    REASON_CHARACTERS_MAX,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from datetime import datetime

    from makegood.journal.lanes.shown import Delivery, Moved
    from makegood.journal.messages import KeepsMessages
    from makegood.runtime.emitting.trace import TracedMessage, TracedRun
    from makegood.runtime.engine import Engine
    from makegood.runtime.transporting.linking import MissingMessage
    from makegood.runtime.transporting.route import Route
    from makegood.values.verdict import Failure

__all__ = [
    "DeadLetter",
    "MessageOperator",
    "ReceptorLag",
    "messages_of",
    "ordered_now",
]


DUPLICATES_KNOWN = timedelta(days=30)
"""How long a message is known, so that the same one is dropped, unless somebody says otherwise."""

AGE_MIN = timedelta(days=1)
"""The least for which messages are kept: brokers and callers send again for hours."""

REST_BETWEEN_BATCHES = timedelta(milliseconds=20)
"""How long others have the store to themselves between two batches that are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that a receptor has given up, and what is known of why."""

    id: str
    """By which it is sent again or discarded, such as `17@payments/charge`."""
    receptor: str
    message: str
    """The id of the message."""
    source: str
    type: str
    key: str | None
    correlation: str
    reason: str
    attempts: int
    resent: int
    """How often somebody has sent it again."""
    failed_at: datetime | None
    failure: Failure | None
    """The last error; None where what came was no message."""
    fault: str
    """The same for all that failed for one reason."""
    definition: str | None
    """The fingerprint of the receptor that has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptorLag:
    """How far a receptor, or a transport, is behind."""

    receptor: str
    waiting: int
    """How many messages it is still to be given, counted up to 10,000."""
    oldest_at: datetime | None
    """Since when the oldest of them waits."""
    dead: int
    """How many dead letters it has, counted likewise."""


class MessageOperator:
    """Looks into the messages on an engine's store, and moves dead letters.

    It works on an engine that does no work itself as on any other. What it does has an actor and a
    reason, which are kept with what it was done to.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<MessageOperator of {self._engine!r}>"

    async def dead_letters(
        self,
        *,
        ids: Sequence[str] = (),
        receptor: str | None = None,
        type: str | None = None,  # noqa: A002 - it is the word for it
        reason: str | None = None,
        fault: str | None = None,
        limit: int = PAGE_MESSAGES_MAX,
    ) -> tuple[DeadLetter, ...]:
        """Return dead letters, the newest first; what is given must hold for each of them."""
        chosen = _chosen(ids, receptor=receptor, type=type, reason=reason, fault=fault, limit=limit)
        page = await self._messages().deliveries(chosen)
        return tuple(_dead(each) for each in page.rows)

    async def body(self, id: str) -> str:
        """Return the message of a dead letter as it was stored: JSON, where it is a message."""
        kept = await self._messages().message(_delivery(id).seq)
        if kept is None:
            message = f"there is no message {id!r}; `makegood dead` lists those that there are"
            raise InvalidInput(message)
        return kept.message.body.decode(errors="backslashreplace")

    async def resend(
        self,
        *,
        actor: str,
        because: str,
        ids: Sequence[str] = (),
        receptor: str | None = None,
        type: str | None = None,  # noqa: A002 - as above
        reason: str | None = None,
        fault: str | None = None,
        limit: int = PAGE_MESSAGES_MAX,
        dry_run: bool = False,
    ) -> tuple[str, ...]:
        """Have dead letters received again, under their keys and with all their attempts.

        Returns which; with `dry_run` which that would be. They stand where they stood among the
        messages of their keys. One that was moved already is not moved again.
        """
        chosen = _chosen(ids, receptor=receptor, type=type, reason=reason, fault=fault, limit=limit)
        moving = self._messages().resend(
            chosen, ordered_now(self._engine, actor, because), dry_run=dry_run
        )
        return await self._moved(moving)

    async def discard(
        self,
        *,
        actor: str,
        because: str,
        ids: Sequence[str] = (),
        receptor: str | None = None,
        type: str | None = None,  # noqa: A002 - as above
        reason: str | None = None,
        fault: str | None = None,
        limit: int = PAGE_MESSAGES_MAX,
        dry_run: bool = False,
    ) -> tuple[str, ...]:
        """Put dead letters away: they are received no more, and those behind them go on.

        Returns which; with `dry_run` which that would be.
        """
        chosen = _chosen(ids, receptor=receptor, type=type, reason=reason, fault=fault, limit=limit)
        moving = self._messages().discard(
            chosen, ordered_now(self._engine, actor, because), dry_run=dry_run
        )
        return await self._moved(moving)

    async def forget(self, receptor: str) -> int:
        """Keep no more messages for a receptor that is served no more; return how many types.

        What it was still to be given stays due, for whoever serves it again. Raises `InvalidInput`
        for a receptor that nobody has ever served here.
        """
        messages = self._messages()
        types = [each.type for each in await messages.subscriptions() if each.recipient == receptor]
        if not types:
            message = f"no messages are kept for {receptor[:80]!r}; `makegood receptors` lists all"
            raise InvalidInput(message)
        return await messages.unsubscribe(receptor, types)

    async def lag(self) -> tuple[ReceptorLag, ...]:
        """Return how far every receptor is behind that has ever subscribed, sorted by name."""
        return tuple(
            ReceptorLag(
                receptor=each.recipient,
                waiting=each.waiting,
                oldest_at=None if each.oldest_at is None else as_datetime(each.oldest_at),
                dead=each.dead,
            )
            for each in await self._messages().lag()
        )

    async def trace(self, correlation: str) -> tuple[TracedMessage | TracedRun, ...]:
        """Return every message and every run with a correlation, the oldest first.

        It is that of a receipt, which is a message's own id where it was not given another one, or
        the id of a run, which stands for whatever that belongs to. At most 2,000 messages and as
        many runs are returned, the newest of each.
        """
        shell, _codes = parts_of(self._engine)
        return await traced(shell.journal, self._messages(), correlation)

    async def missing(self, *, within: timedelta = AGE_MIN) -> tuple[MissingMessage, ...]:
        """Return messages that should have come by a route and have not, in order of notice.

        Only a route whose sender is linked (`Route(is_linked=True)`) tells, and only of what comes
        before another message of its key. `within` is how far back it is looked; what is forgotten
        counts as missing, so look no further than messages are kept. Raises `InvalidInput` for no
        time at all.
        """
        if within <= timedelta(0):
            message = f"within={within}: look back for some time"
            raise InvalidInput(message)
        shell, _codes = parts_of(self._engine)
        since = instant_after(shell.clock.now(), -within)
        return await missing_since(messages_of(self._engine), since)

    async def deliver_again(
        self,
        route: Route,
        names: Sequence[tuple[str, str]],
        *,
        actor: str,
        because: str,
        tenant: str = "",
    ) -> None:
        """Give messages to a route's broker once more, by the sources and ids that `missing` names.

        It is asked of an engine on the store that has sent them; whoever receives drops what it
        has. Who asked, and why, is logged. Raises `InvalidInput` for what the route has not sent
        from here, and `TransportDown` where the broker cannot be reached; ask again then.
        """
        order = ordered_now(self._engine, actor, because)
        shell, _codes = parts_of(self._engine)
        sending = shell.ids.token().hex()
        await deliver_again(messages_of(self._engine), route, names, tenant=tenant, sending=sending)
        log.warning(
            "%d messages were given to the broker of %r once more, by %s: %s",
            *(len(names), route.name, order.actor, order.reason),
        )

    async def prune(
        self,
        *,
        older_than: timedelta = DUPLICATES_KNOWN,
        dead_older_than: timedelta | None = None,
        batch: int = PAGE_MESSAGES_MAX,
        dry_run: bool = False,
    ) -> int:
        """Forget messages that were stored longer ago than this; return how many.

        What somebody is still to be given stays, and so do dead letters, unless `dead_older_than`
        says how long those are kept since they were given up. A message that is forgotten is no
        duplicate any more: keep them for longer than anybody may send one again. It goes `batch`
        messages at a time, and `dry_run` only counts. Raises `InvalidInput` for less than a day.
        """
        shell, _codes = parts_of(self._engine)
        for age in (older_than, dead_older_than):
            if age is not None and age < AGE_MIN:
                message = f"messages of {age} are to be forgotten; keep them for {AGE_MIN} at least"
                raise InvalidInput(message)
        if not 1 <= batch <= PAGE_MESSAGES_MAX:
            message = f"a batch of {batch} messages; give 1 to {PAGE_MESSAGES_MAX}"
            raise InvalidInput(message)
        now = shell.clock.now()
        dead_before = (
            Instant(0) if dead_older_than is None else instant_after(now, -dead_older_than)
        )
        count, behind = 0, None
        while True:
            pruned = await self._messages().prune(
                before=instant_after(now, -older_than),
                dead_before=dead_before,
                limit=batch,
                after=behind,
                dry_run=dry_run,
            )
            count += pruned.count
            behind = pruned.next
            if behind is None:
                return count
            # Whoever works on the store has it to himself between two batches.
            await pause(shell.clock, instant_after(shell.clock.now(), REST_BETWEEN_BATCHES))

    async def _moved(self, moving: Awaitable[Moved]) -> tuple[str, ...]:
        """Return which letters were moved, once they are, and have somebody look at once."""
        moved = await moving
        shell, _codes = parts_of(self._engine)
        shell.ring_reception()
        return tuple(map(_name, moved.ids))

    def _messages(self) -> KeepsMessages:
        return messages_of(self._engine)


def messages_of(engine: Engine) -> KeepsMessages:
    """Return what the store of an engine keeps of messages."""
    shell, _codes = parts_of(engine)
    return shell.journal.messages


def ordered_now(engine: Engine, actor: str, because: str) -> Order:
    """Return the order of a person; raise `InvalidInput` for no name, or no reason."""
    _require_text("actor", actor, ACTOR_CHARACTERS_MAX)
    _require_text("reason", because, REASON_CHARACTERS_MAX)
    shell, _codes = parts_of(engine)
    return Order(actor=actor, reason=because, at=shell.clock.now())


def _chosen(
    ids: Sequence[str],
    *,
    receptor: str | None,
    type: str | None,  # noqa: A002 - as above
    reason: str | None,
    fault: str | None,
    limit: int,
) -> DeliveryFilter:
    if not 1 <= limit <= PAGE_MESSAGES_MAX:
        message = f"limit={limit}: ask for 1 to {PAGE_MESSAGES_MAX} dead letters at a time"
        raise InvalidInput(message)
    return DeliveryFilter(
        recipient=receptor,
        states=frozenset({DeliveryState.DEAD}),
        type=type,
        reason=reason,
        fault=fault,
        ids=frozenset(map(_delivery, ids)),
        limit=limit,
    )


def _delivery(id: str) -> DeliveryId:
    seq, _at, recipient = id.partition("@")
    if not (seq.isascii() and seq.isdecimal() and len(seq) < _DIGITS_MAX and recipient):
        message = f"{id[:80]!r} names no dead letter; one is named as 17@payments/charge"
        raise InvalidInput(message)
    return DeliveryId(int(seq), recipient)


_DIGITS_MAX = 19


def _dead(delivery: Delivery) -> DeadLetter:
    message, fault = delivery.message, read_fault(delivery.error)
    return DeadLetter(
        id=_name(delivery.id),
        receptor=delivery.id.recipient,
        message=message.id,
        source=message.source,
        type=message.type,
        key=message.key,
        correlation=message.correlation,
        reason=delivery.reason or "",
        attempts=delivery.attempts,
        resent=delivery.sending,
        failed_at=None if delivery.failed_at is None else as_datetime(delivery.failed_at),
        failure=None if fault is None else fault.failure,
        fault=delivery.fault,
        definition=None if fault is None else fault.definition,
    )


def _name(id: DeliveryId) -> str:
    return f"{id.seq}@{id.recipient}"


def _require_text(name: str, text: str, characters_max: int) -> None:
    """Raise `InvalidInput` for what is no name of who asks, or no reason why."""
    if not text.strip() or len(text) > characters_max or not text.isprintable():
        message = f"the {name} is {text[:40]!r}; give a text of 1 to {characters_max:,} characters"
        raise InvalidInput(message)
