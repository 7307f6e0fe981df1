"""Orders, and what is read of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from makegood import Projection
from tests.runtime.receiving.shop import messages_of

if TYPE_CHECKING:
    from makegood import Engine
    from makegood.journal.beside.models import Edition

__all__ = [
    "DAYS",
    "SUMMARIES",
    "Day",
    "Forgotten",
    "Noted",
    "Placed",
    "Summary",
    "add_up",
    "editions",
    "summarize",
]


@dataclass(frozen=True)
class Placed:
    message_name: ClassVar[str] = "orders.Placed"

    order_id: str
    cents: int
    day: str = "monday"

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Noted:
    message_name: ClassVar[str] = "orders.Noted"

    order_id: str
    text: str

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Forgotten:
    message_name: ClassVar[str] = "orders.Forgotten"

    order_id: str

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Summary:
    cents: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Day:
    orders: int
    cents: int


def summarize(row: Summary | None, event: Placed | Noted | Forgotten) -> Summary | None:
    """Say how an order stands; a note that says so cannot be folded."""
    match event:
        case Placed():
            return Summary(event.cents)
        case Noted():
            if event.text == "bad" or row is None:
                message = f"{event.text!r} cannot be noted"
                raise ValueError(message)
            return replace(row, notes=(*row.notes, event.text))
        case Forgotten():
            return None


def add_up(row: Day | None, event: Placed) -> Day:
    """Add up what was ordered on a day."""
    before = row or Day(0, 0)
    return Day(before.orders + 1, before.cents + event.cents)


SUMMARIES = Projection("summaries", summarize)
DAYS = Projection("days", add_up, key=lambda event: event.day or None)


async def editions(engine: Engine) -> tuple[Edition, ...]:
    """Return the editions on the engine's store."""
    return await messages_of(engine).models.editions()
