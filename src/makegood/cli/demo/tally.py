"""How many orders ended how, while they are being placed. It knows no terminal and no engine."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import assert_never

import msgspec

__all__ = ["Began", "Ended", "Ending", "Killed", "News", "Opened", "ShopNews", "Tally", "ending_of"]


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


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The stock is in, and the orders that a crash left are being taken up."""

    crashes: int = 0
    """How many unclean ends the store has seen by now."""


class Began(msgspec.Struct, frozen=True, tag="began"):
    """An order is being placed."""

    order: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """An order has ended, or waits for a person."""

    order: str
    ending: Ending
    reason: str | None = None
    """Why, where it was not completed."""


class Killed(msgspec.Struct, frozen=True, tag="killed"):
    """The shop's process was killed, or one of its workers."""


ShopNews = Opened | Began | Ended
"""What the shop tells, in its order."""

News = ShopNews | Killed
"""What is heard of the shop, in its order."""


class Tally:
    """The count, which grows as orders end. After a crash an order may be told of again."""

    def __init__(self, orders: int, *, crashes: int = 0) -> None:
        self.orders = orders
        self.crashes = crashes
        """How often the shop's process is to be killed."""
        self.kills = 0
        """How often it was."""
        self.kills_at_work = 0
        """How often it was while orders were under way."""
        self.crashes_before: int | None = None
        """How many unclean ends the store had seen when the shop opened first."""
        self.changed: set[str] = set()
        """Orders that were told to have ended in one way, and after a crash in another."""
        self.endings: Counter[Ending] = Counter()
        self.reasons: Counter[tuple[Ending, str]] = Counter()
        self._begun: set[str] = set()
        self._ended: dict[str, Ended] = {}

    @property
    def ended(self) -> int:
        """How many orders have ended, or wait for a person."""
        return len(self._ended)

    @property
    def in_flight(self) -> int:
        """How many orders have begun and not ended, in whichever life of the process."""
        return len(self._begun) - len(self._ended)

    def hear(self, news: News) -> None:
        """Count what is heard."""
        match news:
            case Began():
                self._begun.add(news.order)
            case Ended():
                self._end(news)
            case Killed():
                self.kills += 1
                self.kills_at_work += self.in_flight > 0
            case Opened():
                if self.crashes_before is None:
                    self.crashes_before = news.crashes
            case _:
                assert_never(news)

    def _end(self, news: Ended) -> None:
        if news.order in self._ended:
            if self._ended[news.order] != news:
                self.changed.add(news.order)
            return
        self._ended[news.order] = news
        self.endings[news.ending] += 1
        if news.reason is not None:
            self.reasons[news.ending, news.reason] += 1
