"""How much an engine takes on at once, of everything and of each workflow, and whose turn it is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import Config, Engine, injected, step, workflow
from makegood.errors import InvalidInput
from makegood.journal.memory import MemoryJournal
from makegood.journal.memory_store import MemoryStore, give_back
from tests.runtime.outside import Gate
from tests.runtime.trips import book
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from makegood import Run, Workflow
    from makegood.journal.protocol import Leases
    from makegood.values.ids import WorkerId
    from makegood.values.instants import Instant
    from tests.runtime.world import World

POLL_MIN = Config().poll_min
SELDOM = timedelta(days=1)


class Pages:
    """What was printed, in order, and the gates at which a printer waits."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.gates: dict[str, Gate] = {}

    def gate(self, name: str) -> Gate:
        return self.gates.setdefault(name, Gate())


async def print_page(name: str, *, pages: Pages = injected) -> str:
    pages.printed.append(name)
    if name in pages.gates:
        await pages.gates[name].pass_through()
    return name


printed = step(print_page, irreversible="ink is ink", key_valid_for=timedelta(days=1))


@workflow
def print_catalogue(name: str) -> str:
    """Print one page of many."""
    return printed(name)


@workflow
def print_invoice(name: str) -> str:
    """Print what somebody waits for."""
    return printed(name)


