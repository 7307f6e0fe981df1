"""What a message takes over from the run that sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.runtime.receiving.context import with_context
from makegood.values.envelope import Origin

if TYPE_CHECKING:
    from makegood.decision.state import RunState
    from makegood.values.ids import RunId

__all__ = ["origin_of"]


def origin_of(state: RunState, run: RunId) -> Origin:
    """Return what whatever a run sends has in common: its beginning, and what is carried along."""
    family = state.family
    origin = Origin(
        correlation=family.correlation_of(run),
        causation=run,
        key=state.key or run,
        tenant="" if family.beginning is None else family.beginning.tenant,
        subject=family.subject,
    )
    return with_context(origin, state.context)
