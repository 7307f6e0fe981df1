"""Taking what arrives on a route into the store, before the broker is told that it is here.

What comes twice is known by its source and id, and is acknowledged again. What is no message is
stored as it came, as a dead letter, while the rest goes on. A store that is busy or full takes
nothing, so that nothing is acknowledged either, and the broker keeps it.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from makegood.errors import StoreBusy, StoreError, StoreFull, TransportDown
from makegood.journal.messages import Duplicate, Malformed
from makegood.journal.outage import Outage
from makegood.runtime.clock import pause
from makegood.runtime.looking.errand import Errand
from makegood.runtime.transporting.sender import wait_for_broker
from makegood.values.codec import NotCarried
from makegood.values.envelope import ARRIVED_BY, Envelope, read_cloudevent
from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.runtime.shell import Shell
    from makegood.runtime.transporting.route import Route
    from makegood.runtime.transporting.transport import Arrived

__all__ = ["Taker"]

MALFORMED = "malformed"
"""Why what cannot be read is a dead letter."""


class Taker:
    """Takes in for one engine by one route; `subscribe` lets the journal know what is wanted."""

    def __init__(
        self,
        shell: Shell,
        route: Route,
        *,
        subscribe: Callable[[], Awaitable[None]],
        stored: Callable[[Sequence[Envelope]], None],
    ) -> None:
        self._shell = shell
        self._route = route
        self._subscribe = subscribe
        self._stored = stored
        """Is told of messages that are in the store now."""
        self._errand = Errand(shell, f"listen to {route.name!r}")
        self._listening: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._failures = 0
        """How often in a row it could not listen, or what it heard was not stored."""
        self._outage = Outage(f"the broker of {route.name!r}", now=lambda: _seconds(shell))
        self.is_asking = False
        """Whether the journal owes an answer."""
        self.duplicates = 0
        """How many messages came that were here already."""

    def start(self) -> None:
        """Begin to listen, where there is something to hear."""
        if self._route.hears:
            self._errand.begin(self._work())

    def end_soon(self) -> None:
        """Listen no more, without waiting for the end."""
        self._is_stopping = True
        if self._listening is not None:
            self._listening.cancel()
        self._errand.hasten()

    async def stop(self) -> None:
        """Listen no more; what is being stored is stored."""
        self.end_soon()
        await self._errand.end()

    async def _work(self) -> None:
        shell = self._shell
        while shell.failure is None and not self._is_stopping:
            try:
                if shell.journal.leads:
                    await self._listen()
            except (StoreBusy, StoreFull, TransportDown) as error:
                self._outage.tell(f"listening to {self._route.name!r}", error)
            except StoreError as error:
                shell.fail(error)
                return
            wait = wait_for_broker(shell, self._failures)
            await pause(shell.clock, after(shell.clock.now(), wait))
            self._failures += 1

    async def _listen(self) -> None:
        """Listen until it is over, or was ended by `stop`."""
        route = self._route
        listening = route.transport.listen(
            route.hears, group=route.group, batch=route.batch, take=self._take
        )
        self._listening = asyncio.ensure_future(listening)
        # Whoever stops it may be gone when it ends, and then nobody needs to know how.
        self._listening.add_done_callback(_taken_note_of)
        try:
            await asyncio.wait([self._listening])
            if not self._listening.cancelled():
                self._listening.result()
        finally:
            self._listening.cancel()
            self._listening = None

    async def _take(self, batch: Sequence[Arrived]) -> None:
        """Store what has arrived, all of it together."""
        now = self._shell.clock.now()
        read = [self._read(arrived) for arrived in batch]
        self.is_asking = True
        try:
            # What is stored before it is known who wants it would never be received.
            await self._subscribe()
            receipts = await self._shell.journal.messages.publish(read, now=now)
        finally:
            self.is_asking = False
        self._outage.is_over()
        self._failures = 0
        self.duplicates += sum(isinstance(receipt, Duplicate) for receipt in receipts)
        self._stored([each for each in read if isinstance(each, Envelope)])

    def _read(self, arrived: Arrived) -> Envelope | Malformed:
        route, now = self._route, self._shell.clock.now()
        came_by = (ARRIVED_BY, route.name)
        try:
            envelope = read_cloudevent(arrived.body, now=now)
        except NotCarried as error:
            return Malformed(
                id=blake2b(arrived.body, digest_size=16).hexdigest(),
                source=route.recipient,
                body=arrived.body,
                at=now,
                recipient=route.recipient,
                reason=MALFORMED,
                error=msgspec.json.encode(str(error)),
                headers=(came_by, ("topic", arrived.topic)),
            )
        others = tuple(each for each in envelope.headers if each[0] != ARRIVED_BY)
        return replace(envelope, headers=(*others, came_by))


def _taken_note_of(ended: asyncio.Future[None]) -> None:
    """Keep the loop from telling that nobody has looked how something ended."""
    if not ended.cancelled():
        ended.exception()


def _seconds(shell: Shell) -> float:
    return shell.clock.now() / 1_000_000
