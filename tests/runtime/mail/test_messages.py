"""What is sent reaches who waits for it: early, late, twice, and whoever dies meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import (
    Config,
    Declined,
    Engine,
    InvalidInput,
    KeyConflict,
    MailboxFull,
    Operator,
    RunFailed,
    UnknownMessage,
    WaitTimedOut,
)
from makegood.journal.upkeep import forgotten
from makegood.values.limits import LETTERS_KEPT_MAX
from tests.runtime.mail.shop import (
    Shipped,
    Unheard,
    follow,
    follow_for_ever,
    perhaps,
    ship,
    ship_and_finish,
)
from tests.runtime.outside import Gate
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Run, Workflow
    from tests.runtime.world import World

PARCEL = Shipped("order-1", "parcel 9")
WAITS = "tests.runtime.mail.shop.Shipped"


SELDOM = Config(shutdown_grace=AT_ONCE, poll_max=timedelta(hours=4))
"""Days go by here, and whoever has something to do is rung."""


# Any: whatever the workflows return.
async def opened(world: World, *served: Workflow[..., Any]) -> Engine:
    return await world.engine(*served, config=SELDOM)


async def waiting(world: World, engine: Engine, run: Run[object], *, count: int = 1) -> None:
    """Let the engine go on until so many runs are known to wait."""

    async def known() -> None:
        while len((await Operator(engine).messages()).waiting) < count:
            await turn_of_the_loop()

    await world.finish(engine, known())


async def test_a_message_from_outside_wakes_the_run_that_waits_for_it(stored: World) -> None:
    engine = await opened(stored, follow_for_ever)
    run = await engine.start(follow_for_ever("order-1"))
    await waiting(stored, engine, run)
    before = stored.clock.now()

    sent = await engine.send(PARCEL, key="order-1")

    assert sent.run == run.id
    assert await stored.finish(engine, run.result()) == "parcel 9"
    assert stored.clock.now() - before < 1_000_000
    assert stored.outside.calls == ["hold", "notify parcel 9"]


async def test_a_run_that_waits_for_ever_holds_no_room_and_is_not_forgotten(
    stored: World,
) -> None:
    engine = await opened(stored, follow_for_ever)
    run = await engine.start(follow_for_ever("order-1"))
    await waiting(stored, engine, run)

    assert engine.active == 0
    described = await run.describe()
    assert described.status == "waiting"
    assert await forgotten(engine._shell.journal) == ()


async def test_a_message_that_comes_before_the_wait_is_kept_for_it(stored: World) -> None:
    engine = await opened(stored, follow_for_ever)

    sent = await engine.send(PARCEL, key="order-1")

    assert sent.run is None
    assert [kept.key for kept in (await Operator(engine).messages()).kept] == ["order-1"]
    run = await engine.start(follow_for_ever("order-1"))
    assert await stored.finish(engine, run.result()) == "parcel 9"
    assert (await Operator(engine).messages()).kept == ()


async def test_a_message_is_kept_no_longer_than_was_said_and_is_listed_after(
    stored: World,
) -> None:
    engine = await opened(stored, follow)
    await engine.send(PARCEL, key="order-1", keep=timedelta(hours=1))
    stored.clock.turn(timedelta(hours=2))

    messages = await Operator(engine).messages()

    assert (messages.kept, [each.key for each in messages.expired]) == ((), ["order-1"])
    run = await engine.start(follow("order-1"))
    outcome = await stored.finish(engine, run.outcome())
    assert (outcome.status, type(outcome.error)) == ("failed", WaitTimedOut)


async def test_one_run_sends_and_another_one_waits(stored: World) -> None:
    engine = await opened(stored, follow_for_ever, ship)
    run = await engine.start(follow_for_ever("order-1"))
    await waiting(stored, engine, run)

    sender = await engine.start(ship("order-1"))

    assert await stored.finish(engine, run.result()) == "parcel of order-1"
    assert (await sender.describe()).status == "completed"


async def test_a_message_that_is_sent_again_is_the_same_message(stored: World) -> None:
    """As a webhook is: the second run that waits is not given it too."""
    engine = await opened(stored, follow_for_ever, follow)
    first = await engine.send(PARCEL, key="order-1", id="event-7")
    run = await engine.start(follow_for_ever("order-1"))
    assert await stored.finish(engine, run.result()) == "parcel 9"

    again = await engine.send(PARCEL, key="order-1", id="event-7")

    assert (first.run, again.run) == (None, run.id)
    other = await engine.start(follow("order-1"))
    outcome = await stored.finish(engine, other.outcome())
    assert type(outcome.error) is WaitTimedOut


async def test_two_messages_are_for_two_runs(stored: World) -> None:
    engine = await opened(stored, follow_for_ever)
    await engine.send(Shipped("order-1", "a"), key="order-1")
    stored.clock.turn(timedelta(seconds=1))
    await engine.send(Shipped("order-1", "b"), key="order-1")

    runs = [await engine.start(follow_for_ever("order-1")) for _ in range(1)]
    first = await stored.finish(engine, runs[0].result())
    second = await engine.start(follow_for_ever("order-1"))

    assert [first, await stored.finish(engine, second.result())] == ["a", "b"]


async def test_a_second_run_that_waits_for_the_same_fails_and_leaves_the_first_alone(
    stored: World,
) -> None:
    engine = await opened(stored, follow_for_ever)
    first = await engine.start(follow_for_ever("order-1"))
    await waiting(stored, engine, first)

    second = await engine.start(follow_for_ever("order-1"))
    with pytest.raises(RunFailed) as raised:
        await stored.finish(engine, second.result())

    assert str(raised.value.errors[0]) == (
        f"another wait is for {WAITS} with the key 'order-1', and one alone may be; give each run "
        "a key of its own"
    )
    assert isinstance(raised.value.__cause__, KeyConflict)
    assert (await second.outcome()).undone == ["hold_stock"]
    await engine.send(PARCEL, key="order-1")
    assert await stored.finish(engine, first.result()) == "parcel 9"


async def test_a_wait_whose_time_is_over_fails_and_the_run_is_rolled_back(stored: World) -> None:
    engine = await opened(stored, follow)
    run = await engine.start(follow("order-1"))

    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.cause, outcome.undone) == ("failed", "error", ["hold_stock"])
    assert str(outcome.error) == f"no {WAITS} with the key 'order-1' came in time"
    assert (await Operator(engine).messages()).waiting == ()


async def test_an_optional_wait_goes_on_without(stored: World) -> None:
    engine = await opened(stored, perhaps)
    run = await engine.start(perhaps("order-1"))
    assert await stored.finish(engine, run.result()) is None

    other = await engine.start(perhaps("order-2"))
    await engine.send(Shipped("order-2", "b"), key="order-2")
    assert await stored.finish(engine, other.result()) == Shipped("order-2", "b")


async def test_a_message_that_comes_too_late_is_kept_for_the_next_who_waits(
    stored: World,
) -> None:
    """The run has given up, and its journal does not know that yet when the message is given."""
    engine = await opened(stored, follow)
    run = await engine.start(follow("order-1"))
    await waiting(stored, engine, run)
    stored.clock.turn(timedelta(days=4))
    await engine.send(PARCEL, key="order-1")
    outcome = await stored.finish(engine, run.outcome())

    if outcome.status == "failed":
        messages = await Operator(engine).messages()
        assert [kept.key for kept in messages.kept] == ["order-1"]
    else:
        assert outcome.value == "parcel 9"


async def test_a_run_that_is_cancelled_while_it_waits_goes_back_and_waits_no_more(
    stored: World,
) -> None:
    engine = await opened(stored, follow_for_ever)
    run = await engine.start(follow_for_ever("order-1"))
    await waiting(stored, engine, run)

    await stored.finish(engine, run.cancel(actor="ann", reason="not needed"))
    outcome = await stored.finish(engine, run.outcome())

    assert (outcome.status, outcome.undone) == ("cancelled", ["hold_stock"])
    sent = await engine.send(PARCEL, key="order-1")
    assert sent.run is None


async def test_a_message_for_a_run_that_has_ended_is_kept_for_the_next_and_changes_nothing(
    stored: World,
) -> None:
    """Whoever sends cannot know who waits: what nobody has taken is listed for people."""
    engine = await opened(stored, follow_for_ever)
    ended = await engine.start(follow_for_ever("order-1"))
    await engine.send(PARCEL, key="order-1")
    await stored.finish(engine, ended.result())
    before = (await Operator(engine).history(ended.id)).row

    sent = await engine.send(Shipped("order-1", "late"), key="order-1")

    assert sent.run is None
    assert [kept.id for kept in (await Operator(engine).messages()).kept] == [sent.id]
    assert (await Operator(engine).history(ended.id)).row == before
    following = await engine.start(follow_for_ever("order-1"))
    assert await stored.finish(engine, following.result()) == "late"


async def test_what_is_held_back_until_success_goes_out_when_the_run_has_completed(
    stored: World,
) -> None:
    engine = await opened(stored, perhaps, ship_and_finish)
    gate = Gate()
    stored.outside.planned["notify parcel of order-1"] = [gate]
    run = await engine.start(ship_and_finish("order-1"))
    await stored.finish(engine, gate.reached.wait())
    assert (await Operator(engine).messages()).kept == ()

    gate.open()
    await stored.finish(engine, run.result())

    await until(lambda: engine.is_at_rest)
    assert [kept.key for kept in (await Operator(engine).messages()).kept] == ["order-1"]


async def test_what_is_held_back_is_dropped_when_the_run_is_rolled_back(stored: World) -> None:
    engine = await opened(stored, perhaps, ship_and_finish)
    stored.outside.planned["notify parcel of order-1"] = [Declined("no address")]
    run = await engine.start(ship_and_finish("order-1"))

    outcome = await stored.finish(engine, run.outcome())

    await until(lambda: engine.is_at_rest)
    assert outcome.status == "failed"
    assert (await Operator(engine).messages()).kept == ()


async def test_waiting_goes_on_when_another_engine_takes_over(stored: World) -> None:
    first = await opened(stored, follow_for_ever)
    run = await first.start(follow_for_ever("order-1"))
    await waiting(stored, first, run)
    await stored.kill(first)

    second = await opened(stored, follow_for_ever)
    sent = await second.send(PARCEL, key="order-1")

    assert sent.run == run.id
    assert await stored.finish(second, second.run(run.id).result()) == "parcel 9"
    assert stored.outside.calls == ["hold", "notify parcel 9"]


async def test_a_message_that_no_served_workflow_waits_for_is_refused(world: World) -> None:
    engine = await opened(world, follow, ship)

    with pytest.raises(UnknownMessage) as raised:
        await engine.send(Unheard("hello"), key="order-1")

    assert str(raised.value) == (
        "no workflow that is served here waits for `tests.runtime.mail.shop.Unheard`; they wait "
        f"for `{WAITS}`: serve the one that does, or send from an engine that serves nothing"
    )
    assert (await Operator(engine).messages()).kept == ()


@pytest.mark.parametrize(
    ("message", "options", "why"),
    [
        ("hello", {"key": "a"}, "`str` is not a class of messages"),
        ({"a": 1}, {"key": "a"}, "`dict` is not a class of messages"),
        (PARCEL, {"key": ""}, "the key of a message is empty"),
        (PARCEL, {"key": "a", "keep": timedelta(0)}, "keep=0:00:00: a message is kept for more"),
        (PARCEL, {"key": "a", "keep": timedelta(days=999)}, "at most 366 days"),
    ],
)
async def test_what_is_no_message_is_refused(
    world: World, message: object, options: dict[str, object], why: str
) -> None:
    engine = await opened(world, follow)

    with pytest.raises(InvalidInput, match=why):
        await engine.send(message, **options)  # type: ignore[arg-type]


async def test_a_message_that_nobody_took_is_erased_with_its_subject(stored: World) -> None:
    engine = await opened(stored, follow_for_ever)
    operator = Operator(engine)
    await engine.send(PARCEL, key="order-1", id="1", subject="Ada")

    report = await operator.erase(subject="Ada", actor="eve", reason="article 17")

    assert (report.messages, report.is_complete) == (1, True)
    assert [each.id for each in (await operator.messages()).expired] == ["1"]
    with pytest.raises(InvalidInput, match="subject"):
        await engine.send(PARCEL, key="order-1", subject="")


async def test_too_many_messages_that_nobody_waits_for_are_refused(world: World) -> None:
    engine = await opened(world, follow_for_ever)
    for _ in range(LETTERS_KEPT_MAX):
        await engine.send(PARCEL, key="order-1")
    with pytest.raises(MailboxFull, match=r"for `order-1` are kept already"):
        await engine.send(PARCEL, key="order-1")
