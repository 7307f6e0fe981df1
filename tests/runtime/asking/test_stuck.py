"""Which runs do not get on by themselves, and which do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import Declined, OutcomeUnknown
from makegood.journal.protocol import Filter
from makegood.runtime.asking.sticking import ParkedRun, Stuck
from makegood.runtime.operator import Operator
from makegood.values.limits import PAGE_RUNS_MAX
from tests.runtime.outside import Gate
from tests.runtime.trips import book, book_finally, book_surely

if TYPE_CHECKING:
    from tests.runtime.world import World

NOTHING = Stuck(unwoken=(), parked=(), stranded=())


async def test_runs_that_end_or_are_held_or_wait_for_a_worker_are_not_stuck(
    stored: World,
) -> None:
    gate = Gate()
    engine = await stored.engine(book)
    ended = await engine.start(book("Oslo"))
    await stored.finish(engine, ended.outcome())
    stored.outside.planned["hold"] = [gate]
    await engine.start(book("Rome"))
    await stored.finish(engine, gate.reached.wait())
    client = await stored.engine(work=False)
    await client.start(book_finally("Bern"))

    assert await Operator(client).stuck() == NOTHING
    await stored.close(client)


async def test_parked_runs_are_shown_with_what_is_left(stored: World) -> None:
    engine = await stored.engine(book, book_surely, book_finally)
    stored.outside.planned["charge"] = [OutcomeUnknown("no answer")]
    doubtful = await engine.start(book_surely("Oslo"))
    await stored.finish(engine, doubtful.outcome())
    stored.outside.planned["send"] = [Declined("no printer")]
    used_up = await engine.start(book_finally("Rome"))
    await stored.finish(engine, used_up.outcome())

    stuck = await Operator(engine).stuck()

    rows = {row.run: row for row in (await engine.list()).rows}
    assert stuck == Stuck(
        unwoken=(),
        parked=(
            ParkedRun(row=rows[used_up.id], left=("send_ticket",)),
            ParkedRun(row=rows[doubtful.id], left=("charge_unkeyed",)),
        ),
        stranded=(),
    )


async def test_what_is_left_of_a_run_that_cannot_be_read_is_not_known(world: World) -> None:
    engine = await world.engine(book_surely)
    world.outside.planned["charge"] = [OutcomeUnknown("no answer")]
    run = await engine.start(book_surely("Oslo"))
    await world.finish(engine, run.outcome())
    world._store.records[run.id].appends.append(b"?")

    (parked,) = (await Operator(engine).stuck()).parked

    assert parked.left == ()
    assert "cannot be read" in (parked.problem or "")


async def test_runs_whose_plan_nobody_serves_or_knows_are_stranded(stored: World) -> None:
    client = await stored.engine(work=False)
    served = await client.start(book("Oslo"))
    other = await client.start(book_finally("Rome"))
    operator = Operator(client)

    stuck = await operator.stuck(served=(book,))
    assert [each.row.run for each in stuck.stranded] == [other.id]
    stuck = await operator.stuck(served=())
    assert [(each.row.run, each.difference) for each in stuck.stranded] == [
        (other.id, "nothing named `book_finally` is declared"),
        (served.id, "nothing named `book` is declared"),
    ]
    assert await operator.stuck() == NOTHING
    await stored.close(client)


async def test_a_run_whose_plan_is_lost_is_stranded_whoever_serves_it(world: World) -> None:
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"))
    world._store.plans.clear()

    stuck = await Operator(client).stuck(served=(book,))

    assert [each.row.run for each in stuck.stranded] == [run.id]


async def test_a_parked_run_that_nobody_serves_is_stranded_too(world: World) -> None:
    engine = await world.engine(book_surely)
    world.outside.planned["charge"] = [OutcomeUnknown("no answer")]
    run = await engine.start(book_surely("Oslo"))
    await world.finish(engine, run.outcome())

    stuck = await Operator(engine).stuck(served=())

    assert [each.row.run for each in stuck.parked] == [run.id]
    assert [each.row.run for each in stuck.stranded] == [run.id]


async def test_runs_that_nothing_wakes_are_found_unfinished_or_posted_to(world: World) -> None:
    """G34: no append and no post leaves such a run, so the rows are made by hand."""
    engine = await world.engine(book)
    ended = await engine.start(book("Oslo"))
    await world.finish(engine, ended.outcome())
    quiet = await engine.start(book("Rome"))
    await world.finish(engine, quiet.outcome())
    client = await world.engine(work=False)
    asleep = await client.start(book_finally("Bern"))
    records = world._store.records
    records[asleep.id].wake_at = None
    records[ended.id].inbox = records[asleep.id].inbox[:]

    stuck = await Operator(client).stuck()

    assert {row.run for row in stuck.unwoken} == {asleep.id, ended.id}
    assert stuck.parked == ()
    listed = await client.list(Filter(wakeless=True, unfinished=True))
    assert [row.run for row in listed.rows] == [asleep.id]


async def test_every_page_is_read(world: World) -> None:
    client = await world.engine(work=False)
    for number in range(PAGE_RUNS_MAX + 1):
        await client.start(book(f"trip {number}"))
        world.clock.turn(timedelta(seconds=1))

    stuck = await Operator(client).stuck(served=())

    assert (
        len(stuck.stranded) == len({each.row.run for each in stuck.stranded}) == PAGE_RUNS_MAX + 1
    )
