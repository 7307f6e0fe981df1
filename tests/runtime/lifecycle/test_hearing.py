"""Messages of a lifecycle: none is lost, none is handled twice, each in its turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from makegood import (
    Goto,
    Lifecycle,
    Operator,
    PayloadTooLarge,
    Stay,
    UnknownMessage,
    send,
    workflow,
)
from makegood.values.limits import PAYLOAD_BYTES_MAX
from tests.runtime.lifecycle.shop import DAY, Order, Packed, Paid, Status, orders
from tests.runtime.lifecycle.test_timers import until_listening, until_record
from tests.runtime.outside import Gate
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World


class Step(Enum):
    ONE = 1
    TWO = 2
    OVER = 3


@dataclass(frozen=True)
class File:
    id: str
    pages: tuple[int, ...] = ()


@dataclass(frozen=True)
class Page:
    message_name: ClassVar[str] = "files.page"

    number: int


@dataclass(frozen=True)
class Torn:
    message_name: ClassVar[str] = "files.page"

    colour: str


@dataclass(frozen=True)
class Next:
    word: str


async def take(file: File, page: Page) -> Stay[File]:
    return Stay(replace(file, pages=(*file.pages, page.number)))


async def turn(_file: File, _next: Next) -> Goto[Literal[Step.TWO], File]:
    return Goto(Step.TWO)


async def end(_file: File, _next: Next) -> Goto[Literal[Step.OVER], File]:
    return Goto(Step.OVER)


files = (
    Lifecycle("file", File, Step, key=lambda file: file.id)
    .hear(Step.ONE, Page, take)
    .hear(Step.ONE, Next, turn, to={Step.TWO})
    .hear(Step.TWO, Next, end, to={Step.OVER})
    .workflow()
)


@workflow
def pay(order: str) -> str:
    """Tell the order of somebody else that it is paid."""
    send(Paid(7), key=order)
    return order


async def begun(world: World) -> tuple[Engine, Run[Order]]:
    engine = await world.engine(orders, pay)
    run = await engine.start(orders(Order("o-1")))
    await world.finish(engine, until_waiting(engine))
    return engine, run


async def until_waiting(engine: Engine) -> None:
    """Wait until a message is waited for, so that one that is sent is given to the run at once."""
    while not (await Operator(engine).messages()).waiting:
        await turn_of_the_loop()


async def test_a_message_for_a_later_status_is_answered_kept_and_heard_there(
    stored: World,
) -> None:
    """A callback for the wrong status: its sender learns that nobody has taken it yet."""
    engine, run = await begun(stored)

    sent = await engine.send(Packed("p"), key="o-1", id="event-2")
    [kept] = (await Operator(engine).messages()).kept
    await engine.send(Paid(7), key="o-1", id="event-1")

    assert sent.run is None
    assert (kept.id, kept.message.rpartition(".")[2]) == ("event-2", "Packed")
    assert (await stored.finish(engine, run.await_status(Status.SHIPPED))).what == "reached"
    assert (await Operator(engine).messages()).kept == ()


async def test_a_message_that_comes_again_is_the_same_one_also_in_another_status(
    stored: World,
) -> None:
    engine, run = await begun(stored)
    first = await engine.send(Paid(7), key="o-1", id="event-1")
    await stored.finish(engine, run.await_status(Status.PAID))

    again = await engine.send(Paid(7), key="o-1", id="event-1")

    assert (first.run, again.run) == (run.id, run.id)
    assert (await Operator(engine).messages()).kept == ()
    assert stored.outside.happened == ["price", "settle 7"]


async def test_a_message_that_no_status_hears_any_more_is_listed_and_expires(
    stored: World,
) -> None:
    engine, run = await begun(stored)
    await engine.send(Paid(7), key="o-1")
    await stored.finish(engine, run.await_status(Status.PAID))

    late = await engine.send(Paid(8), key="o-1", id="event-8", keep=timedelta(hours=1))
    await engine.send(Packed("p"), key="o-1")
    await stored.finish(engine, run.result())
    listed = await Operator(engine).messages()
    stored.clock.turn(DAY)
    later = await Operator(engine).messages()

    assert late.run is None
    assert ([each.id for each in listed.kept], listed.expired) == (["event-8"], ())
    assert (later.kept, [each.id for each in later.expired]) == ((), ["event-8"])


async def test_a_message_for_an_ended_run_waits_for_the_next_one_with_its_key(
    stored: World,
) -> None:
    engine, run = await begun(stored)
    await stored.finish(engine, run.cancel())
    await stored.finish(engine, run.outcome())

    sent = await engine.send(Paid(7), key="o-1")
    again = await engine.start(orders(Order("o-1")))

    assert sent.run is None
    assert (await stored.finish(engine, again.await_status(Status.PAID))).what == "reached"
    assert again.id != run.id


async def test_a_message_for_a_run_that_never_was_is_kept_and_listed(world: World) -> None:
    engine = await world.engine(orders)

    sent = await engine.send(Paid(7), key="nobody")

    assert (sent.run, [each.key for each in (await Operator(engine).messages()).kept]) == (
        None,
        ["nobody"],
    )
    with pytest.raises(UnknownMessage, match="no workflow that is served here waits for"):
        await engine.send(Page(1), key="nobody")


async def test_messages_of_a_class_are_handled_in_their_order_while_one_is_at_work(
    stored: World,
) -> None:
    gate = Gate()
    stored.outside.planned["settle 1"] = [gate]
    engine, run = await begun(stored)
    await engine.send(Paid(1), key="o-1")
    await stored.finish(engine, gate.reached.wait())
    for cents in (2, 3, 7):
        await engine.send(Paid(cents), key="o-1")
    gate.open()

    await stored.finish(engine, run.await_status(Status.PAID))

    assert stored.outside.calls == ["price", "settle 1", "settle 2", "settle 3", "settle 7"]


async def test_what_has_come_and_was_not_handled_when_a_status_is_left_is_kept_for_others(
    stored: World,
) -> None:
    engine = await stored.engine(files)
    run = await engine.start(files(File("f-1")))
    await stored.finish(engine, until_listening(run))
    await stored.finish(engine, run.pause())
    for message in (Next("turn"), Page(1)):
        await engine.send(message, key="f-1")
    await stored.finish(engine, run.resume())

    await stored.finish(engine, run.await_status(Step.TWO))

    await stored.finish(engine, until_kept(engine, 1))
    assert (await run.record()).record.pages == ()
    await engine.send(Next("over"), key="f-1")
    assert (await stored.finish(engine, run.await_status(Step.OVER))).what == "reached"


async def until_kept(engine: Engine, count: int) -> None:
    while len((await Operator(engine).messages()).kept) != count:
        await turn_of_the_loop()


async def test_what_cannot_be_read_as_the_message_is_on_record_and_the_next_one_is_heard(
    stored: World,
) -> None:
    engine = await stored.engine(files)
    run = await engine.start(files(File("f-1")))
    await stored.finish(engine, until_listening(run))

    client = await stored.engine(work=False)
    await client.send(Torn("red"), key="f-1")
    await engine.send(Page(2), key="f-1")

    await stored.finish(engine, until_record(run, lambda file: file.pages == (2,)))
    recorded = (await Operator(engine).history(run.id)).facts
    assert sum(map(is_misfit, recorded)) == 1


def is_misfit(fact: Any) -> bool:
    return getattr(fact, "misfit", None) is not None


async def test_a_workflow_moves_the_record_of_a_lifecycle_on_by_a_message(stored: World) -> None:
    engine, run = await begun(stored)

    await stored.finish(engine, (await engine.start(pay("o-1"))).result())

    assert (await stored.finish(engine, run.await_status(Status.PAID))).what == "reached"
    assert stored.outside.happened == ["price", "settle 7"]


async def test_a_message_that_is_too_large_is_refused_and_kept_by_nobody(world: World) -> None:
    engine = await world.engine(orders)

    with pytest.raises(PayloadTooLarge):
        await engine.send(Packed("x" * PAYLOAD_BYTES_MAX), key="o-1")

    assert (await Operator(engine).messages()).kept == ()
