"""What is kept of lifecycles that have ended, and a record that cannot be understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from makegood import Filter, Goto, Lifecycle, Operator, RunParked
from makegood.values.instants import Instant
from tests.runtime.lifecycle.shop import DAY, Order, Packed, Paid, Status, orders

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

CANARY = "ada-lovelace"


async def shipped(world: World, engine: Engine) -> Run[Order]:
    """Return the run of an order that has gone its whole way."""
    run = await engine.start(orders(Order(CANARY)), key="o-1", subject="ada")
    await world.finish(engine, run.await_status(Status.PAYING))
    await engine.send(Paid(7), key="o-1")
    await engine.send(Packed("p"), key="o-1")
    await world.finish(engine, run.result())
    return run


async def test_of_an_erased_record_the_moves_stay_and_nothing_else(stored: World) -> None:
    engine = await stored.engine(orders)
    run = await shipped(stored, engine)
    journal = engine._shell.journal
    before = await journal.moves(run.id, limit=10)

    report = await Operator(engine).erase(subject="ada", actor="dpo", reason="asked")
    moves = await journal.moves(run.id, limit=10)

    assert report.is_complete
    assert [each.cause for each in before] == [
        "start",
        "entry price",
        "message settle",
        "message ship",
    ]
    assert [each.destination for each in moves] == ["NEW", "PAYING", "PAID", "SHIPPED"]
    assert {each.cause for each in moves} == {None}
    history = await journal.read(run.id)
    assert CANARY.encode() not in b"".join(history.appends)


async def test_an_ended_record_is_pruned_whole_with_its_moves(stored: World) -> None:
    engine = await stored.engine(orders)
    run = await shipped(stored, engine)
    stored.clock.turn(DAY)
    other = await engine.start(orders(Order("o-2")))
    await stored.finish(engine, other.await_status(Status.PAYING))

    now = stored.clock.now()
    pruned = await Operator(engine).prune(ended_before=Instant(now))

    journal = engine._shell.journal
    assert pruned == 1
    assert await journal.moves(run.id, limit=10) == ()
    assert len(await journal.moves(other.id, limit=10)) == 2
    assert [row.run for row in (await engine.list(Filter())).rows] == [other.id]
    again = await engine.start(orders(Order("o-1")))
    assert again.id != run.id


def moved_elsewhere(appends: list[bytes], status: str) -> None:
    """Let the last move lead to a status that the lifecycle does not have."""
    for place, append in reversed([*enumerate(appends)]):
        recorded: list[dict[str, Any]] = msgspec.json.decode(append)
        moves = [fact for fact in recorded if fact["type"] == "moved"]
        if moves:
            moves[-1]["status"] = status
            appends[place] = msgspec.json.encode(recorded)
            return


async def test_a_record_in_a_status_that_nobody_knows_is_parked_alone(world: World) -> None:
    engine = await world.engine(orders)
    runs = [await engine.start(orders(Order(f"o-{number}"))) for number in range(3)]
    for run in runs:
        await world.finish(engine, run.await_status(Status.PAYING))
    await world.close(engine)
    moved_elsewhere(world._store.records[runs[1].id].appends, "LIMBO")

    engine = await world.engine(orders)
    for number in range(3):
        await engine.send(Paid(7), key=f"o-{number}")
    for number in (0, 2):
        run = engine.run(runs[number].id)  # type: ignore[assignment] # the same run
        assert (await world.finish(engine, run.await_status(Status.PAID))).what == "reached"

    [parked] = (await Operator(engine).stuck()).parked
    assert (parked.row.run, parked.row.reason) == (runs[1].id, "poison")


async def stray(order: Order) -> Goto[Status, Order]:
    return Goto(Status.LOST if order.id == "astray" else Status.PAYING)


async def settle(_order: Order, _paid: Paid) -> Goto[Status, Order]:
    return Goto(Status.PAID)


async def lose(_order: Order, _packed: Packed) -> Goto[Status, Order]:
    return Goto(Status.LOST)


strays = (
    Lifecycle("strays", Order, Status, key=lambda order: order.id, start=Status.NEW)
    .on(Status.NEW, stray, to={Status.PAYING})
    .hear(Status.PAYING, Paid, settle, to={Status.PAID})
    .hear(Status.PAYING, Packed, lose, to={Status.LOST, Status.SHIPPED})
    .workflow()
)


async def test_a_move_that_is_not_declared_parks_its_record_alone_where_it_stands(
    stored: World,
) -> None:
    engine = await stored.engine(strays)
    astray = await engine.start(strays(Order("astray")))
    sound = await engine.start(strays(Order("sound")))

    with pytest.raises(RunParked) as caught:
        await stored.finish(engine, astray.result())
    assert (await stored.finish(engine, sound.await_status(Status.PAYING))).what == "reached"

    assert "`stray` goes to LOST, which it does not declare" in str(caught.value.__cause__)
    [parked] = (await Operator(engine).stuck()).parked
    assert (parked.row.run, parked.row.stage) == (astray.id, "NEW")
    moves = await engine._shell.journal.moves(astray.id, limit=9)
    assert [move.destination for move in moves] == ["NEW"]
