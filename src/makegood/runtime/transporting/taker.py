"""Taking what arrives on a route into the store, before the broker is told that it is here.

What comes twice is known by its source and id, and is acknowledged again. What is no message is
stored as it came, as a dead letter, while the rest goes on. A store that is busy or full takes
nothing, so that nothing is acknowledged either, and the broker keeps it.

Of all processes of a service one listens on a route, by a lease in its store; the others wait until
they may. That the lease ends by a clock costs no order: whoever comes next is handed again what the
one before had and nobody acknowledged, and all that follows, so what either stores follows what is
stored already, and what both store is known the second time.
"""

from __future__ import annotations

import asyncio
import contextlib
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from makegood.errors import MakegoodError, StoreBusy, StoreError, StoreFull, TransportDown
from makegood.journal.messages import Duplicate, Malformed
from makegood.journal.outage import Outage
from makegood.runtime.clock import pause
from makegood.runtime.looking.errand import Errand
from makegood.runtime.telemetry import log
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
        self._is_mine = False
        """Whether it was this engine that listens, when that was asked last."""
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
        await self._release()

    async def _work(self) -> None:
        shell = self._shell
        while shell.failure is None and not self._is_stopping:
            wait = shell.config.poll_max
            try:
                if shell.journal.leads and await self._claim():
                    await self._listen()
            except (StoreBusy, StoreFull, TransportDown) as error:
                self._outage.tell(f"listening to {self._route.name!r}", error)
                wait = wait_for_broker(shell, self._failures)
                self._failures += 1
            except StoreError as error:
                shell.fail(error)
                return
            await pause(shell.clock, after(shell.clock.now(), wait))

    async def _claim(self) -> bool:
        """Say whether it is this engine that listens now, of all that are on the store."""
        shell = self._shell
        self.is_asking = True
        try:
            self._is_mine = await shell.journal.messages.claim_listening(
                self._route.name, shell.worker, now=shell.clock.now()
            )
        finally:
            self.is_asking = False
        return self._is_mine

    async def _release(self) -> None:
        """Let another engine listen at once, rather than when the lease has ended."""
        if self._is_mine:
            self._is_mine = False
            with contextlib.suppress(MakegoodError):
                await self._shell.journal.messages.release_listening(
                    self._route.name, self._shell.worker, now=self._shell.clock.now()
                )

    async def _listen(self) -> None:
        """Listen until it is over, was ended by `stop`, or another engine does."""
        watching = asyncio.ensure_future(self._watch())
        try:
            await self._listen_until(watching)
        except TransportDown:
            # It may be that another engine has begun to listen: that is no trouble.
            if await self._claim():
                # Perhaps another one reaches the broker.
                await self._release()
                raise
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _watch(self) -> None:
        """Return when it is no longer this engine that listens."""
        clock, wait = self._shell.clock, self._shell.config.poll_max
        while True:
            await pause(clock, after(clock.now(), wait))
            with contextlib.suppress(StoreBusy, StoreFull):
                if not await self._claim():
                    return

    async def _listen_until(self, over: asyncio.Future[None]) -> None:
        route = self._route
        listening = route.transport.listen(
            route.hears, group=route.group, batch=route.batch, take=self._take
        )
        self._listening = asyncio.ensure_future(listening)
        # Whoever stops it may be gone when it ends, and then nobody needs to know how.
        self._listening.add_done_callback(_taken_note_of)
        try:
            await asyncio.wait([self._listening, over], return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                over.result()
                log.info("another engine listens to %r now", route.name)
            elif not self._listening.cancelled():
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
