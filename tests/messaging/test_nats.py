"""NATS JetStream keeps the promises of every transport: a real server, from its wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood.messaging.nats import NatsTransport
from makegood.runtime.transporting.transport import Refused
from makegood.testing.servers import NatsServer
from tests.messaging.contract import *  # noqa: F403 - the suite
from tests.messaging.contract import outbound

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.real


class _Broker:
    def __init__(self, server: NatsServer) -> None:
        self._server = server

    def transport(self) -> NatsTransport:
        return NatsTransport(
            self._server.url, stream="shop", subjects=["orders", "payments"], timeout_seconds=2.0
        )

    def go_down(self) -> None:
        self._server.stop(immediate=True)

    def come_up(self) -> None:
        self._server.start()


@pytest.fixture
def broker() -> Iterator[_Broker]:
    with NatsServer() as server:
        yield _Broker(server)


async def test_what_the_stream_does_not_keep_is_refused(broker: _Broker) -> None:
    transport = broker.transport()

    answer = await transport.send(outbound(1, topic="elsewhere"))

    await transport.close()
    assert isinstance(answer, Refused)


async def test_what_is_too_large_is_refused(broker: _Broker) -> None:
    transport = broker.transport()
    large = outbound(1)
    large = type(large)(topic="orders", id="large", name="large", key=None, body=b" " * 2_000_000)

    answer = await transport.send(large)

    await transport.close()
    assert isinstance(answer, Refused)
