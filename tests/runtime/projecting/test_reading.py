"""Who has written reads what was written, and pages never skip."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest

from makegood import (
    InvalidInput,
    MessageOperator,
    ModelBehind,
    Projection,
    ReadModel,
    Receipt,
    Receptors,
    UnknownMessage,
)
from tests.runtime.projecting.orders import DAYS, SUMMARIES, Day, Noted, Placed, Summary
from tests.runtime.receiving.shop import quiet
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine
    from tests.runtime.world import World

WITHIN = timedelta(seconds=5)


async def test_what_was_published_is_read_once_it_was_waited_for(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    model = ReadModel(engine, SUMMARIES)

    for cents in (1, 2, 3):
        receipt = await engine.publish(Placed("one", cents))
        await model.wait_for(receipt)
        assert await model.get("one") == Summary(cents)


async def test_it_is_waited_for_what_another_process_folds(shared: World) -> None:
    asking = await shared.engine()
    model = ReadModel(asking, SUMMARIES)
    receipt = await asking.publish(Placed("one", 500))
    waiting = asyncio.ensure_future(model.wait_for(receipt, within=WITHIN))
    await some_turns()
    assert not waiting.done()

    folding = await shared.engine(SUMMARIES)
    await quiet(folding)
    shared.clock.turn(timedelta(seconds=1))
    await waiting

    assert await model.get("one") == Summary(500)


async def some_turns() -> None:
    for _ in range(50):
        await turn_of_the_loop()


async def behind(world: World, model: ReadModel[Summary], receipt: Receipt) -> str:
    """Return why a message is not there when the time is over."""
    waiting = asyncio.ensure_future(model.wait_for(receipt, within=WITHIN))
    for _ in range(8):
        await some_turns()
        world.clock.turn(timedelta(seconds=1))
    with pytest.raises(ModelBehind) as told:
        await waiting
    return str(told.value)


async def test_why_it_was_waited_for_in_vain_is_told(shared: World) -> None:
    engine = await shared.engine()
    model = ReadModel(engine, SUMMARIES)
    receipt = await engine.publish(Placed("one", 500))
    bad = await engine.publish(Noted("one", "bad"))
    assert "is not served as it is declared here" in await behind(shared, model, receipt)

    folding = await shared.engine(SUMMARIES)
    await quiet(folding)
    dead = await behind(shared, model, bad)
    await MessageOperator(engine).discard(actor="ann", because="typo", receptor="model:summaries@1")
    discarded = await behind(shared, model, bad)
    await shared.close(folding)
    late = await engine.publish(Noted("one", "a"))

    assert f"has given up message {bad.id} (failed)" in dead
    assert "somebody has discarded it" in discarded
    assert f"has not folded message {late.id} yet" in await behind(shared, model, late)


async def test_what_will_never_be_there_is_not_waited_for(world: World) -> None:
    engine = await world.engine(SUMMARIES, DAYS)
    receipt = await engine.publish(Noted("one", "a"))

    with pytest.raises(InvalidInput, match=r"`days` folds no `orders\.Noted`"):
        await ReadModel(engine, DAYS).wait_for(receipt)

    await quiet(engine)
    gone = Receipt(
        id="never",
        correlation="c",
        causation="c",
        key=None,
        state="stored",
        recipients=(),
        source="shop",
    )
    with pytest.raises(InvalidInput, match="no message 'never' is stored here"):
        await ReadModel(engine, DAYS).wait_for(gone)


async def pages(engine: Engine, limit: int) -> list[list[str]]:
    model, after, found = ReadModel(engine, SUMMARIES), None, []
    while True:
        page = await model.page(after=after, limit=limit)
        found.append(list(page.rows))
        if page.next is None:
            return found
        after = page.next


async def test_pages_are_sorted_by_key_and_skip_nothing(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    for key in ("c", "a", "e", "b", "d"):
        await engine.publish(Placed(key, 1))
    await quiet(engine)

    assert await pages(engine, 2) == [["a", "b"], ["c", "d"], ["e"]]
    assert await pages(engine, 5) == [["a", "b", "c", "d", "e"]]
    with pytest.raises(InvalidInput, match="a page of 0 rows"):
        await ReadModel(engine, SUMMARIES).page(limit=0)


async def test_each_reader_is_given_a_row_of_its_own(world: World) -> None:
    engine = await world.engine(DAYS)
    await engine.publish(Placed("one", 5))
    await quiet(engine)
    model = ReadModel(engine, DAYS)

    one, other = await model.get("monday"), await model.get("monday")

    assert one == other == Day(1, 5)
    assert one is not other
    assert repr(model) == "<ReadModel days>"


@dataclass(frozen=True)
class Place:
    message_name: ClassVar[str] = "orders.Place"
    message_kind: ClassVar[str] = "command"

    order_id: str

    @property
    def message_key(self) -> str:
        return self.order_id


def count(row: Day | None, event: Place) -> Day:
    return Day(1 if row is None else row.orders + 1, 0)


async def test_a_read_model_does_not_own_a_command(world: World) -> None:
    async def place(event: Place) -> None: ...

    counted = Projection("counted", count)
    engine = await world.engine(counted)
    await quiet(engine)
    with pytest.raises(UnknownMessage, match="no receptor owns the command"):
        await engine.publish(Place("one"))

    engine.serve(Receptors("shop").on(place))
    await engine.publish(Place("one"))
    await quiet(engine)

    assert await ReadModel(engine, counted).get("one") == Day(1, 0)
