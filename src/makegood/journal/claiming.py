"""Which of the runs that are due are claimed at once: the rules that every store follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["claimed_at_once", "deal"]

T = TypeVar("T")


def deal(
    due: Callable[[str, int, int], Sequence[T]], *, room: Mapping[str, int], limit: int
) -> list[T]:
    """Deal at most `limit` claims out among plans, as many to each as there is room for.

    Each plan that may have more due gets an equal share, in the order of `room`; what one does not
    need is dealt out again among the others. `due` returns runs of a plan, the longest due first:
    how many to skip, and how many to return at most.
    """
    dealt: list[T] = []
    given = dict.fromkeys(room, 0)
    hungry = [plan for plan, free in room.items() if free > 0]
    while hungry and len(dealt) < limit:
        share = max(1, (limit - len(dealt)) // len(hungry))
        still_hungry: list[str] = []
        for plan in hungry:
            wanted = min(share, room[plan] - given[plan], limit - len(dealt))
            if wanted == 0:
                break
            found = due(plan, given[plan], wanted)
            dealt += found
            given[plan] += len(found)
            if len(found) == wanted and given[plan] < room[plan]:
                still_hungry.append(plan)
        hungry = still_hungry
    return dealt


def claimed_at_once(claims: Sequence[int]) -> int:
    """Return how many of the runs that were dealt out are claimed, the first of them.

    Given is how often each was claimed since its last progress. A suspect, which may have killed
    those who took it, is claimed alone, and those before it without it.
    """
    for position, count in enumerate(claims):
        if count >= CLAIMS_TOGETHER_MAX:
            return max(position, 1)
    return len(claims)
