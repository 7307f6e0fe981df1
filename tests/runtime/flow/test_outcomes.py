"""An each whose failures are kept: what its rounds came to, as the workflow gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood import (
    Collect,
    Declined,
    Failed,
    Failure,
    FailureKind,
    Quorum,
    QuorumMissed,
    RunFailed,
    Succeeded,
    Unneeded,
    each,
    workflow,
)
from tests.runtime.flow.shop import label, pack
from tests.runtime.outside import Gate

if TYPE_CHECKING:
    from tests.runtime.world import World

NO_INK = Failed(
    "lines[1]/stick_label",
    Failure(kind=FailureKind.DECLINED, type="makegood.errors.Declined", message="no ink"),
)


@workflow
def send_some(order: str, lines: list[str]) -> list[Succeeded[str] | Failed]:
    """Pack and label each line; what cannot be labelled is unpacked."""

    def one(line: str) -> str:
        return label(pack(line), order)

    return each(lines, one, policy=Collect(), name="lines")


@workflow
def send_parts(lines: list[str]) -> list[Succeeded[tuple[str, str]] | Failed]:
    def one(line: str) -> tuple[str, str]:
        packed = pack(line)
        return packed, label(packed, "x")

    return each(lines, one, policy=Collect(), name="lines")


@workflow
def send_two(lines: list[str]) -> list[Succeeded[str] | Failed | Unneeded]:
    return each(lines, pack, policy=Quorum(2), at_once=1, name="lines")


async def test_a_round_that_fails_is_undone_and_its_failure_is_one_of_the_outcomes(
    world: World,
) -> None:
    world.outside.planned["label pack b done of o-1"] = [Declined("no ink")]
    engine = await world.engine(send_some)
    started = await engine.start(send_some("o-1", ["a", "b"]))

    outcome = await world.finish(engine, started.outcome())

    assert outcome.value == [Succeeded("label pack a done of o-1 done"), NO_INK]
    assert (outcome.status, outcome.undone) == ("completed", ["lines[1]/pack_line"])
    assert world.outside.happened[-1] == "undo pack b done"


async def test_what_a_round_gives_may_have_any_shape(world: World) -> None:
    world.outside.planned["pack b"] = [Declined("torn")]
    engine = await world.engine(send_parts)
    started = await engine.start(send_parts(["a", "b"]))

    value = await world.finish(engine, started.result())

    assert value[0] == Succeeded(("pack a done", "label pack a done of x done"))
    assert isinstance(value[1], Failed)


async def test_a_round_that_turned_back_goes_on_doing_so_where_its_worker_died(
    world: World,
) -> None:
    world.outside.planned["label pack b done of o-1"] = [Declined("no ink")]
    world.outside.planned["undo pack b done"] = [gate := Gate()]
    first = await world.engine(send_some)
    started = await first.start(send_some("o-1", ["a", "b"]))
    await gate.reached.wait()
    await world.kill(first)
    second = await world.engine(send_some)

    outcome = await world.finish(second, second.run(started.id).outcome())

    assert outcome.value == [Succeeded("label pack a done of o-1 done"), NO_INK]
    assert len(set(world.outside.keys["undo pack b done"])) == 1


async def test_no_further_round_begins_once_enough_are_done(world: World) -> None:
    world.outside.planned["pack a"] = [Declined("torn")]
    engine = await world.engine(send_two)
    started = await engine.start(send_two(["a", "b", "c", "d"]))

    value = await world.finish(engine, started.result())

    assert value[1:] == [Succeeded("pack b done"), Succeeded("pack c done"), Unneeded()]
    assert world.outside.calls == ["pack a", "pack b", "pack c"]


async def test_a_quorum_that_is_missed_fails_the_run_and_says_why(world: World) -> None:
    for line in "bc":
        world.outside.planned[f"pack {line}"] = [Declined("torn")]
    engine = await world.engine(send_two)
    started = await engine.start(send_two(["a", "b", "c"]))

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    assert isinstance(raised.value.__cause__, QuorumMissed)
    assert str(raised.value.__cause__) == (
        "`lines` needs 2 of its 3 rounds done, and 2 failed; "
        "the first was `lines[1]/pack_line`: Declined: torn"
    )
    assert world.outside.happened == ["pack a", "undo pack a done"]


async def test_too_few_items_for_a_quorum_fail_the_run_before_anything_happens(
    world: World,
) -> None:
    engine = await world.engine(send_two)
    started = await engine.start(send_two(["a"]))

    outcome = await world.finish(engine, started.outcome())

    assert str(outcome.error) == "`lines` needs 2 of its 1 rounds done, and 0 failed"
    assert world.outside.calls == []
