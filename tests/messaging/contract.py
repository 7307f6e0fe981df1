"""What every transport promises: one suite, run by the tests of each implementation.

The number at a test is that of the promise in `Transport`'s docstring. An implementation's test
module imports everything from here and brings a fixture `broker`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from makegood import TransportDown
from makegood.runtime.transporting.transport import Arrived, Confirmed, Outbound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from makegood.runtime.transporting.transport import Transport

PROMISE = "promise_of_transports"
DEADLINE_SECONDS = 30.0
BATCH = 100

Test = TypeVar("Test")


class Broker(Protocol):
    """A broker of its own for one test."""

    def transport(self) -> Transport:
        """Return one more way to it."""
        ...

    def go_down(self) -> None: ...

    def come_up(self) -> None: ...


def promise(number: int) -> Callable[[Test], Test]:
    """Name the promise of `Transport` that a test is about."""

    def mark(test: Test) -> Test:
        setattr(test, PROMISE, number)
        return test

    return mark


def outbound(number: int, *, topic: str = "orders", id: str | None = None) -> Outbound:
    return Outbound(
        topic=topic,
        id=id or f"id-{number}",
        name=f"shop:{number}",
        key="order-1",
        body=b'{"n":%d}' % number,
    )


class Listener:
    """Listens, and keeps what it was given; refuses as often as it is told to."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.given: list[Arrived] = []
        self.sizes: list[int] = []
        """Of the batches."""
        self.refusals = refusals
        self._came = asyncio.Event()

    async def take(self, batch: Sequence[Arrived]) -> None:
        if self.refusals:
            self.refusals -= 1
            message = "not now"
            raise ValueError(message)
        self.given += batch
        self.sizes.append(len(batch))
        self._came.set()

    @property
    def bodies(self) -> list[bytes]:
        return [each.body for each in self.given]

    async def until(self, count: int) -> None:
        """Wait until so much has arrived."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.given) < count:
                self._came.clear()
                await self._came.wait()

    async def until_it_has(self, body: bytes) -> None:
        """Wait until this has arrived."""
        while body not in self.bodies:
            await self.until(len(self.given) + 1)


class Hung(Listener):
    """Stands still with the first batch until it is told to go on."""

    def __init__(self, *, refusals: int = 0) -> None:
        super().__init__(refusals=refusals)
        self._hangs, self._goes_on = asyncio.Event(), asyncio.Event()

    async def take(self, batch: Sequence[Arrived]) -> None:
        self._hangs.set()
        await self._goes_on.wait()
        await super().take(batch)

    def go_on(self) -> None:
        self._goes_on.set()

    async def until_it_hangs(self) -> None:
        await asyncio.wait_for(self._hangs.wait(), DEADLINE_SECONDS)


async def is_relieved(listens: asyncio.Task[None]) -> None:
    """Wait until a listener learns that another one is in its place."""
    with pytest.raises(TransportDown):
        await asyncio.wait_for(asyncio.shield(listens), DEADLINE_SECONDS)


def bodies(*numbers: int) -> list[bytes]:
    return [b'{"n":%d}' % number for number in numbers]


async def a_moment() -> None:
    """Leave a broker that comes up alone for a while."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def listening(
    transport: Transport,
    listener: Listener,
    *,
    topics: Sequence[str] = ("orders",),
    group: str,
    batch: int = BATCH,
) -> AsyncIterator[asyncio.Task[None]]:
    listens = asyncio.ensure_future(
        transport.listen(topics, group=group, batch=batch, take=listener.take)
    )
    try:
        yield listens
    finally:
        listens.cancel()
        await asyncio.wait([listens])


@promise(2)
async def test_what_was_confirmed_arrives_once_and_in_order(broker: Broker) -> None:
    transport, listener = broker.transport(), Listener()

    answers = [await transport.send(outbound(number)) for number in range(1, 31)]
    async with listening(transport, listener, group="g"):
        await listener.until(30)
    await transport.close()

    assert answers == [Confirmed()] * 30
    assert listener.bodies == [b'{"n":%d}' % number for number in range(1, 31)]
    assert {each.topic for each in listener.given} == {"orders"}


@promise(2)
async def test_only_what_is_listened_to_arrives(broker: Broker) -> None:
    transport, listener = broker.transport(), Listener()

    await transport.send(outbound(1, topic="payments"))
    await transport.send(outbound(2))
    async with listening(transport, listener, group="g"):
        await listener.until(1)
    await transport.close()

    assert listener.bodies == [b'{"n":2}']


@promise(3)
async def test_no_more_is_handed_over_at_once_than_was_asked_for(broker: Broker) -> None:
    transport, listener = broker.transport(), Listener()
    for number in range(10):
        await transport.send(outbound(number))

    async with listening(transport, listener, group="g", batch=3):
        await listener.until(10)
    await transport.close()

    assert max(listener.sizes) == 3
    assert listener.bodies == [b'{"n":%d}' % number for number in range(10)]


@promise(3)
async def test_a_batch_that_was_not_taken_comes_again_in_order(broker: Broker) -> None:
    transport, refusing = broker.transport(), Listener(refusals=1)
    for number in (1, 2, 3):
        await transport.send(outbound(number))

    async with listening(transport, refusing, group="g") as listens:
        with pytest.raises(ValueError, match="not now"):
            await asyncio.wait_for(asyncio.shield(listens), DEADLINE_SECONDS)
    await transport.send(outbound(4))
    async with listening(transport, refusing, group="g"):
        await refusing.until(4)
    await transport.close()

    assert refusing.bodies == bodies(1, 2, 3, 4)


