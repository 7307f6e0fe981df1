"""How far has a run come, as it tells itself?"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import IdempotencyKey, Progress, each, injected, pure, sleep, step, workflow
from makegood.values.instants import as_datetime
from tests.runtime.asking.parked import left
from tests.runtime.outside import Gate, Outside
from tests.runtime.trips import book
from tests.runtime.world import until

if TYPE_CHECKING:
    from makegood import Run
    from tests.runtime.world import World


async def pack(line: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do("pack", key)


def listed(lines: list[str]) -> list[str]:
    return lines


packed = step(pack, irreversible="test")


@workflow
def pack_all(lines: list[str]) -> list[str]:
    waited = sleep(timedelta(hours=1))
    return each(pure(listed).after(waited)(lines), packed, at_once=2)


def counts(progress: Progress) -> tuple[int, int, int, int]:
    return progress.done, progress.running, progress.waiting, progress.total


async def test_a_run_on_its_way_counts_what_is_done_and_what_is_at_work(world: World) -> None:
    gate = Gate()
    world.outside.planned["charge"] = [gate]
    engine = await world.engine(book)
    began = world.clock.now()
    run = await engine.start(book("Oslo"))
    await gate.reached.wait()
    world.clock.turn(timedelta(seconds=3))

    progress = await run.progress()
    assert progress == Progress(
        run=run.id,
        workflow="book",
        status="running",
        done=1,
        running=1,
        waiting=0,
        stuck=0,
        undone=0,
        total=3,
        since=as_datetime(began),
    )
    assert progress.fraction == 1 / 3
    assert str(progress) == f"book {run.id}: running, 1 of 3 nodes done, 1 running"
    gate.open()
    await world.finish(engine, run.outcome())
    progress = await run.progress()
    assert (counts(progress), progress.fraction) == ((3, 0, 0, 3), 1.0)


async def test_rounds_count_as_soon_as_their_items_are_known(world: World) -> None:
    gates = [Gate() for _ in range(5)]
    world.outside.planned["pack"] += gates
    engine = await world.engine(pack_all)
    run: Run[list[str]] = await engine.start(pack_all(["a", "b", "c", "d", "e"]))
    await until(lambda: engine.is_at_rest)
    assert counts(await run.progress()) == (0, 0, 1, 3)

    ending = asyncio.ensure_future(world.finish(engine, run.outcome()))
    await gates[1].reached.wait()
    assert counts(await run.progress()) == (2, 2, 0, 8)
    for gate in gates:
        gate.open()
    await ending
    assert counts(await run.progress()) == (8, 0, 0, 8)


async def test_a_parked_run_counts_what_was_undone_and_what_is_left(world: World) -> None:
    engine = await world.engine(book)
    progress = await (await left(world, engine)).progress()
    assert (progress.status, progress.undone, progress.stuck) == ("parked", 1, 1)
    assert counts(progress) == (0, 0, 0, 3)
    assert str(progress).endswith(": parked, 0 of 3 nodes done, 1 stuck, 1 undone")
    assert progress.fraction == 0.0
