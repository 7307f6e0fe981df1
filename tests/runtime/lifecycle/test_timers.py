"""Timers of a status: each belongs to one visit of one run, and fires once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from makegood import Goto, Lifecycle, Rearm, Stay
from makegood.values.instants import as_datetime
from tests.runtime.lifecycle.shop import DAY, Order, Status, orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood import Engine, Run
    from tests.runtime.world import World

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class State(Enum):
    OPEN = 1
    HELD = 2
    SHUT = 3


class Dates(Enum):
    OPEN = 1
    SHUT = 2


@dataclass(frozen=True)
class Ticket:
    id: str
    seen: tuple[str, ...] = ()
    due: datetime | None = None

    def then(self, word: str) -> Ticket:
        return replace(self, seen=(*self.seen, word))


@dataclass(frozen=True)
class Call:
    word: str
    due: datetime | None = None


async def hold(ticket: Ticket, call: Call) -> Goto[Literal[State.HELD], Ticket] | Stay[Ticket]:
    if call.word == "hold":
        return Goto(State.HELD, ticket.then("hold"))
    return Stay(ticket.then(call.word))


async def nudge(ticket: Ticket) -> Stay[Ticket]:
    return Stay(ticket.then("nudge"))


async def shut(ticket: Ticket) -> Goto[Literal[State.SHUT], Ticket]:
    return Goto(State.SHUT, ticket.then("shut"))


async def reopen(ticket: Ticket) -> Goto[Literal[State.OPEN], Ticket]:
    return Goto(State.OPEN, ticket.then("reopen"))


async def plan(ticket: Ticket, call: Call) -> Rearm[Ticket]:
    return Rearm(replace(ticket.then(call.word), due=call.due))


async def close(ticket: Ticket) -> Goto[Literal[Dates.SHUT], Ticket]:
    return Goto(Dates.SHUT, ticket.then("close"))


opened = (
    Lifecycle("ticket", Ticket, State, key=lambda ticket: ticket.id, start=State.OPEN)
    .hear(State.OPEN, Call, hold, to={State.HELD})
    .expire(State.OPEN, nudge, after=HOUR)
    .expire(State.OPEN, shut, after=DAY, to={State.SHUT})
    .expire(State.HELD, reopen, after=2 * HOUR, to={State.OPEN})
    .workflow()
)
dated = (
    Lifecycle("dated", Ticket, Dates, key=lambda ticket: ticket.id)
    .hear(Dates.OPEN, Call, plan)
    .expire(Dates.OPEN, close, at=lambda ticket: ticket.due, to={Dates.SHUT})
    .workflow()
)


async def until_record(run: Run[Any], holds: Callable[[Any], bool]) -> None:
    async for _event in run.events():
        if holds((await run.record()).record):
            return


class Tickets:
    """A ticket in a world, and what has been done with it."""

    def __init__(self, world: World, engine: Engine, run: Run[Ticket]) -> None:
        self.world = world
        self.engine = engine
        self.run = run

    async def sees(self, *words: str) -> None:
        """Let everything happen that is due, and be just this."""
        await self.world.finish(
            self.engine, until_record(self.run, lambda ticket: len(ticket.seen) >= len(words))
        )
        assert (await self.run.record()).record.seen == words

    async def tell(self, word: str, due: datetime | None = None) -> None:
        await self.engine.send(Call(word, due), key="t-1")

    async def turn(self, duration: timedelta) -> None:
        self.world.clock.turn(duration)


async def begun(world: World, workflow: Any = opened) -> Tickets:
    engine = await world.engine(workflow)
    run = await engine.start(workflow(Ticket("t-1")))
    await world.finish(engine, until_listening(run))
    return Tickets(world, engine, run)


async def until_listening(run: Run[Any]) -> None:
    async for event in run.events():
        if type(event.fact).__name__ == "Listened":
            return


async def test_a_timer_fires_once_and_the_others_of_its_status_go_on(stored: World) -> None:
    ticket = await begun(stored)
    await ticket.turn(HOUR)
    await ticket.sees("nudge")
    await ticket.turn(10 * HOUR)
    await ticket.tell("look")
    await ticket.sees("nudge", "look")
    await ticket.turn(13 * HOUR)
    await ticket.sees("nudge", "look", "shut")
    assert (await ticket.run.record()).run_status == "completed"


async def test_leaving_a_status_ends_its_timers_and_coming_back_sets_them_anew(
    stored: World,
) -> None:
    ticket = await begun(stored)
    await ticket.turn(HOUR / 2)
    await ticket.tell("hold")
    await ticket.sees("hold")
    await ticket.turn(2 * HOUR)
    await ticket.sees("hold", "reopen")
    # What was due in the visit before, an hour and a half ago, is over.
    await ticket.turn(HOUR / 2)
    await ticket.tell("look")
    await ticket.sees("hold", "reopen", "look")
    await ticket.turn(HOUR)
    await ticket.sees("hold", "reopen", "look", "nudge")
    # A day after the first visit began nothing happens, a day after the second the end.
    await ticket.turn(21 * HOUR)
    await ticket.tell("still here")
    await ticket.sees("hold", "reopen", "look", "nudge", "still here")
    await ticket.turn(2 * HOUR)
    await ticket.sees("hold", "reopen", "look", "nudge", "still here", "shut")


async def test_a_timer_of_an_ended_run_does_not_fire_on_the_next_one_with_its_key(
    stored: World,
) -> None:
    first = await begun(stored)
    await first.turn(HOUR / 2)
    await stored.finish(first.engine, first.run.cancel())
    await stored.finish(first.engine, first.run.outcome())
    run = await first.engine.start(opened(Ticket("t-1")))
    await stored.finish(first.engine, until_listening(run))
    second = Tickets(stored, first.engine, run)

    await second.turn(HOUR - MINUTE)
    await second.tell("look")
    await second.sees("look")
    await second.turn(2 * MINUTE)
    await second.sees("look", "nudge")


async def test_what_falls_due_in_a_pause_fires_once_when_it_is_over(stored: World) -> None:
    ticket = await begun(stored)
    await stored.finish(ticket.engine, ticket.run.pause(reason="stocktaking"))
    await ticket.turn(3 * HOUR)
    await ticket.tell("look")
    assert (await ticket.run.record()).record.seen == ()

    await stored.finish(ticket.engine, ticket.run.resume())

    await stored.finish(
        ticket.engine, until_record(ticket.run, lambda ticket: len(ticket.seen) == 2)
    )
    assert sorted((await ticket.run.record()).record.seen) == ["look", "nudge"]


async def test_what_falls_due_while_nobody_works_fires_once_when_somebody_does(
    stored: World,
) -> None:
    ticket = await begun(stored)
    await stored.close(ticket.engine)
    await ticket.turn(5 * HOUR)
    engine = await stored.engine(opened)
    again = Tickets(stored, engine, engine.run(ticket.run.id))  # type: ignore[arg-type]

    await again.sees("nudge")
    await again.tell("look")
    await again.sees("nudge", "look")


async def test_a_timer_fires_when_the_record_says_and_never_where_that_is_none(
    stored: World,
) -> None:
    ticket = await begun(stored, dated)
    await ticket.turn(300 * DAY)
    now = as_datetime(stored.clock.now())
    await ticket.tell("late", now + 5 * HOUR)
    await ticket.sees("late")
    await ticket.tell("never")
    await ticket.sees("late", "never")
    await ticket.turn(6 * HOUR)
    await ticket.tell("soon", now + 7 * HOUR)
    await ticket.sees("late", "never", "soon")
    await ticket.turn(HOUR - MINUTE)
    assert (await ticket.run.record()).status == "OPEN"

    await ticket.turn(2 * MINUTE)
    await ticket.sees("late", "never", "soon", "close")


async def test_a_time_that_is_past_when_it_is_set_fires_at_once(world: World) -> None:
    ticket = await begun(world, dated)
    await ticket.tell("yesterday", as_datetime(world.clock.now()) - DAY)

    await ticket.sees("yesterday", "close")


async def test_rearming_sets_a_timer_anew_as_often_as_a_handler_says(stored: World) -> None:
    engine = await stored.engine(orders)
    run = await engine.start(orders(Order("o-1")))
    await stored.finish(engine, run.await_status(Status.PAYING))
    for count in (1, 2):
        await stored.finish(engine, until_listening(run))
        stored.clock.turn(DAY)
        await stored.finish(
            engine, until_record(run, lambda order, count=count: order.reminders == count)
        )
    stored.clock.turn(DAY)

    assert (await stored.finish(engine, run.await_status(Status.LOST))).what == "reached"
    assert (await run.record()).record.reminders == 2
