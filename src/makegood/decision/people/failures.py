"""What failed in a run? Its failures, the one that failed it first, those of children with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from makegood.decision.state import Phase
from makegood.values.verdict import Failure

if TYPE_CHECKING:
    from makegood.decision.state import RunState

__all__ = ["Failed", "failures_in"]

_FAILED = frozenset({Phase.GAVE_UP, Phase.STUCK, Phase.UNRECORDED, Phase.REFUSED, Phase.STOPPED})


class Failed(NamedTuple):
    """One failure, and what of the run it is about."""

    path: str
    """The node; nothing for the value of the run."""
    direction: Literal["do", "undo", "child"]
    """`child` for what failed besides in the child of the node, and in the children of that."""
    failure: Failure


def failures_in(state: RunState) -> list[Failed]:
    """Return what failed: what failed the run, then what failed beside it, then each undo."""
    found: list[Failed] = []
    if isinstance(state.returned, Failure):
        found.append(Failed("", "do", state.returned))
    first = [*state.unwilling, *state.stuck]
    others = [index for index in range(len(state.nodes)) if index not in first]
    for index in [*first, *others]:
        node = state.nodes[index]
        if node.failure is not None and node.phase in _FAILED:
            path = state.graph[index].path
            found.append(Failed(path, "do", node.failure))
            found += [Failed(path, "child", failure) for failure in node.child_failures]
    for index in state.stuck:
        node = state.nodes[index]
        if node.undo_failure is not None and node.phase is Phase.LEFT:
            found.append(Failed(state.graph[index].path, "undo", node.undo_failure))
    return found
