"""What one store has to say reaches another one by a broker: once, in order, and never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import DefinitionError, Engine, Receptors, Route, TransportDown
from makegood.errors import StoreBusy, StoreFull
from makegood.journal.memory import MemoryJournal
from makegood.journal.messages import DeliveryState, MessageFilter
from makegood.messaging.in_process import InProcessBroker
from makegood.runtime.transporting.transport import Arrived, Confirmed, Outbound, Refused
from makegood.testing import TurnableClock
from makegood.values.envelope import write_cloudevent
from tests.runtime.receiving.shop import (
    Moody,
    Paid,
    Reserved,
    dead_letters,
    deliveries,
    messages_of,
    quiet,
)
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from makegood.messaging.in_process import InProcessTransport
    from makegood.runtime.transporting.transport import Take, Transport


class Bank:
    """Charges what is reserved, in a process of its own."""

    def __init__(self) -> None:
        self.charged: list[str] = []

    async def charge(self, event: Reserved) -> Paid:
        self.charged.append(event.order_id)
        return Paid(event.order_id)


class Shop:
    """Hears what was paid."""

    def __init__(self) -> None:
        self.paid: list[str] = []

    async def hear(self, event: Paid) -> None:
        self.paid.append(event.order_id)


class Town:
    """A shop and a bank, each with a store of its own, and a broker between them."""

    def __init__(self) -> None:
        self.broker = InProcessBroker()
        self.shop, self.bank = Shop(), Bank()
        self.worlds = (World(), World())
        self.clock = TurnableClock()
        for world in self.worlds:
            world.clock = self.clock
        self.engines: list[Engine] = []

    async def open_shop(self, transport: Transport | None = None) -> Engine:
        route = Route(
            "bus",
            transport or self.broker.transport(),
            sends={Reserved: "orders"},
            hears=["payments"],
            group="shop",
        )
        return await self._open(0, Receptors("shop").on(self.shop.hear), route)

    async def open_bank(self, transport: Transport | None = None) -> Engine:
        route = Route(
            "bus",
            transport or self.broker.transport(),
            sends={Paid: "payments"},
            hears=["orders"],
            group="bank",
        )
        return await self._open(1, Receptors("bank").on(self.bank.charge), route)

    async def _open(self, number: int, *served: Receptors | Route) -> Engine:
        engine = await self.worlds[number].engine(*served)  # type: ignore[arg-type]
        self.engines.append(engine)
        await self.until(lambda: True)
        return engine

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass in small steps until something holds."""
        for _ in range(600):
            for _ in range(60):
                await turn_of_the_loop()
            if condition():
                return
            self.clock.turn(timedelta(milliseconds=200))
        message = "it does not come true, however much time passes"
        raise AssertionError(message)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    town = Town()
    async with town.worlds[0], town.worlds[1]:
        yield town


async def test_a_message_goes_out_is_received_and_answered(town: Town) -> None:
    shop = await town.open_shop()
    await town.open_bank()

    for number in range(20):
        await shop.publish(Reserved(f"order-{number % 3}-{number}"))
    await town.until(lambda: len(town.shop.paid) == 20)

    assert sorted(town.bank.charged) == sorted(town.shop.paid)
    assert len(set(town.bank.charged)) == 20


async def test_messages_of_one_key_arrive_in_their_order(town: Town) -> None:
    shop = await town.open_shop()
    await town.open_bank()

    for number in range(30):
        await shop.publish(Reserved(f"{number:02}"), key="one key for all")
    await town.until(lambda: len(town.bank.charged) == 30)

    assert town.bank.charged == [f"{number:02}" for number in range(30)]