@promise(4)
async def test_what_nobody_acknowledged_comes_to_whoever_listens_next(broker: Broker) -> None:
    dying, heir = broker.transport(), broker.transport()
    for number in (1, 2):
        await dying.send(outbound(number))
    hung = Hung()
    async with listening(dying, hung, group="g"):
        await hung.until_it_hangs()
    await dying.close()
    await heir.send(outbound(3))
    listener = Listener()
    async with listening(heir, listener, group="g"):
        await listener.until(3)
    await heir.close()

    assert listener.bodies == bodies(1, 2, 3)


@promise(4)
async def test_nothing_overtakes_what_a_listener_stands_still_with(broker: Broker) -> None:
    slow, heir = broker.transport(), broker.transport()
    hung, listener = Hung(refusals=1), Listener()
    for number in (1, 2):
        await slow.send(outbound(number))
    async with listening(slow, hung, group="g") as hangs:
        await hung.until_it_hangs()
        await heir.send(outbound(3))

        async with listening(heir, listener, group="g"):
            await listener.until(3)
            # What it could not take at last is not given to the other one once more.
            hung.go_on()
            await asyncio.wait([hangs], timeout=DEADLINE_SECONDS)
            await heir.send(outbound(4))
            await listener.until(4)
    await slow.close()
    await heir.close()

    assert listener.bodies == bodies(1, 2, 3, 4)


@promise(4)
async def test_what_one_that_stood_still_has_taken_at_last_may_come_twice_but_in_order(
    broker: Broker,
) -> None:
    slow, heir = broker.transport(), broker.transport()
    hung, listener = Hung(), Listener()
    for number in (1, 2):
        await slow.send(outbound(number))
    async with listening(slow, hung, group="g", batch=1) as hangs:
        await hung.until_it_hangs()
        async with listening(heir, listener, group="g"):
            await listener.until(2)
            hung.go_on()
            with pytest.raises(TransportDown):
                await asyncio.wait_for(asyncio.shield(hangs), DEADLINE_SECONDS)
            await heir.send(outbound(3))
            await listener.until(3)
    await slow.close()
    await heir.close()

    assert (hung.bodies, listener.bodies) == (bodies(1), bodies(1, 2, 3))


@promise(5)
async def test_whoever_listened_before_is_handed_no_more_and_learns_it(broker: Broker) -> None:
    one, other = broker.transport(), broker.transport()
    first, second = Listener(), Listener()
    await one.send(outbound(1))
    async with listening(one, first, group="g") as listens:
        await first.until(1)

        async with listening(other, second, group="g") as listens_now:
            await is_relieved(listens)
            await one.send(outbound(2))
            # What was acknowledged may come again: the word of it may have been on its way.
            await second.until_it_has(bodies(2)[0])
            async with listening(one, first, group="g"):
                await is_relieved(listens_now)
                await one.send(outbound(3))
                await first.until_it_has(bodies(3)[0])
    await one.close()
    await other.close()

    assert (first.bodies[0], first.bodies[-1], second.bodies[-1]) == (*bodies(1), *bodies(3, 2))


@promise(5)
async def test_every_group_is_given_everything(broker: Broker) -> None:
    sender, other = broker.transport(), broker.transport()
    first, second = Listener(), Listener()

    await sender.send(outbound(1))
    async with (
        listening(sender, first, group="payments"),
        listening(other, second, group="shipping"),
    ):
        await first.until(1)
        await second.until(1)
    await sender.close()
    await other.close()

    assert b'{"n":1}' in first.bodies
    assert b'{"n":1}' in second.bodies


@promise(6)
async def test_what_is_sent_while_nobody_listens_is_kept(broker: Broker) -> None:
    sender = broker.transport()
    await sender.send(outbound(1))
    await sender.close()

    later, listener = broker.transport(), Listener()
    async with listening(later, listener, group="g"):
        await listener.until(1)
    await later.close()

    assert listener.bodies == [b'{"n":1}']


@promise(1)
async def test_the_same_sending_twice_is_dropped_and_another_one_is_not(broker: Broker) -> None:
    transport, listener = broker.transport(), Listener()

    for id in ("same", "same", "once more"):
        await transport.send(outbound(1, id=id))
    await transport.send(outbound(2))
    async with listening(transport, listener, group="g"):
        await listener.until(3)
    await transport.close()

    assert listener.bodies == [b'{"n":1}', b'{"n":1}', b'{"n":2}']


@promise(7)
async def test_a_broker_that_is_away_is_told_and_found_again(broker: Broker) -> None:
    transport, listener = broker.transport(), Listener()
    await transport.send(outbound(1))

    broker.go_down()
    with pytest.raises(TransportDown):
        await transport.send(outbound(2))
    with pytest.raises(TransportDown):
        await transport.listen(["orders"], group="g", batch=BATCH, take=listener.take)
    broker.come_up()

    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                await transport.send(outbound(2))
                break
            except TransportDown:
                await a_moment()
    async with listening(transport, listener, group="g"):
        await listener.until(2)
    await transport.close()
    assert listener.bodies == [b'{"n":1}', b'{"n":2}']


@promise(8)
async def test_nothing_is_sent_or_heard_once_it_is_closed(broker: Broker) -> None:
    transport = broker.transport()
    await transport.send(outbound(1))

    await transport.close()
    await transport.close()

    with pytest.raises(TransportDown):
        await transport.send(outbound(2))
    with pytest.raises(TransportDown):
        await transport.listen(["orders"], group="g", batch=BATCH, take=Listener().take)
