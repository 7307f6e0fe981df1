"""How long is what has ended kept? One period for each workflow that says so, and when it is over.

What a period is for, the store does not know: the declaration of a workflow says it, and a prune
goes by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from makegood.values.instants import after

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from makegood.values.instants import Instant

__all__ = ["KeepsPeriods", "ended_before_of"]


class KeepsPeriods(Protocol):
    """What every journal also keeps: how long the runs of a workflow are kept once they ended.

    1. `retain` keeps the period of a workflow over the one before it; None takes it back. It is
       durable before it returns, and may be asked again when an answer was lost.
    2. `retained` gives the periods, by the names of the workflows.
    3. A run whose workflow has a period is taken by `prune` (21) once that has passed since its
       end, and not before, whatever the moment is that `prune` was given for all others.
    """

    async def retain(self, workflow: str, period: timedelta | None) -> None:
        """Keep how long the ended runs of a workflow are kept, or take that back (1)."""
        ...

    async def retained(self) -> Mapping[str, timedelta]:
        """Return the period of each workflow that has one (2)."""
        ...


def ended_before_of(period: timedelta | None, *, ended_before: Instant, now: Instant) -> Instant:
    """Return the moment before which a run must have ended to be pruned (3)."""
    return ended_before if period is None else after(now, -period)
