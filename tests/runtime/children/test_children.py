"""Child runs as they are carried out, undone and taken up after a death."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Config,
    Declined,
    KeyConflict,
    NotUndoable,
    Operator,
    RemoteError,
    RunFailed,
    TooDeep,
)
from makegood.values.ids import child_key
from makegood.values.limits import DEPTH_MAX
from tests.runtime.children.shop import (
    countdown,
    factorial,
    first,
    pack_order,
    sell,
    sell_for_good,
    sell_gently,
    sell_many,
    sell_quickly,
    sell_soon,
    shorten_all,
)
from tests.runtime.outside import Gate, Late
from tests.runtime.world import AT_ONCE

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

SOLD = ["charge o", "pick o", "wrap pick o done", "ship wrap pick o done done"]


async def child_of(run: Run[object], path: str, world: World, engine: Engine) -> Run[object]:
    """Return the run that a node has called."""
    report = await world.finish(engine, run.describe())
    [called] = [node.child for node in report.nodes if node.path == path]
    assert called is not None
    return engine.run(called)


async def test_a_workflow_is_a_step_and_a_run_of_its_own(stored: World) -> None:
    engine = await stored.engine(sell)
    started = await engine.start(sell("o"), key="o-1", subject="ada")

    assert await stored.finish(engine, started.result()) == f"{SOLD[-1]} done"
    assert stored.outside.happened == SOLD
    rows = {row.workflow: row for row in (await engine.list()).rows}
    assert (rows["pack_order"].status, rows["pack_order"].subject) == ("completed", "ada")
    child = await child_of(started, "pack", stored, engine)
    report = await child.describe()
    assert (report.id, report.parent) == (rows["pack_order"].run, started.id)
    assert report.key is not None
    assert str(report).splitlines()[0].endswith(f": completed, called by {started.id}")
    assert f"run {child.id}" in str(await started.describe())


async def test_children_are_served_with_the_workflow_that_calls_them(stored: World) -> None:
    engine = await stored.engine(sell)

    assert engine.served == ("pack_order", "sell")


async def test_a_child_may_be_carried_out_by_another_engine(world: World) -> None:
    caller = await world.engine(sell)
    caller._served.pop(pack_order.plan.fingerprint)
    packer = await world.engine(pack_order)
    started = await caller.start(sell("o"))

    assert await world.finish(packer, started.result()) == f"{SOLD[-1]} done"
    assert world.outside.happened == SOLD


async def test_a_child_that_fails_goes_back_by_itself_and_fails_its_parent(stored: World) -> None:
    declined = Declined("no paper")
    stored.outside.planned["wrap pick o done"] = [declined]
    engine = await stored.engine(sell)
    started = await engine.start(sell("o"))

    with pytest.raises(RunFailed) as raised:
        await stored.finish(engine, started.result())

    assert stored.outside.happened == [
        "charge o",
        "pick o",
        "undo pick o done",
        "undo charge o done",
    ]
    assert "Declined: no paper" in str(raised.value)
    assert raised.value.__cause__ is declined
    assert raised.value.find(Declined) is declined


async def test_an_optional_child_that_fails_gives_nothing(world: World) -> None:
    world.outside.planned["pick o"] = [Declined("none left")]
    engine = await world.engine(sell_gently)
    started = await engine.start(sell_gently("o"))

    assert await world.finish(engine, started.result()) is None


async def test_a_completed_child_is_undone_as_one_unit_at_its_place(stored: World) -> None:
    stored.outside.planned[SOLD[-1]] = [Declined("no carrier")]
    engine = await stored.engine(sell)
    started = await engine.start(sell("o"))

    outcome = await stored.finish(engine, started.outcome())

    assert outcome.undone == ["pack", "do_charge"]
    assert stored.outside.happened[3:] == [
        "undo wrap pick o done done",
        "undo pick o done",
        "undo charge o done",
    ]
    child = await child_of(started, "pack", stored, engine)
    report = await child.describe()
    assert (report.status, report.cause) == ("cancelled", "reversed")


async def test_an_undo_after_success_takes_the_children_back_too(stored: World) -> None:
    engine = await stored.engine(sell)
    started = await engine.start(sell("o"))
    await stored.finish(engine, started.result())

    outcome = await stored.finish(engine, started.undo())

    assert outcome.undone == ["do_ship", "pack", "do_charge"]
    assert stored.outside.happened[4:] == [f"undo {name} done" for name in reversed(SOLD)]


async def test_a_child_is_not_undone_by_itself(world: World) -> None:
    engine = await world.engine(sell)
    started = await engine.start(sell("o"))
    await world.finish(engine, started.result())
    child = await child_of(started, "pack", world, engine)

    with pytest.raises(NotUndoable, match="undone as a part of that; undo that one"):
        await world.finish(engine, child.undo())


async def test_a_child_at_work_is_told_to_go_back_and_awaited(stored: World) -> None:
    picking, charging = Gate(), Gate()
    charging.error = Declined("no money")
    stored.outside.planned["pick o"] = [picking]
    stored.outside.planned["charge o"] = [Late(charging)]
    engine = await stored.engine(sell_quickly)
    started = await engine.start(sell_quickly("o"))
    await picking.reached.wait()
    charging.open()
    while (await started.describe()).status != "undoing":
        await stored.finish(engine, started.describe())
    picking.open()

    outcome = await stored.finish(engine, started.outcome())

    assert outcome.status == "failed"
    done = [name for name in stored.outside.happened if not name.startswith("undo")]
    undone = [name for name in stored.outside.happened if name.startswith("undo")]
    assert undone == [f"undo {name} done" for name in reversed(done)]
    child = await child_of(started, "pack", stored, engine)
    assert (await child.describe()).status == "cancelled"


async def test_a_parent_that_is_cancelled_takes_its_child_along(world: World) -> None:
    gate = Gate()
    world.outside.planned["pick o"] = [gate]
    engine = await world.engine(sell)
    started = await engine.start(sell("o"))
    await gate.reached.wait()
    await world.finish(engine, started.cancel(reason="enough"))
    gate.open()

    outcome = await world.finish(engine, started.outcome())

    assert (outcome.status, outcome.undone) == ("cancelled", ["do_charge"])
    assert world.outside.happened[1:] == ["pick o", "undo pick o done", "undo charge o done"]


async def test_a_child_has_no_more_time_than_its_parent(world: World) -> None:
    world.outside.planned["pick o"] = [OSError("busy")] * 3
    engine = await world.engine(sell_soon)
    started = await engine.start(sell_soon("o"))
    await world.finish(engine, started.outcome())
    child = await child_of(started, "pack", world, engine)

    deadlines = [(await run._read())[2].deadline for run in (started, child)]
    assert deadlines[0] is not None
    assert deadlines[0] == deadlines[1]


async def test_a_child_past_its_pivot_is_left_to_a_person(world: World) -> None:
    world.outside.planned["ship wrap pick o done done"] = [Declined("no carrier")]
    engine = await world.engine(sell_for_good)
    started = await engine.start(sell_for_good("o"))

    outcome = await world.finish(engine, started.outcome())

    assert (outcome.status, outcome.reason, outcome.left) == (
        "parked",
        "undo gave up",
        ["pack_with_pivot"],
    )
    assert "past the pivot" in str(outcome.errors[-1])


async def test_children_stand_in_branches_and_rounds(stored: World) -> None:
    engine = await stored.engine(sell_many)
    started = await engine.start(sell_many(["big", "tiny", "bigger"]))

    assert await stored.finish(engine, started.result()) == [
        "wrap pick big done done",
        "pick tiny done",
        "wrap pick bigger done done",
    ]


async def test_children_go_round(world: World) -> None:
    engine = await world.engine(shorten_all)
    started = await engine.start(shorten_all("word"))

    assert await world.finish(engine, started.result()) == "w"


async def test_runs_in_one_another_never_wait_for_room_that_their_callers_hold(
    stored: World,
) -> None:
    config = Config(shutdown_grace=AT_ONCE, runs_active_max=1)
    engine = await stored.engine(first, config=config)
    started = await engine.start(first("o"))

    assert await stored.finish(engine, started.result()) == "pick o done"
    assert len((await engine.list()).rows) == 5


async def test_a_step_may_return_a_call_which_is_run_in_its_place(stored: World) -> None:
    engine = await stored.engine(countdown)
    started = await engine.start(countdown(3))

    assert await stored.finish(engine, started.result()) == 0
    assert stored.outside.happened == ["count 3", "count 2", "count 1", "count 0"]


async def test_what_was_called_in_the_place_of_a_step_is_undone_before_the_step(
    stored: World,
) -> None:
    engine = await stored.engine(countdown)
    started = await engine.start(countdown(2))
    await stored.finish(engine, started.result())

    await stored.finish(engine, started.undo())

    assert stored.outside.calls[3:] == ["undo count to 0"] * 3
    assert len(set(stored.outside.keys["undo count to 0"])) == 3


async def test_a_workflow_may_call_itself(world: World) -> None:
    engine = await world.engine(factorial)
    started = await engine.start(factorial(5))

    assert await world.finish(engine, started.result()) == 120


async def test_recursion_ends_at_its_limit_with_an_error_that_says_so(world: World) -> None:
    engine = await world.engine(countdown)
    started = await engine.start(countdown(DEPTH_MAX + 1))

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    too_deep = raised.value.find(TooDeep)
    assert too_deep is raised.value.errors[0]
    assert str(too_deep).endswith(
        f"calls `countdown` as a run within {DEPTH_MAX} others; at most {DEPTH_MAX} are allowed: "
        "go on in a repeat(…), or return before that"
    )


async def test_a_worker_that_dies_while_a_child_is_at_work_leaves_nothing_stuck(
    stored: World,
) -> None:
    gate = Gate()
    stored.outside.planned["pick o"] = [gate]
    engine = await stored.engine(sell)
    started = await engine.start(sell("o"))
    await gate.reached.wait()
    await stored.kill(engine)
    stored.clock.turn(timedelta(seconds=30))
    second = await stored.engine(sell)

    assert await stored.finish(second, second.run(started.id).result()) == f"{SOLD[-1]} done"
    assert stored.outside.happened == SOLD


async def test_nothing_is_called_forgotten_while_a_run_waits_for_its_child(world: World) -> None:
    gate = Gate()
    world.outside.planned["pick o"] = [gate]
    engine = await world.engine(sell)
    started = await engine.start(sell("o"))
    await gate.reached.wait()

    assert (await Operator(engine).stuck()).unwoken == ()

    gate.open()
    await world.finish(engine, started.outcome())


async def test_a_run_whose_child_is_gone_is_found_by_whoever_looks_for_stuck_runs(
    world: World,
) -> None:
    gate = Gate()
    world.outside.planned["pick o"] = [gate]
    engine = await world.engine(sell)
    started = await engine.start(sell("o"))
    await gate.reached.wait()
    child = await child_of(started, "pack", world, engine)
    await world.kill(engine)
    del world._store.records[child.id]
    world._store.sorted_ids.remove(child.id)

    [lost] = (await Operator(await world.engine(work=False)).stuck()).unwoken

    assert lost.run == started.id


class NoMoney(Declined):
    """Nothing is left."""


async def test_errors_are_found_by_their_class_through_all_runs_that_were_called(
    world: World,
) -> None:
    engine = await world.engine(first)
    world.outside.planned["pick o"] = [NoMoney("empty")]
    started = await engine.start(first("o"))
    elsewhere = await world.engine(work=False)

    raised: list[RunFailed] = []
    for run in (started, elsewhere.run(started.id)):
        with pytest.raises(RunFailed) as caught:
            await world.finish(engine, run.result())
        raised.append(caught.value)

    here, there = raised
    assert [type(error) for error in here.find_all(Declined)] == [NoMoney]
    assert [type(error) for error in there.find_all(Declined)] == [RemoteError]
    assert here.find("NoMoney") is here.find(NoMoney)
    assert there.find("tests.runtime.children.test_children.NoMoney") is there.errors[0]
    assert (here.find(OSError), there.find(OSError)) == (None, None)
    assert (here.find("builtins.OSError"), there.find_all("OSError")) == (None, ())


async def test_a_run_that_somebody_else_started_is_not_taken_for_a_child(world: World) -> None:
    engine = await world.engine(sell)
    key = child_key("sell", "o-1", "pack", generation=0, number=1)
    await world.finish(engine, (await engine.start(pack_order("o"), key=key)).result())
    started = await engine.start(sell("o"), key="o-1")

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    assert raised.value.find(KeyConflict) is not None
    assert world.outside.happened == [
        "pick o",
        "wrap pick o done",
        "charge o",
        "undo charge o done",
    ]


async def test_the_plan_of_a_child_is_kept_by_whoever_takes_it_first(world: World) -> None:
    engine = await world.engine(countdown, sell)
    started = await engine.start(sell("o"))
    await world.finish(engine, started.result())
    child = await child_of(started, "pack", world, engine)

    onlooker = await world.engine(work=False)

    assert (await Operator(onlooker).history(child.id)).plan == pack_order.plan
