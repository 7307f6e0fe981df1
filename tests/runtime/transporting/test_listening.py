"""Of several processes of a service one listens; nothing overtakes what one stands still with."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Receptors, Route, TransportDown
from makegood.messaging.in_process import InProcessBroker
from makegood.values.instants import Instant
from tests.runtime.receiving.shop import Reserved
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from makegood import Engine
    from makegood.messaging.in_process import InProcessTransport
    from makegood.runtime.transporting.transport import Arrived, Confirmed, Outbound, Take

FOR_EVER = Instant(10**16)


class Way:
    """A process's way to the broker: it may stand still with what it is handed, or find nobody."""

    def __init__(
        self, within: InProcessTransport, *, hangs: bool = False, is_cut: bool = False
    ) -> None:
        self._within = within
        self.close = within.close
        self.is_cut = is_cut
        self.goes_on = asyncio.Event()
        self.has: list[bytes] = []
        """What it was handed."""
        self.listened = 0
        if not hangs:
            self.goes_on.set()

    async def send(self, message: Outbound) -> Confirmed:
        return await self._within.send(message)

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        self.listened += 1
        if self.is_cut:
            text = "the broker cannot be reached from here"
            raise TransportDown(text)

        async def slowly(arrived: Sequence[Arrived]) -> None:
            self.has += [each.body for each in arrived]
            await self.goes_on.wait()
            await take(arrived)

        await self._within.listen(topics, group=group, batch=batch, take=slowly)


class Bank:
    """A service with any number of processes on one store, to which a shop sends messages."""

    def __init__(self) -> None:
        self.broker = InProcessBroker()
        self.world, self.shop = World(), World()
        self.shop.clock = self.world.clock
        self.charged: list[str] = []

    async def charge(self, event: Reserved) -> None:
        self.charged.append(event.order_id)

    async def process(self, way: Way) -> Engine:
        """Open one more process of it."""
        route = Route("bus", way, hears=["orders"], group="bank")
        group = Receptors("bank").on(self.charge)
        engine = await self.world.engine(group, route)  # type: ignore[arg-type]
        await self.until(lambda: True)
        return engine

    def way(self, *, hangs: bool = False, is_cut: bool = False) -> Way:
        return Way(self.broker.transport(), hangs=hangs, is_cut=is_cut)

    async def sender(self) -> Engine:
        route = Route("bus", self.broker.transport(), sends={Reserved: "orders"})
        return await self.shop.engine(route)  # type: ignore[arg-type]

    async def until(self, condition: Callable[[], bool], *, seconds: int = 60) -> None:
        """Let time pass in small steps until something holds."""
        for _ in range(seconds * 5):
            for _ in range(60):
                await turn_of_the_loop()
            if condition():
                return
            self.world.clock.turn(timedelta(milliseconds=200))
        message = "it does not come true, however much time passes"
        raise AssertionError(message)


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    bank = Bank()
    async with bank.world, bank.shop:
        yield bank


async def send(sender: Engine, *names: str) -> None:
    for name in names:
        await sender.publish(Reserved(name), key="one key for all")


async def test_one_process_listens_and_another_one_as_soon_as_that_has_ended(bank: Bank) -> None:
    sender, one, other = await bank.sender(), bank.way(), bank.way()
    first = await bank.process(one)
    await bank.process(other)

    await send(sender, "0", "1")
    await bank.until(lambda: bank.charged == ["0", "1"])
    assert (one.listened, other.listened) == (1, 0)
    await bank.world.close(first)
    await send(sender, "2")

    await bank.until(lambda: bank.charged == ["0", "1", "2"], seconds=3)
    assert (one.listened, other.listened) == (1, 1)


async def test_nothing_overtakes_what_a_process_stands_still_with(bank: Bank) -> None:
    sender, still, other = await bank.sender(), bank.way(hangs=True), bank.way()
    await bank.process(still)
    await send(sender, "0")
    await bank.until(lambda: len(still.has) == 1)
    second = await bank.process(other)
    await send(sender, "1", "2")
    await bank.until(lambda: len(bank.broker.sent) == 3)
    assert bank.charged == []

    # Its lease has ended, and it does not know it yet.
    bank.world._store.office.listeners["bus"] = (second._shell.worker, FOR_EVER)

    await bank.until(lambda: len(bank.charged) == 3)
    still.goes_on.set()
    await send(sender, "3")
    await bank.until(lambda: len(bank.charged) >= 4)
    assert bank.charged == ["0", "1", "2", "3"]


async def test_where_one_process_cannot_reach_the_broker_another_one_listens(bank: Bank) -> None:
    sender, cut, other = await bank.sender(), bank.way(is_cut=True), bank.way()
    await bank.process(cut)
    await bank.process(other)

    await send(sender, "0")

    await bank.until(lambda: bank.charged == ["0"])
    assert cut.listened


async def test_to_be_relieved_is_no_outage(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    sender, one, other = await bank.sender(), bank.way(), bank.way()
    await bank.process(one)
    second = await bank.process(other)
    await bank.until(lambda: one.listened == 1)

    bank.world._store.office.listeners["bus"] = (second._shell.worker, FOR_EVER)
    await bank.until(lambda: other.listened == 1)
    await send(sender, "0")

    await bank.until(lambda: bank.charged == ["0"])
    assert "waits for the broker" not in caplog.text
