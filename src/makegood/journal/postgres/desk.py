"""How is something asked of the server? On connections beside the one that writes.

Each question takes a connection of the pool, has a deadline, and is asked again while the server
cannot be reached, for as long as a caller may be kept waiting. So every question here is one
that may be asked twice. This module knows no run.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypeVar

from makegood.errors import MakegoodError, StoreBusy, StoreFailed, StoreFull
from makegood.journal.postgres.connection import (
    TROUBLE,
    Fault,
    Patience,
    drop,
    fault_of,
    in_transaction,
    said,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.journal.postgres.connection import Connection, Driver, Pool
    from makegood.journal.postgres.place import Place

__all__ = ["Desk"]

T = TypeVar("T")


class Desk:
    """A pool of connections, and the patience of those who ask."""

    def __init__(self, place: Place, pool: Pool) -> None:
        self._place = place
        self._pool = pool

    @classmethod
    async def at(cls, place: Place, driver: Driver) -> Desk:
        """Return a desk whose connections are made as they are needed."""
        return cls(place, await driver.pool_of(place))

    async def ask(self, question: Callable[[Connection], Awaitable[T]], *, bare: bool = False) -> T:
        """Return the answer; `StoreBusy` when the server gives none in time.

        What the server refuses is raised as the driver has it. With `bare` the question brings
        its own transaction.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._place.ask_seconds_max
        patience = Patience()
        while True:
            try:
                return await self.once(question, seconds=self._place.answer_seconds_max, bare=bare)
            except TROUBLE as error:
                fault = fault_of(error)
                if fault is Fault.FULL:
                    raise self._full() from error
                if fault is Fault.REFUSED:
                    raise
                if fault is Fault.BROKEN:
                    message = f"{self._place.shown} is not the store it was: {error}"
                    raise StoreFailed(message) from error
                if loop.time() + patience.seconds > deadline:
                    message = f"{self._place.shown} does not answer ({said(error)}); try later"
                    raise StoreBusy(message) from error
            await patience.wait()

    async def once(
        self, question: Callable[[Connection], Awaitable[T]], *, seconds: float, bare: bool = False
    ) -> T:
        """Ask once."""
        async with asyncio.timeout(self._place.ask_seconds_max):
            connection = await self._pool.acquire()
        try:
            async with within(connection, seconds):
                if self._place.pooled and not bare:
                    return await in_transaction(connection, question)
                return await question(connection)
        except TROUBLE as error:
            await self._look_away_from(connection, error)
            raise
        finally:
            # A connection that does not come clean is closed and not given out again.
            with contextlib.suppress(*TROUBLE):
                await self._pool.release(connection, timeout=self._place.answer_seconds_max)

    async def close(self) -> None:
        """Close all connections, at once when they take too long."""
        try:
            async with asyncio.timeout(self._place.close_seconds_max):
                await self._pool.close()
        except TROUBLE:
            self._pool.terminate()

    async def _look_away_from(self, connection: Connection, error: Exception) -> None:
        """Use neither this connection again nor, after a failover, any that is open."""
        if fault_of(error) is not Fault.GONE:
            return
        drop(connection)
        if getattr(error, "sqlstate", None) == "25006":
            await self._pool.expire_connections()

    def _full(self) -> MakegoodError:
        return StoreFull(f"the disk of {self._place.shown} is full; free some room, then go on")
