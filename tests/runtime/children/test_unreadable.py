"""A child that nobody can read any more: its parent is told, and waits for nothing in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood import HaltKind, Operator
from makegood.journal.protocol import Post
from tests.runtime.asking.parked import EVE
from tests.runtime.children.shop import sell
from tests.runtime.outside import Gate
from tests.runtime.world import LOOPS_MAX, turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine, Run
    from makegood.values.ids import RunId
    from tests.runtime.world import World


async def child_at_work(world: World, engine: Engine) -> tuple[Run[str], RunId]:
    """Return a run and its child, whose worker has died in the middle of it."""
    gate = Gate()
    world.outside.planned["pick o"] = [gate]
    run = await engine.start(sell("o"))
    await world.finish(engine, gate.reached.wait())
    [child] = [node.child for node in (await run.describe()).nodes if node.child is not None]
    await world.kill(engine)
    return run, child


async def child_unbegun(world: World, engine: Engine) -> tuple[Run[str], RunId]:
    """Return a run and its child, whose start stands in its inbox beside what cannot be read."""
    operator = Operator(engine)
    await operator.halt(HaltKind.WORKFLOW, "pack_order", actor="eve", reason="look first")
    run = await engine.start(sell("o"))
    await world.finish(engine, until_started(engine))
    [row] = [row for row in (await engine.list()).rows if row.workflow == "pack_order"]
    await engine._shell.journal.post(Post(run=row.run, body=b"?", at=world.clock.now()))
    await operator.lift(HaltKind.WORKFLOW, "pack_order", actor="eve", reason="seen")
    return run, row.run


async def outcome(world: World, engine: Engine, run: RunId) -> tuple[str, str | None, list[str]]:
    await world.finish(engine, until_status(engine, run, "parked"))
    found = await world.finish(engine, engine.run(run).outcome())
    return found.status, found.reason, found.left


async def test_a_parent_is_told_that_its_child_cannot_be_read(world: World) -> None:
    run, child = await child_at_work(world, await world.engine(sell))
    world._store.records[child].appends.append(b'[{"type":"sung"}]')
    engine = await world.engine(sell)

    assert await outcome(world, engine, run.id) == ("parked", "a child run is parked", ["pack"])
    assert await outcome_of_row(engine, child) == ("parked", "poison")


async def outcome_of_row(engine: Engine, run: RunId) -> tuple[str, str | None]:
    [row] = [row for row in (await engine.list()).rows if row.run == run]
    return row.status, row.reason


async def test_a_child_that_can_be_read_again_takes_its_parent_along(stored: World) -> None:
    run, child = await child_at_work(stored, await stored.engine(sell))
    engine = await stored.engine(work=False)
    await engine._shell.journal.post(Post(run=child, body=b"?", at=stored.clock.now()))
    await stored.close(engine)
    engine = await stored.engine(sell)
    assert await outcome(stored, engine, run.id) == ("parked", "a child run is parked", ["pack"])

    [unread] = (await Operator(engine).history(child)).unread
    await stored.finish(engine, Operator(engine).retry(child, leave_out=[unread.number], **EVE))

    await stored.finish(engine, until_status(engine, run.id, "completed"))


async def test_an_undo_of_a_child_that_cannot_be_read_is_left_to_a_person(world: World) -> None:
    engine = await world.engine(sell)
    run = await engine.start(sell("o"))
    await world.finish(engine, run.result())
    [child] = [node.child for node in (await run.describe()).nodes if node.child is not None]
    world._store.records[child].appends.append(b'[{"type":"sung"}]')

    found = await world.finish(engine, run.undo(actor="eve", reason="late"))

    assert (found.status, found.reason, found.left) == ("parked", "undo gave up", ["pack"])
    assert f"the child {child} is parked: poison" in str(found.errors[0])


async def test_a_child_whose_start_stands_beside_what_cannot_be_read_names_its_parent(
    world: World,
) -> None:
    engine = await world.engine(sell)
    run, _child = await child_unbegun(world, engine)

    assert await outcome(world, engine, run.id) == ("parked", "a child run is parked", ["pack"])


async def test_a_parent_is_told_once_however_often_its_child_cannot_be_read(world: World) -> None:
    run, child = await child_at_work(world, await world.engine(sell))
    world._store.records[child].appends.append(b'[{"type":"sung"}]')
    engine, journal = await world.watched(sell)
    await outcome(world, engine, run.id)

    await journal.post(Post(run=child, body=b"?", at=world.clock.now()))
    engine._shell.ring(child)
    while len([each for each in journal.appends if each.run == child]) < 2:
        await turn_of_the_loop()

    told = [each.outgoing for each in journal.appends if each.run == child]
    assert [len(each) for each in told] == [1, 0]


async def test_a_child_that_was_never_begun_names_its_parent_once_it_can_be_read(
    world: World,
) -> None:
    """What it begins with stands behind its having been parked."""
    engine = await world.engine(sell)
    run, child = await child_unbegun(world, engine)
    await outcome(world, engine, run.id)
    world.outside.planned["pick o"] = [gate := Gate()]
    asked = Operator(engine).retry(child, leave_out=[2], **EVE)
    await world.finish(engine, asked)
    await world.finish(engine, gate.reached.wait())

    await engine._shell.journal.post(Post(run=child, body=b"?", at=world.clock.now()))
    engine._shell.ring(child)

    assert await outcome(world, engine, run.id) == ("parked", "a child run is parked", ["pack"])


async def until_started(engine: Engine) -> None:
    while len((await engine.list()).rows) == 1:
        await turn_of_the_loop()


async def test_who_called_a_run_whose_first_fact_is_damaged_is_not_known(world: World) -> None:
    run, child = await child_at_work(world, await world.engine(sell))
    world._store.records[child].appends[0] = b"?"
    engine = await world.engine(sell)

    await world.finish(engine, until_status(engine, child, "parked"))
    assert (await engine.run(run.id).describe()).status == "waiting"


async def until_status(engine: Engine, run: RunId, status: str) -> None:
    for _ in range(LOOPS_MAX):
        if (await outcome_of_row(engine, run))[0] == status:
            return
        await turn_of_the_loop()
    message = f"run {run} does not become {status}"
    raise AssertionError(message)
