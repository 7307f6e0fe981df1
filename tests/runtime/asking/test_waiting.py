"""Do callers learn that a run has settled that is held elsewhere, and what does waiting cost?"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import ControlAnswer, Engine, EngineClosed, Operator, UnknownRun
from makegood.errors import StoreBusy, StoreFailed
from makegood.runtime.asking.waiting import RUNS_ASKED_MAX
from tests.runtime.asking.parked import EVE, left
from tests.runtime.mail.shop import Shipped, follow_for_ever
from tests.runtime.outside import Gate
from tests.runtime.trips import book
from tests.runtime.watched import Watched
from tests.runtime.world import World, turn_of_the_loop, until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from makegood.journal.protocol import History, Journal
    from makegood.values.ids import RunId

MOMENT = timedelta(milliseconds=20)
QUARTER = timedelta(milliseconds=250)
TURNS_MAX = 1_000
LOOPS_TO_REST = 20


class Counted(Watched):
    """Counts what is read, and says about settled runs what a test wants first."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.reads = 0
        self.asked: list[int] = []
        """About how many runs each question was."""
        self.errors: deque[Exception] = deque()
        """What the next questions raise."""

    async def read(self, run: RunId) -> History:
        self.reads += 1
        return await super().read(run)

    async def settled(self, runs: Collection[RunId]) -> frozenset[RunId]:
        self.asked.append(len(runs))
        if self.errors:
            raise self.errors.popleft()
        return await super().settled(runs)


async def client_of(world: World) -> tuple[Engine, Counted]:
    """Return an engine that only asks, and the journal in its hands."""
    journal = Counted(world.journal())
    return await world.engine(journal=journal, work=False), journal


def waits_for(engine: Engine) -> int:
    """Return for how many runs somebody waits here."""
    return len(engine._shell.waiting._waiters)


def is_idle(engine: Engine) -> bool:
    """Say whether nothing is left of those who waited."""
    waited = engine._shell.waiting
    return (waited._waiters, waited._new, waited._task, waited._bell) == ({}, {}, None, None)


async def turning_until(world: World, condition: Callable[[], bool]) -> None:
    """Let time pass, as the loop comes to rest, until something holds."""
    for _ in range(TURNS_MAX):
        for _ in range(LOOPS_TO_REST):
            if condition():
                return
            await turn_of_the_loop()
        world.clock.turn_to_next()
    message = "it does not come true, however much time passes"
    raise AssertionError(message)


async def test_whoever_waits_for_a_run_learns_at_once_that_this_engine_goes_on_with_it(
    stored: World,
) -> None:
    """The clock stands still: nobody has to be asked again."""
    engine = await stored.engine(follow_for_ever)
    run = await engine.start(follow_for_ever("order-1"))
    while not (await Operator(engine).messages()).waiting:
        await turn_of_the_loop()
    result = asyncio.ensure_future(run.result())
    await until(lambda: waits_for(engine) == 1)

    await engine.send(Shipped("order-1", "parcel 9"), key="order-1")
    await until(result.done)

    assert (await result, is_idle(engine)) == ("parcel 9", True)


async def test_two_hundred_runs_are_waited_for_in_a_few_rounds(world: World) -> None:
    await world.engine(book)
    client, journal = await client_of(world)
    gates = [Gate() for _ in range(200)]
    world.outside.planned["charge"] += gates
    runs = [await client.start(book(f"trip {number}")) for number in range(200)]

    results = asyncio.gather(*(run.result() for run in runs))
    await turning_until(world, lambda: all(gate.reached.is_set() for gate in gates))
    for _ in range(10):
        world.clock.turn(QUARTER)
        await until(lambda: client.is_at_rest)
    assert (set(journal.asked), journal.reads) == ({200}, 0)
    for gate in gates:
        gate.open()
    await turning_until(world, results.done)

    assert await results == ["send done"] * 200
    assert journal.reads == 200
    # Some rounds before the runs were claimed, ten while they stood still, a few for the end.
    assert len(journal.asked) < 40
    await until(lambda: is_idle(client))


async def test_rounds_come_soon_and_then_seldom_and_soon_again_for_a_newcomer(
    world: World,
) -> None:
    client, journal = await client_of(world)
    first = await client.start(book("Oslo"))
    second = await client.start(book("Bergen"))
    waiting_for_first = asyncio.ensure_future(first.outcome())
    await until(lambda: journal.asked == [1])

    pauses = [await _until_next_round(world, journal) for _ in range(7)]
    assert pauses == [MOMENT, *(MOMENT * 2**n for n in range(1, 4)), *[QUARTER] * 3]
    world.clock.turn(timedelta(milliseconds=100))

    waiting_for_second = asyncio.ensure_future(second.outcome())
    # One question about the newcomer alone, at once.
    await until(lambda: journal.asked[-1] == 1 and len(journal.asked) == 9)
    assert await _until_next_round(world, journal) == MOMENT
    assert journal.asked[-1] == 2

    for waiter in (waiting_for_first, waiting_for_second):
        waiter.cancel()
    await asyncio.wait([waiting_for_first, waiting_for_second])
    await until(lambda: is_idle(client))