class Asked(MemoryJournal):
    """Remembers for how many claims it was asked, and answers while it flows."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.limits: list[int] = []
        self.flows = asyncio.Event()
        self.flows.set()

    async def lease(
        self, worker: WorkerId, *, room: Mapping[str, int], limit: int, now: Instant
    ) -> Leases:
        self.limits.append(limit)
        leases = await super().lease(worker, room=room, limit=limit, now=now)
        await self.flows.wait()
        return leases


async def engine_for(
    world: World, pages: Pages, *served: Workflow[..., Any], **options: Any
) -> Engine:
    settings = {"shutdown_grace": AT_ONCE, "poll_max": SELDOM} | options.pop("config", {})
    return await world.engine(
        *served, services={Pages: pages}, config=Config(**settings), **options
    )


async def left_by_a_client(world: World, made: Workflow[[str], str], *names: str) -> list[Run[str]]:
    client = await world.engine(work=False)
    return [await client.start(made(name), key=name) for name in names]


async def quiet(engine: Engine) -> None:
    """Let an engine do whatever it does without time passing."""
    for _ in range(50):
        await turn_of_the_loop()
    await until(lambda: engine.is_at_rest or engine._shell.performer.at_work > 0)


def gated(pages: Pages, kind: str, count: int) -> list[str]:
    names = [f"{kind} {number}" for number in range(count)]
    for name in names:
        pages.gate(name)
    return names


# A limit for each workflow -------------------------------------------------------------------


async def test_a_flood_of_one_workflow_leaves_room_for_another(world: World) -> None:
    """F90: no more than its limit is claimed, and what somebody waits for is not behind it."""
    pages = Pages()
    flood = gated(pages, "catalogue", 30)
    await left_by_a_client(world, print_catalogue, *flood)
    await left_by_a_client(world, print_invoice, "invoice")
    engine = await engine_for(world, pages)

    engine.serve(print_catalogue, runs_active_max=3)
    engine.serve(print_invoice)
    await until(lambda: len(pages.printed) == 4)
    await quiet(engine)

    assert pages.printed.count("invoice") == 1
    assert engine.active == 3
    rows = (await engine.list()).rows
    assert sum(row.owner is not None for row in rows) == 3


async def test_starts_beyond_the_limit_of_their_workflow_wait_in_the_journal(
    stored: World,
) -> None:
    pages = Pages()
    names = gated(pages, "catalogue", 5)
    engine = await engine_for(stored, pages)
    engine.serve(print_catalogue, runs_active_max=2)
    engine.serve(print_invoice)
    await quiet(engine)

    runs = [await engine.start(print_catalogue(name), key=name) for name in names]
    invoice = await engine.start(print_invoice("invoice"))
    assert await stored.finish(engine, invoice.result()) == "invoice"
    rows = {row.key: row.owner for row in (await engine.list()).rows if row.key}
    held = [name for name in names if rows[name] is not None]
    for name in names:
        pages.gate(name).open()

    assert held == names[:2]
    for run, name in zip(runs, names, strict=True):
        assert await stored.finish(engine, run.result()) == name
    assert sorted(pages.printed) == [*names, "invoice"]


async def test_a_run_that_leaves_makes_room_for_the_next_one_that_waits(world: World) -> None:
    """The journal is asked when there is room, and no sooner than it may be asked again."""
    pages = Pages()
    names = gated(pages, "catalogue", 3)
    await left_by_a_client(world, print_catalogue, *names)
    journal = Asked(world._store)
    engine = await engine_for(
        world, pages, print_catalogue, journal=journal, config={"runs_active_max": 1}
    )
    await until(lambda: pages.printed == names[:1])
    world.clock.turn(timedelta(seconds=20))
    await quiet(engine)
    assert journal.limits == [1]

    pages.gate(names[0]).open()
    await until(lambda: engine.active == 0)
    await quiet(engine)
    world.clock.turn(POLL_MIN)

    await until(lambda: pages.printed == names[:2])
    assert journal.limits == [1, 1]


async def test_of_two_workflows_each_has_the_first_turn_in_turn(world: World) -> None:
    """F90: also where one run at a time is all that is held."""
    pages = Pages()
    await left_by_a_client(world, print_catalogue, *(f"catalogue {n}" for n in range(9)))
    await left_by_a_client(world, print_invoice, "invoice 0", "invoice 1", "invoice 2")
    engine = await engine_for(
        world, pages, print_catalogue, print_invoice, config={"runs_active_max": 1}
    )

    async def all_printed() -> None:
        while len(pages.printed) < 12:
            await turn_of_the_loop()

    await world.finish(engine, all_printed())

    kinds = [name.split()[0] for name in pages.printed[:6]]
    assert kinds in (["catalogue", "invoice"] * 3, ["invoice", "catalogue"] * 3)


async def test_starts_made_here_do_not_take_the_room_of_what_waits(world: World) -> None:
    """F90: a caller that starts one run after the other keeps nobody out."""
    pages = Pages()
    engine = await engine_for(
        world, pages, print_catalogue, print_invoice, config={"runs_active_max": 1}
    )
    await quiet(engine)
    (first,) = gated(pages, "catalogue", 1)
    await engine.start(print_catalogue(first))
    await left_by_a_client(world, print_invoice, "invoice")
    behind = await engine.start(print_catalogue("behind"))
    world.clock.turn(POLL_MIN)
    await quiet(engine)

    pages.gate(first).open()
    await until(lambda: engine.active == 0)
    late = await engine.start(print_catalogue("late"))
    for run in (behind, late):
        await world.finish(engine, run.result())

    assert pages.printed.index("invoice") < pages.printed.index("late")


@pytest.mark.parametrize(("of_engine", "of_workflow"), [(3, None), (9, 3)])
async def test_what_is_being_claimed_has_its_room_already(
    world: World, of_engine: int, of_workflow: int | None
) -> None:
    """A start while claims are under way does not go beyond the limit with them."""
    pages = Pages()
    names = gated(pages, "catalogue", 3)
    await left_by_a_client(world, print_catalogue, *names)
    journal = Asked(world._store)
    engine = await engine_for(world, pages, journal=journal, config={"runs_active_max": of_engine})
    journal.flows.clear()
    engine.serve(print_catalogue, runs_active_max=of_workflow)
    await until(lambda: engine._worker.is_asking)

    await engine.start(print_catalogue("one more"))
    journal.flows.set()
    await until(lambda: len(pages.printed) == 3)
    await quiet(engine)

    assert engine.active == 3
    assert sorted(pages.printed) == names


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (0, "runs_active_max is 0; it must be at least 1"),
        (-3, "runs_active_max is -3; it must be at least 1"),
        (2.5, r"runs_active_max is 2\.5; it must be a whole number"),
        (True, "runs_active_max is True; it must be a whole number"),
        ("many", "runs_active_max is 'many'; it must be a whole number"),
    ],
)
async def test_a_limit_that_cannot_work_is_refused(world: World, number: Any, message: str) -> None:
    engine = await world.engine()

    with pytest.raises(InvalidInput, match=message):
        engine.serve(book, runs_active_max=number)

    assert repr(engine).startswith("<Engine open, serving nothing")


# Being called ----------------------------------------------------------------------------------


async def test_however_often_it_is_knocked_for_the_journal_is_asked_once_in_a_while(
    world: World,
) -> None:
    journal = Asked(world._store)
    engine = await engine_for(world, Pages(), print_invoice, journal=journal)
    await quiet(engine)
    before = len(journal.limits)

    for _ in range(5):
        for _ in range(100):
            engine._worker.knock()
            await turn_of_the_loop()
        world.clock.turn(POLL_MIN)
        await quiet(engine)

    assert len(journal.limits) == before + 5


async def test_a_run_that_is_claimed_again_by_its_own_holder_is_begun_once(world: World) -> None:
    """F16: an engine stood still for longer than its lease, and finds its own run due."""
    stale, fresh = Gate(), Gate()
    world.outside.planned["charge"] = [stale, fresh]
    engine = await world.engine(book)
    run = await engine.start(book("Oslo"))
    await world.finish(engine, stale.reached.wait())
    give_back(world._store, world._store.records[run.id], world.clock.now())
    engine._worker.ring()
    await until(fresh.reached.is_set)
    at_work = engine._shell.performer.at_work
    stale.open()
    fresh.open()

    assert at_work == 1, "what was begun before is stopped"
    assert await world.finish(engine, run.result()) == "send done"
    assert world.outside.calls == ["hold", "charge", "charge", "send"]
    assert engine.active == 0
