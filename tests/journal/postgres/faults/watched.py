"""A driver that tells a test of every call, before it is sent and when its answer has come."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from makegood.journal.postgres.connection import ASYNCPG, TROUBLE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from makegood.journal.postgres.connection import Connection, Pool
    from makegood.journal.postgres.place import Place

__all__ = ["Moment", "WatchedDriver"]

_WATCHED = {"execute", "fetch", "fetchrow", "fetchval", "add_listener"}


class Moment(Enum):
    """How far a call has come."""

    SENDING = "before it is sent"
    ANSWERED = "when its answer has come, and nobody has used it"
    FAILED = "when it has failed"


class WatchedDriver:
    """asyncpg, and `watch`, which is called with the moment and with what is sent."""

    def __init__(self, watch: Callable[[Moment, str], None]) -> None:
        self._watch = watch

    async def connect(self, place: Place) -> Connection:
        connection = await self.watched("connect", ASYNCPG.connect(place))
        return cast("Connection", _Watched(self, connection))

    async def pool_of(self, place: Place) -> Pool:
        return cast("Pool", _WatchedPool(self, await ASYNCPG.pool_of(place)))

    # Any: the answer of whichever call.
    async def watched(self, sent: str, call: Awaitable[Any]) -> Any:
        """Await a call, and tell of it."""
        self._watch(Moment.SENDING, sent)
        try:
            answer = await call
        except TROUBLE:
            self._watch(Moment.FAILED, sent)
            raise
        self._watch(Moment.ANSWERED, sent)
        return answer


class _Watched:
    """A connection whose calls are told of."""

    def __init__(self, driver: WatchedDriver, inner: Connection) -> None:
        self.inner = inner
        self._driver = driver

    # Any: what the driver's own connection has under this name.
    def __getattr__(self, name: str) -> Any:
        own = getattr(self.inner, name)
        if name not in _WATCHED:
            return own

        async def call(sent: str, *parameters: Any, **options: Any) -> Any:
            return await self._driver.watched(sent, own(sent, *parameters, **options))

        return call


class _WatchedPool:
    """A pool whose connections are watched."""

    def __init__(self, driver: WatchedDriver, inner: Pool) -> None:
        self._driver = driver
        self._inner = inner

    async def acquire(self) -> Connection:
        connection = await self._driver.watched("acquire", self._inner.acquire())
        return cast("Connection", _Watched(self._driver, connection))

    async def release(self, connection: Connection, *, timeout: float) -> None:  # noqa: ASYNC109
        inner = cast("_Watched", connection).inner
        await self._driver.watched("release", self._inner.release(inner, timeout=timeout))

    # Any: what the driver's own pool has under this name.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
