"""Stands between the shop's processes and their server, and breaks connections all the time.

It knows what is asked, so that it can cut precisely before and after a COMMIT or a batch of
appends; and it cuts at moments at which nobody asks anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from enum import Enum
from itertools import cycle
from typing import TYPE_CHECKING, Self

import pytest

from makegood.decision.retry import Chance
from tests.chaos.postgres.talk import Kind, Talk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.chaos.postgres.talk import Ask

__all__ = ["EACH", "Fate", "Fates", "Proxy"]

# What stands between real processes and a real server keeps real time.
pytestmark = pytest.mark.real

_BYTES_AT_ONCE = 65_536


class Fate(Enum):
    """What becomes of an ask, and of its connection."""

    LOST = "lost"
    """It is not delivered, and the connection is cut."""
    TORN = "torn"
    """Half of it is delivered, and the connection is cut."""
    UNANSWERED = "unanswered"
    """It is delivered and done, and the connection is cut before the answer."""
    LATE = "late"
    """The connection is cut, and after a while it is delivered and done all the same."""
    SILENT = "silent"
    """It is delivered and done, and nothing ever comes any more; the connection stays open."""


LATE_SECONDS = 0.3
"""How much later what is late is delivered: whoever asked has asked again by then."""

SILENT_SECONDS = 2.0
"""After how long the server finds out that nobody is at the other end of a silent connection."""

_CUT = (Fate.LOST, Fate.UNANSWERED, Fate.TORN, Fate.LATE)
EACH: Mapping[Kind, tuple[Fate, ...]] = {
    Kind.COMMIT: (*_CUT, Fate.SILENT),
    Kind.BATCH: (*_CUT, Fate.SILENT),
    Kind.STEP: _CUT,
    Kind.POST: _CUT,
    Kind.LEASE: (Fate.LOST, Fate.UNANSWERED),
    Kind.RENEW: (Fate.LOST, Fate.UNANSWERED),
}
"""The fates of each kind of ask, in their turn."""


class Fates:
    """Which ask meets which fate: of each kind one in so many, drawn from a seed.

    And every so many asks some other connection is cut, whatever it is at.
    """

    def __init__(self, gaps: Mapping[Kind, int], *, cut_gap: int = 0, seed: int) -> None:
        self.struck: Counter[tuple[Kind, Fate]] = Counter()
        self._chance = Chance(seed)
        self._gaps = gaps
        self._asked: Counter[Kind] = Counter()
        self._turns: dict[Kind, Iterator[Fate]] = {kind: cycle(EACH[kind]) for kind in gaps}
        self._next_at = {kind: self._gap(kind) for kind in gaps}
        self._cut_gap = cut_gap
        self._asked_of_any = 0

    def of(self, kind: Kind) -> Fate | None:
        """Draw the fate of an ask; None for the most of them."""
        if kind not in self._gaps:
            return None
        self._asked[kind] += 1
        if self._asked[kind] < self._next_at[kind]:
            return None
        self._next_at[kind] += self._gap(kind)
        fate = next(self._turns[kind])
        self.struck[kind, fate] += 1
        return fate

    def cuts_another(self) -> float | None:
        """Draw whether some connection is cut now: which one, as a number from 0 up to 1."""
        self._asked_of_any += 1
        if (
            not self._cut_gap
            or self._chance.fraction("cut", self._asked_of_any) * self._cut_gap > 1
        ):
            return None
        return self._chance.fraction("which", self._asked_of_any)

    def missing(self) -> list[str]:
        """Name what has not happened yet."""
        return [
            f"no {kind.value} was {fate.value}"
            for kind in self._gaps
            for fate in EACH[kind]
            if not self.struck[kind, fate]
        ]

    def _gap(self, kind: Kind) -> int:
        drawn = self._chance.fraction(kind.value, self._asked[kind])
        return 1 + int(2 * drawn * self._gaps[kind])


class Proxy:
    """Listens on a loopback port of its own, and forwards to the server's.

    It does no harm until it is given `fates`.
    """

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.fates: Fates | None = None
        self.cut_at_random = 0
        self._server_port = server_port
        self._links: list[_Link] = []
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *reason: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def meet(self, kind: Kind) -> Fate | None:
        """Return the fate of an ask, and cut some connection if it is time."""
        if self.fates is None:
            return None
        drawn = self.fates.cuts_another()
        at_work = [link for link in self._links if link.has_written]
        if drawn is not None and at_work:
            self.cut_at_random += 1
            at_work[int(drawn * len(at_work))].cut()
        return self.fates.of(kind)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            # The server is down, and so nobody listens here either.
            writer.transport.abort()
            return
        link = _Link(self, (reader, writer), (there, back))
        self._links.append(link)
        try:
            await link.carry()
        finally:
            self._links.remove(link)


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.has_written = False
        """Whether it has carried what its client is there for."""
        self._proxy = proxy
        self._asks, self._client = client
        self._answers, self._server = server
        self._talk = Talk()
        self._fate: Fate | None = None

    async def carry(self) -> None:
        """Forward both ways, until either side ends or the connection is cut."""
        ways = [asyncio.ensure_future(self._forward()), asyncio.ensure_future(self._return())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if self._fate is Fate.SILENT:
                await asyncio.sleep(SILENT_SECONDS)
            elif self._fate is Fate.LATE:
                await ways[1]
        finally:
            self.cut()
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    def cut(self) -> None:
        for stream in (self._client, self._server):
            stream.transport.abort()

    async def _forward(self) -> None:
        with suppress(ConnectionError):
            while sent := await self._asks.read(_BYTES_AT_ONCE):
                for ask in self._talk.hear(sent):
                    if self._fate is None and not await self._deliver(ask):
                        return

    async def _deliver(self, ask: Ask) -> bool:
        """Deliver an ask, as is its fate; say whether more is to be delivered after it."""
        self.has_written |= ask.kind in {Kind.BATCH, Kind.COMMIT, Kind.POST}
        self._fate = self._proxy.meet(ask.kind)
        match self._fate:
            case Fate.LOST:
                return False
            case Fate.TORN:
                self._server.write(ask.sent[: len(ask.sent) // 2])
                await self._server.drain()
                return False
            case Fate.LATE:
                self._client.transport.abort()
                await asyncio.sleep(LATE_SECONDS)
            case Fate.UNANSWERED | Fate.SILENT | None:
                pass
        self._server.write(ask.sent)
        return self._fate is not Fate.LATE

    async def _return(self) -> None:
        with suppress(ConnectionError):
            while answer := await self._answers.read(_BYTES_AT_ONCE):
                if self._fate in {Fate.UNANSWERED, Fate.LATE}:
                    return
                if self._fate is None:
                    self._client.write(answer)
