"""What got lost between two stores is noticed by the next message of its key, and sent again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import InvalidInput, MessageOperator, Route
from makegood.journal.messages import MessageFilter
from makegood.messaging.in_process import InProcessBroker
from makegood.runtime.transporting.transport import Confirmed, Outbound, Refused
from tests.runtime.receiving.shop import Paid, Reserved, messages_of
from tests.runtime.transporting.test_routes import Town
from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from makegood import Engine
    from makegood.runtime.transporting.transport import Take


class Leaky:
    """A way to a broker that confirms everything, and loses some of it."""

    def __init__(self, broker: InProcessBroker) -> None:
        self.loses: set[str] = set()
        """The ids of messages."""
        self.refuses = False
        self.sent: list[Outbound] = []
        self._inside = broker.transport()

    async def send(self, message: Outbound) -> Confirmed | Refused:
        if self.refuses:
            return Refused("too large")
        self.sent.append(message)
        if json.loads(message.body)["id"] in self.loses:
            return Confirmed()
        return await self._inside.send(message)

    async def listen(self, topics: Sequence[str], *, group: str, batch: int, take: Take) -> None:
        await self._inside.listen(topics, group=group, batch=batch, take=take)

    async def close(self) -> None:
        await self._inside.close()


class Pair(Town):
    """A shop whose way to the bank is leaky, and a bank."""

    def __init__(self, worlds: tuple[World, World]) -> None:
        super().__init__()
        self.worlds = worlds
        for world in worlds:
            world.clock = self.clock
        self.way = Leaky(self.broker)
        self.route = Route(
            "bus",
            self.way,
            sends={Reserved: "orders", Paid: "payments"},
            is_linked=True,
        )

    async def open(self, *, is_linked: bool = True) -> tuple[Engine, Engine]:
        if not is_linked:
            self.route = Route("bus", self.way, sends={Reserved: "orders"})
        shop = await self._open(0, self.route)
        bank = await self.open_bank()
        return shop, bank

    async def publish(self, engine: Engine, *numbers: int, key: str = "key") -> None:
        for number in numbers:
            id = f"{key}-{number}"
            await engine.publish(Reserved(id), id=id, source="web", key=key)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair((World(), World()))
    async with pair.worlds[0], pair.worlds[1]:
        yield pair


async def names_missing(engine: Engine) -> list[tuple[str, str, str]]:
    found = await MessageOperator(engine).missing()
    return [(each.source, each.id, each.before) for each in found]


async def test_what_is_lost_is_noticed_by_the_next_of_its_key_and_sent_again(pair: Pair) -> None:
    shop, bank = await pair.open()
    pair.way.loses = {"key-2", "key-3", "other-1"}
    await pair.publish(shop, 1, 2, 3, 4)
    await pair.publish(shop, 1, 2, key="other")
    await pair.until(lambda: len(pair.bank.charged) == 3)

    [one, other] = await MessageOperator(bank).missing()
    assert [(each.source, each.id, each.key, each.before) for each in (one, other)] == [
        ("web", "key-3", "key", "key-4"),
        ("web", "other-1", "other", "other-2"),
    ]
    assert (one.route, one.tenant) == ("bus", "")
    pair.way.loses = set()
    await again(pair, shop, "key-3", "other-1", "key-1")
    await pair.until(lambda: len(pair.bank.charged) == 5)
    # What has come now names what was lost before it.
    assert await names_missing(bank) == [("web", "key-2", "key-3")]
    await again(pair, shop, "key-2")
    await pair.until(lambda: len(pair.bank.charged) == 6)

    assert await names_missing(bank) == []
    assert len({*pair.bank.charged}) == 6


async def again(pair: Pair, engine: Engine, *ids: str) -> None:
    await MessageOperator(engine).deliver_again(
        pair.route, [("web", id) for id in ids], actor="ann", because="the stream was cut"
    )


async def test_nothing_is_missing_where_all_has_come(pair: Pair) -> None:
    shop, bank = await pair.open()
    await pair.publish(shop, 1, 2)
    await shop.publish(Paid("key-1"), key="key")
    await pair.publish(shop, 3)
    await shop.publish(Reserved("by itself"))
    await pair.until(lambda: len(pair.bank.charged) == 4)

    assert await names_missing(bank) == []
    # What goes to another topic is not named: whoever hears one of them need not hear the other.
    sent = [json.loads(each.body) for each in pair.way.sent]
    named = {each["id"]: json.loads(each["makegoodafter"])[1] for each in sent if _names(each)}
    assert named == {"key-2": "key-1", "key-3": "key-2"}


def _names(sent: dict[str, object]) -> bool:
    return "makegoodafter" in sent


async def test_where_a_route_is_not_linked_nobody_is_told(pair: Pair) -> None:
    shop, bank = await pair.open(is_linked=False)
    pair.way.loses = {"key-1"}
    await pair.publish(shop, 1, 2)
    await pair.until(lambda: pair.bank.charged == ["key-2"])

    assert await names_missing(bank) == []


async def test_what_a_message_came_after_is_not_said_of_what_it_leads_to(pair: Pair) -> None:
    shop, bank = await pair.open()
    await pair.publish(shop, 1, 2)
    await pair.until(lambda: len(pair.bank.charged) == 2)

    trace = await MessageOperator(bank).trace("key-2")
    assert len(trace) == 2
    [paid] = (await messages_of(bank).messages(MessageFilter(limit=1))).rows
    assert (paid.message.type, paid.message.headers) == ("shop.Paid", ())


async def test_only_what_was_sent_from_here_is_delivered_again(pair: Pair) -> None:
    shop, bank = await pair.open()
    await pair.publish(shop, 1)
    await pair.until(lambda: len(pair.bank.charged) == 1)

    with pytest.raises(InvalidInput, match="web:key-9 was not sent by the route 'bus' from here"):
        await again(pair, shop, "key-9")
    with pytest.raises(InvalidInput, match="was not sent by the route 'bus' from here"):
        await again(pair, bank, "key-1")
    pair.way.refuses = True
    with pytest.raises(InvalidInput, match="the broker of 'bus' refuses key-1: too large"):
        await again(pair, shop, "key-1")
    with pytest.raises(InvalidInput, match="within=0:00:00: look back for some time"):
        await MessageOperator(bank).missing(within=timedelta(0))


async def test_what_happened_too_long_ago_is_not_looked_for(pair: Pair) -> None:
    shop, bank = await pair.open()
    pair.way.loses = {"key-1"}
    await pair.publish(shop, 1)
    await pair.until(lambda: len(pair.way.sent) == 1)
    pair.clock.turn(timedelta(days=2))
    await pair.publish(shop, 2)
    await pair.until(lambda: len(pair.bank.charged) == 1)

    assert await names_missing(bank) == []
    found = await MessageOperator(bank).missing(within=timedelta(days=3))
    assert [each.id for each in found] == ["key-1"]
