"""What is drawn from a seed: the weather, what awaits each order, and what its customer wants.

Every rate is drawn anew for each seed, and is often nothing at all: a fault that never happens
lets through what it would have hidden, and many faults of one kind reach what few do not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import msgspec

from makegood.testing.simulation import KILLS, Fate, Fortune
from tests.simulation.orders.destiny import Destiny
from tests.simulation.workflows import Order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from makegood.testing.simulation import Call

__all__ = ["WORKFLOWS", "ClientWeather", "Weather", "Wish", "draw_destiny", "draw_wish"]

SECOND = 1_000_000
UNKNOWN = (Fate.UNKNOWN_LOST, Fate.UNKNOWN_DONE)
REFUSING = frozenset({Fate.REFUSED, Fate.FULL})
"""After these nothing was done, and whoever asked knows it."""
DOUBTFUL = frozenset({*KILLS, *UNKNOWN, Fate.PAUSE, Fate.LATE, Fate.SILENT})
"""After these whoever asked may not know what was done."""
SLOW_MICROS = 1_900_000
"""From here on an answer may come when the least patient step has given up on it."""

_FAMILIES: dict[str, tuple[tuple[Fate, ...], Sequence[str]]] = {
    "dies at an append": (KILLS, ["append"]),
    "dies at a request": (KILLS, ["request"]),
    "dies elsewhere": (KILLS, ["lease", "read", "post", "release", "keep_plan"]),
    "stands still": ((Fate.PAUSE,), ["append", "request", "lease", "read"]),
    "unknown commit": (UNKNOWN, ["append"]),
    "unknown elsewhere": (UNKNOWN, ["lease", "post", "release", "keep_plan"]),
    "sent again": ((Fate.AGAIN_LOST, Fate.AGAIN_DONE), ["append"]),
    "busy": ((Fate.REFUSED,), ["append", "lease", "read", "post", "release", "keep_plan"]),
    "full": ((Fate.FULL,), ["append", "lease", "post", "release", "keep_plan"]),
    "unavailable": ((Fate.REFUSED, Fate.FULL), ["request"]),
    "lost": (UNKNOWN, ["request"]),
    "silent": ((Fate.SILENT, Fate.LATE), ["request"]),
    "doubled": ((Fate.DOUBLED,), ["request"]),
}
"""The kinds of fault: the fates in each, and what they meet."""
_RATES = (0.0, 0.0, 0.0, 0.01, 0.03, 0.1)
_OFTEN = {"append": 1.0, "request": 1.0, "lease": 0.15, "read": 0.5, "release": 16.0, "post": 4.0}
"""How likely a fault is at each operation beside the others; an append on its way most."""


class Weather:
    """The fates of one world: drawn until it is calm, and then none but the deadly."""

    def __init__(self, chance: Random, destinies: Mapping[str, Destiny]) -> None:
        self.is_calm = False
        self.seen: Counter[tuple[str, str, str]] = Counter()
        """How often each order's requests were refused, went astray, or killed who asked."""
        self.rates = {family: chance.choice(_RATES) for family in _FAMILIES}
        self._chance = chance
        self._slow = chance.choice((0.0, 0.0, 0.02, 0.1))
        self._fates: dict[str, tuple[list[float], list[Fate]]] = {}
        self._deaths = {order: destiny.deaths for order, destiny in destinies.items()}
        self._silences = {order: destiny.silences for order, destiny in destinies.items()}
        self._destinies = destinies

    def decide(self, call: Call) -> Fortune:
        """Say what becomes of a worker's call."""
        fate = Fate.SMOOTH if self.is_calm else self._draw(call.operation)
        there, back = 200 + int(self._chance.random() * 5_000), 300
        if call.operation == "request":
            operation, order = call.subject.rsplit(" ", 1)
            fate = self._destined(operation, order, fate)
            if not self.is_calm and self._chance.random() < self._slow:
                there += int(self._chance.random() * 4_000_000)
                back += int(self._chance.random() * 4_000_000)
            self._remember(order, operation, fate, there + back)
        return Fortune(fate, there, back)

    def _draw(self, operation: str) -> Fate:
        if operation not in self._fates:
            self._fates[operation] = self._odds(operation)
        limits, fates = self._fates[operation]
        at = bisect_right(limits, self._chance.random())
        return fates[at] if at < len(fates) else Fate.SMOOTH

    def _odds(self, operation: str) -> tuple[list[float], list[Fate]]:
        often = _OFTEN.get(operation, 1.0)
        odds = [
            (fate, often * self.rates[family] / len(fates))
            for family, (fates, operations) in _FAMILIES.items()
            if operation in operations
            for fate in fates
        ]
        return list(accumulate(rate for _, rate in odds)), [fate for fate, _ in odds]

    def _destined(self, operation: str, order: str, fate: Fate) -> Fate:
        destiny = self._destinies[order]
        if destiny.deadly == operation and self._deaths[order]:
            self._deaths[order] -= 1
            self.seen[order, operation, "killed"] += 1
            return self._chance.choice(KILLS)
        if destiny.mute == operation and self._silences[order]:
            self._silences[order] -= 1
            return self._chance.choice((*UNKNOWN, Fate.SILENT))
        return fate

    def _remember(self, order: str, operation: str, fate: Fate, micros: int) -> None:
        if fate in REFUSING:
            self.seen[order, operation, "refused"] += 1
        elif fate in DOUBTFUL or micros > SLOW_MICROS:
            self.seen[order, operation, "astray"] += 1


