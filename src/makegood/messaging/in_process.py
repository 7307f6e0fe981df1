"""A broker in this process: it connects engines that share nothing but the process.

It is for tests, and for services that live in one process and are to live in several one day.
What it keeps ends with the process; what is in the stores does not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from makegood.errors import TransportDown
from makegood.runtime.transporting.transport import Arrived, Confirmed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.runtime.transporting.transport import Outbound, Take

__all__ = ["InProcessBroker", "InProcessTransport"]

KEPT_MAX = 100_000
"""How many messages are kept for groups that have not listened yet."""


class InProcessBroker:
    """Keeps what was sent, the last 100,000 messages, and whatever a group has not had yet.

    `is_down` makes it unreachable, for tests of what happens then.
    """

    def __init__(self) -> None:
        self.is_down = False
        self._groups: dict[tuple[str, tuple[str, ...]], _Group] = {}
        self._sent: dict[str, Outbound] = {}
        """By id: a broker drops what comes twice."""

    def __repr__(self) -> str:
        return f"<InProcessBroker: {len(self._groups)} groups>"

    def transport(self) -> InProcessTransport:
        """Return a way to it, one for each engine."""
        return InProcessTransport(self)

    @property
    def sent(self) -> tuple[Outbound, ...]:
        """What was sent and is still kept, in its order."""
        return tuple(self._sent.values())

    def keep(self, message: Outbound) -> None:
        """Keep a message for each group that listens to its topic, unless it is known."""
        self.require_up()
        if message.id in self._sent:
            return
        self._sent[message.id] = message
        if len(self._sent) > KEPT_MAX:
            del self._sent[next(iter(self._sent))]
        for (_, topics), group in self._groups.items():
            if message.topic in topics:
                group.add(message)

    def group(self, name: str, topics: Sequence[str]) -> _Group:
        """Return what is kept for those who listen under this name."""
        self.require_up()
        address = (name, tuple(topics))
        found = self._groups.get(address)
        if found is None:
            found = self._groups[address] = _Group()
            for message in self._sent.values():
                if message.topic in topics:
                    found.add(message)
        return found

    def require_up(self) -> None:
        """Raise `TransportDown` while it is unreachable."""
        if self.is_down:
            message = "the broker of this process is down"
            raise TransportDown(message)


class InProcessTransport:
    """One engine's way to the broker of its process."""

    def __init__(self, broker: InProcessBroker) -> None:
        self._broker = broker
        self._is_closed = False

    async def send(self, message: Outbound) -> Confirmed:
        """Give a message to the broker."""
        self._require_open()
        self._broker.keep(message)
        return Confirmed()

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        """Hand over what arrives."""
        self._require_open()
        mine = self._broker.group(group, topics)
        turn = mine.begin()
        while True:
            come = await mine.next_batch(batch, turn)
            self._require_open()
            self._broker.require_up()
            await take([Arrived(topic=each.topic, body=each.body) for each in come])
            mine.acknowledge(turn)

    async def close(self) -> None:
        """Send and hand over nothing more."""
        self._is_closed = True

    def _require_open(self) -> None:
        if self._is_closed:
            message = "this way to the broker was closed; make another one"
            raise TransportDown(message)


class _Group:
    """What waits for whoever listens under one name, in the order in which it was sent."""

    def __init__(self) -> None:
        self._waiting: deque[Outbound] = deque()
        self._handed: list[Outbound] = []
        """What whoever listens now has and has not acknowledged."""
        self._turn = 0
        """How often somebody began to listen; the last one is handed what comes."""
        self._changed = asyncio.Event()

    def add(self, message: Outbound) -> None:
        self._waiting.append(message)
        self._changed.set()

    def begin(self) -> int:
        """Take over from whoever listens, with what that one has not acknowledged."""
        self._waiting.extendleft(reversed(self._handed))
        self._handed = []
        self._turn += 1
        self._changed.set()
        return self._turn

    async def next_batch(self, most: int, turn: int) -> list[Outbound]:
        """Return what waits, so many at most, once there is something, while it is one's turn."""
        while True:
            if turn != self._turn:
                message = "another one listens under the same group now"
                raise TransportDown(message)
            if self._waiting:
                count = min(len(self._waiting), most)
                self._handed = [self._waiting.popleft() for _ in range(count)]
                return self._handed
            self._changed.clear()
            await self._changed.wait()

    def acknowledge(self, turn: int) -> None:
        """Forget what was handed over, unless another one has taken it over."""
        if turn == self._turn:
            self._handed = []
