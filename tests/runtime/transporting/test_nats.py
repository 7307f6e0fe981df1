"""Routes over a real NATS: absent when they begin, gone in the middle, and refusing to let in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, MessageOperator, Receptors, Route
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.messaging.nats import NatsTransport
from makegood.testing.servers import NatsServer
from tests.runtime.receiving.shop import Paid, Reserved, dead_letters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

pytestmark = pytest.mark.real

DEADLINE_SECONDS = 60.0
SECONDS_BETWEEN_LOOKS = 0.02

LOCKED = 'authorization { user: "shop", password: "secret" }\n'
LASTING = "jetstream { sync_interval: always }\n"


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again, in real time, until it is so."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


class Pair:
    """A shop and a bank on a store each, which outlive their engines."""

    def __init__(self, server: NatsServer) -> None:
        self.server = server
        self.stores = {"shop": MemoryStore(), "bank": MemoryStore()}
        self.charged: list[str] = []
        self.paid: list[str] = []

    async def charge(self, event: Reserved) -> Paid:
        self.charged.append(event.order_id)
        return Paid(event.order_id)

    async def hear(self, event: Paid) -> None:
        self.paid.append(event.order_id)

    @asynccontextmanager
    async def shop(self, **options: object) -> AsyncIterator[Engine]:
        route = Route(
            "bus", self._bus(options), sends={Reserved: "orders"}, hears=["paid"], group="shop"
        )
        async with self._engine("shop") as engine:
            engine.serve(Receptors("shop").on(self.hear), route)
            yield engine

    @asynccontextmanager
    async def bank(self, **options: object) -> AsyncIterator[Engine]:
        route = Route(
            "bus", self._bus(options), sends={Paid: "paid"}, hears=["orders"], group="bank"
        )
        async with self._engine("bank") as engine:
            engine.serve(Receptors("bank").on(self.charge), route)
            yield engine

    def _engine(self, name: str) -> Engine:
        config = Config(message_source=name, poll_max=timedelta(milliseconds=50))
        return Engine(MemoryJournal(self.stores[name]), config=config)

    def _bus(self, options: dict[str, object]) -> NatsTransport:
        return NatsTransport(
            self.server.url,
            stream="town",
            subjects=["orders", "paid"],
            timeout_seconds=1.0,
            options=options,
        )


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with NatsServer(config=LASTING) as server:
        yield server


async def test_a_broker_that_is_absent_at_first_is_waited_for_and_that_is_said(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop(immediate=True)
    pair = Pair(server)

    async with pair.shop() as shop, pair.bank():
        for number in range(10):
            await shop.publish(Reserved(f"order-{number}"))

        async def is_said() -> bool:
            return all(
                f"{what} 'bus' waits for the broker" in caplog.text
                for what in ("sending by", "listening to")
            )

        await eventually(is_said)
        assert await _waiting(shop) == 10
        assert pair.charged == []

        server.start()
        await eventually(lambda: _are(pair.paid, 10))

        assert sorted(pair.charged) == sorted(pair.paid) == [f"order-{n}" for n in range(10)]
        await eventually(lambda: _has_nothing_to_send(shop))
        assert "the broker of 'bus' answers again" in caplog.text


async def test_a_broker_that_is_killed_in_the_middle_loses_nothing_and_repeats_nothing(
    server: NatsServer,
) -> None:
    pair = Pair(server)

    async with pair.shop() as shop, pair.bank() as bank:
        for number in range(40):
            await shop.publish(Reserved(f"{number:03}"), key=f"key {number % 4}")
        for kill in (20, 60):
            await eventually(lambda kill=kill: _are(pair.charged, kill // 2))
            server.stop(immediate=True)
            for number in range(20 + kill, 40 + kill):
                await shop.publish(Reserved(f"{number:03}"), key=f"key {number % 4}")
            server.start()
        await eventually(lambda: _are(pair.paid, 80))

        assert len(pair.charged) == len(set(pair.charged))
        for key in range(4):
            of_key = [name for name in pair.charged if int(name) % 4 == key]
            assert of_key == sorted(of_key)
        assert await dead_letters(shop) == await dead_letters(bank) == []


async def test_a_broker_that_lets_nobody_in_is_waited_for_until_the_password_is_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with NatsServer(config=LASTING + LOCKED) as server:
        pair = Pair(server)
        async with pair.shop(user="shop", password="wrong") as shop:
            await shop.publish(Reserved("order-1"))

            async def is_said() -> bool:
                return "Authorization" in caplog.text

            await eventually(is_said)
            assert await _waiting(shop) == 1
            assert await dead_letters(shop) == []

        right = {"user": "shop", "password": "secret"}
        async with pair.shop(**right), pair.bank(**right):
            await eventually(lambda: _are(pair.paid, 1))

        assert pair.charged == ["order-1"]


async def _waiting(engine: Engine) -> int:
    lags = await MessageOperator(engine).lag()
    return sum(lag.waiting for lag in lags if lag.receptor == "transport:bus")


async def _are(found: list[str], count: int) -> bool:
    return len(found) >= count


async def _has_nothing_to_send(engine: Engine) -> bool:
    return await _waiting(engine) == 0
