"""A command has one owner, on one engine and on one store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import DefinitionError, MessageOperator, Receptors, StoreRefused, UnknownMessage
from makegood.journal.memory import MemoryJournal
from makegood.journal.messages import DeliveryState
from tests.runtime.receiving.shop import Charge, Paid, dead_letters, deliveries, quiet
from tests.runtime.world import World

if TYPE_CHECKING:
    from makegood.journal.messages import Subscription


async def charge(command: Charge) -> None:
    """Own the command."""


async def bill(command: Charge) -> None:
    """Own it, too."""


async def note(event: Paid) -> None:
    """Receive an event, which any number may."""


TILL = Receptors("till").on(charge)
BILLING = Receptors("billing").on(bill)


async def test_two_owners_of_a_command_are_refused_where_they_are_served(world: World) -> None:
    engine = await world.engine(TILL)
    with pytest.raises(DefinitionError, match="`till/charge` and by `billing/bill`"):
        engine.serve(BILLING)
    assert engine.served == ("till/charge",)


async def test_an_engine_stops_that_would_be_the_second_owner_on_its_store(world: World) -> None:
    first = await world.engine(TILL)
    await first.publish(Charge("A-1"))
    await world.close(first)
    second = await world.engine(BILLING)
    with pytest.raises(StoreRefused, match=r"owned by the receptor `till/charge` on this store"):
        await asyncio.wait_for(second.serve_forever(), 5)
    third = await world.engine(TILL)
    await quiet(third)
    (mine,) = await third._reception.messages.subscriptions()
    assert mine.recipient == "till/charge"


async def test_a_receptor_that_was_renamed_owns_the_command_once_the_old_one_is_forgotten(
    world: World,
) -> None:
    first = await world.engine(TILL)
    await first.publish(Charge("A-1"))
    assert await MessageOperator(first).forget("till/charge") == 1
    await world.close(first)
    second = await world.engine(BILLING)
    receipt = await second.publish(Charge("A-2"))
    assert receipt.recipients == ("billing/bill",)


class _Asked(MemoryJournal):
    """Counts how often it is asked who subscribes."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        subscriptions = self.messages.subscriptions

        async def counted() -> tuple[Subscription, ...]:
            self.times += 1
            return await subscriptions()

        self.messages.subscriptions = counted  # type: ignore[method-assign]


async def test_who_owns_a_command_is_asked_once_in_a_while_and_not_for_each(shared: World) -> None:
    journal = _Asked()
    engine = await shared.engine(TILL, journal=journal)  # type: ignore[arg-type]
    await engine.publish(Charge("A-0"))
    before = journal.times

    for number in range(1, 20):
        await engine.publish(Charge(f"A-{number}"))
    assert journal.times == before

    shared.clock.turn(timedelta(seconds=1))
    await engine.publish(Charge("A-20"))
    assert journal.times > before


async def test_that_an_owner_was_forgotten_is_known_before_long(shared: World) -> None:
    engine, other = await shared.engine(TILL), await shared.engine()  # type: ignore[arg-type]
    await engine.publish(Charge("A-1"))

    await MessageOperator(other).forget("till/charge")
    shared.clock.turn(timedelta(seconds=1))

    with pytest.raises(UnknownMessage, match="no receptor owns the command"):
        await engine.publish(Charge("A-2"))


async def test_a_receptor_whose_command_nobody_owns_waits_for_the_owner(world: World) -> None:
    told: list[str] = []

    async def demand(event: Paid) -> Charge:
        told.append(event.order_id)
        return Charge(event.order_id)

    engine = await world.engine(Receptors("shop").on(demand))  # type: ignore[arg-type]
    await engine.publish(Paid("A-1"))
    await quiet(engine)
    (waiting,) = await deliveries(engine)
    assert (told, waiting.state, waiting.attempts) == ([], DeliveryState.DUE, 1)
    assert b"no receptor owns the command `shop.Charge`" in waiting.error

    engine.serve(TILL)
    world.clock.turn(timedelta(minutes=1))
    await quiet(engine)

    assert told == ["A-1"]
    assert [each.state for each in await deliveries(engine)] == [DeliveryState.DONE] * 2


async def test_what_would_send_a_command_that_is_never_owned_is_a_dead_letter(world: World) -> None:
    async def demand(event: Paid) -> Charge:
        return Charge(event.order_id)

    engine = await world.engine(Receptors("shop").on(demand))  # type: ignore[arg-type]
    await engine.publish(Paid("A-1"))
    for _ in range(16):
        await quiet(engine)
        world.clock.turn(timedelta(minutes=1))
    await quiet(engine)

    (dead,) = await dead_letters(engine)
    assert (dead.reason, dead.attempts) == ("no owner", 15)


async def test_of_two_that_come_at_the_same_moment_one_owns_the_command() -> None:
    async with World() as world:
        one, other = world.make(), world.make()
        one.serve(TILL)
        other.serve(BILLING)
        async with one, other:
            published = await asyncio.gather(
                one.publish(Charge("A-1")), other.publish(Charge("A-2")), return_exceptions=True
            )
            subscribed = await one._shell.journal.messages.subscriptions()
        (owner,) = {each.recipient for each in subscribed}
        kinds = [type(each).__name__ for each in published]
        assert sorted(kinds) == ["Receipt", "StoreRefused"]
        assert kinds.index("Receipt") == ["till/charge", "billing/bill"].index(owner)


async def test_events_have_any_number_of_receptors_on_a_store(world: World) -> None:
    first = await world.engine(Receptors("one").on(note))
    await first.publish(Paid("A-1"))
    await world.close(first)
    second = await world.engine(Receptors("two").on(note))
    receipt = await second.publish(Paid("A-2"))
    assert receipt.recipients == ("one/note", "two/note")
