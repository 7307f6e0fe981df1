"""Branches, rounds and sleeps as they are carried out, undone, and taken up after a death."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    Declined,
    InvalidInput,
    OutcomeUnknown,
    RunFailed,
    Unavailable,
    sleep,
    workflow,
)
from makegood.testing import run
from makegood.values.instants import as_datetime
from tests.runtime.flow.shop import (
    Method,
    charge,
    insist,
    label,
    nag,
    pay,
    send,
    send_parcels,
    wait_until,
)
from tests.runtime.outside import Gate, Lost, Outside

if TYPE_CHECKING:
    from tests.runtime.world import World


@pytest.mark.parametrize(
    ("method", "happened"),
    [
        (Method.CARD, ["charge o-1", "label charge o-1 done of o-1"]),
        (Method.INVOICE, ["bill o-1", "label bill o-1 done of o-1"]),
    ],
)
async def test_a_switch_carries_out_the_branch_of_its_case_and_gives_what_that_gives(
    method: Method, happened: list[str], world: World
) -> None:
    engine = await world.engine(pay)
    started = await engine.start(pay("o-1", method))

    outcome = await world.finish(engine, started.outcome())

    assert outcome.value == f"{happened[-1]} done"
    assert world.outside.happened == happened
    report = await started.describe()
    skipped = {node.path.split("/")[1] for node in report.nodes if node.state == "skipped"}
    assert skipped == {"card", "invoice", "default"} - {method.value}


async def test_the_default_of_a_switch_may_fail_the_run(world: World) -> None:
    engine = await world.engine(pay)
    started = await engine.start(pay("o-1", Method.GIFT))

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    assert isinstance(raised.value.__cause__, Declined)
    assert world.outside.calls == []


async def test_what_a_branch_did_is_undone_when_a_later_step_fails(world: World) -> None:
    world.outside.planned["label bill o-1 done of o-1"] = [Declined("no stamp")]
    engine = await world.engine(pay)
    started = await engine.start(pay("o-1", Method.INVOICE))

    outcome = await world.finish(engine, started.outcome())

    assert (outcome.status, outcome.undone) == ("failed", ["switch/invoice/write_invoice"])
    assert world.outside.happened[-1] == "tear bill o-1 done"


async def test_a_run_sleeps_for_as_long_as_it_should_and_holds_nothing_meanwhile(
    world: World,
) -> None:
    engine = await world.engine(pay)
    began = world.clock.now()
    started = await engine.start(pay("o-1", Method.CARD))

    await world.finish(engine, started.result())

    assert as_datetime(world.clock.now()) - as_datetime(began) >= timedelta(minutes=5)
    assert world.outside.calls[:1] == ["charge o-1"]


async def test_a_sleep_goes_on_where_the_worker_died(world: World) -> None:
    first = await world.engine(pay)
    started = await first.start(pay("o-1", Method.CARD))
    began = world.clock.now()
    while (await started.describe()).status != "waiting":
        await world.finish(first, started.describe())
    await world.kill(first)
    world.clock.turn(timedelta(minutes=3))
    second = await world.engine(pay)

    await world.finish(second, second.run(started.id).outcome())

    slept = as_datetime(world.clock.now()) - as_datetime(began)
    assert timedelta(minutes=5) <= slept < timedelta(minutes=6)
    assert world.outside.calls == ["charge o-1", "label charge o-1 done of o-1"]


async def test_a_moment_that_is_past_is_not_waited_for_and_another_one_is(world: World) -> None:
    engine = await world.engine(wait_until)
    now = world.clock.now()
    for minutes in (-5, 5):
        moment = as_datetime(now) + timedelta(minutes=minutes)
        await world.finish(engine, (await engine.start(wait_until(moment, f"{minutes}"))).result())

    assert world.outside.calls == ["charge -5", "charge 5"]
    assert timedelta(minutes=5) <= as_datetime(world.clock.now()) - as_datetime(now)


async def test_a_sleep_is_dropped_when_the_run_goes_back(world: World) -> None:
    engine = await world.engine(pay)
    started = await engine.start(pay("o-1", Method.CARD))
    while (await started.describe()).status != "waiting":
        await world.finish(engine, started.describe())

    await world.finish(engine, started.cancel(reason="enough"))
    outcome = await world.finish(engine, started.outcome())

    assert outcome.undone == ["switch/card/charge_card"]
    states = {node.path: node.state for node in (await started.describe()).nodes}
    assert states["switch/card/sleep"] == "stopped"


async def test_a_failure_beside_a_sleep_ends_the_run_at_once_with_its_own_error(
    world: World,
) -> None:
    """R8: failure beats waiting."""

    @workflow
    def rest_and_pay(order: str) -> str:
        stamped = label.named("stamp")(order, order)
        sleep.after(stamped)(timedelta(days=1))
        return charge.after(stamped)(order)

    broke = Declined("no money")
    world.outside.planned["charge o-1"] = [broke]
    engine = await world.engine(rest_and_pay)
    began = world.clock.now()
    started = await engine.start(rest_and_pay("o-1"))

    outcome = await world.finish(engine, started.outcome())

    assert (outcome.status, outcome.errors, outcome.undone) == ("failed", (broke,), ["stamp"])
    states = {node.path: node.state for node in (await started.describe()).nodes}
    assert states["sleep"] == "stopped"
    assert as_datetime(world.clock.now()) - as_datetime(began) < timedelta(hours=1)


async def test_each_item_has_a_round_of_its_own_and_the_results_keep_their_order(
    world: World,
) -> None:
    engine = await world.engine(send)
    gate = Gate()
    world.outside.planned["pack a"] = [gate]
    started = await engine.start(send("o-1", ["a", "b", "c", "d"]))
    await gate.reached.wait()
    gate.open()

    outcome = await world.finish(engine, started.outcome())

    assert outcome.value == "ship 4 done"
    assert sorted(world.outside.calls[:-1])[:4] == [
        f"label pack {line} done of o-1" for line in "abcd"
    ]
    keys = [key for line in "abcd" for key in world.outside.keys[f"pack {line}"]]
    assert len(set(keys)) == 4


async def test_no_more_rounds_are_at_work_than_may_be_at_once(world: World) -> None:
    engine = await world.engine(send)
    gates = [Gate(), Gate()]
    world.outside.planned["pack a"] = [gates[0]]
    world.outside.planned["pack b"] = [gates[1]]
    started = await engine.start(send("o-1", ["a", "b", "c"]))
    for gate in gates:
        await gate.reached.wait()

    assert world.outside.calls == ["pack a", "pack b"]
    for gate in gates:
        gate.open()
    assert await world.finish(engine, started.result()) == "ship 3 done"


async def test_without_items_there_is_nothing_to_do_and_an_empty_list_to_give(
    world: World,
) -> None:
    engine = await world.engine(send)
    started = await engine.start(send("o-1", []))

    assert await world.finish(engine, started.result()) == "ship 0 done"
    assert world.outside.calls == ["ship 0"]


async def test_when_a_round_fails_all_rounds_are_undone_in_the_reverse_order_of_completion(
    world: World,
) -> None:
    world.outside.planned["pack c"] = [Declined("broken")]
    engine = await world.engine(send)
    started = await engine.start(send("o-1", ["a", "b", "c", "d"]))

    outcome = await world.finish(engine, started.outcome())

    done = [name for name in world.outside.happened if not name.startswith("undo")]
    undone = [name for name in world.outside.happened if name.startswith("undo")]
    assert undone == [f"undo {name} done" for name in reversed(done)]
    assert outcome.failure is not None
    assert outcome.status == "failed"


async def test_rounds_go_on_where_the_worker_died_with_the_same_keys(world: World) -> None:
    first = await world.engine(send)
    gate = Gate()
    world.outside.planned["pack c"] = [gate]
    started = await first.start(send("o-1", ["a", "b", "c", "d"]))
    await gate.reached.wait()
    await world.kill(first)
    second = await world.engine(send)
    world.clock.turn(timedelta(seconds=30))

    assert await world.finish(second, second.run(started.id).result()) == "ship 4 done"

    assert len(set(world.outside.keys["pack c"])) == 1
    happened = world.outside.happened
    assert len(happened) == len(set(happened)) == 9


async def test_a_round_in_doubt_is_settled_before_anything_is_undone(world: World) -> None:
    world.outside.planned["pack a"] = [Lost(OutcomeUnknown("no answer"))]
    world.outside.planned["pack b"] = [Declined("broken")]
    engine = await world.engine(send)
    started = await engine.start(send("o-1", ["a", "b"]))

    outcome = await world.finish(engine, started.outcome())

    assert world.outside.calls == ["pack a", "pack b", "pack a", "undo pack a done"]
    assert outcome.undone == ["each[0]/pack_line"]


async def test_a_round_is_tried_again_like_any_step(world: World) -> None:
    world.outside.planned["pack b"] = [Unavailable("busy")]
    engine = await world.engine(send)
    started = await engine.start(send("o-1", ["a", "b"]))

    assert await world.finish(engine, started.result()) == "ship 2 done"
    assert world.outside.calls.count("pack b") == 2


async def test_more_items_than_are_allowed_fail_the_run_with_a_clear_error(
    world: World,
) -> None:
    engine = await world.engine(send)
    started = await engine.start(send("o-1", ["a"] * 10_001))

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    assert isinstance(raised.value.__cause__, InvalidInput)
    assert str(raised.value.__cause__) == (
        "`each` goes over 10,001 items; at most 10,000 are allowed: split them among several runs"
    )


async def test_a_repeat_goes_round_until_its_value_says_so(world: World) -> None:
    engine = await world.engine(insist)

    assert await world.finish(engine, (await engine.start(insist(1))).result()) == 3
    assert world.outside.calls == ["ask 1", "ask 2"]


async def test_a_repeat_that_comes_to_no_end_fails_the_run(world: World) -> None:
    engine = await world.engine(insist)
    started = await engine.start(insist(-5))

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    assert "has not come to its end in 4 rounds; raise times_max" in str(raised.value.__cause__)
    assert world.outside.calls == ["ask -5", "ask -4", "ask -3", "ask -2"]


async def test_a_repeat_without_a_judge_goes_round_so_many_times(world: World) -> None:
    engine = await world.engine(nag)

    assert await world.finish(engine, (await engine.start(nag())).result()) == 5
    assert len({key for keys in world.outside.keys.values() for key in keys}) == 5


async def test_everything_stands_in_everything(world: World) -> None:
    engine = await world.engine(send_parcels)
    started = await engine.start(send_parcels("o-1", ["anvil+nail", "rope"]))

    value = await world.finish(engine, started.result())

    assert value == [
        ["label pack anvil done of o-1 done", "pack nail done"],
        ["pack rope done"],
    ]
    paths = [node.path for node in (await started.describe()).nodes if node.state == "done"]
    assert "parcels[0]/lines[0]/switch/true/pack_line" in paths
    assert "parcels[0]/lines[1]/switch/false/wrap" in paths
    assert len(world.outside.calls) == len({*world.outside.calls})


async def test_what_stands_in_everything_is_undone_as_one_run(world: World) -> None:
    world.outside.planned["pack rope"] = [Declined("torn")]
    engine = await world.engine(send_parcels)
    started = await engine.start(send_parcels("o-1", ["anvil+nail", "rope"]))

    outcome = await world.finish(engine, started.outcome())

    done = [name for name in world.outside.happened if not name.startswith("undo")]
    undone = [name for name in world.outside.happened if name.startswith("undo")]
    assert undone == [f"undo {name} done" for name in reversed(done)]
    assert outcome.status == "failed"


async def test_the_testing_helper_fails_a_node_of_a_round_by_its_path() -> None:
    outcome = await run(
        send("o-1", ["a", "b"]),
        services={Outside: Outside()},
        fail={"each[1]/pack_line": Declined("no")},
    )

    assert outcome.status == "failed"
    assert outcome.failure is not None
    assert outcome.failure.message == "no"
