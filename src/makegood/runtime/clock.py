"""The real clock and the real ids: the only module that asks the machine for time or chance."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from uuid_utils import uuid7

from makegood.values.ids import RunId, WorkerId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.runtime.ports import Clock, Timer

__all__ = ["RandomIds", "SystemClock", "pause"]


class SystemClock:
    """The machine's clock, and timers on the running event loop."""

    def now(self) -> Instant:
        """Return the present instant."""
        return Instant(time.time_ns() // 1000)

    def call_at(self, when: Instant, callback: Callable[[], object]) -> Timer:
        """Call back on the running event loop at an instant."""
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, (when - self.now()) / 1_000_000), callback)


_TOKEN_BYTES = 16
_TOKENS_DRAWN = 256
"""Tokens are drawn this many at a time: asking the machine for each would cost more."""


class RandomIds:
    """Ids from the machine's source of randomness."""

    def __init__(self) -> None:
        self._tokens: list[bytes] = []

    def worker(self) -> WorkerId:
        """Return a new worker id."""
        return WorkerId(os.urandom(8).hex())

    def run(self) -> RunId:
        """Return a new version 7 UUID."""
        return RunId(str(uuid7()))

    def token(self) -> bytes:
        """Return 16 random bytes."""
        if not self._tokens:
            drawn = os.urandom(_TOKEN_BYTES * _TOKENS_DRAWN)
            self._tokens = [
                drawn[start : start + _TOKEN_BYTES] for start in range(0, len(drawn), _TOKEN_BYTES)
            ]
        return self._tokens.pop()


async def pause(clock: Clock, until: Instant) -> None:
    """Wait on a clock until an instant."""
    reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def arrive() -> None:
        if not reached.done():
            reached.set_result(None)

    timer = clock.call_at(until, arrive)
    try:
        await reached
    finally:
        timer.cancel()
