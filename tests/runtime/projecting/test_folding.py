"""What stands in a read model is what its messages come to, in their order, each of them once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from makegood import (
    DefinitionError,
    HaltKind,
    MessageOperator,
    ModelBehind,
    Operator,
    Projection,
    ReadModel,
    Receptors,
)
from makegood.errors import StoreBusy
from makegood.journal.beside.models import EditionState, Folded, Verdict
from makegood.journal.memory import MemoryJournal
from makegood.journal.messages import DeliveryState
from makegood.values.ids import WorkerId
from makegood.values.limits import PAYLOAD_BYTES_MAX
from tests.runtime.projecting.orders import (
    DAYS,
    SUMMARIES,
    Day,
    Forgotten,
    Noted,
    Placed,
    Summary,
    add_up,
    editions,
    summarize,
)
from tests.runtime.receiving.shop import dead_letters, deliveries, fault, messages_of, quiet
from tests.runtime.world import World, turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine

MODEL = "model:summaries@1"


async def note(engine: Engine, *texts: str, order: str = "one") -> None:
    for text in texts:
        await engine.publish(Noted(order, text))


async def row(engine: Engine, key: str = "one") -> Summary | None:
    await quiet(engine)
    return await ReadModel(engine, SUMMARIES).get(key)


async def test_a_row_is_what_its_messages_come_to(world: World) -> None:
    engine = await world.engine(SUMMARIES)

    await engine.publish(Placed("one", 500))
    await engine.publish(Placed("two", 700))
    await note(engine, "a", "b", "c")

    assert await row(engine) == Summary(500, ("a", "b", "c"))
    assert await row(engine, "two") == Summary(700)
    assert await row(engine, "three") is None


async def test_none_removes_a_row_and_the_next_message_makes_it_anew(world: World) -> None:
    engine = await world.engine(SUMMARIES)

    await engine.publish(Placed("one", 500))
    await engine.publish(Forgotten("one"))
    removed = await row(engine)
    await engine.publish(Placed("one", 900))

    assert removed is None
    assert await row(engine) == Summary(900)


async def test_what_was_stored_before_it_was_ever_served_is_in_it_too(world: World) -> None:
    engine = await world.engine()
    await engine.publish(Placed("one", 500))
    await note(engine, "a")
    engine.serve(SUMMARIES)
    await note(engine, "b")

    assert await row(engine) == Summary(500, ("a", "b"))


async def test_messages_of_several_keys_come_to_one_row_by_a_key_of_its_own(world: World) -> None:
    engine = await world.engine(DAYS)
    for number in range(40):
        await engine.publish(Placed(f"order-{number}", 10, "monday" if number % 4 else "tuesday"))
    await engine.publish(Placed("elsewhere", 99, ""))
    await quiet(engine)

    page = await ReadModel(engine, DAYS).page()

    assert page.rows == {"monday": Day(30, 300), "tuesday": Day(10, 100)}
    states = {each.state for each in await deliveries(engine)}
    assert states == {DeliveryState.DONE}


async def test_another_process_goes_on_where_one_has_stopped(world: World) -> None:
    before = await world.engine(SUMMARIES)
    await before.publish(Placed("one", 500))
    await quiet(before)
    await world.close(before)

    after = await world.engine(SUMMARIES)
    await note(after, "a")

    assert await row(after) == Summary(500, ("a",))
    assert [each.number for each in await editions(after)] == [1]


async def test_engines_that_fold_into_one_row_lose_nothing(shared: World) -> None:
    first, second = await shared.engine(DAYS), await shared.engine(DAYS)
    for number in range(60):
        engine = first if number % 2 else second
        await engine.publish(Placed(f"order-{number}", 1))
        if number % 7 == 0:
            await turn_of_the_loop()
    await quiet(first)
    await quiet(second)

    assert await ReadModel(second, DAYS).get("monday") == Day(60, 60)


class Contended(MemoryJournal):
    """A journal in which somebody else is quicker, or that is busy, as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.instead: list[Verdict | Exception] = []
        models = self.messages.models
        fold = models.fold

        async def contended(folded: Folded) -> Verdict:
            if self.instead:
                answer = self.instead.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
            return await fold(folded)

        models.fold = contended  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "instead",
    [[Verdict.STALE], [Verdict.STALE] * 10, [Verdict.FENCED], [StoreBusy("a lock")] * 2],
    ids=["stale", "stale ten times", "fenced", "busy"],
)
async def test_what_could_not_be_written_is_folded_again(instead: list[Verdict]) -> None:
    async with World() as world:
        journal = Contended()
        engine = await world.engine(SUMMARIES, journal=journal)
        await quiet(engine)
        journal.instead = [*instead]

        await engine.publish(Placed("one", 500))
        for _ in range(4):
            await quiet(engine)
            world.clock.turn(timedelta(seconds=1))

        assert await row(engine) == Summary(500)
        assert journal.instead == []


