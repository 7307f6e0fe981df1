"""Processes of one service on PostgreSQL and NATS: one stands still with a batch, or is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from makegood.journal.messages import DeliveryState
from makegood.messaging.nats import NatsTransport
from makegood.runtime.transporting.transport import Outbound
from makegood.testing.servers import NatsServer
from makegood.values.envelope import Envelope, write_cloudevent
from makegood.values.instants import Instant
from tests.journal.postgres.served import eventually
from tests.runtime.transporting.child import STREAM, TOPIC
from tests.source import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

LEASE_SECONDS = 1.0
KEYS = 3


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


@pytest.fixture
async def world(served: Served) -> AsyncIterator[PostgresWorld]:
    world = await served.world(lease_seconds=LEASE_SECONDS)
    yield world
    await world.close()


class Process:
    """One process of the bank."""

    def __init__(self, world: PostgresWorld, server: NatsServer, how: str) -> None:
        place = world.place
        joint = "&" if "?" in place.dsn else "?"
        journal = f"{place.dsn}{joint}schema={quote(place.schema)}&lease_seconds={LEASE_SECONDS}"
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.transporting.child", journal, server.url, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    async def says(self) -> str:
        """Return the next line that it says."""
        assert self._child.stdout is not None
        return (await asyncio.to_thread(self._child.stdout.readline)).strip()

    def go_on(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def kill(self) -> None:
        self._child.kill()
        self._child.wait(timeout=30)
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            pipe.close()


@asynccontextmanager
async def process(
    world: PostgresWorld, server: NatsServer, how: str = "well"
) -> AsyncGenerator[Process]:
    """Start a process that serves by the time this begins, and kill it in the end."""
    started = Process(world, server, how)
    try:
        assert await started.says() == "serves"
        yield started
    finally:
        started.kill()


class Till:
    """Sends, and looks at what has arrived."""

    def __init__(self, world: PostgresWorld, server: NatsServer) -> None:
        self._world = world
        self.transport = NatsTransport(server.url, stream=STREAM, subjects=[TOPIC])
        self.sent = 0

    async def send(self, count: int) -> None:
        for number in range(self.sent, self.sent + count):
            name = f"event-{number:03}"
            envelope = Envelope(
                id=name,
                source="till",
                type="shop.Reserved",
                body=b'{"order_id":"order"}',
                at=Instant(0),
                correlation=name,
                key=f"key-{number % KEYS}",
            )
            body = write_cloudevent(envelope)
            await self.transport.send(
                Outbound(topic=TOPIC, id=name, name=name, key=envelope.key, body=body)
            )
        self.sent += count

    async def arrived(self) -> list[str]:
        rows = await self._world.sql("SELECT id FROM message WHERE source = 'till' ORDER BY seq")
        return [name for (name,) in rows]

    async def all_are_received(self) -> bool:
        rows = await self._world.sql("SELECT state FROM delivery")
        return [state for (state,) in rows] == [DeliveryState.DONE.value] * self.sent

    def in_order(self, arrived: list[str]) -> bool:
        """Say whether what has arrived is all that was sent, key by key in its order."""
        sent = [f"event-{number:03}" for number in range(self.sent)]
        of_key = [[each for each in arrived if int(each[-3:]) % KEYS == k] for k in range(KEYS)]
        return of_key == [sent[k::KEYS] for k in range(KEYS)]


async def test_nothing_overtakes_what_a_process_stands_still_with(
    world: PostgresWorld, server: NatsServer
) -> None:
    till = Till(world, server)
    async with process(world, server, "still") as still:
        await till.send(5)
        assert (await still.says()).startswith("has")
        async with process(world, server):
            await till.send(10)
            await eventually(till.all_are_received)
            still.go_on()
            await till.send(20)

            await eventually(till.all_are_received)
            assert till.in_order(await till.arrived()), await till.arrived()
    await till.transport.close()


async def test_nothing_overtakes_what_a_process_was_killed_with(
    world: PostgresWorld, server: NatsServer
) -> None:
    till = Till(world, server)
    async with process(world, server, "still") as dying:
        await till.send(5)
        assert (await dying.says()).startswith("has")
    async with process(world, server):
        await till.send(20)

        await eventually(till.all_are_received)
        assert till.in_order(await till.arrived()), await till.arrived()
    await till.transport.close()
