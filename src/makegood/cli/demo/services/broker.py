"""The broker of the demonstration: a NATS of its own, that is killed and started again."""

from __future__ import annotations

# The options of the client's methods have no types of their own.
# pyright: reportUnknownMemberType=false
import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from makegood.cli.demo.services.told import BUS
from makegood.errors import StoreRefused
from makegood.testing.servers import NatsServer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

__all__ = ["Broker"]

ANSWER_SECONDS_MAX = 5.0

CONFIG = "jetstream { sync_interval: always }"
"""What JetStream has confirmed is in its files, so that a kill loses none of it."""


class Broker:
    """A NATS with JetStream, which is not up before it is started; use it with `with`."""

    def __init__(self, groups: Iterable[str]) -> None:
        self._server = NatsServer(config=CONFIG)
        self._groups = [*groups]
        """Those who listen."""

    def __enter__(self) -> Self:
        if find_spec("nats") is None:
            message = 'NATS needs its client; run: pip install "makegood[nats,demo]"'
            raise StoreRefused(message)
        try:
            self._server.__enter__()
        except LookupError as error:
            raise StoreRefused(str(error)) from None
        self._server.stop()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(*error)

    @property
    def url(self) -> str:
        """Its address, which stays the same."""
        return self._server.url

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        await asyncio.to_thread(self._server.start)

    async def kill(self) -> None:
        """Kill it by SIGKILL, of which it learns nothing."""
        await asyncio.to_thread(self._server.stop, immediate=True)

    async def left(self) -> int:
        """Return how much it has that somebody was not given yet, or has not acknowledged.

        While it cannot say so, that is taken for something.
        """
        import nats  # noqa: PLC0415 - an optional extra
        import nats.errors  # noqa: PLC0415

        from makegood.messaging.nats import group_of  # noqa: PLC0415 - it needs that extra

        try:
            client = await nats.connect(
                self.url, connect_timeout=ANSWER_SECONDS_MAX, allow_reconnect=False
            )
            try:
                stream = client.jetstream(timeout=ANSWER_SECONDS_MAX)
                found = await stream.consumers_info(BUS)
            finally:
                await client.close()
        except (nats.errors.Error, OSError, TimeoutError):
            # It has just been started, or somebody has not listened yet.
            return 1
        if not {group_of(each.name) for each in found}.issuperset(self._groups):
            return 1
        return sum((each.num_pending or 0) + (each.num_ack_pending or 0) for each in found)
