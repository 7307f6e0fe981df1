"""A record is taken through the statuses of a lifecycle, in memory, with a clock that is turned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import ClassVar, Literal

import pytest

from makegood import (
    Again,
    CancelRun,
    Declined,
    Emit,
    Failed,
    Goto,
    IdempotencyKey,
    InvalidInput,
    Lifecycle,
    LifecycleEvent,
    Occasion,
    PastPivot,
    PauseRun,
    Rearm,
    Retry,
    Stay,
    Succeeded,
    Unavailable,
    UnknownMessage,
    injected,
    step,
    testing,
    workflow,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class Status(Enum):
    NEW = 1
    PAYING = 2
    PAID = 3
    SHIPPED = 4
    CLOSED = 5
    DROPPED = 6


@dataclass(frozen=True)
class Order:
    id: str
    total: int = 0
    reminders: int = 0
    parcel: str = ""


@dataclass(frozen=True)
class Paid:
    cents: int


@dataclass(frozen=True)
class Returned:
    why: str


class Shelf:
    """What is held for whom."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}


async def reserve(
    order: Order, *, shelf: Shelf = injected, key: IdempotencyKey = injected
) -> Goto[Literal[Status.PAYING], Order] | Again[Order]:
    if order.total < 0:
        return Again(after=HOUR)
    shelf.held[order.id] = key
    return Goto(Status.PAYING, replace(order, total=999))


async def release(order: Order, *, shelf: Shelf = injected) -> None:
    del shelf.held[order.id]


async def settle(order: Order, paid: Paid) -> Goto[Literal[Status.PAID], Order] | Stay[Order]:
    return Goto(Status.PAID) if paid.cents == order.total else Stay()


async def remind(
    order: Order,
) -> Goto[Literal[Status.DROPPED], Order] | Rearm[Order] | CancelRun[Order]:
    if order.reminders == 2:
        return CancelRun("nobody pays")
    return Rearm(replace(order, reminders=order.reminders + 1))


async def send_parcel(order_id: str) -> str:
    return f"parcel of {order_id}"


async def recall(parcel: str) -> None: ...


@workflow
def ship(order_id: str) -> str:
    return step(send_parcel, undo=recall)(order_id)


async def shipped(
    order: Order, ended: Succeeded[str] | Failed
) -> Goto[Literal[Status.SHIPPED], Order] | PauseRun[Order]:
    if isinstance(ended, Failed):
        return PauseRun("the van is broken")
    return Goto(Status.SHIPPED, replace(order, parcel=ended.value))


async def close(order: Order) -> Goto[Literal[Status.CLOSED], Order]:
    return Goto(Status.CLOSED)


async def take_back(order: Order, returned: Returned) -> Goto[Literal[Status.CLOSED], Order]:
    return Goto(Status.CLOSED, replace(order, parcel=""))


orders = (
    Lifecycle("order", Order, Status, key=lambda order: order.id, pivots={Status.SHIPPED})
    .on(Status.NEW, reserve, to={Status.PAYING}, undo=release, retry=Retry(on=Unavailable))
    .hear(Status.PAYING, Paid, settle, to={Status.PAID})
    .expire(Status.PAYING, remind, after=DAY, to={Status.DROPPED})
    .call(Status.PAID, lambda order: ship(order.id), shipped, to={Status.SHIPPED})
    .expire(Status.SHIPPED, close, after=14 * DAY, to={Status.CLOSED})
    .hear(Status.SHIPPED, Returned, take_back, to={Status.CLOSED})
)


def at(shelf: Shelf | None = None) -> dict[type, object]:
    return {Shelf: shelf or Shelf()}


async def test_a_record_goes_through_its_statuses_by_messages_and_by_time() -> None:
    shelf = Shelf()
    async with testing.lifecycle(
        orders, Order("o-1"), services=at(shelf), workflows=[ship]
    ) as order:
        assert (order.status, order.record.total) == (Status.PAYING, 999)
        assert order.hears == {Paid}
        assert order.timers == {"remind": NEW_YEAR + DAY}
        assert [*shelf.held] == ["o-1"]

        await order.send(Paid(999))
        assert (order.status, order.record.parcel) == (Status.SHIPPED, "parcel of o-1")
        assert order.outcome is None

        await order.turn(14 * DAY)
        assert order.moves == (
            Status.NEW,
            Status.PAYING,
            Status.PAID,
            Status.SHIPPED,
            Status.CLOSED,
        )
        assert order.called == ("reserve", "settle", "shipped", "close")
        assert order.outcome is not None
        assert order.outcome.value == order.record
        assert (order.run_status, order.hears, order.timers) == ("completed", set(), {})


