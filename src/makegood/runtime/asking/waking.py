"""Which runs will nothing wake? The auditor's question, asked of a journal alone.

A run that waits for its child has no wake time: the child's end wakes it. So it is asked whether
there is a child that has not come to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.evolve import fold_appends
from makegood.definition.plan import Plan
from makegood.errors import UnknownRun
from makegood.journal.upkeep import forgotten
from makegood.runtime.shell import UNREADABLE

if TYPE_CHECKING:
    from makegood.decision.state import RunState
    from makegood.journal.protocol import History, Journal, RunRow
    from makegood.values.ids import RunId

__all__ = ["unwoken_runs"]


async def unwoken_runs(journal: Journal) -> tuple[RunRow, ...]:
    """Return the runs that nothing will wake, the newest first: there should never be one."""
    lost = await forgotten(journal)
    return tuple([row for row in lost if not await _is_woken_by_a_child(journal, row)])


async def _is_woken_by_a_child(journal: Journal, row: RunRow) -> bool:
    history = await _history(journal, row.run)
    state = None if history is None else await _state(journal, history)
    if state is None:
        return False
    called = (state.nodes[index].child for index in state.family.children)
    children = [await _history(journal, child) for child in called if child is not None]
    return any(child is not None and _goes_on(child) for child in children)


def _goes_on(child: History) -> bool:
    """Say whether a child has not ended, or was asked for something since."""
    return child.row.ended_at is None or bool(child.inbox) or child.row.owner is not None


async def _history(journal: Journal, run: RunId) -> History | None:
    try:
        return await journal.read(run)
    except UnknownRun:
        return None


async def _state(journal: Journal, history: History) -> RunState | None:
    """Return what a run's facts add up to, or None where nobody can say."""
    stored = await journal.plan(history.row.fingerprint)
    if stored is None:
        return None
    try:
        plan = msgspec.json.decode(stored.json, type=Plan)
        return fold_appends(plan, history.appends)
    except UNREADABLE:
        return None
