"""What is erased stands in no row any more, and rows are as if it had never been."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from makegood import HaltKind, ModelOperator, Operator, ReadModel
from tests.runtime.projecting.orders import DAYS, SUMMARIES, Day, Noted, Placed, Summary
from tests.runtime.receiving.shop import quiet

if TYPE_CHECKING:
    import pytest

    from makegood import Engine
    from tests.runtime.world import World

DAYS_PAUSED = (HaltKind.RECEPTOR, "model:days")


async def ordered(engine: Engine) -> None:
    """Order three times, on two days, by two people."""
    await engine.publish(Placed("one", 500), subject="anna")
    await engine.publish(Placed("two", 700), subject="bert")
    await engine.publish(Placed("three", 100, day="tuesday"), subject="anna")
    await quiet(engine)


async def erase(engine: Engine) -> None:
    await Operator(engine).erase(subject="anna", actor="ann", reason="she asked")


async def test_rows_that_gather_several_keys_are_folded_again_without_what_was_erased(
    world: World,
) -> None:
    engine = await world.engine(DAYS)
    await ordered(engine)
    assert (await ReadModel(engine, DAYS).page()).rows == {
        "monday": Day(2, 1_200),
        "tuesday": Day(1, 100),
    }

    await erase(engine)
    await quiet(engine)

    after = (await ReadModel(engine, DAYS).page()).rows
    await ModelOperator(engine).rebuild("days", actor="ann", because="to compare")
    await quiet(engine)
    assert after == (await ReadModel(engine, DAYS).page()).rows == {"monday": Day(1, 700)}


async def test_such_rows_are_empty_at_once_also_where_nobody_folds(world: World) -> None:
    engine = await world.engine(DAYS)
    await ordered(engine)
    operator = Operator(engine)
    await operator.halt(*DAYS_PAUSED, actor="ann", reason="to look at it")

    await erase(engine)
    await quiet(engine)

    assert (await ReadModel(engine, DAYS).page()).rows == {}
    await engine.publish(Placed("four", 30))
    await operator.lift(*DAYS_PAUSED, actor="ann", reason="seen")
    await quiet(engine)
    assert (await ReadModel(engine, DAYS).page()).rows == {"monday": Day(2, 730)}


async def test_what_cannot_be_folded_without_what_was_erased_is_left_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500), subject="anna")
    await engine.publish(Noted("one", "a"))
    await engine.publish(Placed("two", 700))
    await engine.publish(Noted("two", "b"), subject="anna")
    await quiet(engine)

    with caplog.at_level(logging.WARNING, "makegood"):
        await erase(engine)
        await quiet(engine)

    assert (await ReadModel(engine, SUMMARIES).page()).rows == {"two": Summary(700)}
    assert [record.getMessage() for record in caplog.records] == [
        "message 2 is left out of a row of model:summaries@1, of which another one was erased: "
        "ValueError"
    ]
    await engine.publish(Placed("one", 20))
    await quiet(engine)
    assert await ReadModel(engine, SUMMARIES).get("one") == Summary(20)
