"""How does a worker learn soon that something was left for it? By NOTIFY, which is only a hint.

Whoever left something rings after the commit, never inside it: a NOTIFY makes its transaction wait
for all others that have one. Rings are gathered, so that there is one round trip every 20 ms at
most, however much is left. The channel bears the name of the schema; what is said on it is the
id of the worker that is meant, or `due` for anybody who has room.

A ring may be lost: the line may be down, the server's queue of notifications full, or a pooler in
between. Then what was left is found a little later, by asking.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from makegood.journal.outage import Outage
from makegood.journal.postgres.connection import TROUBLE, Patience, drop, pause, said, within

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from makegood.journal.postgres.connection import Connection, Driver
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.place import Place

__all__ = ["ANYBODY", "Doorbell", "Listener", "listening_place"]

ANYBODY = "due"
"""What is said when a run is due that nobody holds."""

_SECONDS_BETWEEN_RINGS = 0.02
_RUNG_AT_ONCE_MAX = 256
_SECONDS_TO_RING_MAX = 1.0
"""How long closing waits for the last ring."""

_SECONDS_BETWEEN_LOOKS = 30.0
"""How often a line on which nothing is said is tried: it may be dead without telling."""

_log = logging.getLogger("makegood")


class Doorbell:
    """Rings others, soon and seldom. Made on the event loop whose tasks ring."""

    def __init__(self, place: Place, desk: Desk) -> None:
        self._place = place
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._rings: dict[str, None] = {}
        """Who is to be rung, in order."""
        self._rung_at = self._loop.time() - _SECONDS_BETWEEN_RINGS
        self._outage = Outage(place.shown)
        self._task: asyncio.Task[None] | None = None

    def ring(self, whom: str) -> None:
        """Ring a worker by its id, or `ANYBODY`, as soon as may be."""
        self._rings[whom] = None
        if self._task is None:
            self._task = self._loop.create_task(self._carry())

    async def end(self) -> None:
        """Let what is to be rung be rung, if that does not take long."""
        task = self._task
        if task is not None:
            await asyncio.wait([task], timeout=_SECONDS_TO_RING_MAX)
            task.cancel()
            await asyncio.wait([task])

    async def _carry(self) -> None:
        try:
            while self._rings:
                early = self._rung_at + _SECONDS_BETWEEN_RINGS - self._loop.time()
                if early > 0:
                    await pause(early)
                self._rung_at = self._loop.time()
                await self._ring_together()
        finally:
            self._task = None

    async def _ring_together(self) -> None:
        whom = list(self._rings)[:_RUNG_AT_ONCE_MAX]
        for each in whom:
            del self._rings[each]

        async def ring(connection: Connection) -> None:
            await connection.fetch(
                "SELECT pg_notify($1, whom) FROM unnest($2::text[]) AS given (whom)",
                self._place.schema,
                whom,
            )

        try:
            await self._desk.once(ring, seconds=self._place.answer_seconds_max)
        except TROUBLE as error:
            self._outage.tell("the doorbell", said(error))
        else:
            self._outage.is_over()


class Listener:
    """Hears the rings that are for anybody, or for one of the workers here, until it is ended."""

    def __init__(
        self, place: Place, driver: Driver, *, workers: Container[str], ring: Callable[[], None]
    ) -> None:
        self._place = place
        """Where to listen: a server, never a pooler."""
        self._driver = driver
        self._workers = workers
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._patience = Patience()
        self._outage = Outage(place.shown)
        self._task = self._loop.create_task(self._listen())
        self._task.add_done_callback(_tell_of_defect)

    async def end(self) -> None:
        """Listen no more."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except TROUBLE as error:
                self._outage.tell("the ear at the door", said(error))
            await self._patience.wait()

    async def _hear(self) -> None:
        """Connect and listen until the connection is lost, which is an error like another."""
        async with asyncio.timeout(self._place.answer_seconds_max):
            connection = await self._driver.connect(self._place)
        lost: asyncio.Future[None] = self._loop.create_future()

        def lose(_connection: object) -> None:
            if not lost.done():
                lost.set_result(None)

        try:
            connection.add_termination_listener(lose)
            async with within(connection, self._place.answer_seconds_max):
                await connection.add_listener(self._place.schema, self._take)
            self._patience = Patience()
            self._outage.is_over()
            # What was rung while nobody listened is rung now.
            self._ring()
            while True:
                await asyncio.wait([lost], timeout=_SECONDS_BETWEEN_LOOKS)
                if lost.done():
                    message = "the server closed the connection"
                    raise ConnectionResetError(message)
                async with within(connection, self._place.answer_seconds_max):
                    await connection.fetchval("SELECT 1")
        finally:
            drop(connection)

    def _take(self, _connection: object, _process: int, _channel: str, whom: str) -> None:
        if whom == ANYBODY or whom in self._workers:
            self._ring()


def listening_place(place: Place) -> Place | None:
    """Return where rings can be heard, or None where a pooler hands sessions around."""
    if place.listen_dsn is not None:
        return replace(place, dsn=place.listen_dsn, pooled=False)
    return None if place.pooled else place


def _tell_of_defect(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("a defect ended the listening for rings; please report it", exc_info=error)
