"""Which rules look at the order of a workflow: what may happen beside what.

Two nodes are beside each other when neither waits for the other, directly or by others between
them, and when they do not stand in different cases of one switch. What waits for a switch waits for
everything in its branches. A node that has a block stands for all that is in it: what is in the
block is ordered by it towards the outside, and among itself by its own edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.definition.lint.finding import Found
from makegood.definition.lint.steps import hands_key
from makegood.definition.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from makegood.definition.lint.subject import Seen, Subject

__all__ = ["is_beside_pivot", "nothing_orders"]

_TAKES_TIME = frozenset({Kind.STEP, Kind.LOCAL, Kind.QUERY, Kind.CHILD})
"""What is under way for a while, so that something else may happen meanwhile."""


def nothing_orders(subject: Subject) -> Iterator[Found]:
    """Find an effect that happens, or does not, depending on who is faster.

    What moves money hands out its key; what cannot be undone stays. Beside something that can
    fail, either is done for nothing whenever it happens to come first. After the pivot nothing is
    taken back, and nothing of this is found.
    """
    for level in subject.levels:
        order = _Order(level)
        for place, seen in enumerate(level):
            for moving in filter(_moves, seen.within()):
                beside = [
                    failing
                    for other in order.beside(place)
                    if not (other < place and any(map(_moves, level[other].within())))
                    and not order.is_past_pivot(place, other)
                    for failing in level[other].within()
                    if _can_fail(failing)
                ]
                if beside:
                    yield _unordered(moving, beside)


def is_beside_pivot(subject: Subject) -> Iterator[Found]:
    """Find an effect of which only the moment says whether it is still undone."""
    pivot = subject.plan.pivot
    if pivot is None:
        return
    path = subject.nodes[pivot].path
    for other in _Order(subject.nodes).beside(pivot):
        for seen in subject.nodes[other].within():
            if seen.node.kind in (Kind.STEP, Kind.LOCAL, Kind.CHILD) and (
                seen.node.undo or not seen.node.optional
            ):
                yield Found(
                    sentence=(
                        f"nothing orders `{seen.path}` and the pivot `{path}`, so it depends on "
                        "the moment whether it is undone; put one .after(…) the other"
                    ),
                    place=seen.origin.place,
                    path=seen.path,
                    recipe=seen.recipe,
                )


def _moves(seen: Seen) -> bool:
    if seen.node.kind is not Kind.STEP or seen.recipe is None or seen.node.pivot:
        return False
    return hands_key(seen.recipe) or seen.node.irreversible is not None


def _can_fail(seen: Seen) -> bool:
    return seen.node.kind in _TAKES_TIME and not seen.node.optional


def _unordered(moving: Seen, beside: Sequence[Seen]) -> Found:
    assert moving.recipe is not None
    what = "hands out its key" if hands_key(moving.recipe) else "cannot be undone"
    others = f" and {len(beside) - 1} more" if len(beside) > 1 else ""
    return Found(
        sentence=(
            f"`{moving.path}` {what}, and nothing orders it and `{beside[0].path}`{others}, which "
            "can fail; put it .after(…) what has to be certain first"
        ),
        place=moving.origin.place,
        path=moving.path,
        recipe=moving.recipe,
    )


class _Order:
    """What comes before what among nodes that stand together; a set of nodes is a number's bits."""

    def __init__(self, level: Sequence[Seen]) -> None:
        self._cases = [_cases(level, place) for place in range(len(level))]
        self._before = self._ancestors(level)
        self._pivot = next((place for place, seen in enumerate(level) if seen.node.pivot), None)

    def beside(self, place: int) -> Iterator[int]:
        """Give the nodes that may happen while this one does."""
        for other, before in enumerate(self._before):
            is_ordered = before >> place & 1 or self._before[place] >> other & 1
            if other != place and not is_ordered and not self._exclude(place, other):
                yield other

    def is_past_pivot(self, place: int, other: int) -> bool:
        """Say whether both happen when nothing is undone any more."""
        pivot = self._pivot
        return pivot is not None and bool(self._before[place] & self._before[other] & 1 << pivot)

    def _ancestors(self, level: Sequence[Seen]) -> list[int]:
        inside: dict[int, int] = {}
        found: list[int] = []
        for place, seen in enumerate(level):
            before = 0
            for needed in seen.node.needs:
                before |= 1 << needed | found[needed]
                if needed not in self._cases[place]:
                    before |= inside.get(needed, 0)
            for switch in self._cases[place]:
                inside[switch] = inside.get(switch, 0) | 1 << place | before
            found.append(before)
        return found

    def _exclude(self, place: int, other: int) -> bool:
        here, there = self._cases[place], self._cases[other]
        return any(there.get(switch, case) != case for switch, case in here.items())


def _cases(level: Sequence[Seen], place: int) -> Mapping[int, str]:
    """Return the cases that a node stands in, by their switches."""
    found: dict[int, str] = {}
    branch = level[place].node.branch
    while branch is not None:
        found[branch.node] = branch.case
        branch = level[branch.node].node.branch
    return found
