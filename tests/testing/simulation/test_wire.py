"""Calls that leave a process: for each fate, what was done outside and what the caller sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from makegood import Engine, OutcomeUnknown, StoreBusy, StoreFailed, StoreFull, Unavailable
from makegood.journal.memory import MemoryJournal
from makegood.journal.protocol import StoredPlan
from makegood.testing.simulation import (
    Call,
    Fate,
    Fortune,
    Host,
    Line,
    SimulatedJournal,
    Simulation,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

MINUTE = 60


class Once:
    """Gives the first call that is made a fate, and lets all others pass."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self.calls: list[Call] = []

    def decide(self, call: Call) -> Fortune:
        self.calls.append(call)
        fate = self._fate if len(self.calls) == 1 else Fate.SMOOTH
        return Fortune(fate, 1000, 1000)


def engine_of(host: Host) -> Engine:
    """Return an engine that serves nothing: the process is what matters."""
    return Engine(MemoryJournal(), clock=host.clock, work=False)


def seen_by_caller(
    simulation: Simulation, host: Host, asking: Coroutine[None, None, object]
) -> object:
    """Return what a process sees within two hours: an answer, an error, nothing, or no more."""
    seen: list[object] = ["nothing"]

    async def ask() -> None:
        try:
            seen[0] = await asking
        except (StoreFailed, StoreBusy, StoreFull, Unavailable, OutcomeUnknown) as error:
            seen[0] = type(error)

    async def plot() -> object:
        host.boot()
        first = host.lane
        await asyncio.sleep(1)
        simulation.loop.create_task(ask(), context=first.context())
        await asyncio.sleep(120 * MINUTE)
        return "dead" if first.is_dead and seen == ["nothing"] else seen[0]

    return simulation.run(plot())


@pytest.mark.parametrize(
    ("fate", "seen", "done"),
    [
        (Fate.SMOOTH, "answer", 1),
        (Fate.KILL_BEFORE, "dead", 0),
        (Fate.KILL_INSIDE_LOST, "dead", 0),
        (Fate.KILL_INSIDE_DONE, "dead", 1),
        (Fate.KILL_AFTER, "dead", 1),
        (Fate.PAUSE, "answer", 1),
        (Fate.REFUSED, Unavailable, 0),
        (Fate.FULL, Unavailable, 0),
        (Fate.UNKNOWN_LOST, OutcomeUnknown, 0),
        (Fate.UNKNOWN_DONE, OutcomeUnknown, 1),
        (Fate.AGAIN_LOST, "answer", 1),
        (Fate.AGAIN_DONE, "answer", 2),
        (Fate.DOUBLED, "answer", 2),
        (Fate.LATE, "answer", 1),
        (Fate.SILENT, "nothing", 0),
    ],
)
def test_a_request_fares_as_its_fate_says(fate: Fate, seen: object, done: int) -> None:
    simulation = Simulation(1)
    host = Host(simulation, "shop", simulation.clock(), make=engine_of, serve=lambda _: None)
    line = Line(simulation, host, Once(fate))
    effects: list[str] = []

    def work() -> str:
        effects.append("done")
        return "answer"

    assert seen_by_caller(simulation, host, line.ask("charge", work)) == seen
    assert len(effects) == done
    assert simulation.reached == {("request", fate.value): 1}


@pytest.mark.parametrize(
    ("fate", "seen", "is_kept"),
    [
        (Fate.SMOOTH, None, True),
        (Fate.REFUSED, StoreBusy, False),
        (Fate.FULL, StoreFull, False),
        (Fate.UNKNOWN_LOST, StoreFailed, False),
        (Fate.UNKNOWN_DONE, StoreFailed, True),
        (Fate.KILL_AFTER, "dead", True),
        (Fate.KILL_BEFORE, "dead", False),
    ],
)
def test_a_write_fares_as_its_fate_says(fate: Fate, seen: object, *, is_kept: bool) -> None:
    simulation = Simulation(1)
    host = Host(simulation, "shop", simulation.clock(), make=engine_of, serve=lambda _: None)
    inner = MemoryJournal(simulation.store)
    journal = SimulatedJournal(inner, simulation, host, Once(fate))
    plan = StoredPlan(fingerprint="f", workflow="w", json="{}")

    async def keep() -> None:
        await journal.open(work=True)
        await journal.keep_plan(plan)

    assert seen_by_caller(simulation, host, keep()) == seen
    assert simulation.store.plans == ({"f": plan} if is_kept else {})


def test_a_journal_that_broke_stays_broken_and_its_process_is_ended() -> None:
    simulation = Simulation(1)
    host = Host(simulation, "shop", simulation.clock(), make=engine_of, serve=lambda _: None)
    journal = SimulatedJournal(
        MemoryJournal(simulation.store), simulation, host, Once(Fate.UNKNOWN_LOST)
    )
    seen: list[type[Exception]] = []

    async def ask() -> None:
        await journal.open(work=True)
        for _ in range(2):
            try:
                await journal.plan("f")
            except StoreFailed as error:
                seen.append(type(error))
        assert not journal.leads

    async def plot() -> tuple[bool, int]:
        host.boot()
        first = host.lane
        await asyncio.sleep(1)
        simulation.loop.create_task(ask(), context=first.context())
        await asyncio.sleep(MINUTE)
        return first.is_dead, host.boots

    assert simulation.run(plot()) == (True, 2)
    assert seen == [StoreFailed, StoreFailed]
