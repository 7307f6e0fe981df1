"""Steps that try again until they are through: only what is declined fails."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from makegood import IdempotencyKey, Retry, RunInfo, injected, step
from tests.simulation.kinds.books import Clerk, Deed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AGAIN", "PATIENCE", "stubborn", "take_back"]

AGAIN = Retry(attempts=40, delay=timedelta(seconds=1), delay_max=timedelta(seconds=4))
"""So often that only what is declined fails."""
PATIENCE = timedelta(seconds=6)
"""How long an answer from outside is waited for."""


async def take_back(
    thing: str,
    *,
    clerk: Clerk = injected,
    key: IdempotencyKey = injected,
    info: RunInfo = injected,
) -> None:
    """Take back a thing that a step has returned."""
    await clerk.ask(Deed(thing=thing, key=key, of=info.id, is_undo=True))


def stubborn(do: Callable[..., Any], name: str) -> Any:  # Any: as `step` takes and returns.
    """Return the step of what returns the thing that it did."""
    return step(
        do,
        name=name,
        undo=take_back,
        retry=AGAIN,
        undo_retry=AGAIN,
        timeout=PATIENCE,
        undo_timeout=PATIENCE,
    )
