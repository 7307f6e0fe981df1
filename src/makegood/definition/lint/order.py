"""Which rules look at the order of a workflow: what may happen beside what.

Two nodes are beside each other when neither waits for the other, directly or by others between
them, and when they do not stand in different cases of one switch. What waits for a switch waits for
everything in its branches. A node that has a block stands for all that is in it: what is in the
block is ordered by it towards the outside, and among itself by its own edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from makegood.definition.lint.finding import Found
from makegood.definition.lint.steps import hands_key
from makegood.definition.plan import Constant, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from makegood.definition.call import Workflow
    from makegood.definition.lint.subject import Seen, Subject
    from makegood.definition.plan import Node

__all__ = ["is_beside_pivot", "nothing_orders", "passes_pivot_in_child"]

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
        failing = [[each for each in seen.within() if _can_fail(each)] for seen in level]
        can_fail = _set_of(place for place, found in enumerate(failing) if found)
        more = _set_of(place for place, found in enumerate(failing) if len(found) > 1)
        moving = _set_of(place for place, seen in enumerate(level) if any(_moving(seen)))
        for place in _places(moving):
            # Of two that move something, the first one is told.
            told = moving & (1 << place) - 1
            beside = order.beside(place) & can_fail & ~(told | order.past_pivot(place))
            if beside:
                first = failing[next(_places(beside))][0]
                further = sum(len(failing[other]) - 1 for other in _places(beside & more))
                many = beside.bit_count() + further
                for seen in _moving(level[place]):
                    yield _unordered(seen, first, many)


def is_beside_pivot(subject: Subject) -> Iterator[Found]:
    """Find an effect of which only the moment says whether it is still undone."""
    pivot = subject.plan.pivot
    if pivot is None:
        return
    path = subject.nodes[pivot].path
    for other in _places(_Order(subject.nodes).beside(pivot)):
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


def passes_pivot_in_child(subject: Subject) -> Iterator[Found]:
    """Find a child with a pivot of its own, behind or beside which something can still fail.

    Once it is past its pivot it cannot be undone, so a failure after that parks both runs. It is
    meant so where the child is the pivot, or comes after it.
    """
    order = _Order(subject.nodes)
    can_fail = _set_of(
        place for place, seen in enumerate(subject.nodes) if any(map(_can_fail, seen.within()))
    )
    for place, seen in enumerate(subject.nodes):
        if seen.node.pivot or order.is_past_pivot(place):
            continue
        later = next(_places(order.not_before(place) & can_fail), None)
        for child in seen.within():
            if not _has_pivot(child):
                continue
            if child is not seen:
                # Another round of the same may fail when this one is done.
                yield _half_way(child, "another round")
            elif later is not None:
                yield _half_way(child, f"`{subject.nodes[later].path}`")


def _has_pivot(seen: Seen) -> bool:
    if seen.node.kind is not Kind.CHILD or seen.recipe is None:
        return False
    called: object = seen.recipe.body.function
    return _goes_only_forward(cast("Workflow[..., Any]", called))


# Any: a workflow is looked at whatever it takes and returns.
def _goes_only_forward(workflow: Workflow[..., Any]) -> bool:
    """Say whether a run of it passes a pivot, of its own or of a run that it calls."""
    if workflow.plan.pivot is not None:
        return True
    return any(_goes_only_forward(child) for child in workflow.children())


def _half_way(seen: Seen, failing: str) -> Found:
    return Found(
        sentence=(
            f"the child `{seen.path}` passes a pivot of its own and cannot be undone then, but "
            f"{failing} can still fail; let nothing come after it, or make it the pivot: "
            "step(…, pivot=True)"
        ),
        place=seen.origin.place,
        path=seen.path,
        recipe=seen.recipe,
    )


def _moving(seen: Seen) -> Iterator[Seen]:
    """Give the nodes that move something, of a node and of what is in its block."""
    return filter(_moves, seen.within())


def _moves(seen: Seen) -> bool:
    if seen.node.kind is not Kind.STEP or seen.recipe is None or seen.node.pivot:
        return False
    return hands_key(seen.recipe) or seen.node.irreversible is not None


def _can_fail(seen: Seen) -> bool:
    takes_time = seen.node.kind in _TAKES_TIME or _is_given_up(seen.node)
    return takes_time and not seen.node.optional


def _is_given_up(node: Node) -> bool:
    """Say whether a node waits for a message, or for a key, and not for ever."""
    return node.kind is Kind.WAIT and any(
        argument.name == "within" and argument.source != Constant("null")
        for argument in node.arguments
    )


def _unordered(moving: Seen, failing: Seen, many: int) -> Found:
    assert moving.recipe is not None
    what = "hands out its key" if hands_key(moving.recipe) else "cannot be undone"
    others = f" and {many - 1} more" if many > 1 else ""
    return Found(
        sentence=(
            f"`{moving.path}` {what}, and nothing orders it and `{failing.path}`{others}, which "
            "can fail; put it .after(…) what has to be certain first"
        ),
        place=moving.origin.place,
        path=moving.path,
        recipe=moving.recipe,
    )


class _Order:
    """What comes before what among nodes that stand together.

    A set of nodes is a number's bits, so one operation compares a node with all others. The places
    of a level are a valid order: what comes before a node is known before the node, from the first
    one on, and what comes behind it from the last one back.
    """

    def __init__(self, level: Sequence[Seen]) -> None:
        self._needs = [seen.node.needs for seen in level]
        self._cases = [_cases(level, place) for place in range(len(level))]
        self._before = self._ancestors()
        self._behind = self._descendants()
        self._inside: dict[int, int] = {}
        """What stands in any case of a switch."""
        self._inside_case: dict[tuple[int, str], int] = {}
        for place, cases in enumerate(self._cases):
            for case in cases.items():
                self._inside[case[0]] = self._inside.get(case[0], 0) | 1 << place
                self._inside_case[case] = self._inside_case.get(case, 0) | 1 << place
        self._pivot = next((place for place, seen in enumerate(level) if seen.node.pivot), None)

    def beside(self, place: int) -> int:
        """Return the set of nodes that may happen while this one does."""
        others = (1 << len(self._needs)) - 1 & ~(1 << place)
        return others & ~(self._before[place] | self._behind[place] | self._excluded(place))

    def not_before(self, place: int) -> int:
        """Return the set of nodes that may still happen when this one has."""
        return self.beside(place) | self._behind[place]

    def is_past_pivot(self, place: int) -> bool:
        """Say whether a node happens only when nothing is undone any more."""
        return self._pivot is not None and bool(self._before[place] >> self._pivot & 1)

    def past_pivot(self, place: int) -> int:
        """Return the set of nodes that happen, as this one does, when nothing is undone any more.

        It is empty for one that may happen before.
        """
        pivot = self._pivot
        return self._behind[pivot] if pivot is not None and self.is_past_pivot(place) else 0

    def _ancestors(self) -> list[int]:
        inside: dict[int, int] = {}
        found: list[int] = []
        for place, needs in enumerate(self._needs):
            before = 0
            for needed in needs:
                before |= 1 << needed | found[needed]
                if needed not in self._cases[place]:
                    before |= inside.get(needed, 0)
            for switch in self._cases[place]:
                inside[switch] = inside.get(switch, 0) | 1 << place | before
            found.append(before)
        return found

    def _descendants(self) -> list[int]:
        chosen = [0] * len(self._needs)
        """What waits for a switch to choose, and all behind that."""
        ended = [0] * len(self._needs)
        """What waits for a node to end, and all behind that."""
        for place in reversed(range(len(self._needs))):
            behind = chosen[place] | ended[place]
            for switch in self._cases[place]:
                behind |= ended[switch]
            chosen[place] = behind
            for needed in self._needs[place]:
                into = chosen if needed in self._cases[place] else ended
                into[needed] |= 1 << place | behind
        return chosen

    def _excluded(self, place: int) -> int:
        """Return the set of nodes that stand in another case of a switch than this one."""
        excluded = 0
        for case in self._cases[place].items():
            excluded |= self._inside[case[0]] & ~self._inside_case[case]
        return excluded


def _set_of(places: Iterable[int]) -> int:
    found = 0
    for place in places:
        found |= 1 << place
    return found


def _places(found: int) -> Iterator[int]:
    """Give what is in a set, in the order of the places."""
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest


def _cases(level: Sequence[Seen], place: int) -> Mapping[int, str]:
    """Return the cases that a node stands in, by their switches."""
    found: dict[int, str] = {}
    branch = level[place].node.branch
    while branch is not None:
        found[branch.node] = branch.case
        branch = level[branch.node].node.branch
    return found
