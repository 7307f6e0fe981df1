"""Is a node among all that is done, and where? The order in which nodes completed is their place.

A run may have as many as it has nodes, so a question about one of them is not put to all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from makegood.decision.state import RunState

__all__ = ["is_done", "note_done", "take_done"]


def is_done(state: RunState, index: int) -> bool:
    """Say whether a node has completed with an effect, and is neither undone nor kept."""
    found = _found(state, index)
    return found < len(state.done_order) and state.done_order[found] == index


def note_done(state: RunState, index: int) -> None:
    """Let a node stand again where it stood when it completed."""
    insort(state.done_order, index, key=lambda each: state.nodes[each].place)


def take_done(state: RunState, index: int) -> None:
    """Take a node away that is done, because it was undone, or will not be."""
    assert is_done(state, index), "only what is done can be taken away"
    del state.done_order[_found(state, index)]


def _found(state: RunState, index: int) -> int:
    return bisect_left(
        state.done_order, state.nodes[index].place, key=lambda each: state.nodes[each].place
    )
