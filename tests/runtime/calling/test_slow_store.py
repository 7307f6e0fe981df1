"""What a store that takes its time does not cost: the time of the steps that wait for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from makegood import Deadline, IdempotencyKey, injected, step, workflow
from makegood.decision import facts
from makegood.errors import StoreFull
from makegood.values.instants import as_datetime
from tests.runtime.outside import Gate, Outside

if TYPE_CHECKING:
    from tests.runtime.world import World


async def hold_seat(
    trip: str,
    *,
    outside: Outside = injected,
    key: IdempotencyKey = injected,
    deadline: Deadline = injected,
) -> datetime:
    await outside.do("hold", key)
    return deadline


hold = step(hold_seat, timeout=timedelta(milliseconds=500), irreversible="only a test")


@workflow
def hold_only(trip: str) -> datetime:
    """Hold a seat, within half a second."""
    return hold.named("second").after(hold(trip))(trip)


async def test_the_time_that_the_store_takes_is_not_the_steps(world: World) -> None:
    """A step whose intent had to wait for room is not cancelled as soon as it begins."""
    gate = Gate()
    world.outside.planned["hold"] = [gate]
    engine, journal = await world.watched(hold_only)
    run = await engine.start(hold_only("Oslo"))
    await gate.reached.wait()
    journal.answers += [StoreFull("full"), StoreFull("full")]
    gate.open()

    deadline = await world.finish(engine, run.result())

    assert world.outside.calls == ["hold", "hold"]
    assert not any(isinstance(fact, facts.NodeFailed) for fact in journal.durable)
    (begun,) = (
        fact
        for fact in journal.durable
        if isinstance(fact, facts.NodeStarted) and fact.node == "second"
    )
    waited = timedelta(seconds=2)
    assert deadline == as_datetime(begun.at) + waited + timedelta(milliseconds=500)
