"""A read model is built anew beside the one that is read, and takes its place when it is ready."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    InvalidInput,
    MessageOperator,
    ModelBehind,
    ModelOperator,
    Operator,
    Projection,
    ReadModel,
    Receptors,
)
from makegood.journal.beside.models import EditionState
from makegood.runtime.projecting.projecting import FILLED_AT_ONCE_MAX
from tests.runtime.projecting.orders import (
    DAYS,
    SUMMARIES,
    Day,
    Forgotten,
    Noted,
    Placed,
    Summary,
    editions,
    summarize,
)
from tests.runtime.receiving.shop import deliveries, messages_of, quiet
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine


def doubled(row: Summary | None, event: Placed | Noted | Forgotten) -> Summary | None:
    """Count every cent twice."""
    after = summarize(row, event)
    if after is None or isinstance(event, Noted):
        return after
    return replace(after, cents=after.cents * 2)


LATER = Projection("summaries", doubled, version=2)


async def states(engine: Engine) -> list[tuple[int, str]]:
    return [(each.number, each.state.value) for each in await editions(engine)]


async def test_a_rebuild_gives_the_same_rows_and_removes_the_old_ones(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    for number in range(7):
        await engine.publish(Placed(f"order-{number}", number))
        await engine.publish(Noted(f"order-{number}", "a"))
    await quiet(engine)
    model = ReadModel(engine, SUMMARIES)
    before = await model.page()

    number = await ModelOperator(engine).rebuild("summaries", actor="ann", because="to be sure")
    await quiet(engine)

    assert number == 2
    assert await model.page() == before
    assert len(before.rows) == 7
    assert await states(engine) == [(2, "serving")]
    recipients = {each.id.recipient for each in await deliveries(engine)}
    assert recipients == {"model:summaries@2"}


async def test_rows_are_read_as_they_were_until_the_new_ones_have_caught_up(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    many = FILLED_AT_ONCE_MAX // 100
    for number in range(many):
        await engine.publish(Placed(f"order-{number}", number))
    await quiet(engine)
    model, seen = ReadModel(engine, SUMMARIES), set[str]()
    await ModelOperator(engine).rebuild("summaries", actor="ann", because="to be sure")

    for number in range(many, 3 * many):
        await engine.publish(Placed(f"order-{number}", number))
        assert await model.get("order-3") == Summary(3)
        seen |= {state for _, state in await states(engine)}
        await turn_of_the_loop()
    await quiet(engine)

    assert len((await model.page(limit=1_000)).rows) == 3 * many
    assert "serving" in seen
    assert await states(engine) == [(2, "serving")]


async def test_a_later_declaration_is_built_beside_the_one_that_others_read(shared: World) -> None:
    old = await shared.engine(SUMMARIES)
    await old.publish(Placed("one", 500))
    await quiet(old)
    new = await shared.engine(LATER)
    await quiet(new)

    await new.publish(Noted("one", "a"))
    shared.clock.turn(timedelta(seconds=2))
    await quiet(old)
    await quiet(new)

    assert await ReadModel(old, SUMMARIES).get("one") == Summary(500, ("a",))
    assert await ReadModel(new, LATER).get("one") == Summary(1_000, ("a",))
    assert await states(new) == [(1, "serving"), (2, "serving")]


async def test_an_earlier_declaration_goes_when_nobody_serves_it_any_more(shared: World) -> None:
    old = await shared.engine(SUMMARIES)
    await old.publish(Placed("one", 500))
    await quiet(old)
    new = await shared.engine(LATER)
    await quiet(new)
    await shared.close(old)

    shared.clock.turn(timedelta(minutes=9))
    await quiet(new)
    early = await states(new)
    shared.clock.turn(timedelta(minutes=3))
    await quiet(new)

    assert early == [(1, "serving"), (2, "serving")]
    assert await states(new) == [(2, "serving")]
    with pytest.raises(ModelBehind, match="is not served as it is declared here"):
        await ReadModel(new, SUMMARIES).get("one")


async def test_a_process_that_dies_while_it_builds_is_taken_over(shared: World) -> None:
    dying = await shared.engine()
    for number in range(25):
        await dying.publish(Placed(f"order-{number}", number))
    dying.serve(SUMMARIES)
    for _ in range(12):
        await turn_of_the_loop()
    await shared.kill(dying)
    unfinished = await shared.engine()
    assert EditionState.RETIRED not in {each.state for each in await editions(unfinished)}

    heir = await shared.engine(SUMMARIES)
    await quiet(heir)
    shared.clock.turn(timedelta(minutes=5))
    await quiet(heir)

    assert len((await ReadModel(heir, SUMMARIES).page()).rows) == 25
    assert await states(heir) == [(1, "serving")]


async def test_what_cannot_be_folded_keeps_a_rebuild_from_nothing_and_is_told(
    world: World,
) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500))
    await engine.publish(Noted("one", "bad"))
    await quiet(engine)
    operator = ModelOperator(engine)

    await operator.rebuild("summaries", actor="ann", because="to be sure")
    await quiet(engine)

    (edition,) = await operator.editions()
    assert (edition.number, edition.state, edition.dead, edition.waiting) == (2, "serving", 1, 0)
    assert (edition.actor, edition.because, edition.filled) == ("ann", "to be sure", 1.0)
    letters = await MessageOperator(engine).dead_letters(receptor="model:summaries@2")
    assert [each.message for each in letters]


async def test_an_edition_that_is_ended_is_removed(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500))
    await quiet(engine)
    await world.close(engine)
    looking = await world.engine()
    operator = ModelOperator(looking)

    assert await operator.retire("summaries", 1, actor="ann", because="not read any more")
    assert not await operator.retire("summaries", 1, actor="ann", because="not read any more")
    await operator.clear()

    assert await states(looking) == []
    assert await deliveries(looking) == []
    with pytest.raises(InvalidInput, match="there is no read model 'summaries@1'"):
        await operator.retire("summaries", 1, actor="ann", because="once more")
    with pytest.raises(InvalidInput, match="there is no read model 'nothing'"):
        await operator.rebuild("nothing", actor="ann", because="to be sure")
    with pytest.raises(InvalidInput, match="the reason is ''"):
        await operator.rebuild("summaries", actor="ann", because="")


async def test_messages_are_kept_as_long_as_a_read_model_may_be_built_of_them(
    world: World,
) -> None:
    async def hear(event: Placed) -> None: ...

    engine = await world.engine(Receptors("books").on(hear), DAYS)
    await engine.publish(Placed("one", 500))
    await engine.publish(Noted("one", "a"))
    await quiet(engine)
    world.clock.turn(timedelta(days=400))
    post, now = messages_of(engine), world.clock.now()

    await post.prune(before=now, dead_before=now, limit=99)
    await ModelOperator(engine).rebuild("days", actor="ann", because="to be sure")
    await quiet(engine)

    assert await ReadModel(engine, DAYS).get("monday") == Day(1, 500)
    assert await post.message(2) is None


async def test_what_is_erased_is_in_no_row_of_its_key(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500), subject="anna")
    await engine.publish(Placed("two", 700), subject="bert")
    await quiet(engine)

    await Operator(engine).erase(subject="anna", actor="ann", reason="she asked")
    model = ReadModel(engine, SUMMARIES)
    erased = await model.get("one")
    await ModelOperator(engine).rebuild("summaries", actor="ann", because="to be sure")
    await quiet(engine)

    assert erased is None
    assert (await model.page()).rows == {"two": Summary(700)}
