"""How does whoever receives know that something is missing? Each message names the one before it.

A broker confirms, a receiver stores, and still something may get lost between the two: a stream
that was cut, a topic that was set up anew. Nobody is told of that, unless the next message of the
key says what came before it. So what is missing is found in the receiver's own store, and is sent
again by the sender, under the name by which the receiver knows what it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from makegood.errors import InvalidInput
from makegood.journal.lanes.shown import MessageFilter
from makegood.journal.messages import DeliveryState
from makegood.runtime.transporting.transport import Outbound, Refused
from makegood.values.envelope import ARRIVED_BY, SENT_AFTER, write_cloudevent
from makegood.values.instants import Instant, as_datetime
from makegood.values.limits import PAGE_MESSAGES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from makegood.journal.lanes.shown import Kept
    from makegood.journal.messages import KeepsMessages
    from makegood.runtime.transporting.route import Route
    from makegood.values.envelope import Envelope

__all__ = ["Links", "MissingMessage", "deliver_again", "missing_since", "outbound_of"]

LOOKED_BACK_MAX = 50
"""Among how many messages of a key the one is looked for that was sent before."""


class _Link(NamedTuple):
    """The message that was sent before."""

    source: str
    id: str
    at: int
    """When what it tells of happened, in microseconds since 1970."""


_link = msgspec.json.Decoder(_Link)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingMessage:
    """A message that a later one of its key names, and that has not come."""

    source: str
    id: str
    """With `source` its name, by which its sender sends it again."""
    tenant: str
    key: str | None
    route: str
    """By which the later one came."""
    before: str
    """The id of the later one."""
    noticed_at: datetime
    """When that one was stored."""


class Links:
    """What a route has sent of one lane, while that is held: nobody else sends of it meanwhile."""

    def __init__(self, route: Route, messages: KeepsMessages) -> None:
        self._route = route
        self._messages = messages
        self._last: dict[str, _Link | None] = {}
        """By topic, what was sent to it last."""

    async def linked(self, seq: int, envelope: Envelope, topic: str) -> Envelope:
        """Return a message with the name of the one that was sent before it."""
        others = tuple(each for each in envelope.headers if each[0] != SENT_AFTER)
        if envelope.key is None:
            return replace(envelope, headers=others)
        if topic not in self._last:
            self._last[topic] = await self._before(seq, envelope, topic)
        link = self._last[topic]
        if link is None:
            return replace(envelope, headers=others)
        named = (SENT_AFTER, msgspec.json.encode(link).decode())
        return replace(envelope, headers=(*others, named))

    def sent(self, envelope: Envelope, topic: str) -> None:
        """Take note of what the broker has confirmed."""
        self._last[topic] = _Link(envelope.source, envelope.id, envelope.at)

    async def _before(self, seq: int, envelope: Envelope, topic: str) -> _Link | None:
        """Look in the store for what was sent before."""
        wanted = MessageFilter(
            key=envelope.key, tenant=envelope.tenant, after=seq, limit=LOOKED_BACK_MAX
        )
        for kept in (await self._messages.messages(wanted)).rows:
            if _was_sent(self._route, kept) and self._route.topics.get(kept.message.type) == topic:
                return _Link(kept.message.source, kept.message.id, kept.message.at)
        return None


def _was_sent(route: Route, kept: Kept) -> bool:
    is_from_here = (ARRIVED_BY, route.name) not in kept.message.headers
    return is_from_here and any(
        each.id.recipient == route.recipient and each.state is DeliveryState.DONE
        for each in kept.deliveries
    )


def outbound_of(route: Route, topic: str, envelope: Envelope, sending: str) -> Outbound:
    """Return a message as it goes out; another sending of it has another name of its own."""
    return Outbound(
        topic=topic,
        id=f"{route.name}:{envelope.source}:{envelope.id}:{sending}",
        name=f"{envelope.source}:{envelope.id}",
        key=envelope.key,
        body=write_cloudevent(envelope),
    )


async def missing_since(messages: KeepsMessages, since: Instant) -> tuple[MissingMessage, ...]:
    """Return what messages name that were stored since then, and that is not in the store.

    What happened before that is left out: it may have been forgotten.
    """
    here: set[tuple[str, str, str]] = set()
    named: dict[tuple[str, str, str], Kept] = {}
    after: int | None = None
    while True:
        page = await messages.messages(MessageFilter(after=after, limit=PAGE_MESSAGES_MAX))
        for kept in page.rows:
            message = kept.message
            here.add((message.tenant, message.source, message.id))
            link = _link_of(message)
            if link is not None and kept.stored_at >= since and link.at >= since:
                named[message.tenant, link.source, link.id] = kept
        after = page.next
        if after is None or page.rows[-1].stored_at < since:
            break
    missing = [
        _missing(name, kept)
        for name, kept in named.items()
        if name not in here and not await _is_here(messages, name)
    ]
    return tuple(reversed(missing))


async def _is_here(messages: KeepsMessages, name: tuple[str, str, str]) -> bool:
    tenant, source, id = name
    wanted = MessageFilter(tenant=tenant, source=source, id=id, limit=1)
    return bool((await messages.messages(wanted)).rows)


def _link_of(message: Envelope) -> _Link | None:
    headers = dict(message.headers)
    if ARRIVED_BY not in headers or SENT_AFTER not in headers:
        return None
    try:
        return _link.decode(headers[SENT_AFTER])
    except msgspec.MsgspecError:
        # Somebody else uses the name for something else.
        return None


def _missing(name: tuple[str, str, str], kept: Kept) -> MissingMessage:
    tenant, source, id = name
    return MissingMessage(
        source=source,
        id=id,
        tenant=tenant,
        key=kept.message.key,
        route=dict(kept.message.headers)[ARRIVED_BY],
        before=kept.message.id,
        noticed_at=as_datetime(kept.stored_at),
    )


async def deliver_again(
    messages: KeepsMessages,
    route: Route,
    names: Sequence[tuple[str, str]],
    *,
    tenant: str,
    sending: str,
) -> None:
    """Give messages to the broker once more that a route has sent, by their sources and ids."""
    found: list[Kept] = []
    for source, id in names:
        wanted = MessageFilter(tenant=tenant, source=source, id=id, limit=1)
        rows = (await messages.messages(wanted)).rows
        if not rows or not _was_sent(route, rows[0]) or rows[0].erased_at is not None:
            message = (
                f"{source}:{id} was not sent by the route {route.name!r} from here, or is erased; "
                "give the sources and ids that `missing` names, at the store that has sent them"
            )
            raise InvalidInput(message)
        found.append(rows[0])
    for each in sorted(found, key=lambda kept: kept.seq):
        whole = await messages.message(each.seq)
        assert whole is not None, "it was found just now"
        topic = route.topics.get(whole.message.type)
        if topic is None:
            message = f"the route {route.name!r} sends no `{whole.message.type}` any more"
            raise InvalidInput(message)
        # What it names may be missing too.
        envelope = await Links(route, messages).linked(each.seq, whole.message, topic)
        answer = await route.transport.send(outbound_of(route, topic, envelope, sending))
        if isinstance(answer, Refused):
            message = f"the broker of {route.name!r} refuses {each.message.id}: {answer.reason}"
            raise InvalidInput(message)