async def test_every_timer_fires_at_its_own_time_however_far_the_clock_is_turned() -> None:
    shelf = Shelf()
    async with testing.lifecycle(orders, Order("o-1"), services=at(shelf)) as order:
        await order.turn(DAY - timedelta(seconds=1))
        assert order.called == ("reserve",)

        await order.turn(timedelta(seconds=1))
        assert (order.called, order.record.reminders) == (("reserve", "remind"), 1)
        assert order.timers == {"remind": NEW_YEAR + 2 * DAY}

        await order.turn_to(NEW_YEAR + 10 * DAY)
        assert order.called == ("reserve", "remind", "remind", "remind")
        assert order.outcome is not None
        assert (order.run_status, order.outcome.cause) == ("cancelled", "cancelled")
        assert (order.undone, shelf.held) == (("reserve",), {})
        assert order.clock.now() == testing.TurnableClock(NEW_YEAR + 10 * DAY).now()


async def test_a_record_may_begin_in_any_status() -> None:
    paid = Order("o-1", total=999, parcel="parcel")
    async with testing.lifecycle(orders, paid, status=Status.SHIPPED, services=at()) as order:
        await order.send(Returned("too small"))

        assert order.moves == (Status.SHIPPED, Status.CLOSED)
        assert order.record == replace(paid, parcel="")


async def test_a_message_twice_is_heard_once_and_an_early_one_is_kept_for_its_status() -> None:
    async with testing.lifecycle(orders, Order("o-1"), services=at(), workflows=[ship]) as order:
        await order.send(Paid(1), id="event-1")
        await order.send(Paid(1), id="event-1")
        assert order.called == ("reserve", "settle")

        await order.send(Returned("never came"))
        assert (order.status, order.kept) == (Status.PAYING, (Returned,))

        await order.send(Paid(999))
        assert (order.status, order.kept) == (Status.CLOSED, ())


async def test_what_no_status_hears_is_refused() -> None:
    async with testing.lifecycle(orders, Order("o-1"), services=at()) as order:
        with pytest.raises(UnknownMessage, match=r"waits for `.*Order`"):
            await order.send(Order("o-2"))


async def test_a_handler_is_scripted_by_its_name_and_its_retries_wait_for_the_clock() -> None:
    away = Unavailable("closed for lunch")
    async with testing.lifecycle(
        orders, Order("o-1"), services=at(), fail={"reserve": [away, away]}
    ) as order:
        assert (order.status, order.run_status) == (Status.NEW, "waiting")

        await order.turn(timedelta(minutes=2))
        assert (order.status, order.called) == (Status.PAYING, ("reserve",))


async def test_an_undo_that_gives_up_is_told() -> None:
    async with testing.lifecycle(
        orders, Order("o-1"), services=at(), fail={"reserve.undo": Declined("it is gone")}
    ) as order:
        await order.cancel(reason="changed my mind")

        assert order.outcome is not None
        assert (order.run_status, order.outcome.left) == ("parked", ["order[0]/reserve"])


async def test_what_a_workflow_does_that_is_called_is_scripted_by_its_name() -> None:
    async with testing.lifecycle(
        orders,
        Order("o-1", total=999),
        status=Status.PAID,
        services=at(),
        workflows=[ship],
        fail={"ship/send_parcel": Declined("no van")},
    ) as order:
        assert (order.run_status, order.status) == ("paused", Status.PAID)

        await order.cancel()
        assert order.run_status == "cancelled"


async def test_a_handler_that_asks_to_be_called_again_is_shown_with_its_time() -> None:
    async with testing.lifecycle(orders, Order("o-1", total=-1), services=at()) as order:
        assert order.repeats == {"reserve": NEW_YEAR + HOUR}

        await order.turn(2 * HOUR)
        assert order.called == ("reserve", "reserve", "reserve")


