"""Messages, receptors and what steps send on a real PostgreSQL, with several engines at work."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from makegood import (
    Call,
    Config,
    Declined,
    Emit,
    Engine,
    Filter,
    IdempotencyKey,
    MessageOperator,
    Receptors,
    Retry,
    RunFailed,
    TracedRun,
    Transaction,
    Unavailable,
    injected,
    step,
    workflow,
)
from makegood.extension import Migration
from makegood.journal.messages import DeliveryState
from makegood.journal.postgres.journal import PostgresJournal
from tests.journal.postgres.served import eventually
from tests.runtime.emitting.test_emitting import sent
from tests.runtime.outside import Gate, Outside
from tests.runtime.receiving.shop import Paid, Refused, Reserved, deliveries
from tests.runtime.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

SECONDS_MAX = 45
ORDERS = 24
SOON = Retry(attempts=5, delay=timedelta(milliseconds=20), jitter=False)


@dataclass(frozen=True)
class Shipped:
    message_name: ClassVar[str] = "shop.Shipped"

    order_id: str

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Books:
    name: str = "books"
    migrations: tuple[Migration, ...] = (
        Migration(
            owner="books",
            number=1,
            sql="CREATE TABLE shipped (order_id TEXT PRIMARY KEY, times INTEGER NOT NULL)",
        ),
    )
    commands: tuple[()] = ()


async def charge(
    event: Reserved, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Call[str] | Refused:
    try:
        await outside.do(f"charge {event.order_id}", key)
    except Declined:
        return Refused(event.order_id)
    return deliver(event.order_id)


async def load(
    order_id: str,
    *,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
    emit: Emit[Shipped] = injected,
) -> str:
    emit(Shipped(order_id))
    return await outside.do(f"load {order_id}", key)


async def note(
    order_id: str, *, transaction: Transaction = injected, emit: Emit[Paid] = injected
) -> str:
    emit(Paid(order_id))
    await transaction.execute("INSERT INTO shipped VALUES (?, 0)", order_id)
    if order_id == "unlucky":
        raise Declined(order_id)
    return order_id


@workflow
def deliver(order_id: str) -> str:
    noted = step(note, irreversible="a note")(order_id)
    return step(load, irreversible="it is away", retry=SOON)(noted)


async def count(event: Shipped, *, transaction: Transaction = injected) -> None:
    await transaction.execute(
        "UPDATE shipped SET times = times + 1 WHERE order_id = ?", event.order_id
    )


SHOP = Receptors("shop").on(charge, retry=SOON).on(count)


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent(lease_seconds=60) as world:
        yield world


async def entered(stack: AsyncExitStack, world: PostgresWorld, outside: Outside) -> Engine:
    engine = Engine(
        PostgresJournal(world.place),
        services={Outside: outside},
        extensions=[Books()],
        config=Config(shutdown_grace=timedelta(0), poll_max=timedelta(milliseconds=200)),
    )
    await stack.enter_async_context(engine)
    engine.serve(deliver, SHOP)
    return engine


async def received(engine: Engine, count: int) -> None:
    """Wait until so many deliveries are done, and none is due."""

    async def look() -> bool:
        states = Counter(each.state for each in await deliveries(engine))
        return states == {DeliveryState.DONE: count}

    await eventually(look)


async def test_engines_share_messages_and_each_is_received_once(world: PostgresWorld) -> None:
    outside = Outside()
    for n in range(0, ORDERS, 5):
        outside.planned[f"charge o-{n}"] = [Unavailable("down"), None]
        outside.planned[f"load o-{n}"] = [Unavailable("down"), None]
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        engines = [await entered(stack, world, outside) for _ in range(3)]
        publishing = (
            engines[n % 3].publish(Reserved(f"o-{n}"), id=f"evt-{n}")
            for n in [*range(ORDERS), *range(ORDERS)]
        )
        receipts = Counter(receipt.state for receipt in await asyncio.gather(*publishing))
        assert receipts == {"stored": ORDERS, "duplicate": ORDERS}
        await received(engines[0], 2 * ORDERS)
        times = await engines[1].read("SELECT times, count(*) FROM shipped GROUP BY times")
        assert times == [(1, ORDERS)]
        statuses = [row.status for row in (await engines[2].list(Filter(limit=200))).rows]
        assert statuses == ["completed"] * ORDERS
        by_type = Counter(each.message.type for each in await sent(engines[0]))
        assert by_type == {"shop.Reserved": ORDERS, "shop.Paid": ORDERS, "shop.Shipped": ORDERS}
        found = await MessageOperator(engines[1]).trace("evt-3")
        assert [isinstance(each, TracedRun) for each in found].count(True) == 1
        assert len(found) == 4
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for name, of_name in outside.keys.items():
        keys[name] |= set(of_name)
    assert {len(of_name) for of_name in keys.values()} == {1}


async def test_a_step_that_fails_leaves_neither_its_rows_nor_its_messages(
    world: PostgresWorld,
) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        engine = await entered(stack, world, Outside())
        run = await engine.start(deliver("unlucky"))
        with pytest.raises(RunFailed):
            await run.result()
        assert await sent(engine) == []
        assert [*await engine.read("SELECT * FROM shipped")] == []


async def test_what_a_killed_engine_was_receiving_is_received_by_another(
    world: PostgresWorld,
) -> None:
    outside, gate = Outside(), Gate()
    outside.planned["charge o-1"] = [gate]
    world.place = replace(world.place, lease_seconds=1)
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        killed = await entered(stack, world, outside)
        await killed.publish(Reserved("o-1"), id="evt-1")
        await gate.reached.wait()
        heir = await entered(stack, world, outside)
        await World().kill(killed)
        await received(heir, 2)
        assert await heir.read("SELECT times FROM shipped") == [(1,)]
    assert outside.happened == ["charge o-1", "load o-1"]
    assert len(set(outside.keys["charge o-1"])) == 1
