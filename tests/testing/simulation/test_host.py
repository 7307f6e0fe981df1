"""A process that dies, stands still, stops and comes back, with runs in its hands."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, step, workflow
from makegood.journal.memory import MemoryJournal
from makegood.testing.simulation import Host, SimulatedJournal, Simulation, Smooth

if TYPE_CHECKING:
    from collections.abc import Callable


async def lay_a_brick(wall: int) -> int:
    """Take ten seconds."""
    await asyncio.sleep(10)
    return wall + 1


@workflow
def build(wall: int) -> int:
    """Lay two bricks."""
    lay = step(lay_a_brick, irreversible="mortar sets")
    return lay.named("second")(lay.named("first")(wall))


def built(seed: int, happening: Callable[[Host], None]) -> tuple[object, float, int, str]:
    """Let one thing happen to the only worker while it is at work."""
    simulation = Simulation(seed)
    weather = Smooth(there=500, back=500)

    def make(host: Host) -> Engine:
        journal = SimulatedJournal(MemoryJournal(simulation.store), simulation, host, weather)
        return Engine(journal, clock=host.clock, ids=simulation.ids)

    worker = Host(
        simulation,
        "worker",
        simulation.clock(),
        make=make,
        serve=lambda engine: engine.serve(build),
    )

    async def plot() -> object:
        worker.boot()
        await asyncio.sleep(1)
        assert worker.engine is not None
        starting = worker.engine.start(build(0), key="wall")
        run = await simulation.loop.create_task(starting, context=worker.lane.context())
        await asyncio.sleep(5)
        happening(worker)
        record = simulation.store.records[run.id]
        while record.ended_at is None:
            await simulation.pause(1_000_000)
        return record.status

    status = simulation.run(plot())
    assert simulation.errors == []
    return status, simulation.loop.time(), worker.boots, simulation.trace


@pytest.mark.parametrize(
    ("happening", "boots", "least", "most"),
    [
        (lambda _: None, 1, 21, 23),
        (Host.kill, 2, 30, 40),
        (Host.pause, 1, 31, 33),
        (Host.stop, 2, 21, 30),
    ],
    ids=["nothing", "kill", "pause", "stop"],
)
def test_a_run_ends_whatever_happens_to_its_process(
    happening: Callable[[Host], None], boots: int, least: float, most: float
) -> None:
    status, time, ran, _trace = built(1, happening)

    assert (status, ran) == ("completed", boots)
    assert least <= time <= most


def test_the_same_seed_gives_the_same_world_to_the_byte() -> None:
    worlds = [built(seed, Host.kill) for seed in (1, 1, 2)]

    assert worlds[0] == worlds[1]
    assert worlds[0][3] != worlds[2][3]


def test_a_process_that_stood_still_can_be_told_from_one_that_did_not() -> None:
    hosts: list[Host] = []

    def pause(host: Host) -> None:
        hosts.append(host)
        host.pause()

    built(1, pause)
    built(1, hosts.append)

    assert [(host.pauses, host.lane.has_stood_still) for host in hosts] == [(1, True), (0, False)]
