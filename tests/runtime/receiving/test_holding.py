"""Who holds a key: halts, closing, crashes, lost leases, poison, and a store that is busy."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Breaker,
    HaltKind,
    IdempotencyKey,
    Operator,
    Receptors,
    Retry,
    Service,
    Unavailable,
    injected,
)
from makegood.errors import StoreBusy, StoreFailed
from makegood.journal.messages import DeliveryState, MessageFilter
from makegood.runtime.config import Config
from tests.runtime.outside import Gate, Outside
from tests.runtime.receiving.shop import (
    Moody,
    Paid,
    Reserved,
    dead_letters,
    deliveries,
    fault,
    messages_of,
    quiet,
)
from tests.runtime.world import World, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Engine

LEASE = timedelta(seconds=30)


@pytest.fixture
def world(shared: World) -> World:
    return shared


async def charge(
    event: Reserved, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> Paid:
    await outside.do(event.order_id, key)
    return Paid(event.order_id)


CHARGING = Receptors("payments").on(charge)


async def calls(world: World, *orders: str) -> None:
    """Let the event loop turn until these orders were charged."""
    await until(lambda: world.outside.calls == [*orders])


async def begun(world: World, order: str, count: int) -> None:
    """Let the event loop turn until an order was charged so often."""
    await until(lambda: world.outside.calls.count(order) == count)


@pytest.mark.parametrize("name", ["payments/charge", "payments"])
async def test_nothing_is_received_by_a_receptor_that_is_halted(world: World, name: str) -> None:
    engine = await world.engine(CHARGING)
    operator = Operator(engine)
    await operator.halt(HaltKind.RECEPTOR, name, actor="anna", reason="the bank is closed")
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    assert world.outside.calls == []
    await operator.lift(HaltKind.RECEPTOR, name, actor="anna", reason="it is open")
    await quiet(engine)
    assert world.outside.calls == ["A-1"]


async def test_a_halt_lets_what_is_at_work_end_and_begins_nothing_behind_it(world: World) -> None:
    engine = await world.engine(CHARGING)
    gate = Gate()
    world.outside.planned["A-1"] = [gate]
    for number in range(3):
        await engine.publish(Reserved("A-1", number))
    await gate.reached.wait()
    await Operator(engine).halt(HaltKind.ENGINE, "*", actor="anna", reason="maintenance")
    gate.open()
    await quiet(engine)
    assert world.outside.calls == ["A-1"]
    states = [each.state for each in await deliveries(engine)]
    assert states == [DeliveryState.DONE, DeliveryState.DUE, DeliveryState.DUE]


async def test_of_a_service_that_is_down_nothing_is_begun_and_no_attempt_is_used_up(
    world: World,
) -> None:
    bank = Service(world.outside, breaker=Breaker(failures=2, open_for=timedelta(seconds=40)))
    retry = Retry(attempts=4, delay=timedelta(seconds=1), factor=1.0, jitter=False)
    engine = await world.engine(
        Receptors("payments").on(charge, retry=retry), services={Outside: bank}
    )
    world.outside.planned["A-1"] = [Unavailable("down"), Unavailable("down"), None]
    await engine.publish(Reserved("A-1"))
    for _ in range(5):
        await quiet(engine)
        world.clock.turn(timedelta(seconds=1))
    assert world.outside.calls == ["A-1"] * 2
    (delivery,) = await deliveries(engine)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DUE, 2)
    world.clock.turn(timedelta(minutes=1))
    await quiet(engine)
    assert world.outside.happened == ["A-1"]


async def test_an_engine_that_closes_lets_receptors_end_and_keeps_what_they_sent(
    world: World,
) -> None:
    engine = await world.engine(CHARGING, config=Config(shutdown_grace=timedelta(seconds=5)))
    gate = Gate()
    world.outside.planned["A-1"] = [gate]
    await engine.publish(Reserved("A-1"))
    await engine.publish(Reserved("A-1"))
    await gate.reached.wait()
    closing = asyncio.ensure_future(world.close(engine))
    await until(lambda: engine._shell.is_draining)
    gate.open()
    await closing
    other = await world.engine(work=False)
    states = [each.state for each in await deliveries(other)]
    assert states == [DeliveryState.DONE, DeliveryState.DUE]
    sent = [row for row in (await _sent(other)) if row == "shop.Paid"]
    assert sent == ["shop.Paid"]


async def _sent(engine: Engine) -> list[str]:
    return [row.message.type for row in (await messages_of(engine).messages(MessageFilter())).rows]


async def test_what_an_engine_cannot_end_is_received_again_by_the_next_one_at_once(
    world: World,
) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Gate()]
    await engine.publish(Reserved("A-1"))
    await calls(world, "A-1")
    await world.close(engine)
    other = await world.engine(CHARGING)
    await quiet(other)
    assert world.outside.calls == ["A-1", "A-1"]
    assert world.outside.happened == ["A-1"]
    (delivery,) = await deliveries(other)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DONE, 1)


async def test_the_messages_of_a_dead_engine_are_received_by_another_under_their_keys(
    world: World,
) -> None:
    engine = await world.engine(CHARGING)
    world.outside.planned["A-1"] = [Gate()]
    await engine.publish(Reserved("A-1"))
    await calls(world, "A-1")
    await world.kill(engine)
    other = await world.engine(CHARGING)
    await quiet(other)
    assert world.outside.calls == ["A-1"]
    world.clock.turn(LEASE)
    await quiet(other)
    assert world.outside.calls == ["A-1", "A-1"]
    assert len(set(world.outside.keys["A-1"])) == 1


async def test_whoever_has_lost_its_lease_writes_nothing(world: World) -> None:
    engine = await world.engine(CHARGING)
    gate = Gate()
    world.outside.planned["A-1"] = [gate]
    await engine.publish(Reserved("A-1"))
    await gate.reached.wait()
    # The engine stands still, as in a long pause of its machine: it does not renew its lease.
    engine._reception.lookout.is_stopping = True
    other = await world.engine(CHARGING)
    world.clock.turn(LEASE)
    await quiet(other)
    assert world.outside.calls == ["A-1", "A-1"]
    gate.open()
    await until(lambda: not engine._shell.lanes)
    (delivery,) = await deliveries(other)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DONE, 1)
    assert (await _sent(other)).count("shop.Paid") == 1


async def test_a_message_that_kills_whoever_begins_it_is_given_up_and_others_go_on(
    world: World,
) -> None:
    world.outside.planned["poison"] = [Gate() for _ in range(10)]
    for count in range(1, 6):
        engine = await world.engine(CHARGING)
        if count == 1:
            await engine.publish(Reserved("poison"), key="one")
            await engine.publish(Reserved("behind"), key="one")
            await engine.publish(Reserved("beside"), key="two")
        await begun(world, "poison", count)
        await world.kill(engine)
        world.clock.turn(LEASE)
    last = await world.engine(CHARGING)
    await quiet(last)
    (dead,) = await dead_letters(last)
    assert (dead.reason, dead.message.key, dead.attempts) == ("poison", "one", 0)
    assert "5 times in a row" in fault(dead).failure.message
    assert world.outside.calls.count("poison") == 5
    assert set(world.outside.happened) >= {"behind", "beside"}


async def test_one_that_may_be_poison_is_received_with_nothing_beside_it(world: World) -> None:
    world.outside.planned["poison"] = [Gate() for _ in range(10)]
    for count in (1, 2):
        engine = await world.engine(CHARGING)
        if count == 1:
            await engine.publish(Reserved("poison"))
        await begun(world, "poison", count)
        await world.kill(engine)
        world.clock.turn(LEASE)
    engine = await world.engine(CHARGING)
    await begun(world, "poison", 3)
    await engine.publish(Reserved("beside"))
    for _ in range(100):
        await turn_of_the_loop()
    assert "beside" not in world.outside.calls
    assert len(engine._shell.lanes) == 1


async def test_a_busy_store_is_asked_again_and_the_receptor_is_not_called_again() -> None:
    async with World() as world:
        journal = Moody()
        engine = await world.engine(CHARGING, journal=journal)
        journal.errors = [StoreBusy("a lock"), StoreBusy("a lock")]
        await engine.publish(Reserved("A-1"))
        for _ in range(3):
            await quiet(engine)
            world.clock.turn(timedelta(seconds=1))
        assert world.outside.calls == ["A-1"]
        (delivery,) = await deliveries(engine)
        assert delivery.state is DeliveryState.DONE


async def test_a_store_that_breaks_ends_the_engine() -> None:
    async with World() as world:
        journal = Moody()
        engine = await world.engine(CHARGING, journal=journal)
        journal.errors = [StoreFailed("the disk is gone")]
        await engine.publish(Reserved("A-1"))
        with pytest.raises(StoreFailed, match="the disk is gone"):
            await engine.serve_forever()
        assert engine._shell.lanes == {}
