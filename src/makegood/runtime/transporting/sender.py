"""Sending what is due on a route: lane by lane, and within a lane one after the other.

A message is marked as sent only after the broker has confirmed it, and the one behind it in its
lane is sent only then. So what is sent twice is the same message again, and within a key nothing
overtakes anything. Lanes are sent beside one another, and the next ones are taken while the last
ones are marked. While the broker is away the lanes are given back as they are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import StoreBusy, StoreError, StoreFull, TransportDown
from makegood.journal.messages import Dead, Done, Finished, Outcome
from makegood.journal.outage import Outage
from makegood.runtime.looking.lookout import Lookout
from makegood.runtime.transporting.linking import Links, outbound_of
from makegood.runtime.transporting.transport import Confirmed
from makegood.values.envelope import ARRIVED_BY
from makegood.values.instants import Instant, after
from makegood.values.limits import LANE_DELIVERIES_MAX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import timedelta

    from makegood.journal.messages import (
        Due,
        Handling,
        Held,
        KeepsMessages,
        LaneId,
        Settled,
    )
    from makegood.journal.protocol import Fenced, Refused
    from makegood.journal.reply import Pending
    from makegood.runtime.shell import Shell
    from makegood.runtime.transporting.route import Route

__all__ = ["Sender", "wait_for_broker"]

DOUBLINGS_MAX = 5
"""How often the wait for a broker that is away is doubled."""

REFUSED = "refused by the broker"
"""Why a message is a dead letter that the broker will not have."""


class Sender:
    """Sends for one engine by one route; `subscribe` lets the journal know what is to be kept."""

    def __init__(
        self, shell: Shell, route: Route, *, subscribe: Callable[[], Awaitable[None]]
    ) -> None:
        self._shell = shell
        self.route = route
        """By which it sends."""
        self._outage = Outage(f"the broker of {route.name!r}", now=lambda: _seconds(shell))
        self._subscribe = subscribe
        self._writing: list[tuple[Finished, Pending[Settled | Fenced | Refused]]] = []
        """What was confirmed and is being marked."""
        self._unwritten: list[Finished] = []
        """What was confirmed, and could not be marked yet."""
        self._unsent: list[LaneId] = []
        """Lanes of which nothing was sent: they are given back."""
        self._failures = 0
        """How often in a row the broker was away."""
        self._again_at = Instant(0)
        self.lookout = Lookout(
            shell,
            self._look,
            longest=route.poll or shell.config.poll_max,
            about=f"sending by {route.name!r}",
            purpose=f"send by {route.name!r}",
        )

    async def _look(self) -> bool:
        route, shell = self.route, self._shell
        if not route.topics:
            return False
        messages = shell.journal.messages
        await self._subscribe()
        await self._mark(messages)
        if shell.clock.now() < self._again_at:
            return False
        held = await self._take(messages)
        while held:
            errors = await self._send_all(messages, held)
            if errors or self.lookout.is_stopping:
                await self._mark(messages)
                return self._take_note(errors)
            self._take_note(errors)
            # What is taken next shares the commit by which this is marked.
            held = await self._take(messages)
            try:
                await self._mark(messages)
            except StoreError:
                # Nobody else can take them while they are held here.
                self._unsent += [lane.id for lane in held]
                raise
        return False

    async def _take(self, messages: KeepsMessages) -> tuple[Held, ...]:
        shell, batch = self._shell, self.route.batch
        return await messages.take(
            shell.worker,
            room={self.route.recipient: batch},
            per_lane=LANE_DELIVERIES_MAX,
            limit=batch,
            now=shell.clock.now(),
        )

    async def _send_all(self, messages: KeepsMessages, held: Sequence[Held]) -> list[TransportDown]:
        """Send what is due in these lanes, and begin to mark what the broker has confirmed."""
        came_to = await asyncio.gather(*(self._send(lane) for lane in held))
        for lane, (handled, _) in zip(held, came_to, strict=True):
            if handled:
                self._begin_to_mark(messages, self._finished(lane, handled))
            else:
                self._unsent.append(lane.id)
        if any(handled for handled, _ in came_to):
            self._failures = 0
        return [error for _, error in came_to if error is not None]

    def _begin_to_mark(self, messages: KeepsMessages, finished: Finished) -> None:
        self._writing.append((finished, messages.finish(finished)))

    async def _mark(self, messages: KeepsMessages) -> None:
        """Have all marked that was confirmed, and the rest given back.

        What the store has no room for is kept for the next time: nobody else can take those lanes.
        """
        unwritten, self._unwritten = self._unwritten, []
        for finished in unwritten:
            self._begin_to_mark(messages, finished)
        writing, self._writing = self._writing, []
        trouble: StoreError | None = None
        for finished, pending in writing:
            try:
                # Another worker has it where that is fenced: the broker has it twice, by one id.
                await pending
            except (StoreBusy, StoreFull) as error:
                self._unwritten.append(finished)
                trouble = error
        if trouble is not None:
            raise trouble
        if self._unsent:
            shell = self._shell
            await messages.release(shell.worker, self._unsent, now=shell.clock.now())
            self._unsent = []

    def _finished(self, lane: Held, handled: list[Handling]) -> Finished:
        return Finished(
            id=lane.id,
            worker=self._shell.worker,
            epoch=lane.epoch,
            at=self._shell.clock.now(),
            outcome=Outcome(handled=tuple(handled)),
        )

    async def _send(self, lane: Held) -> tuple[list[Handling], TransportDown | None]:
        """Send what is due in a lane, as far as the broker takes it."""
        handled: list[Handling] = []
        links = Links(self.route, self._shell.journal.messages) if self.route.is_linked else None
        for due in lane.due:
            try:
                handled.append(await self._send_one(due, links))
            except TransportDown as error:
                return handled, error
        return handled, None

    async def _send_one(self, due: Due, links: Links | None) -> Handling:
        route, envelope = self.route, due.message
        if (ARRIVED_BY, route.name) in envelope.headers:
            return Done(due.seq)
        topic = route.topics.get(envelope.type)
        if topic is None:
            return _dead(due, f"the route sends no `{envelope.type}` any more")
        linked = envelope if links is None else await links.linked(due.seq, envelope, topic)
        answer = await route.transport.send(outbound_of(route, topic, linked, str(due.sending)))
        if not isinstance(answer, Confirmed):
            return _dead(due, answer.reason)
        if links is not None:
            links.sent(envelope, topic)
        return Done(due.seq)

    def _take_note(self, errors: list[TransportDown]) -> bool:
        """Learn whether the broker is there; say whether to go on at once."""
        if not errors:
            self._outage.is_over()
            return True
        self._outage.tell(f"sending by {self.route.name!r}", errors[0])
        now = self._shell.clock.now()
        self._again_at = after(now, wait_for_broker(self._shell, self._failures))
        self._failures += 1
        return False


def wait_for_broker(shell: Shell, failures: int) -> timedelta:
    """Return how long a broker is left alone that was away so often in a row before."""
    doublings: int = 2 ** min(failures, DOUBLINGS_MAX)
    return shell.config.poll_max * doublings


def _dead(due: Due, reason: str) -> Dead:
    return Dead(seq=due.seq, reason=REFUSED, error=msgspec.json.encode(reason), fault=REFUSED)


def _seconds(shell: Shell) -> float:
    return shell.clock.now() / 1_000_000
