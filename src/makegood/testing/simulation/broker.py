"""A broker that processes reach over wires: it is away at times, and forgets what it has dropped.

It promises what the Protocol of transports does, and no more: what it has confirmed it keeps, and
hands over until that is acknowledged, so that messages come twice; what was on its way to it may be
lost. A second sending of one name is dropped as long as it remembers the first.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from functools import partial
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


class Handed(NamedTuple):
    """What was handed over, and by what it is acknowledged."""

    number: int
    messages: tuple[Outbound, ...]


class SimulatedBroker:
    """What is at the other end.

    What is not acknowledged within `patience_micros` comes again; of one group one listener has a
    batch at a time. A sending is known for `memory_micros`.
    """

    def __init__(
        self,
        simulation: Simulation,
        *,
        patience_micros: int = 10_000_000,
        memory_micros: int = 30_000_000,
    ) -> None:
        self.is_down = False
        self.dropped = 0
        """How many sendings it has known already."""
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
        waiting = any(group.waiting or group.unacknowledged for group in self._groups.values())
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
                group.waiting.append(len(self._kept) - 1)
        return Confirmed()

    def hand(self, name: str, topics: Sequence[str], batch: int) -> Handed | None:
        """Hand over what waits for a group, unless another listener of it has something."""
        self._require_up()
        group = self._group(name, tuple(topics))
        now = self._simulation.loop.micros
        for number, (until, _places) in [*group.unacknowledged.items()]:
            if until <= now:
                self._put_back(group, number)
        if group.unacknowledged or not group.waiting:
            return None
        places, group.waiting = group.waiting[:batch], group.waiting[batch:]
        group.handed += 1
        group.unacknowledged[group.handed] = (now + self._patience_micros, places)
        return Handed(group.handed, tuple(self._kept[place] for place in places))

    def acknowledge(self, name: str, topics: Sequence[str], number: int) -> None:
        """Let what was handed over be done with, unless it has been handed over again since."""
        self._require_up()
        self._group(name, tuple(topics)).unacknowledged.pop(number, None)

    def put_back(self, name: str, topics: Sequence[str], number: int) -> None:
        """Let what was handed over come again."""
        self._put_back(self._group(name, tuple(topics)), number)

    def _put_back(self, group: _Group, number: int) -> None:
        _until, places = group.unacknowledged.pop(number, (0, []))
        for place in places:
            insort(group.waiting, place)

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
    """What is to be handed to those who listen under one name: places in what is kept, sorted."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.unacknowledged: dict[int, tuple[int, list[int]]] = {}
        """Until when each batch is waited for, and what is in it."""
        self.handed = 0


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
        while True:
            handed = await self._ask("fetch", group, partial(broker.hand, group, topics, batch))
            if handed is None:
                await self._simulation.pause(LOOKED_AGAIN_AFTER_MICROSECONDS)
                continue
            try:
                await take([Arrived(topic=each.topic, body=each.body) for each in handed.messages])
            except BaseException:
                broker.put_back(group, topics, handed.number)
                raise
            done = partial(broker.acknowledge, group, topics, handed.number)
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