async def test_what_came_twice_is_received_once(town: Town) -> None:
    shop = await town.open_shop()
    bank = await town.open_bank()
    transport = town.broker.transport()
    receipt = await shop.publish(Reserved("order-1"))
    await town.until(lambda: town.shop.paid == ["order-1"])
    found = await messages_of(bank).messages(MessageFilter(id=receipt.id, limit=10))
    stored = await messages_of(bank).message(found.rows[0].seq)
    assert stored is not None

    again = write_cloudevent(stored.message)
    for number in range(3):
        await transport.send(
            Outbound(topic="orders", id=f"again {number}", name="n", key=None, body=again)
        )
    taker = bank._exchange._takers[0]
    await town.until(lambda: taker.duplicates == 3)

    assert town.bank.charged == ["order-1"]


async def test_what_is_no_message_is_a_dead_letter_and_the_rest_goes_on(town: Town) -> None:
    shop = await town.open_shop()
    bank = await town.open_bank()
    raw = Outbound(topic="orders", id="x", name="x", key=None, body=b"\xff not json")

    await town.broker.transport().send(raw)
    await shop.publish(Reserved("order-1"))
    await town.until(lambda: town.bank.charged == ["order-1"])

    (dead,) = await dead_letters(bank)
    assert (dead.id.recipient, dead.reason) == ("transport:bus", "malformed")


