"""Runs of the runtime's tests that wait for a person, and what every request about them carries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from makegood import Declined, OutcomeUnknown
from tests.runtime.trips import book, book_surely

if TYPE_CHECKING:
    from makegood import Engine, Run
    from tests.runtime.world import World

__all__ = ["ABSENT", "EVE", "Asked", "in_doubt", "left"]

ABSENT = "0192f0c4-0000-7000-8000-000000000000"


class Asked(TypedDict):
    """What every request carries."""

    actor: str
    reason: str
    wait: timedelta


EVE = Asked(actor="eve", reason="asked the bank", wait=timedelta(seconds=5))


async def in_doubt(world: World, engine: Engine) -> Run[str]:
    """Return a run that is parked because nobody knows whether the card was charged."""
    world.outside.planned["charge"] = [OutcomeUnknown("no answer")]
    run = await engine.start(book_surely("Oslo"), key="trip-1")
    outcome = await world.finish(engine, run.outcome())
    assert (outcome.reason, outcome.left) == ("in doubt", ["charge_unkeyed"])
    return run


async def left(world: World, engine: Engine) -> Run[str]:
    """Return a run whose ticket was refused and whose card could not be refunded."""
    world.outside.planned["send"] = [Declined("no printer")]
    world.outside.planned["refund"] = [Declined("closed account")]
    run = await engine.start(book("Oslo"))
    outcome = await world.finish(engine, run.outcome())
    assert (outcome.reason, outcome.left) == ("undo gave up", ["charge_card"])
    return run
