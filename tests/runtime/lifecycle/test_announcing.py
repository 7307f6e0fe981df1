"""What a lifecycle announces is received by whoever wants to know, and changes nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import (
    LifecycleEvent,
    MessageOperator,
    Occasion,
    Operator,
    Receptors,
    Retry,
    Unavailable,
    injected,
    pure,
    send,
    wait,
    workflow,
)
from tests.runtime.lifecycle.shop import DAY, Order, Packed, Paid, Status, lifecycle, orders
from tests.runtime.outside import Gate, Outside
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import DeadLetter, Engine, Run, Workflow
    from tests.runtime.world import World

HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class OrderEvent(LifecycleEvent):
    """What happens to orders."""


class Inbox:
    """What was received, and what is to go wrong with it."""

    def __init__(self) -> None:
        self.seen: list[LifecycleEvent] = []
        self.errors: list[Exception] = []

    @property
    def words(self) -> list[str]:
        return [f"{each.occasion} {each.status}" for each in self.seen]


async def tell(event: OrderEvent, *, inbox: Inbox = injected) -> None:
    if inbox.errors:
        raise inbox.errors.pop(0)
    inbox.seen.append(event)


RECEPTORS = Receptors("hooks").on(tell, retry=Retry(attempts=3, delay=timedelta(seconds=1)))
announced = lifecycle.announce(OrderEvent).workflow()


async def begun(
    world: World, workflow: Workflow[[Order], Order] = announced, *errors: Exception
) -> tuple[Engine, Run[Order], Inbox]:
    inbox = Inbox()
    inbox.errors = [*errors]
    services: dict[type, object] = {Inbox: inbox, Outside: world.outside}
    engine = await world.engine(workflow, services=services)
    engine.serve(RECEPTORS)
    return engine, await engine.start(workflow(Order("o-1")), subject="eve"), inbox


async def until_seen(inbox: Inbox, count: int) -> None:
    while len(inbox.seen) < count:
        await turn_of_the_loop()


async def until_dead(engine: Engine) -> DeadLetter:
    while not (found := await MessageOperator(engine).dead_letters()):
        await turn_of_the_loop()
    return found[0]


async def until_waiting(engine: Engine) -> None:
    while not (await Operator(engine).messages()).waiting:
        await turn_of_the_loop()


async def test_each_status_and_the_end_are_told_in_order_with_the_time_it_took(
    stored: World,
) -> None:
    engine, run, inbox = await begun(stored)
    await stored.finish(engine, until_waiting(engine))
    stored.clock.turn(HOUR)
    await engine.send(Paid(7), key="o-1")
    await stored.finish(engine, run.await_status(Status.PAID))
    await stored.finish(engine, until_waiting(engine))
    stored.clock.turn(HOUR)
    await engine.send(Packed("p"), key="o-1")
    await stored.finish(engine, until_seen(inbox, 6))

    assert inbox.words == [
        "started None",
        "entered NEW",
        "entered PAYING",
        "entered PAID",
        "entered SHIPPED",
        "completed SHIPPED",
    ]
    entered, completed = inbox.seen[3], inbox.seen[-1]
    assert (entered.origin, entered.handler, entered.version) == ("PAYING", "settle", 3)
    assert HOUR <= entered.stood < HOUR + timedelta(seconds=5)
    assert 2 * HOUR <= completed.took < 2 * HOUR + timedelta(seconds=9)
    assert {(each.lifecycle, each.key, each.run) for each in inbox.seen} == {
        ("order", "o-1", run.id)
    }


async def test_pauses_and_cancels_are_told_with_who_has_wanted_them_and_why(
    stored: World,
) -> None:
    engine, run, inbox = await begun(stored)
    await stored.finish(engine, until_waiting(engine))
    await stored.finish(engine, run.pause(actor="eve", reason="stocktaking"))
    await stored.finish(engine, run.cancel(actor="ada", reason="never mind"))
    await stored.finish(engine, until_seen(inbox, 6))

    assert inbox.words[3:] == ["paused PAYING", "resumed PAYING", "cancelled PAYING"]
    assert [(each.actor, each.reason) for each in inbox.seen[3:]] == [
        ("eve", "stocktaking"),
        ("ada", "never mind"),
        ("ada", "never mind"),
    ]


async def test_only_what_is_asked_for_is_told(stored: World) -> None:
    chosen = (
        lifecycle.announce(OrderEvent, on=Occasion.ENTERED, status=Status.PAID)
        .announce(OrderEvent, on={Occasion.COMPLETED, Occasion.CANCELLED})
        .announce(OrderEvent, on=Occasion.ENTERED, status={Status.PAID, Status.LOST})
        .workflow()
    )
    engine, _run, inbox = await begun(stored, chosen)
    await stored.finish(engine, until_waiting(engine))
    await engine.send(Paid(7), key="o-1")
    await engine.send(Packed("p"), key="o-1")
    await stored.finish(engine, until_seen(inbox, 2))

    assert inbox.words == ["entered PAID", "completed SHIPPED"]


async def test_a_hook_that_fails_is_tried_again_and_holds_nobody_up(stored: World) -> None:
    engine, run, inbox = await begun(stored, announced, *[Unavailable("no printer")] * 3)
    await engine.send(Paid(7), key="o-1")
    await engine.send(Packed("p"), key="o-1")

    assert (await stored.finish(engine, run.result())).total == 7

    await stored.finish(engine, until_seen(inbox, 5))
    dead = await stored.finish(engine, until_dead(engine))
    assert inbox.words[0] == "entered NEW"
    assert (dead.receptor, dead.attempts) == ("hooks/tell", 3)
    assert (await run.describe()).status == "completed"


async def test_what_was_recorded_before_a_worker_died_is_told_once(stored: World) -> None:
    gate = Gate()
    stored.outside.planned["settle 7"] = [gate]
    engine, run, inbox = await begun(stored)
    await engine.send(Paid(7), key="o-1")
    await stored.finish(engine, gate.reached.wait())
    await stored.finish(engine, until_seen(inbox, 3))
    await stored.kill(engine)
    stored.clock.turn(timedelta(minutes=1))

    services: dict[type, object] = {Inbox: inbox, Outside: stored.outside}
    other = await stored.engine(announced, services=services)
    other.serve(RECEPTORS)
    await stored.finish(other, other.run(run.id).await_status(Status.PAID))
    await stored.finish(other, until_seen(inbox, 4))

    assert inbox.words == ["started None", "entered NEW", "entered PAYING", "entered PAID"]


async def test_a_run_tells_from_when_its_lifecycle_announces(stored: World) -> None:
    engine = await stored.engine(orders)
    run = await engine.start(orders(Order("o-1")))
    await stored.finish(engine, run.await_status(Status.PAYING))
    await stored.close(engine)
    inbox = Inbox()
    services: dict[type, object] = {Inbox: inbox, Outside: stored.outside}
    engine = await stored.engine(announced, services=services)
    engine.serve(RECEPTORS)

    await engine.send(Paid(7), key="o-1")
    await stored.finish(engine, until_seen(inbox, 1))

    assert inbox.words == ["entered PAID"]
    assert inbox.seen[0].took < DAY


async def test_what_is_announced_is_about_the_subject_of_the_run_and_of_one_beginning(
    stored: World,
) -> None:
    engine, run, inbox = await begun(stored)
    await stored.finish(engine, until_seen(inbox, 3))

    itself, *announced = await MessageOperator(engine).trace(run.id)

    assert (itself.id, len(announced)) == (run.id, 3)
    assert {each.causation for each in announced} == {run.id}
    await stored.finish(engine, run.cancel())
    await stored.finish(engine, until_seen(inbox, 4))
    report = await Operator(engine).erase(subject="eve", actor="dpo", reason="asked")
    assert report.is_complete


@dataclass(frozen=True, kw_only=True)
class OrderPaid(LifecycleEvent):
    """An order has come to be paid."""


telling = lifecycle.announce(
    OrderPaid, on=Occasion.ENTERED, status=Status.PAID, keep=timedelta(days=30)
).workflow()


def parcel_of(paid: OrderPaid) -> Packed:
    return Packed(f"{paid.key} {paid.status}")


@workflow
def pack(order: str) -> str:
    """Wait until an order of somebody else is paid, and pack it."""
    paid = wait(OrderPaid, key=order, within=timedelta(days=60))
    send(pure(parcel_of, name="parcel")(paid), key=order)
    return order


async def test_a_workflow_awaits_a_status_of_a_record_and_moves_it_on(stored: World) -> None:
    engine = await stored.engine(telling, pack)
    waiting = await engine.start(pack("o-1"))
    run = await engine.start(telling(Order("o-1")))
    await engine.send(Paid(7), key="o-1")

    assert await stored.finish(engine, waiting.result()) == "o-1"
    assert (await stored.finish(engine, run.result())).total == 7


async def test_a_workflow_that_begins_to_wait_when_the_status_is_past_has_it_at_once(
    stored: World,
) -> None:
    engine = await stored.engine(telling, pack)
    run = await engine.start(telling(Order("o-1")))
    await engine.send(Paid(7), key="o-1")
    await stored.finish(engine, run.await_status(Status.PAID))
    stored.clock.turn(20 * DAY)

    waiting = await engine.start(pack("o-1"))

    assert await stored.finish(engine, waiting.result()) == "o-1"
    assert (await stored.finish(engine, run.await_status(Status.SHIPPED))).what == "reached"
    assert (await Operator(engine).messages()).kept == ()


async def test_one_that_is_not_received_by_anybody_is_kept_and_the_run_goes_on(
    world: World,
) -> None:
    engine = await world.engine(lifecycle.announce().workflow())
    run = await engine.start(lifecycle.announce().workflow()(Order("o-1")))

    assert (await world.finish(engine, run.await_status(Status.PAYING))).what == "reached"
