"""One run at a time holds a key, in the order of asking, whoever dies meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from makegood import (
    Config,
    Declined,
    Engine,
    Held,
    HoldTimedOut,
    IdempotencyKey,
    InvalidInput,
    hold,
    injected,
    step,
    workflow,
)
from makegood.definition.recipe import TIMEOUT
from makegood.journal.upkeep import forgotten, held_in_vain
from tests.runtime.outside import Gate, Outside
from tests.runtime.world import AT_ONCE, turn_of_the_loop, until

if TYPE_CHECKING:
    from makegood import Run, Workflow
    from tests.runtime.world import World

ACCOUNT = "account/17"
FIVE_MINUTES = timedelta(minutes=5)

SELDOM = Config(shutdown_grace=AT_ONCE, poll_max=timedelta(hours=4))
"""Whoever has something to do is rung."""


async def do_pay(name: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do(f"pay {name}", key)


async def do_refund(
    paid: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do(f"undo {paid}", key)


async def do_book(name: str, *, outside: Outside = injected, key: IdempotencyKey = injected) -> str:
    return await outside.do(f"book {name}", key)


pay = step(do_pay, undo=do_refund)
book = step(do_book, irreversible="a book entry stays")


@workflow
def transfer(name: str) -> str:
    """Pay and book, beside nobody else."""
    held = hold(ACCOUNT, within=FIVE_MINUTES)
    paid = pay.after(held)(name)
    return book.after(paid)(name)


@workflow
def nested(name: str) -> str:
    """Hold the account, and call a run that holds it too."""
    held = hold(ACCOUNT, within=FIVE_MINUTES)
    return step(transfer).after(held)(name)


@workflow
def odd(pause: timedelta) -> Held:
    return hold(ACCOUNT, within=pause)


# Any: whatever the workflows return.
async def opened(world: World, *served: Workflow[..., Any]) -> Engine:
    return await world.engine(*served, config=SELDOM)


async def claimed(world: World, engine: Engine, *runs: Run[str]) -> None:
    """Let the engine go on until these and no other runs have claims."""

    async def known() -> None:
        while await claims(engine) != [run.id for run in runs]:
            await turn_of_the_loop()

    await world.finish(engine, known())


async def claims(engine: Engine) -> list[str]:
    return [claim.run for claim in await engine._shell.journal.claims(limit=99)]


def held_up(world: World, name: str) -> Gate:
    """Let a step with this name stand still until its gate is opened."""
    gate = Gate()
    world.outside.planned[name] = [gate]
    return gate


async def test_one_run_at_a_time_holds_a_key_in_the_order_in_which_they_asked(
    stored: World,
) -> None:
    engine = await opened(stored, transfer)
    gate = held_up(stored, "pay a")
    runs = [await engine.start(transfer("a"))]
    await stored.finish(engine, gate.reached.wait())
    for name in ("d", "c", "b"):
        runs.append(await engine.start(transfer(name)))
        await claimed(stored, engine, *runs)
    assert stored.outside.calls == ["pay a"]
    assert [(await run.describe()).status for run in runs] == ["running", *["waiting"] * 3]

    gate.open()
    for run in runs:
        await stored.finish(engine, run.result())

    order = [f"{what} {name}" for name in "adcb" for what in ("pay", "book")]
    assert stored.outside.calls == order
    await until(lambda: engine.is_at_rest)
    assert await claims(engine) == []


async def test_two_engines_share_one_key(world: World) -> None:
    """In memory alone: a file of SQLite is worked on by one engine."""
    first, second = await opened(world, transfer), await opened(world, transfer)
    gate = held_up(world, "pay a")
    one = await first.start(transfer("a"))
    await world.finish(first, gate.reached.wait())
    other = await second.start(transfer("b"))
    await claimed(world, second, one, other)
    assert world.outside.calls == ["pay a"]

    gate.open()
    await world.finish(first, one.result())
    await world.finish(second, other.result())

    assert world.outside.calls == ["pay a", "book a", "pay b", "book b"]


async def test_a_key_is_held_through_the_rollback(stored: World) -> None:
    engine = await opened(stored, transfer)
    gate = held_up(stored, "undo pay a done")
    stored.outside.planned["book a"] = [Declined("no such book")]
    first = await engine.start(transfer("a"))
    await stored.finish(engine, gate.reached.wait())
    second = await engine.start(transfer("b"))
    await claimed(stored, engine, first, second)

    gate.open()
    assert (await stored.finish(engine, first.outcome())).status == "failed"
    await stored.finish(engine, second.result())

    assert stored.outside.calls == ["pay a", "book a", "undo pay a done", "pay b", "book b"]


async def test_a_parked_run_keeps_the_key_and_a_hold_is_given_up_in_time(
    stored: World,
) -> None:
    engine = await opened(stored, transfer)
    stored.outside.planned["book a"] = [Declined("no such book")]
    stored.outside.planned["undo pay a done"] = [Declined("no refund")]
    first = await engine.start(transfer("a"))
    assert (await stored.finish(engine, first.outcome())).status == "parked"

    second = await engine.start(transfer("b"))
    outcome = await stored.finish(engine, second.outcome())

    assert (outcome.status, type(outcome.error)) == ("failed", HoldTimedOut)
    assert str(outcome.error) == f"others held {ACCOUNT!r} until the time to wait for it was over"
    await until(lambda: engine.is_at_rest)
    assert await claims(engine) == [first.id]
    assert await forgotten(engine._shell.journal) == ()
    assert await held_in_vain(engine._shell.journal) == ()


async def test_a_holder_that_is_cancelled_goes_back_and_then_the_next_begins(
    stored: World,
) -> None:
    engine = await opened(stored, transfer)
    gate = held_up(stored, "pay a")
    first = await engine.start(transfer("a"))
    await stored.finish(engine, gate.reached.wait())
    second = await engine.start(transfer("b"))
    await claimed(stored, engine, first, second)

    # Its step is given up when its time is over, and asked again under the same key.
    await stored.finish(engine, first.cancel(actor="ann", reason="not needed"))
    stored.clock.turn(TIMEOUT)
    outcome = await stored.finish(engine, first.outcome())
    await stored.finish(engine, second.result())

    assert outcome.status == "cancelled"
    assert stored.outside.calls[-2:] == ["pay b", "book b"]
    assert stored.outside.calls.index("undo pay a done") < stored.outside.calls.index("pay b")


async def test_a_key_stays_with_the_run_whose_process_has_died(stored: World) -> None:
    first = await opened(stored, transfer)
    gate = held_up(stored, "pay a")
    one = await first.start(transfer("a"))
    await stored.finish(first, gate.reached.wait())
    other = await first.start(transfer("b"))
    await claimed(stored, first, one, other)
    await stored.kill(first)

    second = await opened(stored, transfer)
    await stored.finish(second, second.run(one.id).outcome())
    await stored.finish(second, second.run(other.id).outcome())

    calls = stored.outside.calls
    assert calls[-4:] == ["pay a", "book a", "pay b", "book b"]


async def test_a_run_that_a_holder_calls_holds_the_key_with_it(stored: World) -> None:
    engine = await opened(stored, nested, transfer)

    run = await engine.start(nested("a"))

    assert await stored.finish(engine, run.result()) == "book a done"
    await until(lambda: engine.is_at_rest)
    assert await claims(engine) == []


async def test_a_stranger_waits_until_the_whole_tree_has_let_go(stored: World) -> None:
    engine = await opened(stored, nested, transfer)
    gate = held_up(stored, "book a")
    first = await engine.start(nested("a"))
    await stored.finish(engine, gate.reached.wait())
    second = await engine.start(transfer("b"))
    while second.id not in await claims(engine):
        await turn_of_the_loop()

    gate.open()
    await stored.finish(engine, first.result())
    await stored.finish(engine, second.result())

    assert stored.outside.calls == ["pay a", "book a", "pay b", "book b"]


@pytest.mark.parametrize("pause", [timedelta(0), timedelta(days=99_999)])
async def test_a_time_that_has_no_sense_fails_the_run(world: World, pause: timedelta) -> None:
    engine = await opened(world, odd)
    run = await engine.start(odd(pause))

    outcome = await world.finish(engine, run.outcome())

    assert type(outcome.error) is InvalidInput
    assert "has no sense" in str(outcome.error)


async def test_nobody_sends_what_says_that_a_key_is_held(world: World) -> None:
    engine = await opened(world, transfer)

    with pytest.raises(InvalidInput, match="`Held` is granted and never sent; write hold"):
        await engine.send(Held(ACCOUNT), key=ACCOUNT)
