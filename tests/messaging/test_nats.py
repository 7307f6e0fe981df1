"""NATS JetStream keeps the promises of every transport: a real server, from its wheel."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import nats
import pytest
from nats.js.api import RetentionPolicy

from makegood import TransportDown
from makegood.messaging.nats import NatsTransport, group_of
from makegood.runtime.transporting.transport import Refused
from makegood.testing.servers import NatsServer
from tests.messaging.contract import *  # noqa: F403 - the suite
from tests.messaging.contract import (
    DEADLINE_SECONDS,
    Hung,
    Listener,
    a_moment,
    bodies,
    listening,
    outbound,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from nats.js import JetStreamContext

pytestmark = pytest.mark.real


class _Broker:
    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self.url = server.url

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


@asynccontextmanager
async def jetstream(broker: _Broker) -> AsyncGenerator[JetStreamContext]:
    """Look at what there is, as somebody from outside."""
    client = await nats.connect(broker.url)
    yield client.jetstream(timeout=2.0)
    await client.close()


async def consumers(broker: _Broker) -> list[str]:
    async with jetstream(broker) as context:
        return sorted(each.name for each in await context.consumers_info("shop"))


async def test_however_often_somebody_listens_a_group_has_one_consumer(broker: _Broker) -> None:
    transport, listener = broker.transport(), Listener()
    for number in range(1, 5):
        await transport.send(outbound(number))
        async with listening(transport, listener, group="g"):
            await listener.until(number)
    async with listening(transport, Listener(), group="g-other"):
        await a_moment()
    await transport.close()

    assert listener.bodies == bodies(1, 2, 3, 4)
    names = [group_of(name) for name in await consumers(broker)]
    assert sorted(names) == ["g", "g-other"]


@pytest.mark.parametrize("retention", RetentionPolicy)
async def test_whatever_a_stream_retains_the_next_listener_begins_with_what_is_left(
    broker: _Broker, retention: RetentionPolicy
) -> None:
    async with jetstream(broker) as context:
        await context.add_stream(name="shop", subjects=["orders"], retention=retention)
        # A stream that retains what somebody is interested in forgets the rest.
        await context.add_consumer("shop", durable_name="g", filter_subjects=["orders"])
    dying, heir = broker.transport(), broker.transport()
    hung, listener = Hung(), Listener()
    for number in (1, 2):
        await dying.send(outbound(number))
    async with listening(dying, Listener(), group="g", batch=1):
        await a_moment()
    for number in (3, 4):
        await dying.send(outbound(number))
    async with listening(dying, hung, group="g"):
        await hung.until_it_hangs()
        await heir.send(outbound(5))

        async with listening(heir, listener, group="g"):
            await listener.until_it_has(bodies(5)[0])
    await dying.close()
    await heir.close()

    assert listener.bodies[-3:] == bodies(3, 4, 5)
    assert listener.bodies == sorted(listener.bodies)


async def test_a_group_that_had_one_consumer_for_all_goes_on_where_that_was(
    broker: _Broker,
) -> None:
    transport, listener = broker.transport(), Listener()
    for number in (1, 2, 3):
        await transport.send(outbound(number))
    async with jetstream(broker) as context:
        await context.add_consumer("shop", durable_name="g", filter_subjects=["orders"])
        before = await context.pull_subscribe_bind("g", "shop")
        for each in await before.fetch(2):
            if each.data == bodies(1)[0]:
                await each.ack_sync()

    async with listening(transport, listener, group="g"):
        await listener.until(2)
    await transport.close()

    assert listener.bodies == bodies(2, 3)
    assert "g" not in await consumers(broker)


async def test_what_was_lost_on_the_way_is_not_overtaken(broker: _Broker) -> None:
    transport, listener = broker.transport(), Listener()
    await transport.send(outbound(1))
    async with listening(transport, listener, group="g") as listens:
        await listener.until(1)
        (name,) = await consumers(broker)
        async with jetstream(broker) as context:
            # What somebody else takes away has not reached the one whose it is.
            thief = await context.pull_subscribe_bind(name, "shop")
            stolen = asyncio.ensure_future(thief.fetch(1, timeout=DEADLINE_SECONDS))
            sent = 1
            while not stolen.done():
                sent += 1
                await transport.send(outbound(sent))
                await a_moment()
        await transport.send(outbound(sent + 1))
        with pytest.raises(TransportDown, match="was lost on its way"):
            await asyncio.wait_for(asyncio.shield(listens), DEADLINE_SECONDS)

    async with listening(transport, listener, group="g"):
        await listener.until(sent + 1)
    await transport.close()
    assert listener.bodies == bodies(*range(1, sent + 2))


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
