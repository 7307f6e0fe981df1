"""Finding work: what is claimed, what is parked because it kills or cannot be read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Engine, injected, step, workflow
from makegood.decision import facts
from makegood.errors import StoreBusy, StoreFull
from makegood.journal.memory import MemoryJournal
from makegood.journal.protocol import Post
from tests.runtime.outside import Gate
from tests.runtime.trips import book
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Run
    from tests.runtime.world import World


async def test_a_run_that_kills_every_worker_is_parked_after_five(stored: World) -> None:
    """G12, F10, F81: and a neighbour goes on."""
    deadly = [Gate() for _ in range(20)]
    stored.outside.planned["charge"] = list(deadly)
    engine = await stored.engine(book)
    run = await engine.start(book("Oslo"))
    deaths = 0
    while (await run.describe()).status != "parked":
        await stored.finish(engine, deadly[deaths].reached.wait())
        await stored.kill(engine)
        deaths += 1
        stored.clock.turn(timedelta(minutes=1))
        engine = await stored.engine(book)
        run = engine.run(run.id)  # type: ignore[assignment] # the same run
        await stored.finish(engine, _is_moved_on(run, deadly[deaths]))

    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, outcome.reason) == ("parked", "poison")
    assert deaths == 6
    assert stored.outside.calls == ["hold"] + ["charge"] * 6
    assert len(set(stored.outside.keys["charge"])) == 1
    stored.outside.planned["charge"] = []
    neighbour = await engine.start(book("Rome"))
    assert await stored.finish(engine, neighbour.result()) == "send done"


class Mill:
    """Where one of those at work is deadly, and the other gets on only when it is alone."""

    def __init__(self) -> None:
        self.at_work: set[str] = set()


async def grind_corn(name: str, *, mill: Mill = injected) -> str:
    mill.at_work.add(name)
    if name == "deadly" or len(mill.at_work) > 1:
        await asyncio.get_running_loop().create_future()
    return name


@workflow
def grind(name: str) -> str:
    """Do one thing."""
    return step(grind_corn, irreversible="test", key_valid_for=timedelta(days=1))(name)


async def test_what_kills_its_workers_is_told_from_what_was_beside_it(world: World) -> None:
    """G12: after two deaths each is claimed alone."""
    mill = Mill()
    engine = await world.engine(grind, services={Mill: mill})
    for name in ("deadly", "neighbour"):
        await engine.start(grind(name), key=name)
    while "running" in (statuses := await statuses_in(engine)).values():
        await until(lambda: "deadly" in mill.at_work)
        await world.kill(engine)
        mill.at_work.clear()
        world.clock.turn(timedelta(minutes=1))
        engine = await world.engine(grind, services={Mill: mill})
        await world.finish(engine, _has_begun(engine, mill))

    assert statuses == {"neighbour": "completed", "deadly": "parked"}


async def statuses_in(engine: Engine) -> dict[str | None, str]:
    return {row.key: row.status for row in (await engine.list()).rows}


async def _has_begun(engine: Engine, mill: Mill) -> None:
    while "deadly" not in mill.at_work and "running" in (await statuses_in(engine)).values():
        await turn_of_the_loop()


async def _is_moved_on(run: Run[object], gate: Gate) -> None:
    while not gate.reached.is_set() and (await run.describe()).status != "parked":
        await turn_of_the_loop()


async def test_progress_between_two_deaths_counts_anew(world: World) -> None:
    """G12: only what does not get on is poison."""
    gates = {name: [Gate() for _ in range(4)] for name in ("hold", "charge", "send")}
    for name, planned in gates.items():
        world.outside.planned[name] = [*planned, None]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    for planned in gates.values():
        for gate in planned:
            await world.finish(engine, gate.reached.wait())
            await world.kill(engine)
            world.clock.turn(timedelta(minutes=1))
            engine = await world.engine(book)
    outcome = await world.finish(engine, engine.run(run.id).outcome())
    assert outcome.status == "completed"
    assert len(world.outside.happened) == 3


async def test_orderly_restarts_are_no_claims(world: World) -> None:
    """G12: handing back does not count, however often."""
    engine = await world.engine(book)
    gates = [Gate() for _ in range(10)]
    world.outside.planned["charge"] = [*gates]
    run = await engine.start(book("Oslo"))
    for gate in gates:
        await world.finish(engine, gate.reached.wait())
        await world.close(engine)
        engine = await world.engine(book)
    outcome = await world.finish(engine, engine.run(run.id).outcome())
    assert outcome.status == "completed"


@pytest.mark.parametrize(
    "damage",
    [
        b"[",
        b'[{"type":"no_such_fact"}]',
        b'[{"type":"node_done","node":"no_such_node","result":1,"at":1}]',
        b'[{"type":"node_failed","node":"hold_seat","at":1}]',
    ],
    ids=["no json", "unknown fact", "unknown node", "missing field"],
)
async def test_a_run_that_cannot_be_read_is_parked_and_stops_no_other(
    world: World, damage: bytes
) -> None:
    """G12: one corrupt row among good ones."""
    gates = [Gate() for _ in range(5)]
    world.outside.planned["hold"] = list(gates)
    first = await world.engine(book)
    runs = [await first.start(book("Oslo")) for _ in gates]
    for gate in gates:
        await gate.reached.wait()
    await world.kill(first)
    world.clock.turn(timedelta(minutes=1))
    record = world._store.records[runs[2].id]
    record.appends.append(damage)
    record.seq += 1

    second = await world.engine(book)
    for run in [*runs[:2], *runs[3:]]:
        assert await world.finish(second, second.run(run.id).result()) == "send done"
    (row,) = [row for row in (await second.list()).rows if row.run == runs[2].id]
    assert (row.status, row.reason, row.owner) == ("parked", "poison", None)
    assert second.active == 0


async def test_a_post_that_cannot_be_read_parks_its_run(
    world: World,
) -> None:
    """G12, G34: it is neither stuck nor silent."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine, journal = await world.watched(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, gate.reached.wait())
    await journal.post(Post(run=run.id, body=b'{"type":"sing"}', at=world.clock.now()))
    engine._shell.ring(run.id)
    await until(lambda: any(isinstance(fact, facts.Parked) for fact in journal.durable))

    (row,) = (await engine.list()).rows
    assert (row.status, row.reason, row.owner) == ("parked", "poison", None)
    assert engine.active == 0