async def test_a_message_that_cannot_be_folded_is_a_dead_letter_and_the_rest_goes_on(
    world: World,
) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500))
    await note(engine, "a", "bad", "b")

    assert await row(engine) == Summary(500, ("a", "b"))
    (dead,) = await dead_letters(engine)
    assert (dead.id.recipient, dead.reason) == (MODEL, "failed")
    assert fault(dead).failure.message == "'bad' cannot be noted"


async def test_with_block_the_messages_of_its_key_wait_for_a_person(world: World) -> None:
    blocking = Projection("summaries", summarize, on_dead="block")
    engine = await world.engine(blocking)
    for order in ("one", "two"):
        await engine.publish(Placed(order, 500))
    await note(engine, "a", "bad", "b")
    await note(engine, "a", order="two")
    await quiet(engine)
    model = ReadModel(engine, blocking)

    held_up, beside = await model.get("one"), await model.get("two")
    await MessageOperator(engine).discard(actor="ann", because="typo", receptor=MODEL)
    await quiet(engine)

    assert held_up == Summary(500, ("a",))
    assert beside == Summary(500, ("a",))
    assert await model.get("one") == Summary(500, ("a", "b"))


async def test_a_dead_letter_that_is_sent_again_is_folded_where_it_belongs() -> None:
    is_repaired: list[bool] = []

    def repaired(row: Summary | None, event: Placed | Noted | Forgotten) -> Summary | None:
        if isinstance(event, Noted) and event.text == "bad" and is_repaired:
            event = Noted(event.order_id, "good")
        return summarize(row, event)

    projection = Projection("summaries", repaired)
    async with World() as world:
        engine = await world.engine(projection)
        await engine.publish(Placed("one", 500))
        await note(engine, "a", "bad", "b")
        await quiet(engine)
        is_repaired.append(True)

        await MessageOperator(engine).resend(actor="ann", because="repaired", receptor=MODEL)
        await note(engine, "c")
        await quiet(engine)

        found = await ReadModel(engine, projection).get("one")
        assert found == Summary(500, ("a", "good", "b", "c"))
        assert await dead_letters(engine) == []


async def test_a_message_that_has_to_wait_is_folded_where_it_belongs(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500))
    await engine.publish(Noted("one", "late"), after=timedelta(hours=1))
    await note(engine, "a", order="one")
    early = await row(engine)

    world.clock.turn(timedelta(hours=1))

    assert early == Summary(500, ("a",))
    assert await row(engine) == Summary(500, ("late", "a"))


async def test_a_late_message_of_a_row_of_its_own_key_is_counted_once(world: World) -> None:
    engine = await world.engine(DAYS)
    await engine.publish(Placed("late", 5), after=timedelta(hours=1))
    for number in range(20):
        await engine.publish(Placed(f"order-{number}", 10, "monday" if number % 2 else "tuesday"))
    await quiet(engine)

    world.clock.turn(timedelta(hours=1))
    await quiet(engine)

    assert await ReadModel(engine, DAYS).get("monday") == Day(11, 105)


