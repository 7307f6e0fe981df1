"""Which of the runs that are due are claimed at once: one rule for every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.values.limits import CLAIMS_TOGETHER_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["claimed_at_once"]


def claimed_at_once(claims: Sequence[int]) -> int:
    """Return how many of the due runs are claimed, of which the first that are due come first.

    Given is how often each was claimed since its last progress. A suspect, which may have killed
    those who took it, is claimed alone, and those before it without it.
    """
    for position, count in enumerate(claims):
        if count >= CLAIMS_TOGETHER_MAX:
            return max(position, 1)
    return len(claims)
