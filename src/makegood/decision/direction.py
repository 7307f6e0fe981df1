"""Which way a run goes: forward, held where it is, or about to turn back.

It looks at what has failed, the deadline, what people ask and the pivot. What is done in either
direction is said in `forward` and `rollback`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.decision.state import Phase

if TYPE_CHECKING:
    from makegood.decision.state import RunState
    from makegood.definition.plan import Plan

__all__ = ["is_held_back", "is_past_pivot", "is_pivot_open", "is_turning_back"]

_OPEN = frozenset(
    {
        Phase.RUNNING,
        Phase.AWAITING,
        Phase.INTERRUPTED,
        Phase.ASKING,
        Phase.ASK_FAILED,
        Phase.ASK_INTERRUPTED,
        Phase.ANSWERED,
        Phase.ASK_AGAIN,
        Phase.STUCK,
        Phase.UNRECORDED,
        Phase.REFUSED,
        Phase.IN_CHILD,
        Phase.CHILD_PARKED,
    }
)
_BETWEEN_ATTEMPTS = frozenset({Phase.FAILED, Phase.RETRYING})


def is_past_pivot(plan: Plan, state: RunState) -> bool:
    """Say whether the pivot is done, after which a run only goes forward."""
    if state.lifecycle is not None:
        return state.lifecycle.is_past_pivot
    return plan.pivot is not None and state.nodes[plan.pivot].phase is Phase.DONE


def is_pivot_open(plan: Plan, state: RunState) -> bool:
    """Say whether the pivot may yet turn out to have happened: neither direction is taken.

    Between two attempts it is open only in doubt. A pivot that definitely did not happen and
    waits for its next attempt can still be given up.
    """
    # In a lifecycle whatever may lead behind the pivot is as good as the pivot itself.
    number = plan.pivot if state.lifecycle is None else state.lifecycle.pivotal
    if number is None:
        return False
    pivot = state.nodes[number]
    return pivot.phase in _OPEN or (pivot.doubt and pivot.phase in _BETWEEN_ATTEMPTS)


def is_turning_back(plan: Plan, state: RunState) -> bool:
    """Say whether the run is being rolled back, or will be once what has ended is settled."""
    if state.rolling_back is not None:
        return True
    # What failed and is to be done again turns nothing back.
    if not state.unwilling and not state.deadline_passed:
        return False
    has_failed = any(index not in state.retracing for index in state.unwilling)
    if not has_failed and not state.deadline_passed:
        return False
    return not is_past_pivot(plan, state) and not is_pivot_open(plan, state)


def is_held_back(plan: Plan, state: RunState) -> bool:
    """Say whether nothing new may start, though the run is not being rolled back."""
    if not (state.unwilling or state.stuck or state.requests or state.deadline_passed):
        return False
    return not is_past_pivot(plan, state)