async def test_a_store_without_room_for_leases_is_asked_again(world: World) -> None:
    """G32: no restart is needed."""
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"))
    engine, journal = await world.watched()
    journal.lease_errors += [StoreFull("full"), StoreBusy("busy"), StoreFull("full")]
    engine.serve(book)
    assert await world.finish(engine, run.result()) == "send done"


async def test_a_claimed_run_is_not_forgotten_when_it_cannot_be_read_at_once(
    world: World,
) -> None:
    """G34: its lease is ours, so nobody else would take it."""
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"))
    engine, journal = await world.watched()
    journal.read_errors += [StoreBusy("busy"), StoreBusy("busy")]
    engine.serve(book)
    assert await world.finish(engine, _result_of(client.run(run.id))) == "send done"


async def _result_of(run: Run[object]) -> object:
    return await run.result()


async def test_a_defect_that_ends_the_worker_is_not_silent(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """G34: an engine that claims nothing any more must not seem alive."""
    engine, journal = await world.watched(book)
    journal.lease_errors.append(RuntimeError("a defect"))
    engine.serve(book)
    await until(lambda: engine._shell.failure is not None)
    assert "a defect" in caplog.text


async def test_only_what_is_served_is_claimed(world: World) -> None:
    """G11: a run of a plan that is not served stays where it is, for who knows it."""
    client = await world.engine(work=False)
    run = await client.start(book("Oslo"))
    config = Config(shutdown_grace=AT_ONCE)
    engine = await world.engine(config=config, journal=MemoryJournal(world._store))
    world.clock.turn(timedelta(minutes=1))
    for _ in range(100):
        await turn_of_the_loop()
    (row,) = (await engine.list()).rows
    assert (row.run, row.owner, row.claims) == (run.id, None, 0)
