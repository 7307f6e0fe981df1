"""Do runs that call one another get on when several workers on PostgreSQL share them?"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import Config, Declined, Engine, Operator, RunFailed
from makegood.journal.postgres.journal import PostgresJournal
from tests.runtime.children.shop import countdown, first, sell
from tests.runtime.outside import Outside

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.journal.postgres.served import PostgresWorld, Served

pytestmark = pytest.mark.real

ONE = Config(shutdown_grace=timedelta(0), runs_active_max=1)
FORWARD = ["charge o", "pick o", "wrap pick o done", "ship wrap pick o done done"]


@pytest.fixture
async def world(served: Served) -> AsyncGenerator[PostgresWorld, None]:
    async with served.lent(lease_seconds=60) as world:
        yield world


async def workers(stack: AsyncExitStack, world: PostgresWorld, outside: Outside) -> list[Engine]:
    """Return two engines that hold one run at a time each."""
    engines: list[Engine] = []
    for _ in range(2):
        engine = Engine(PostgresJournal(world.place), services={Outside: outside}, config=ONE)
        engines.append(await stack.enter_async_context(engine))
        engine.serve(sell, first, countdown)
    return engines


async def test_a_child_fails_its_parent_on_whichever_worker_they_are(
    world: PostgresWorld,
) -> None:
    outside = Outside()
    outside.planned["wrap pick o done"] = [Declined("no paper")]
    async with AsyncExitStack() as stack:
        one, _other = await workers(stack, world, outside)
        started = await one.start(sell("o"), key="o")

        with pytest.raises(RunFailed) as raised:
            await started.result()

        assert raised.value.find(Declined) is not None
        assert outside.happened == [*FORWARD[:2], "undo pick o done", "undo charge o done"]
        assert (await Operator(one).stuck()).unwoken == ()


async def test_what_is_undone_is_told_to_children_of_other_workers(world: PostgresWorld) -> None:
    outside = Outside()
    async with AsyncExitStack() as stack:
        one, other = await workers(stack, world, outside)
        started = await one.start(sell("o"), key="o")
        await started.result()

        outcome = await other.run(started.id).undo(actor="eve", reason="wrong")

        assert outcome.undone == ["do_ship", "pack", "do_charge"]
        assert outside.happened == [*FORWARD, *(f"undo {name} done" for name in reversed(FORWARD))]


async def test_runs_in_one_another_get_on_with_one_place_on_each_worker(
    world: PostgresWorld,
) -> None:
    outside = Outside()
    async with AsyncExitStack() as stack:
        one, _other = await workers(stack, world, outside)
        runs = [
            await one.start(first("o")),
            await one.start(countdown(3)),
        ]

        assert [await run.result() for run in runs] == ["pick o done", 0]