class ClientWeather:
    """The fates of the customers' process: refused, unanswered, or of unknown outcome."""

    def __init__(self, chance: Random, rate: float) -> None:
        self.is_calm = False
        self._chance = chance
        self._rate = rate

    def decide(self, call: Call) -> Fortune:
        """Say what becomes of a customer's call."""
        fate = Fate.SMOOTH
        if not self.is_calm and self._chance.random() < self._rate:
            fates = _CLIENT_READS if call.operation in {"read", "find"} else _CLIENT_WRITES
            fate = self._chance.choice(fates)
        return Fortune(fate, 500, 500)


_CLIENT_READS = (Fate.REFUSED, Fate.SILENT, Fate.LATE)
_CLIENT_WRITES = (*UNKNOWN, Fate.REFUSED, Fate.FULL, Fate.SILENT, Fate.LATE)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer wants, and how they go about it. Times are in microseconds."""

    workflow: str
    order: Order
    begins_at: int
    starts: Literal["once", "twice", "race", "conflict"]
    cancel_after: int | None
    """When they cancel, counted from their start."""
    cancels: int
    """How many cancel at once."""
    undoes: int
    """How many ask for an undo at once when the run has ended."""


WORKFLOWS = ("place_order", "place_order", "gift_order", "ticket_order", "quick_order")
_OPERATIONS = {
    "place_order": ("reserve", "authorize", "capture", "ship", "letter"),
    "gift_order": ("reserve", "wrap", "insure", "capture", "ship"),
    "ticket_order": ("seat", "authorize", "issue", "capture", "letter"),
    "quick_order": ("credit", "reserve", "charge", "ship"),
    "counter_order": ("take", "capture", "ship"),
}
_UNDOS = ("release", "void", "refund", "recall", "unwrap", "withdraw", "free", "repay")


def draw_wish(chance: Random, number: int, workflows: Sequence[str]) -> Wish:
    """Draw what one customer wants."""
    order = Order(
        id=f"o{number}", amount=chance.randrange(100, 10_000), wants_letter=chance.random() < 0.7
    )
    cancels = chance.random() < 0.25
    undoes = chance.random() < 0.2
    return Wish(
        workflow=chance.choice(workflows),
        order=order,
        begins_at=int(chance.random() * 8 * SECOND),
        starts=chance.choice(("once", "once", "twice", "race", "conflict")),
        cancel_after=int(chance.random() ** 3 * 12 * SECOND) if cancels else None,
        cancels=chance.choice((1, 1, 2)),
        undoes=chance.choice((1, 1, 2)) if undoes else 0,
    )


def draw_destiny(chance: Random, wish: Wish) -> Destiny:
    """Draw what awaits an order outside."""
    operations = _OPERATIONS[wish.workflow]
    fate = chance.random()
    declined = {chance.choice(operations)} if fate < 0.35 else set()
    undo_never = {chance.choice(_UNDOS)} if chance.random() < 0.12 else set()
    is_unsure = chance.random() < 0.12
    mute = chance.choice(operations) if chance.random() < 0.1 else None
    if wish.workflow == "quick_order" and chance.random() < 0.2:
        # Its key is the one that is forgotten.
        mute = "charge"
    return Destiny(
        declined=frozenset(declined),
        undo_never=frozenset(undo_never),
        undo_from=int(chance.random() * 30 * SECOND) if chance.random() < 0.2 else 0,
        unsure=frozenset(operations if is_unsure else ()),
        unsure_until=int(chance.random() * 20 * SECOND) if chance.random() < 0.2 else 0,
        absence=chance.choice(("again", "again", "close", "fresh")),
        unwritable=chance.choice(operations) if chance.random() < 0.04 else None,
        deadly=chance.choice(operations) if chance.random() < 0.1 else None,
        deaths=chance.choice((1, 1, 2, 3, 1_000)),
        mute=mute,
        silences=chance.choice((1, 2, 3, 4)),
    )
