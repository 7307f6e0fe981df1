"""A broker that processes reach over wires: it is away at times, and forgets what it has dropped.

It promises what the Protocol of transports does, and no more: what it has confirmed it keeps, and
hands over until that is acknowledged, so that messages come twice; what was on its way to it may be
lost. A second sending of one name is dropped as long as it remembers the first. Whoever begins to
listen begins with the oldest message that is not acknowledged, and the one before is told so when
it asks again.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from makegood.errors import TransportDown
from makegood.runtime.transporting.transport import Arrived, Confirmed
from makegood.testing.simulation.fates import Call
from makegood.testing.simulation.wire import Troubles, Wire, giving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.runtime.transporting.transport import Outbound, Take
    from makegood.testing.simulation.fates import Fates, Operation
    from makegood.testing.simulation.host import Host
    from makegood.testing.simulation.simulation import Simulation

__all__ = ["SimulatedBroker", "SimulatedTransport"]

T = TypeVar("T")

ANSWERED_WITHIN_SECONDS = 5.0
"""How long an answer of the broker may take."""
LOOKED_AGAIN_AFTER_MICROSECONDS = 1_000_000
"""How soon a listener asks again that was given nothing."""


class Request(NamedTuple):
    """What a listener asks with: what it asks twice is answered as it was the first time."""

    turn: int
    number: int


class Handed(NamedTuple):
    """What was handed over, and where it stands in all that is kept."""

    places: tuple[int, ...]
    messages: tuple[Outbound, ...]


class SimulatedBroker:
    """What is at the other end.

    What is not acknowledged within `patience_micros` comes again. A sending is known for
    `memory_micros`. With `shares_out` it breaks a promise, as a broker does from whose one queue
    all listeners of a group are handed what is next: what one of them stands still with, or has
    died with, is overtaken by what follows.
    """

    def __init__(
        self,
        simulation: Simulation,
        *,
        patience_micros: int = 10_000_000,
        memory_micros: int = 30_000_000,
        shares_out: bool = False,
    ) -> None:
        self.is_down = False
        self.dropped = 0
        """How many sendings it has known already."""
        self.taken_over = 0
        """How often somebody began to listen who was handed what another one had."""
        self._shares_out = shares_out
        self._simulation = simulation
        self._patience_micros = patience_micros
        self._memory_micros = memory_micros
        self._kept: list[Outbound] = []
        self._known: dict[str, int] = {}
        """Sendings by their names, and when each came last."""
        self._groups: dict[tuple[str, tuple[str, ...]], _Group] = {}

    @property
    def is_idle(self) -> bool:
        """Whether every group has all, and each topic has somebody who listens to it."""
        heard = {topic for _name, topics in self._groups for topic in topics}
        waiting = any(group.is_waited_for for group in self._groups.values())
        return not waiting and all(message.topic in heard for message in self._kept)

    def transport(self, host: Host, fates: Fates) -> SimulatedTransport:
        """Return a process's way to it."""
        return SimulatedTransport(self, self._simulation, host, fates)

    def go_down(self) -> None:
        """Be away, and forget which sendings were known."""
        self.is_down = True
        self._known.clear()

    def keep(self, message: Outbound) -> Confirmed:
        """Keep a message for each group, unless it is known."""
        self._require_up()
        now = self._simulation.loop.micros
        before = self._known.get(message.id)
        self._known[message.id] = now
        if before is not None and now - before < self._memory_micros:
            self.dropped += 1
            return Confirmed()
        self._kept.append(message)
        for (_name, topics), group in self._groups.items():
            if message.topic in topics:
                insort(group.waiting, len(self._kept) - 1)
        return Confirmed()

    def begin(self, name: str, topics: Sequence[str]) -> int:
        """Let somebody listen for a group, and nobody else; return whose turn that is."""
        self._require_up()
        group = self._group(name, tuple(topics))
        group.turn += 1
        if not self._shares_out:
            self.taken_over += bool(group.handed)
            group.put_back([*group.handed])
        return group.turn

    def hand(self, name: str, topics: Sequence[str], batch: int, request: Request) -> Handed | None:
        """Hand over what comes next for a group, to the one whose turn it is."""
        self._require_up()
        group = self._group(name, tuple(topics))
        if request.turn != group.turn and not self._shares_out:
            message = "another one listens under the same group now"
            raise TransportDown(message)
        if request != group.request:
            group.request, group.answer = request, self._next_of(group, batch)
        return group.answer

    def _next_of(self, group: _Group, batch: int) -> Handed | None:
        now = self._simulation.loop.micros
        group.put_back([place for place, until in group.handed.items() if until <= now])
        places, group.waiting = group.waiting[:batch], group.waiting[batch:]
        group.handed |= dict.fromkeys(places, now + self._patience_micros)
        if not places:
            return None
        return Handed(tuple(places), tuple(self._kept[place] for place in places))

    def acknowledge(self, name: str, topics: Sequence[str], places: Sequence[int]) -> None:
        """Let what was handed over be done with, whoever has it now."""
        self._require_up()
        self._group(name, tuple(topics)).forget(places)

    def _group(self, name: str, topics: tuple[str, ...]) -> _Group:
        group = self._groups.get((name, topics))
        if group is None:
            group = self._groups[name, topics] = _Group()
            kept = enumerate(self._kept)
            group.waiting += [place for place, each in kept if each.topic in topics]
        return group

    def _require_up(self) -> None:
        if self.is_down:
            message = "the broker is away"
            raise TransportDown(message)


