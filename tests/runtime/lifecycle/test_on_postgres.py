"""Lifecycles on engines that share one PostgreSQL, in real time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest

from makegood import (
    Config,
    Engine,
    Goto,
    KeyConflict,
    Lifecycle,
    LifecycleEvent,
    Occasion,
    Operator,
    PauseRun,
    Rearm,
    Receptors,
    injected,
)
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.served import eventually
from tests.runtime.lifecycle.shop import Order, Packed, Paid, Status, lifecycle
from tests.runtime.outside import Gate, Outside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from makegood import Workflow
    from tests.journal.postgres.served import Served

pytestmark = pytest.mark.real

SECONDS_MAX = 30
MOMENT = timedelta(milliseconds=50)


@dataclass(frozen=True, kw_only=True)
class OrderEvent(LifecycleEvent):
    """What happens to orders."""


orders = lifecycle.announce(OrderEvent, on={Occasion.ENTERED, Occasion.COMPLETED}).workflow()


class Told:
    """What was received."""

    def __init__(self) -> None:
        self.words: list[str] = []


async def tell(event: OrderEvent, *, told: Told = injected) -> None:
    told.words.append(f"{event.occasion} {event.status}")


class Beat(Enum):
    ON = 1
    OFF = 2


@dataclass(frozen=True)
class Clock:
    id: str
    ticks: int = 0
    pauses: int = 0


async def tick(
    clock: Clock,
) -> Rearm[Clock] | PauseRun[Clock] | Goto[Literal[Beat.OFF], Clock]:
    if clock.ticks == 2 and clock.pauses < 2:
        return PauseRun("a rest", replace(clock, pauses=clock.pauses + 1))
    if clock.ticks == 3:
        return Goto(Beat.OFF)
    return Rearm(replace(clock, ticks=clock.ticks + 1))


clocks = (
    Lifecycle("clock", Clock, Beat, key=lambda clock: clock.id, resume_after=MOMENT)
    .expire(Beat.ON, tick, after=MOMENT, to={Beat.OFF})
    .workflow()
)


class Shop:
    """Engines on one schema of a server."""

    def __init__(self, place: Any, engines: AsyncExitStack) -> None:  # Any: see `PostgresWorld`
        self._place = place
        self._engines = engines
        self.outside = Outside()
        self.told = Told()

    async def engine(self, *served: Workflow[..., Any] | Receptors, work: bool = True) -> Engine:
        engine = Engine(
            PostgresJournal(self._place),
            services={Outside: self.outside, Told: self.told},
            config=Config(shutdown_grace=timedelta(0)),
            work=work,
        )
        await self._engines.enter_async_context(engine)
        engine.serve(*served)
        return engine


@pytest.fixture
async def shop(served: Served) -> AsyncIterator[Shop]:
    async with served.lent() as world, AsyncExitStack() as engines:
        yield Shop(world.place, engines)


async def test_a_record_goes_its_way_whichever_engine_is_told(shop: Shop) -> None:
    engines = [await shop.engine(orders) for _ in range(2)]
    client = await shop.engine(work=False)
    receiving = await shop.engine(Receptors("hooks").on(tell))
    await eventually(lambda: has_subscribed(receiving))
    run = await engines[0].start(orders(Order("o-1")))
    waiting = asyncio.ensure_future(client.run(run.id).await_status(Status.SHIPPED))

    await client.send(Packed("p"), key="o-1", id="packed")
    for engine in (*engines, client):
        await engine.send(Paid(7), key="o-1", id="paid")

    async with asyncio.timeout(SECONDS_MAX):
        assert (await waiting).what == "reached"
        assert (await run.result()).total == 7
    assert sorted(shop.outside.happened) == ["price", "settle 7"]

    async def all_is_told() -> bool:
        return len(shop.told.words) == 5

    await eventually(all_is_told)
    assert shop.told.words == [
        "entered NEW",
        "entered PAYING",
        "entered PAID",
        "entered SHIPPED",
        "completed SHIPPED",
    ]
    moves = await client._shell.journal.moves(run.id, limit=10)
    assert [(each.version, each.destination) for each in moves] == [
        (1, "NEW"),
        (2, "PAYING"),
        (3, "PAID"),
        (4, "SHIPPED"),
    ]


async def has_subscribed(engine: Engine) -> bool:
    subscribed = await engine._shell.journal.messages.subscriptions()
    return any(each.recipient == "hooks/tell" for each in subscribed)


async def test_of_many_that_start_one_record_all_have_the_same_run(shop: Shop) -> None:
    engines = [await shop.engine(orders) for _ in range(3)]

    runs = await asyncio.gather(
        *(engine.start(orders(Order("o-1"))) for engine in engines for _ in range(4))
    )

    assert len({run.id for run in runs}) == 1
    with pytest.raises(KeyConflict):
        await engines[0].start(orders(Order("o-1", total=3)))
    assert shop.outside.happened in ([], ["price"])


async def test_timers_and_pauses_go_on_where_the_engine_that_set_them_is_gone(
    shop: Shop,
) -> None:
    first = await shop.engine(clocks)
    run = await first.start(clocks(Clock("c-1")))
    async with asyncio.timeout(SECONDS_MAX):
        async for event in run.events():
            if type(event.fact).__name__ == "Stayed":
                break
    await first.__aexit__(None, None, None)
    second = await shop.engine(clocks)

    async with asyncio.timeout(SECONDS_MAX):
        assert await second.run(run.id).result() == Clock("c-1", ticks=3, pauses=2)
    recorded = (await Operator(second).history(run.id)).facts
    assert [type(fact).__name__ for fact in recorded].count("Paused") == 2


async def test_a_handler_whose_engine_is_cut_off_is_taken_up_under_the_same_key(
    shop: Shop,
) -> None:
    gate = Gate()
    shop.outside.planned["settle 7"] = [gate]
    first = await shop.engine(orders)
    run = await first.start(orders(Order("o-1")))
    await first.send(Paid(7), key="o-1")
    async with asyncio.timeout(SECONDS_MAX):
        await gate.reached.wait()
        await first.__aexit__(None, None, None)
        second = await shop.engine(orders)
        assert (await second.run(run.id).await_status(Status.PAID)).what == "reached"

    assert shop.outside.calls.count("settle 7") == 2
    assert len(set(shop.outside.keys["settle 7"])) == 1
