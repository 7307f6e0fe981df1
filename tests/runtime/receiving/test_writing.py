"""What a receptor writes, sends and starts is one transaction with the mark that it is done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from makegood import (
    Call,
    Declined,
    Emit,
    IdempotencyKey,
    Receptors,
    Retry,
    Transaction,
    Unavailable,
    Writes,
    injected,
    later,
    query,
    workflow,
)
from makegood.extension import Migration
from makegood.journal.messages import DeliveryState, MessageFilter
from makegood.values.ids import message_id, receipt_key
from tests.runtime.outside import Outside
from tests.runtime.receiving.shop import (
    Paid,
    Refused,
    Reserved,
    dead_letters,
    deliveries,
    fault,
    quiet,
)

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World

STEADY = Retry(attempts=3, delay=timedelta(seconds=10), factor=1.0, jitter=False)


class Books:
    """The tables of these tests."""

    name = "books"
    commands = ()
    migrations = (
        Migration(
            owner="books",
            number=1,
            sql="CREATE TABLE paid (order_id TEXT PRIMARY KEY, cents INTEGER NOT NULL)",
        ),
    )


async def paid(engine: Engine) -> list[tuple[Any, ...]]:
    return [*await engine.read("SELECT order_id, cents FROM paid ORDER BY order_id")]


async def find(order_id: str, *, outside: Outside = injected) -> str:
    await outside.do("find", IdempotencyKey(order_id))
    return f"{order_id} is shipped"


@workflow
def ship(order_id: str) -> str:
    return query(find)(order_id)


async def test_a_call_that_is_returned_is_a_run_that_is_started_once(world: World) -> None:
    async def plan(event: Paid) -> Call[str]:
        return ship(event.order_id)

    engine = await world.engine(ship, Receptors("shop").on(plan))
    await engine.publish(Paid("A-1"), id="evt-1", subject="anna")
    await quiet(engine)
    (row,) = (await engine.list()).rows
    key = message_id(receipt_key("shop/plan", "", "makegood", "evt-1"), 1)
    assert (row.workflow, row.key, row.subject) == ("ship", key, "anna")
    assert await world.finish(engine, engine.run(row.run).result()) == "A-1 is shipped"
    assert world.outside.calls == ["find"]


async def test_calls_and_messages_go_out_together_or_not_at_all(world: World) -> None:
    failing = [Unavailable("down")]

    async def plan(
        event: Reserved, *, emit: Emit[Paid] = injected
    ) -> tuple[Call[str], Call[str], Paid]:
        emit(Paid("emitted"))
        if failing:
            raise failing.pop()
        return ship("A-1"), ship("A-2"), Paid("returned")

    engine = await world.engine(ship, Receptors("shop").on(plan, retry=STEADY))
    await engine.publish(Reserved("A-1"))
    await quiet(engine)
    assert (await engine.list()).rows == ()
    world.clock.turn(timedelta(seconds=10))
    await quiet(engine)
    assert len((await engine.list()).rows) == 2
    found = [row.message.type for row in (await _messages(engine))]
    assert found == ["shop.Paid", "shop.Paid", "shop.Reserved"]


async def _messages(engine: Engine) -> tuple[Any, ...]:
    return (await engine._reception.messages.messages(MessageFilter())).rows


async def test_statements_are_applied_when_the_message_is_done(world: World) -> None:
    async def book(event: Reserved, *, writes: Writes = injected) -> Paid:
        writes.execute("INSERT INTO paid VALUES (?, ?)", event.order_id, event.cents, expect_rows=1)
        return Paid(event.order_id)

    engine = await world.engine(Receptors("books").on(book), extensions=[Books()])
    for cents in (500, 700):
        await engine.publish(Reserved(f"A-{cents}", cents))
    await quiet(engine)
    assert await paid(engine) == [("A-500", 500), ("A-700", 700)]


async def test_statements_that_the_store_refuses_leave_one_dead_letter_and_nothing_else(
    world: World,
) -> None:
    async def book(event: Reserved, *, writes: Writes = injected) -> Paid:
        writes.execute("INSERT INTO paid VALUES (?, ?)", "one", event.cents)
        return Paid(event.order_id)

    engine = await world.engine(Receptors("books").on(book), extensions=[Books()])
    for cents in (500, 600, 700):
        await engine.publish(Reserved("A-1", cents))
    await quiet(engine)
    assert await paid(engine) == [("one", 500)]
    dead = await dead_letters(engine)
    assert [each.reason for each in dead] == ["unrecorded", "unrecorded"]
    assert "UNIQUE constraint failed" in fault(dead[0]).failure.message
    sent = [row for row in await _messages(engine) if row.message.type == "shop.Paid"]
    assert len(sent) == 1


async def test_of_one_that_blocks_refused_statements_keep_its_key_waiting(world: World) -> None:
    async def book(event: Reserved, *, writes: Writes = injected) -> None:
        writes.execute("INSERT INTO paid VALUES (?, ?)", "one", event.cents)

    group = Receptors("books").on(book, on_dead="block")
    engine = await world.engine(group, extensions=[Books()])
    for cents in (500, 600, 700):
        await engine.publish(Reserved("A-1", cents))
    await quiet(engine)
    assert [each.state for each in await deliveries(engine)] == [
        DeliveryState.DONE,
        DeliveryState.DEAD,
        DeliveryState.DUE,
    ]


async def keep(event: Reserved, *, transaction: Transaction = injected) -> Paid | Refused:
    """Count what was paid, in the transaction of the message."""
    if event.cents == 13:
        raise Declined("unlucky")
    await transaction.execute("INSERT INTO paid VALUES (?, ?)", event.order_id, 0)
    await transaction.execute("UPDATE paid SET cents = cents + ?", event.cents)
    rows = await transaction.fetch("SELECT sum(cents) FROM paid")
    return Paid(f"{event.order_id}: {rows[0][0]}")


async def test_a_local_receptor_reads_and_writes_in_the_transaction_of_its_message(
    world: World,
) -> None:
    heard: list[Paid] = []

    async def hear(event: Paid) -> None:
        heard.append(event)

    group = Receptors("books").on(keep).on(hear)
    engine = await world.engine(group, extensions=[Books()])
    for number in (1, 2, 3):
        await engine.publish(Reserved(f"A-{number}", 10), key="one key")
    await quiet(engine)
    assert heard == [Paid("A-1: 10"), Paid("A-2: 30"), Paid("A-3: 60")]
    assert await paid(engine) == [("A-1", 30), ("A-2", 20), ("A-3", 10)]


async def test_what_a_local_receptor_wrote_is_taken_back_when_it_fails(world: World) -> None:
    engine = await world.engine(Receptors("books").on(keep), extensions=[Books()])
    await engine.publish(Reserved("A-1", 13))
    await engine.publish(Reserved("A-1", 10))
    await engine.publish(Reserved("A-1", 10))
    await quiet(engine)
    assert await paid(engine) == [("A-1", 10)]
    first, second = await dead_letters(engine)
    assert (first.reason, fault(first).failure.message) == ("declined", "unlucky")
    assert second.reason == "failed"


async def test_a_local_receptor_that_sends_what_it_does_not_declare_has_written_nothing(
    world: World,
) -> None:
    async def wrong(event: Reserved, *, transaction: Transaction = injected) -> None:
        await transaction.execute("INSERT INTO paid VALUES ('x', 1)")
        if event.cents == 1:
            later(within=timedelta(days=1))
        return Paid("A-1")  # type: ignore[return-value]

    engine = await world.engine(Receptors("books").on(wrong), extensions=[Books()])
    await engine.publish(Reserved("A-1", 0))
    await engine.publish(Reserved("A-1", 1))
    await quiet(engine)
    assert await paid(engine) == []
    first, second = await dead_letters(engine)
    assert (first.reason, second.reason) == ("undeclared", "undeclared")


async def test_a_local_receptor_is_tried_again_under_its_policy(world: World) -> None:
    failing = [TimeoutError("a while"), Unavailable("down")]

    async def busy(event: Reserved, *, transaction: Transaction = injected) -> Call[str] | None:
        await transaction.execute("INSERT INTO paid VALUES (?, 1)", event.order_id)
        if failing:
            raise failing.pop()
        return ship(event.order_id)

    group = Receptors("books").on(busy, retry=STEADY)
    engine = await world.engine(ship, group, extensions=[Books()])
    await engine.publish(Reserved("A-1"))
    for _ in range(3):
        await quiet(engine)
        world.clock.turn(timedelta(seconds=10))
    await quiet(engine)
    assert await paid(engine) == [("A-1", 1)]
    (delivery,) = await deliveries(engine)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DONE, 3)
    assert len((await engine.list()).rows) == 1