async def test_a_row_that_is_too_large_is_told_by_the_message_that_made_it_so(
    world: World,
) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500))
    large = "x" * (PAYLOAD_BYTES_MAX // 2)
    await note(engine, large, large, "a")

    found = await row(engine)

    assert found == Summary(500, (large, "a"))
    assert [each.reason for each in await dead_letters(engine)] == ["unrecorded"]


async def test_a_message_without_a_key_has_no_row(world: World) -> None:
    @dataclass(frozen=True)
    class Keyless:
        message_name = "orders.Keyless"

    def fold(row: Summary | None, event: Keyless) -> Summary | None:
        raise AssertionError

    engine = await world.engine(Projection("keyless", fold))
    await engine.publish(Keyless())
    await quiet(engine)

    (dead,) = await dead_letters(engine)
    assert dead.reason == "unreadable"
    assert "without a key has no row in `keyless`" in fault(dead).failure.message


async def test_a_key_that_is_none_is_told(world: World) -> None:
    broken = Projection("days", add_up, key=lambda _event: 7)  # type: ignore[arg-type,return-value]
    engine = await world.engine(broken)
    await engine.publish(Placed("one", 500))
    await quiet(engine)

    (dead,) = await dead_letters(engine)
    assert "the key of a row of `days` is 7" in fault(dead).failure.message


async def test_tenants_have_rows_of_their_own(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    await engine.publish(Placed("one", 500), tenant="acme")
    await engine.publish(Placed("one", 700))
    await quiet(engine)
    model = ReadModel(engine, SUMMARIES)

    assert await model.get("one") == Summary(700)
    assert await model.get("one", tenant="acme") == Summary(500)
    assert (await model.page(tenant="acme")).rows == {"one": Summary(500)}


async def test_what_a_receptor_sends_is_folded_too(world: World) -> None:
    async def place(event: Forgotten) -> Placed:
        return Placed(event.order_id, 900)

    engine = await world.engine(Receptors("shop").on(place), DAYS)
    await engine.publish(Forgotten("one"))
    await quiet(engine)

    assert await ReadModel(engine, DAYS).get("monday") == Day(1, 900)


async def test_a_read_model_that_is_halted_folds_nothing(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    await quiet(engine)
    operator = Operator(engine)
    await operator.halt(HaltKind.RECEPTOR, "model:summaries", actor="ann", reason="look")
    await engine.publish(Placed("one", 500))
    halted = await row(engine)
    await operator.lift(HaltKind.RECEPTOR, "model:summaries", actor="ann", reason="seen")
    world.clock.turn(timedelta(seconds=2))

    assert halted is None
    assert await row(engine) == Summary(500)


async def test_one_of_whom_workers_die_is_given_up_at_last(shared: World) -> None:
    engine = await shared.engine(SUMMARIES)
    await engine.publish(Placed("two", 700))
    await quiet(engine)
    await shared.kill(engine)
    dying = await shared.engine()
    await dying.publish(Placed("one", 500))
    for number in range(6):
        (held,) = await messages_of(dying).take(
            WorkerId(f"worker-{number}"),
            room={MODEL: 1},
            per_lane=1,
            limit=1,
            now=shared.clock.now(),
        )
        assert held.id.lane == "one"
        shared.clock.turn(timedelta(minutes=5))

    heir = await shared.engine(SUMMARIES)
    await quiet(heir)

    assert [each.reason for each in await dead_letters(heir)] == ["poison"]


async def test_two_read_models_of_one_name_are_refused(world: World) -> None:
    engine = await world.engine(SUMMARIES)
    engine.serve(SUMMARIES)

    with pytest.raises(DefinitionError, match="two read models are named `summaries`"):
        engine.serve(Projection("summaries", summarize, version=2))


async def test_before_it_was_ever_served_it_is_behind(world: World) -> None:
    engine = await world.engine()

    with pytest.raises(ModelBehind, match="is not served as it is declared here"):
        await ReadModel(engine, SUMMARIES).get("one")
    assert [each.state for each in await editions(engine)] == []
    engine.serve(SUMMARIES)
    await quiet(engine)
    assert [each.state for each in await editions(engine)] == [EditionState.SERVING]