async def test_a_person_may_pause_it_and_have_it_go_on() -> None:
    async with testing.lifecycle(orders, Order("o-1"), services=at(), workflows=[ship]) as order:
        await order.pause()
        await order.send(Paid(999))
        assert (order.run_status, order.status) == ("paused", Status.PAYING)

        await order.resume()
        assert order.status is Status.SHIPPED

        with pytest.raises(PastPivot):
            await order.cancel()


async def test_a_run_that_has_completed_may_be_undone() -> None:
    shelf = Shelf()
    reversible = replace(orders, pivots=())
    async with testing.lifecycle(
        reversible, Order("o-1"), services=at(shelf), workflows=[ship]
    ) as order:
        await order.send(Paid(999))
        await order.turn(14 * DAY)
        await order.undo()

        assert (order.run_status, shelf.held) == ("cancelled", {})
        assert order.undone == ("shipped-run", "reserve")


async def test_a_status_of_another_enum_and_a_workflow_without_statuses_are_refused() -> None:
    class Other(Enum):
        NEW = 1

    with pytest.raises(InvalidInput, match="is no status of `order`"):
        async with testing.lifecycle(orders.workflow(), Order("o-1"), status=Other.NEW):
            pass
    with pytest.raises(InvalidInput, match="`ship` is no lifecycle"):
        async with testing.lifecycle(ship, "o-1"):
            pass


async def test_a_script_for_a_handler_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the script names 'reverse'"):
        async with testing.lifecycle(orders, Order("o-1"), fail={"reverse": Declined("no")}):
            pass


@dataclass(frozen=True)
class Shipped:
    parcel: str


async def call_off(order: Order, *, emit: Emit[Returned] = injected) -> None:
    emit(Returned(order.id))


async def test_what_handlers_and_undos_emit_is_seen_once_it_is_recorded() -> None:
    telling = Lifecycle("telling", Order, Short, key=lambda order: order.id).on(
        Short.NEW, telling_off, to={Short.DONE}, undo=call_off
    )
    away = Unavailable("closed")
    async with testing.lifecycle(telling, Order("o-1"), fail={"telling_off": [away]}) as order:
        assert order.emitted == ()
        await order.turn(timedelta(minutes=1))
        assert order.emitted == (Shipped("o-1"),)
        await order.undo()
        assert order.emitted == (Shipped("o-1"), Returned("o-1"))


async def test_what_is_announced_is_seen_too() -> None:
    announcing = orders.announce(LifecycleEvent, on=Occasion.ENTERED, status=Status.PAYING)
    async with testing.lifecycle(announcing, Order("o-1"), services=at()) as order:
        [event] = order.emitted
        assert isinstance(event, LifecycleEvent)
        assert (event.key, event.status, event.occasion) == ("o-1", "PAYING", Occasion.ENTERED)


class Short(Enum):
    NEW = 1
    DONE = 2


async def telling_off(
    order: Order, *, emit: Emit[Shipped] = injected
) -> Goto[Literal[Short.DONE], Order]:
    emit(Shipped(order.id))
    return Goto(Short.DONE)


@dataclass(frozen=True)
class SendLetter:
    message_kind: ClassVar[str] = "command"

    text: str


async def write_letter(
    order: Order, *, emit: Emit[SendLetter] = injected
) -> Goto[Literal[Short.DONE], Order]:
    emit(SendLetter(order.id))
    return Goto(Short.DONE)


async def test_a_command_that_a_handler_sends_needs_no_owner_in_a_test() -> None:
    writing = Lifecycle("writing", Order, Short, key=lambda order: order.id).on(
        Short.NEW, write_letter, to={Short.DONE}
    )
    async with testing.lifecycle(writing, Order("o-1")) as order:
        assert (order.status, order.emitted) == (Short.DONE, (SendLetter("o-1"),))


async def test_the_picture_of_a_passage_says_where_it_stands() -> None:
    async with testing.lifecycle(orders, Order("o-1"), services=at()) as order:
        assert repr(order) == "<Passage of order o-1 in PAYING>"