async def _until_next_round(world: World, journal: Counted) -> timedelta:
    """Turn the clock to the next question, and return how far that was."""
    asked = len(journal.asked)
    await until(lambda: world.clock.next_due is not None)
    due = world.clock.next_due
    assert due is not None
    before = world.clock.now()
    world.clock.turn_to(due)
    await until(lambda: len(journal.asked) > asked)
    # The next pause begins once the answer is there.
    await until(lambda: world.clock.next_due is not None)
    return timedelta(microseconds=due - before)


async def test_one_question_is_about_so_many_runs_and_no_more(world: World) -> None:
    client, journal = await client_of(world)
    absent = [client._shell.ids.run() for _ in range(RUNS_ASKED_MAX + 1)]

    await asyncio.gather(*(client._shell.waiting.until_settled(run) for run in absent))

    assert journal.asked == [RUNS_ASKED_MAX, 1]


async def test_a_run_that_is_not_there_is_not_waited_for(world: World) -> None:
    client, _journal = await client_of(world)
    with pytest.raises(UnknownRun):
        await client.run(client._shell.ids.run()).outcome()
    assert is_idle(client)


async def test_whoever_waits_here_is_told_of_a_run_that_is_taken_up_here(world: World) -> None:
    """The exception is the one that was raised, and not what is on record of it."""
    error = ValueError("no seat left")
    gate = Gate()
    gate.error = error
    world.outside.planned["hold"] = [gate]
    worker = await world.engine()
    client, _journal = await client_of(world)
    run = await client.start(book("Oslo"))
    waiter = asyncio.ensure_future(worker.run(run.id).outcome())
    await until(lambda: waits_for(worker) == 1)

    worker.serve(book)
    await turning_until(world, lambda: gate.reached.is_set() and waits_for(worker) == 0)
    gate.open()
    await turning_until(world, waiter.done)

    assert (await waiter).error is error


async def test_a_store_that_is_busy_is_waited_out(world: World) -> None:
    worker = await world.engine(book)
    client, journal = await client_of(world)
    run = await worker.start(book("Oslo"))
    await world.finish(worker, run.result())
    journal.errors += [StoreBusy("busy"), StoreBusy("busy")]
    journal.read_errors += [StoreBusy("busy"), StoreBusy("busy")]

    outcome = await world.finish(client, client.run(run.id).outcome())

    assert outcome.status == "completed"
    assert (len(journal.asked), journal.reads) == (5, 3)


async def test_a_store_that_fails_wakes_everybody_with_its_failure(world: World) -> None:
    client, journal = await client_of(world)
    run = await client.start(book("Oslo"))
    journal.errors.append(StoreFailed("the disk is gone"))

    told = await asyncio.gather(run.outcome(), run.result(), return_exceptions=True)

    assert [type(error) for error in told] == [StoreFailed, StoreFailed]
    assert is_idle(client)


async def test_an_engine_that_stops_wakes_those_who_wait_for_runs_of_others(world: World) -> None:
    engine = await world.engine()
    client, _journal = await client_of(world)
    run = engine.run((await client.start(book("Oslo"))).id)
    waiter = asyncio.ensure_future(run.outcome())
    await until(lambda: waits_for(engine) == 1)
    error = StoreFailed("the disk is gone")

    engine._shell.fail(error)

    assert (await asyncio.gather(waiter, run.outcome(), return_exceptions=True)) == [error, error]


async def test_an_engine_that_closes_wakes_everybody(world: World) -> None:
    client, _journal = await client_of(world)
    run = await client.start(book("Oslo"))
    waiter = asyncio.ensure_future(run.result())
    await until(lambda: waits_for(client) == 1)

    await world.close(client)

    for late in (waiter, run.result()):
        with pytest.raises(EngineClosed, match="was closed while a run was waited for"):
            await late
    assert is_idle(client)


async def test_waiters_that_are_cancelled_leave_no_trace(world: World) -> None:
    client, journal = await client_of(world)
    run = await client.start(book("Oslo"))
    first, second = (asyncio.ensure_future(client.run(run.id).outcome()) for _ in range(2))
    await until(lambda: journal.asked == [1] and client.is_at_rest)

    first.cancel()
    await asyncio.wait([first])
    assert waits_for(client) == 1
    second.cancel()
    await asyncio.wait([second])

    await until(lambda: is_idle(client))
    assert world.clock.next_due is None


async def test_a_run_that_was_parked_is_waited_for_again_once_it_is_retried(
    stored: World,
) -> None:
    worker = await stored.engine(book)
    client, _journal = await client_of(stored)
    run = client.run((await left(stored, worker)).id)

    assert (await run.outcome()).status == "parked"
    retry = Operator(client).retry(run.id, "charge_card", **EVE)
    assert await stored.finish(worker, retry) is ControlAnswer.ACCEPTED

    assert (await stored.finish(worker, run.outcome())).status == "failed"
