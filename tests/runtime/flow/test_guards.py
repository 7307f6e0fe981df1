"""Guards that skip a step, or put something else in the place of its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood import Declined, Failure, InvalidInput, Proceed, RunFailed, pure, step, workflow
from tests.runtime.flow.shop import charge_card, label, refund_card
from tests.runtime.outside import Gate, Late

if TYPE_CHECKING:
    from tests.runtime.world import World


async def find_charge(_failure: Failure) -> Proceed[str]:
    message = "a compensate is asked about a body, and there was none"
    raise AssertionError(message)


def is_missing(kept: str) -> bool:
    return not kept


charge = step(charge_card, undo=refund_card, compensate=find_charge)


@workflow
def pay_once(order: str, kept: str) -> str:
    """Charge, unless there is a charge from before; then label it."""
    charged = charge.when(pure(is_missing)(kept), otherwise=kept)(order)
    return label(charged, order)


@workflow
def pay_by(order: str, flags: dict[str, bool]) -> str:
    return charge.when(flags["card"], otherwise="nothing")(order)


@pytest.mark.parametrize(
    ("kept", "happened"),
    [
        ("", ["charge o-1", "label charge o-1 done of o-1"]),
        ("an old one", ["label an old one of o-1"]),
    ],
)
async def test_a_guard_that_does_not_hold_puts_something_else_in_the_place_of_a_result(
    kept: str, happened: list[str], world: World
) -> None:
    engine = await world.engine(pay_once)
    started = await engine.start(pay_once("o-1", kept))

    outcome = await world.finish(engine, started.outcome())

    assert outcome.value == f"{happened[-1]} done"
    assert world.outside.happened == happened


async def test_what_was_put_in_the_place_of_a_result_is_not_undone(world: World) -> None:
    world.outside.planned["label an old one of o-1"] = [Declined("no stamp")]
    engine = await world.engine(pay_once)
    started = await engine.start(pay_once("o-1", "an old one"))

    outcome = await world.finish(engine, started.outcome())

    assert (outcome.status, outcome.undone) == ("failed", [])
    assert world.outside.happened == []


async def test_what_was_put_in_the_place_of_a_result_outlives_the_worker(world: World) -> None:
    world.outside.planned["label an old one of o-1"] = [Late(gate := Gate())]
    first = await world.engine(pay_once)
    started = await first.start(pay_once("o-1", "an old one"))
    await gate.reached.wait()
    await world.kill(first)
    second = await world.engine(pay_once)

    outcome = await world.finish(second, second.run(started.id).outcome())

    assert outcome.value == "label an old one of o-1 done"


async def test_a_guard_that_raises_fails_its_step_and_compensate_is_not_asked(
    world: World,
) -> None:
    engine = await world.engine(pay_by)
    started = await engine.start(pay_by("o-1", {}))

    with pytest.raises(RunFailed) as raised:
        await world.finish(engine, started.result())

    assert isinstance(raised.value.__cause__, InvalidInput)
    assert str(raised.value.__cause__) == (
        "`flags['card']` for the guard of `charge_card` is not there: 'card'"
    )
    assert world.outside.calls == []
