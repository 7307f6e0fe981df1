"""How many orders ended how, while they are being placed. It knows no terminal and no engine."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

__all__ = ["Ending", "Tally", "ending_of"]


class Ending(StrEnum):
    """How an order ended."""

    COMPLETED = "completed"
    UNDONE = "undone"
    """It failed, and what had been done was taken back."""
    REFUSED = "refused"
    """It failed before anything had to be taken back."""
    PARKED = "parked"
    """It waits for a person."""


def ending_of(*, status: str, rollback: str | None) -> Ending:
    """Return how an order ended by the status and the rollback of its run."""
    match status, rollback:
        case "completed", _:
            return Ending.COMPLETED
        case "parked", _:
            return Ending.PARKED
        case _, "undone":
            return Ending.UNDONE
        case _:
            return Ending.REFUSED


class Tally:
    """The count, which grows as orders end."""

    def __init__(self, orders: int) -> None:
        self.orders = orders
        self.in_flight = 0
        self.endings: Counter[Ending] = Counter()
        self.reasons: Counter[tuple[Ending, str]] = Counter()

    @property
    def ended(self) -> int:
        """How many orders have ended, or wait for a person."""
        return self.endings.total()

    def begin(self) -> None:
        """Count an order that is being placed."""
        self.in_flight += 1

    def end(self, ending: Ending, reason: str | None) -> None:
        """Count an order that has ended, and why where it was not completed."""
        self.in_flight -= 1
        self.endings[ending] += 1
        if reason is not None:
            self.reasons[ending, reason] += 1
