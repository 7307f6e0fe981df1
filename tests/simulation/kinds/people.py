"""A person who finds that nothing is wrong with what is parked, when all is calm."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from makegood import ControlAnswer, Operator
from tests.simulation.flow.parking import unexplained

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Sequence

    from makegood.journal.memory_store import Record
    from makegood.testing.simulation import Host, Simulation

__all__ = ["try_parked_again"]

PATIENCE = timedelta(minutes=1)
"""How long a person waits for an answer."""
RETRIES_MAX = 20
"""How often a person tries again what is parked, before it counts as never coming to rest."""


async def try_parked_again(
    simulation: Simulation,
    client: Host,
    reached: Counter[str],
    *,
    come_to_rest: Callable[[], Awaitable[None]],
    doubts_of: str | None = None,
) -> list[str]:
    """Try again whatever is parked until nothing is, and return what was wrong with that.

    Each must be parked for a reason that can be seen; a doubt is one for runs of `doubts_of`.
    """
    wrong: list[str] = []
    # Each retry may show another doubt, of what comes after.
    for _ in range(RETRIES_MAX):
        records = simulation.store.records.values()
        parked = [record for record in records if record.status == "parked"]
        if not parked:
            break
        doubtful = {each.run for each in parked if each.new.workflow == doubts_of}
        for told in unexplained(simulation.store):
            is_doubt = "parked for in doubt" in told and told.partition(" ")[0] in doubtful
            if not is_doubt:
                wrong.append(told)
        trying = _try_again(client, parked, reached, wrong)
        await simulation.loop.create_task(trying, context=client.lane.context())
        await come_to_rest()
    return wrong


async def _try_again(
    client: Host, parked: Sequence[Record], reached: Counter[str], wrong: list[str]
) -> None:
    assert client.engine is not None, "a calm process does not die"
    operator = Operator(client.engine)
    for record in parked:
        reached[f"parked: {record.reason}"] += 1
        if record.reason == "a child run is parked":
            continue
        answer = await operator.retry(
            record.run, actor="bob", reason="it is calm now", wait=PATIENCE
        )
        if answer is not ControlAnswer.ACCEPTED:
            wrong.append(f"{record.run} is not tried again, but {answer}")
