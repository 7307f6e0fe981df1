"""Does whoever follows a run see each of its facts, in order, wherever the run is at work?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, InvalidInput, Operator, StoreBusy, UndoneByHand, UnknownRun
from makegood.decision import facts
from makegood.runtime.observing.feed import EVENTS_WAITING_MAX
from tests.runtime.asking.parked import EVE, left
from tests.runtime.mail.shop import Shipped, follow_for_ever
from tests.runtime.outside import Gate
from tests.runtime.trips import book
from tests.runtime.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from makegood import Event, Run
    from makegood.decision.facts import Fact
    from tests.runtime.world import World


async def all_of(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def facts_in(events: list[Event]) -> list[Fact]:
    return [event.fact for event in events]


def positions_in(events: list[Event]) -> list[int]:
    return [event.position for event in events]


async def recorded(engine: Engine, run: Run[str]) -> list[Fact]:
    return list((await Operator(engine).history(run.id)).facts)


async def test_who_follows_sees_every_fact_at_its_position_until_the_run_ends(
    stored: World,
) -> None:
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    events = await stored.finish(engine, all_of(run.events()))

    assert facts_in(events) == await recorded(engine, run)
    assert positions_in(events) == list(range(1, len(events) + 1))
    assert {(event.run, event.workflow) for event in events} == {(run.id, "book")}
    assert isinstance(events[0].fact, facts.RunStarted)
    assert isinstance(events[-1].fact, facts.RunEnded)


async def test_an_event_arrives_as_soon_as_it_is_recorded_here(world: World) -> None:
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    seen: list[Event] = []

    async def watch() -> None:
        async for event in run.events():
            seen.append(event)  # noqa: PERF401 - it is looked at while the run is under way

    watching = asyncio.ensure_future(watch())
    await gate.reached.wait()
    await until(lambda: facts_in(seen) == journal.durable)
    assert facts_in(seen)[-1] == facts.NodeStarted("charge_card", 1, world.clock.now())
    before = world.clock.now()

    gate.open()
    await watching
    assert facts_in(seen) == journal.durable
    assert world.clock.now() == before
    assert engine._shell.telemetry._feeds == {}


async def test_following_goes_on_behind_a_position_also_after_a_restart(stored: World) -> None:
    first = await stored.engine(book)
    run = await first.start(book("Oslo"))
    events = await stored.finish(first, all_of(run.events()))
    await stored.close(first)

    second = await stored.engine(book)
    for after in (0, 1, len(events) // 2, len(events)):
        again = await stored.finish(second, all_of(second.run(run.id).events(after=after)))
        assert again == events[after:]


async def test_a_client_that_does_no_work_follows_a_run_of_a_worker(world: World) -> None:
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    worker = await world.engine(book)
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"))
    seen: list[Event] = []

    async def watch() -> None:
        async for event in run.events():
            seen.append(event)
            if isinstance(event.fact, facts.NodeStarted) and event.fact.node == "charge_card":
                gate.open()

    await world.finish(worker, watch())
    assert facts_in(seen) == await recorded(client, run)
    assert isinstance(seen[-1].fact, facts.RunEnded)


async def test_following_survives_the_death_of_the_worker(world: World) -> None:
    world.outside.planned["charge"] = [Gate()]
    first = await world.engine(book)
    run = await first.start(book("Oslo"))
    client = await world.engine(work=False)
    following = asyncio.ensure_future(all_of(client.run(run.id).events()))
    await until(lambda: world.outside.calls == ["hold", "charge"])
    await world.kill(first)

    second = await world.engine(book)
    events = await world.finish(second, following_of(following))
    assert facts_in(events) == await recorded(client, run)
    assert facts.Claimed in {type(fact) for fact in facts_in(events)}
    assert positions_in(events) == list(range(1, len(events) + 1))


async def following_of(following: asyncio.Future[list[Event]]) -> list[Event]:
    return await following


async def test_one_who_follows_goes_on_when_the_run_is_lost_here(world: World) -> None:
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    first, journal = await world.watched(book)
    run = await first.start(book("Oslo"))
    following = asyncio.ensure_future(all_of(run.events()))
    await gate.reached.wait()
    await until(lambda: is_waiting(first))
    # From here on the first one is told of nothing more, and claims nothing.
    journal.lease_errors += [StoreBusy("the line is cut")] * 10_000
    first._shell.active[run.id].abandon()
    second = await world.engine(book)
    await journal.release(first._shell.worker, [run.id], now=world.clock.now())

    events = await world.finish(second, following_of(following))
    assert facts_in(events) == await recorded(second, run)


def is_waiting(engine: Engine) -> bool:
    """Say whether somebody waits for the next event of a run that is held here."""
    feeds = [feed for each in engine._shell.telemetry._feeds.values() for feed in each]
    return any(feed._bell is not None for feed in feeds)


async def test_it_ends_with_a_parked_run_and_goes_on_when_that_was_moved_on(
    world: World,
) -> None:
    engine = await world.engine(book)
    run = await left(world, engine)
    events = await world.finish(engine, all_of(run.events()))
    assert isinstance(events[-1].fact, facts.Parked)

    assert await all_of(run.events(after=events[-1].position)) == []
    settling = Operator(engine).settle(run.id, "charge_card", UndoneByHand(), **EVE)
    await world.finish(engine, settling)
    rest = await world.finish(engine, all_of(run.events(after=events[-1].position)))
    assert positions_in(rest)[0] == events[-1].position + 1
    assert facts_in(events + rest) == await recorded(engine, run)


async def test_one_who_is_slow_misses_nothing_and_holds_nobody_up(world: World) -> None:
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    events = run.events()
    first = await anext(events)
    assert first.position == 1
    # More than a feed keeps is told while nobody takes it.
    feed = engine._shell.telemetry._feeds[run.id][0]
    await world.finish(engine, run.outcome())
    for _ in range(EVENTS_WAITING_MAX + 1):
        feed.take(first)
    assert len(feed._events) <= EVENTS_WAITING_MAX

    assert facts_in([first, *await all_of(events)]) == journal.durable


async def test_who_follows_a_run_that_has_left_memory_lets_others_have_the_loop(
    world: World,
) -> None:
    """What was recorded here and read already wakes nobody again and again."""
    engine = await world.engine(follow_for_ever)
    run = await engine.start(follow_for_ever("order-1"))
    events = run.events()
    seen = [await anext(events)]
    await until(lambda: engine.active == 0)

    following = asyncio.ensure_future(all_of(events))
    await until(lambda: engine._shell.is_at_rest)
    await engine.send(Shipped("order-1", "parcel 9"), key="order-1")

    assert facts_in(seen + await world.finish(engine, following_of(following))) == await recorded(
        engine, run
    )


async def test_a_gap_in_what_arrives_is_read_from_the_journal(world: World) -> None:
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    events = run.events()
    seen = [await anext(events) for _ in journal.durable]
    gate.open()
    feed = engine._shell.telemetry._feeds[run.id][0]
    await until(lambda: len(feed._events) > 1)
    del feed._events[0]

    assert facts_in(seen + await all_of(events)) == journal.durable


async def test_a_busy_store_is_asked_again(world: World) -> None:
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, run.outcome())
    journal.read_errors += [StoreBusy("the line is cut")] * 3
    events = await world.finish(engine, all_of(run.events()))
    assert facts_in(events) == journal.durable


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (-1, "after=-1 is no position; give 0, or the position of the last event seen"),
        (99, "has recorded 8 facts, and after=99 is behind them; give the position of an event"),
    ],
)
async def test_a_position_that_the_run_does_not_have_is_refused(
    world: World, after: int, says: str
) -> None:
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    assert len(await world.finish(engine, all_of(run.events()))) == 8
    with pytest.raises(InvalidInput, match=says):
        await all_of(run.events(after=after))


async def test_a_run_that_is_not_there_cannot_be_followed(world: World) -> None:
    engine = await world.engine(book)
    with pytest.raises(UnknownRun):
        await all_of(engine.run("01900000-0000-7000-8000-000000000000").events())


async def test_who_stops_early_leaves_nothing_behind(world: World) -> None:
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    events = run.events()
    await anext(events)
    await events.aclose()
    assert engine._shell.telemetry._feeds == {}
