"""Runs that an earlier program began are carried on by this one, on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from makegood import Engine, step, workflow
from makegood.journal.memory import MemoryJournal, MemoryStore
from makegood.journal.upkeep import forgotten
from tests.journal.records import run_id
from tests.journal.upkeep.kept import POSTGRES, SQLITE, Kept

if TYPE_CHECKING:
    from makegood.journal.protocol import History, StoredPlan
    from makegood.values.ids import RunId

pytestmark = pytest.mark.real


async def hold(sku: str) -> str:
    return f"hold on {sku}"


async def pay(held: str) -> str:
    return f"paid for the {held}"


@workflow
def order(sku: str) -> str:
    """Hold it, and pay for it."""
    return step(pay, irreversible="no refunds")(step(hold, irreversible="kept")(sku))


async def recorded() -> tuple[dict[str, History], StoredPlan]:
    """Return a run that has ended, one cut off in the middle, and one that was only posted."""
    store = MemoryStore()
    async with Engine(MemoryJournal(store)) as engine:
        engine.serve(order)
        done = await engine.start(order("tea"), key="done")
        await done.result()
    async with Engine(MemoryJournal(store), work=False) as client:
        posted = await client.start(order("milk"), key="posted")
    journal = MemoryJournal(store)
    await journal.open(work=False)
    whole = await journal.read(done.id)
    # The second append of this run has its first step done, and the second begun.
    cut = cut_off(whole, run=run_id(7), key="cut", appends=2)
    plan = await journal.plan(order.plan.fingerprint)
    assert plan is not None
    return {"done": whole, "cut": cut, "posted": await journal.read(posted.id)}, plan


def cut_off(whole: History, *, run: RunId, key: str, appends: int) -> History:
    first_facts = whole.appends[0].replace(b'"done"', f'"{key}"'.encode())
    row = replace(whole.row, run=run, key=key, status="running", seq=appends, ended_at=None)
    return replace(whole, row=row, appends=(first_facts, *whole.appends[1:appends]))


@pytest.mark.parametrize("number", range(1, max(POSTGRES, SQLITE) + 1))
async def test_runs_of_every_earlier_schema_are_carried_on_and_read_as_they_were(
    kept: Kept, number: int
) -> None:
    if number > (await kept.upkeep.schema()).newest:
        pytest.skip("this store has no such number")
    await kept.make(number)
    histories, plan = await recorded()
    for history in histories.values():
        await kept.put(history, plan)

    await kept.upkeep.upgrade()

    async with Engine(kept.journal()) as engine:
        engine.serve(order)
        ended = {key: await engine.run(each.row.run).outcome() for key, each in histories.items()}
        done = await engine._shell.journal.read(histories["done"].row.run)
        assert await forgotten(engine._shell.journal) == ()
        again = await engine.start(order("tea"), key="done")
    assert {key: outcome.value for key, outcome in ended.items()} == {
        "done": "paid for the hold on tea",
        "cut": "paid for the hold on tea",
        "posted": "paid for the hold on milk",
    }
    assert done.appends == histories["done"].appends
    assert again.id == histories["done"].row.run
