"""Hooks as they are carried out: with a step in them, and with none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from makegood import Declined, DefinitionError, IdempotencyKey, hook, injected, step, workflow
from tests.runtime.outside import Outside
from tests.runtime.trips import charge, hold

if TYPE_CHECKING:
    from tests.runtime.world import World


async def insure(
    trip: str, held: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return await outside.do("insure", key)


async def cancel_insurance(
    insured: str, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> None:
    await outside.do("cancel insurance", key)


async def print_ticket(
    charged: str, extra: str | None, *, outside: Outside = injected, key: IdempotencyKey = injected
) -> str:
    return f"{await outside.do('print', key)}, {extra}"


printed = step(print_ticket, irreversible="it is on paper")
insurance = step(insure, undo=cancel_insurance)


@workflow
def travel(trip: str) -> str:
    held = hold(trip)
    extra = hook("extra", trip, held, returns=str)
    charged = charge.after(extra)(held)
    return printed(charged, extra)


async def test_without_a_step_in_it_a_hook_gives_none(world: World) -> None:
    engine = await world.engine(travel)
    run = await engine.start(travel("Oslo"))
    assert await world.finish(engine, run.result()) == "print done, None"
    assert world.outside.happened == ["hold", "charge", "print"]


async def test_a_step_in_a_hook_is_carried_out_in_its_place_and_undone(world: World) -> None:
    """D11: it is an ordinary step, with undo."""
    insured = travel.bind(extra=insurance)
    engine = await world.engine(insured)
    run = await engine.start(insured("Oslo"))
    assert await world.finish(engine, run.result()) == "print done, insure done"
    assert world.outside.happened == ["hold", "insure", "charge", "print"]

    world.outside.planned["print"] = [Declined("no paper")]
    run = await engine.start(insured("Bergen"))
    outcome = await world.finish(engine, run.outcome())
    assert outcome.undone == ["charge_card", "extra", "hold_seat"]


async def test_one_engine_serves_either_of_them(world: World) -> None:
    engine = await world.engine(travel)
    with pytest.raises(DefinitionError, match="two workflows are named `travel`"):
        engine.serve(travel.bind(extra=insurance))
