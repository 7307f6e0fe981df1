"""Sending what is due on a route: lane by lane, and within a lane one after the other.

A message is marked as sent only after the broker has confirmed it, and the one behind it in its
lane is sent only then. So what is sent twice is the same message again, and within a key nothing
overtakes anything. While the broker is away the lanes are given back as they are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import TransportDown
from makegood.journal.messages import Dead, Done, Finished, Outcome, Subscription
from makegood.journal.outage import Outage
from makegood.runtime.looking.lookout import Lookout
from makegood.runtime.receiving.keeping import messages_of
from makegood.runtime.transporting.transport import Confirmed, Outbound
from makegood.values.envelope import ARRIVED_BY, write_cloudevent
from makegood.values.instants import Instant, after
from makegood.values.limits import LANE_DELIVERIES_MAX

if TYPE_CHECKING:
    from datetime import timedelta

    from makegood.journal.messages import Due, Handling, Held
    from makegood.runtime.shell import Shell
    from makegood.runtime.transporting.route import Route

__all__ = ["Sender", "wait_for_broker"]

LANES_AT_ONCE_MAX = 256
"""How many lanes of a route are sent at once."""

DOUBLINGS_MAX = 5
"""How often the wait for a broker that is away is doubled."""

REFUSED = "refused by the broker"
"""Why a message is a dead letter that the broker will not have."""


class Sender:
    """Sends for one engine by one route."""

    def __init__(self, shell: Shell, route: Route) -> None:
        self._shell = shell
        self.route = route
        """By which it sends."""
        self._outage = Outage(f"the broker of {route.name!r}", now=lambda: _seconds(shell))
        self._is_subscribed = False
        self._failures = 0
        """How often in a row the broker was away."""
        self._again_at = Instant(0)
        self.lookout = Lookout(
            shell,
            self._look,
            longest=shell.config.poll_max,
            about=f"sending by {route.name!r}",
            purpose=f"send by {route.name!r}",
        )

    async def _look(self) -> bool:
        route, shell = self.route, self._shell
        if not route.topics:
            return False
        messages = messages_of(shell.journal)
        now = shell.clock.now()
        if not self._is_subscribed:
            wanted = [Subscription(recipient=route.recipient, type=name) for name in route.topics]
            await messages.subscribe(wanted, now=now)
            self._is_subscribed = True
        if now < self._again_at:
            return False
        held = await messages.take(
            shell.worker,
            room={route.recipient: LANES_AT_ONCE_MAX},
            per_lane=LANE_DELIVERIES_MAX,
            limit=LANES_AT_ONCE_MAX,
            now=now,
        )
        if not held:
            return False
        came_to = await asyncio.gather(*(self._send(lane) for lane in held))
        finishing = [
            messages.finish(self._finished(lane, handled))
            for lane, (handled, _) in zip(held, came_to, strict=True)
            if handled
        ]
        for pending in finishing:
            # Another worker has it where that is fenced: the broker then has it twice, by one id.
            await pending
        unsent = [lane.id for lane, (handled, _) in zip(held, came_to, strict=True) if not handled]
        if unsent:
            await messages.release(shell.worker, unsent, now=shell.clock.now())
        if any(handled for handled, _ in came_to):
            self._failures = 0
        return self._take_note([error for _, error in came_to if error is not None])

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
        for due in lane.due:
            try:
                handled.append(await self._send_one(due))
            except TransportDown as error:
                return handled, error
        return handled, None

    async def _send_one(self, due: Due) -> Handling:
        route, envelope = self.route, due.message
        if (ARRIVED_BY, route.name) in envelope.headers:
            return Done(due.seq)
        topic = route.topics.get(envelope.type)
        if topic is None:
            return _dead(due, f"the route sends no `{envelope.type}` any more")
        outbound = Outbound(
            topic=topic,
            id=f"{route.name}:{envelope.source}:{envelope.id}:{due.sending}",
            name=f"{envelope.source}:{envelope.id}",
            key=envelope.key,
            body=write_cloudevent(envelope),
        )
        answer = await route.transport.send(outbound)
        return Done(due.seq) if isinstance(answer, Confirmed) else _dead(due, answer.reason)

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