async def test_while_the_broker_is_away_what_is_to_be_sent_waits(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    town.broker.is_down = True
    shop = await town.open_shop()
    await town.open_bank()

    for number in range(5):
        await shop.publish(Reserved(f"order-{number}"))
    town.clock.turn(timedelta(minutes=1))
    await town.until(lambda: "waits for the broker of 'bus'" in caplog.text)
    assert town.bank.charged == []

    town.broker.is_down = False
    await town.until(lambda: len(town.shop.paid) == 5)
    assert sorted(town.bank.charged) == [f"order-{number}" for number in range(5)]


class _Dropping:
    """A broker whose connection is lost after each batch that it has handed over."""

    def __init__(self, within: InProcessTransport) -> None:
        self._within = within
        self.send, self.close = within.send, within.close

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        async def and_drop(arrived: Sequence[Arrived]) -> None:
            if self.taken:
                await asyncio.Event().wait()
            await take(arrived)
            self.taken = True

        self.taken = False
        listening = asyncio.ensure_future(
            self._within.listen(topics, group=group, batch=1, take=and_drop)
        )
        try:
            while not self.taken:
                await turn_of_the_loop()
        finally:
            listening.cancel()
        text = "the connection was lost"
        raise TransportDown(text)


async def test_a_broker_that_was_lost_often_is_listened_to_again_as_soon_as_the_first_time(
    town: Town,
) -> None:
    shop = await town.open_shop()
    await town.open_bank(_Dropping(town.broker.transport()))
    for number in range(12):
        await shop.publish(Reserved(f"order-{number}"))
    before = town.clock.now()
    await town.until(lambda: len(town.shop.paid) == 12)

    assert town.clock.now() - before < 40_000_000


class _Losing:
    """Loses every answer but the third: what was sent has arrived, and nobody knows."""

    def __init__(self, within: InProcessTransport) -> None:
        self._within = within
        self.sent = 0
        self.listen, self.close = within.listen, within.close

    async def send(self, message: Outbound) -> Confirmed:
        self.sent += 1
        answer = await self._within.send(message)
        if self.sent % 3:
            text = "the answer was lost"
            raise TransportDown(text)
        return answer


async def test_what_was_sent_without_an_answer_is_sent_again_and_received_once(
    town: Town,
) -> None:
    losing = _Losing(town.broker.transport())
    shop = await town.open_shop(losing)
    await town.open_bank()

    for number in range(4):
        await shop.publish(Reserved(f"{number}"), key="one")
    await town.until(lambda: len(town.shop.paid) == 4 and losing.sent == 12)

    assert town.bank.charged == ["0", "1", "2", "3"]


class _Handing:
    """A broker that hands over when the test says so."""

    def __init__(self) -> None:
        self.take: Take | None = None

    async def send(self, message: Outbound) -> Confirmed:
        return Confirmed()

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        self.take = take
        await asyncio.Event().wait()

    async def close(self) -> None: ...


async def test_what_arrives_before_the_receptors_have_subscribed_is_kept_for_them(
    town: Town,
) -> None:
    broker = _Handing()
    route = Route("bus", broker, hears=["payments"])
    engine = await town.worlds[0].engine(route)  # type: ignore[arg-type]
    await town.until(lambda: broker.take is not None)
    assert broker.take is not None
    body = b'{"specversion":"1.0","id":"1","source":"b","type":"shop.Paid","data":{"order_id":"7"}}'

    engine.serve(Receptors("shop").on(town.shop.hear))
    await broker.take([Arrived(topic="payments", body=body)])

    await town.until(lambda: town.shop.paid == ["7"])


class _Refusing:
    """A broker that will not have some messages."""

    def __init__(self, within: InProcessTransport) -> None:
        self._within = within
        self.listen, self.close = within.listen, within.close

    async def send(self, message: Outbound) -> Confirmed | Refused:
        if b"bad" in message.body:
            return Refused("it has a bad smell")
        return await self._within.send(message)


async def test_what_the_broker_will_not_have_is_a_dead_letter_of_the_route(town: Town) -> None:
    shop = await town.open_shop(_Refusing(town.broker.transport()))
    await town.open_bank()

    await shop.publish(Reserved("bad"), key="one")
    await shop.publish(Reserved("good"), key="one")
    await town.until(lambda: town.bank.charged == ["good"])

    (dead,) = await dead_letters(shop)
    assert (dead.id.recipient, dead.reason) == ("transport:bus", "refused by the broker")


async def test_what_came_by_a_route_does_not_go_out_by_it_again(town: Town) -> None:
    route = Route(
        "bus", town.broker.transport(), sends={Paid: "payments"}, hears=["payments"], group="echo"
    )
    group = Receptors("echo").on(town.shop.hear)
    echo = await town.worlds[0].engine(group, route)  # type: ignore[arg-type]

    await echo.publish(Paid("order-1"))
    await town.until(lambda: town.shop.paid == ["order-1"])
    other = town.broker.transport()
    body = b'{"specversion":"1.0","id":"1","source":"b","type":"shop.Paid","data":{"order_id":"2"}}'
    await other.send(Outbound(topic="payments", id="o", name="o", key=None, body=body))
    await town.until(lambda: "2" in town.shop.paid)
    await town.until(lambda: True)

    assert len(town.broker.sent) == 2


async def test_what_is_being_sent_when_a_process_dies_is_sent_by_the_next_one(town: Town) -> None:
    town.broker.is_down = True
    shop = await town.open_shop()
    await town.open_bank()
    await shop.publish(Reserved("order-1"))
    await town.worlds[0].close(shop)
    town.broker.is_down = False

    await town.open_shop()
    await town.until(lambda: town.shop.paid == ["order-1"])

    assert town.bank.charged == ["order-1"]


class _Crowded:
    """Counts how many messages are on their way at once."""

    def __init__(self, within: InProcessTransport) -> None:
        self._within = within
        self._at_once = 0
        self.most = 0
        self.listen, self.close = within.listen, within.close

    async def send(self, message: Outbound) -> Confirmed:
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        await turn_of_the_loop()
        self._at_once -= 1
        return await self._within.send(message)


async def test_a_route_sends_messages_of_no_more_keys_at_once_than_its_batch(town: Town) -> None:
    crowded = _Crowded(town.broker.transport())
    route = Route("bus", crowded, sends={Paid: "payments"}, batch=3)
    engine = await town.worlds[0].engine(route)  # type: ignore[arg-type]

    await asyncio.gather(*(engine.publish(Paid(f"{n}"), key=f"{n}") for n in range(20)))
    await town.until(lambda: len(town.broker.sent) == 20)

    assert crowded.most == 3


class _Asked(MemoryJournal):
    """Counts how often it is asked what is due."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        take = self.messages.take

        async def counted(*given: Any, **named: Any) -> Any:
            self.times += 1
            return await take(*given, **named)

        self.messages.take = counted  # type: ignore[method-assign]


async def test_a_route_looks_as_often_as_it_says() -> None:
    times: list[int] = []
    for poll in (timedelta(seconds=1), timedelta(seconds=5)):
        async with World() as world:
            journal = _Asked()
            route = Route("bus", InProcessBroker().transport(), sends={Paid: "paid"}, poll=poll)
            await world.engine(route, journal=journal)  # type: ignore[arg-type]
            for _ in range(100):
                for _ in range(20):
                    await turn_of_the_loop()
                world.clock.turn(timedelta(milliseconds=100))
            times.append(journal.times)

    often, seldom = times
    assert often in range(9, 13)
    assert seldom in range(1, 4)


async def test_what_was_sent_while_the_store_was_full_is_marked_later_and_not_sent_again() -> None:
    async with World() as world:
        journal, broker = Moody(), InProcessBroker()
        crowded = _Crowded(broker.transport())
        route = Route("bus", crowded, sends={Paid: "payments"})
        engine = await world.engine(route, journal=journal)  # type: ignore[arg-type]
        journal.errors = [StoreFull("a disk"), StoreBusy("a lock")]
        await engine.publish(Paid("order-1"), key="one")
        await quiet(engine)
        assert [each.state for each in await deliveries(engine)] == [DeliveryState.DUE]

        for _ in range(3):
            world.clock.turn(timedelta(seconds=1))
            await quiet(engine)

        assert [each.state for each in await deliveries(engine)] == [DeliveryState.DONE]
        assert len(broker.sent) == 1


async def test_what_was_taken_while_nothing_could_be_marked_is_sent_later() -> None:
    async with World() as world:
        journal, broker = Moody(), InProcessBroker()
        route = Route("bus", broker.transport(), sends={Paid: "payments"}, batch=1)
        engine = await world.engine(route, journal=journal)  # type: ignore[arg-type]
        journal.errors = [StoreBusy("a lock")]
        for name in ("order-1", "order-2", "order-3"):
            await engine.publish(Paid(name), key=name)
        await quiet(engine)

        for _ in range(3):
            world.clock.turn(timedelta(seconds=1))
            await quiet(engine)

        assert [each.state for each in await deliveries(engine)] == [DeliveryState.DONE] * 3
        assert len(broker.sent) == 3


def test_a_route_that_makes_no_sense_is_refused() -> None:
    transport = InProcessBroker().transport()

    with pytest.raises(DefinitionError, match="neither sends nor hears"):
        Route("bus", transport)
    with pytest.raises(DefinitionError, match="cannot send it"):
        Route("bus", transport, sends={int: "numbers"})
    for batch in (0, 10_001, True, "many"):
        with pytest.raises(DefinitionError, match="give a number from 1 to 10,000"):
            Route("bus", transport, hears=["a"], batch=batch)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="must be longer than nothing"):
        Route("bus", transport, hears=["a"], poll=timedelta(0))
    with pytest.raises(DefinitionError, match="a topic without a name"):
        Route("bus", transport, hears=[""])
    assert (
        repr(Route("bus", transport, hears=["a"])) == "<Route bus: sends 0 types, hears 1 topics>"
    )


async def test_two_routes_of_one_name_are_refused(town: Town) -> None:
    engine = await town.open_shop()

    with pytest.raises(DefinitionError, match="two routes are named 'bus'"):
        engine.serve(Route("bus", town.broker.transport(), hears=["a"]))


async def test_two_routes_that_listen_under_one_group_are_refused(town: Town) -> None:
    engine = await town.open_shop()
    bus = town.broker.transport()
    engine.serve(Route("one", bus, hears=["a"], group="g"), Route("sends", bus, sends={Paid: "a"}))

    with pytest.raises(DefinitionError, match="'one' and 'two' both listen under the group 'g'"):
        engine.serve(Route("two", bus, hears=["b"], group="g"))