class _Group:
    """What is to be handed to whoever listens under one name: places in what is kept."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        """Sorted."""
        self.handed: dict[int, int] = {}
        """What was handed over, and until when an answer is waited for."""
        self.turn = 0
        self.request: Request | None = None
        """What was asked last."""
        self.answer: Handed | None = None

    @property
    def is_waited_for(self) -> bool:
        """Whether something is not acknowledged."""
        return bool(self.waiting or self.handed)

    def put_back(self, places: Sequence[int]) -> None:
        """Let what was handed over come again, where it stands."""
        for place in places:
            del self.handed[place]
            insort(self.waiting, place)

    def forget(self, places: Sequence[int]) -> None:
        """Let nobody be handed this any more."""
        for place in places:
            self.handed.pop(place, None)
        self.waiting = [each for each in self.waiting if each not in places]


class SimulatedTransport:
    """A process's way to the broker."""

    def __init__(
        self, broker: SimulatedBroker, simulation: Simulation, host: Host, fates: Fates
    ) -> None:
        self._broker = broker
        self._simulation = simulation
        self._host = host
        self._fates = fates
        self._is_closed = False

    async def send(self, message: Outbound) -> Confirmed:
        """Give a message to the broker."""
        return await self._ask("carry", message.topic, lambda: self._broker.keep(message))

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        """Hand over what arrives."""
        broker = self._broker
        turn = await self._ask("fetch", group, partial(broker.begin, group, topics))
        for number in count():
            hand = partial(broker.hand, group, topics, batch, Request(turn, number))
            handed = await self._ask("fetch", group, hand)
            if handed is None:
                await self._simulation.pause(LOOKED_AGAIN_AFTER_MICROSECONDS)
                continue
            await take([Arrived(topic=each.topic, body=each.body) for each in handed.messages])
            done = partial(broker.acknowledge, group, topics, handed.places)
            await self._ask("acknowledge", group, done)

    async def close(self) -> None:
        """Send and hand over nothing more."""
        self._is_closed = True

    async def _ask(self, operation: Operation, subject: str, work: Callable[[], T]) -> T:
        if self._is_closed:
            message = "this way to the broker was closed"
            raise TransportDown(message)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        wire: Wire[T] = Wire(self._simulation, self._host, self._fates, _TROUBLES)
        call = Call(host=self._host.name, operation=operation, subject=subject)
        wire.carry(call, work, giving(answer))
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                return await answer
        except TimeoutError as error:
            raise _away() from error


def _away() -> TransportDown:
    return TransportDown("the connection to the broker was cut")


_TROUBLES = Troubles(refused=_away, full=_away, unknown=_away)
