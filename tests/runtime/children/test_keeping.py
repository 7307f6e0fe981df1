"""What is kept of runs that have called one another, when they are erased or pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood import Operator, Unavailable
from makegood.values.instants import Instant, as_instant
from tests.runtime.children.shop import sell

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

CANARY = "ada-lovelace"


async def sold(world: World, engine: Engine) -> tuple[Run[str], Run[object]]:
    """Return a run that has completed, and the child that it has called."""
    started = await engine.start(sell(CANARY), subject="ada")
    await world.finish(engine, started.result())
    [called] = [node.child for node in (await started.describe()).nodes if node.child is not None]
    return started, engine.run(called)


async def test_a_run_and_its_children_are_erased_by_the_subject_of_the_first(
    stored: World,
) -> None:
    engine = await stored.engine(sell)
    runs = await sold(stored, engine)
    operator = Operator(engine)

    report = await operator.erase(subject="ada", actor="eve", reason="article 17")

    assert report.is_complete
    assert {row.run for row in report.erased} == {run.id for run in runs}
    for run in runs:
        history = await engine._shell.journal.read(run.id)
        assert CANARY.encode() not in b"".join(history.appends)
        assert (await run.describe()).status == "erased"


async def test_a_run_whose_child_was_pruned_cannot_be_undone_as_a_whole(stored: World) -> None:
    # So the run ends later than its child.
    stored.outside.planned[f"ship wrap pick {CANARY} done done"] = [Unavailable("busy")]
    engine = await stored.engine(sell)
    started, child = await sold(stored, engine)
    ended = (await child.describe()).ended_at
    assert ended is not None
    before = Instant(as_instant(ended) + 1)
    removed = await engine._shell.journal.prune(
        ended_before=before, limit=10, now=stored.clock.now()
    )
    assert removed == 1

    outcome = await stored.finish(engine, started.undo(actor="eve", reason="late"))

    assert (outcome.status, outcome.left) == ("parked", ["pack"])
    assert "its history was pruned" in str(outcome.errors[0])
    assert outcome.undone == ["do_ship", "do_charge"]
