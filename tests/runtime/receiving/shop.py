"""Messages, an outside and a store for the tests of receiving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from makegood.journal.messages import DeliveryFilter, DeliveryState
from makegood.runtime.receiving.fault import read_fault
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine
    from makegood.journal.messages import Delivery, KeepsMessages, Kept
    from makegood.runtime.receiving.fault import Fault

__all__ = [
    "Charge",
    "Paid",
    "Refused",
    "Reserved",
    "dead_letters",
    "deliveries",
    "fault",
    "kept",
    "messages_of",
    "quiet",
]

QUIET_LOOPS = 30
"""How many turns of the event loop show that an engine has come to rest."""


@dataclass(frozen=True)
class Reserved:
    message_name: ClassVar[str] = "shop.Reserved"

    order_id: str
    cents: int = 500

    @property
    def message_key(self) -> str:
        return self.order_id


@dataclass(frozen=True)
class Paid:
    message_name: ClassVar[str] = "shop.Paid"

    order_id: str


@dataclass(frozen=True)
class Refused:
    message_name: ClassVar[str] = "shop.Refused"

    order_id: str


@dataclass(frozen=True)
class Charge:
    message_name: ClassVar[str] = "shop.Charge"
    message_kind: ClassVar[str] = "command"

    order_id: str


LOOPS_MAX = 2_000_000
"""How many turns it may take until then: a file is written in real time."""


async def quiet(engine: Engine) -> None:
    """Let the event loop turn until the engine only waits for time to pass."""
    at_rest = 0
    for _ in range(LOOPS_MAX):
        at_rest = at_rest + 1 if engine.is_at_rest else 0
        if at_rest > QUIET_LOOPS:
            return
        await turn_of_the_loop()
    message = "the engine does not come to rest"
    raise AssertionError(message)


def messages_of(engine: Engine) -> KeepsMessages:
    """Return what the engine's journal keeps of messages."""
    return engine._reception.messages


async def deliveries(engine: Engine, *states: DeliveryState) -> list[Delivery]:
    """Return the deliveries in these states, the oldest first."""
    found = await messages_of(engine).deliveries(
        DeliveryFilter(states=frozenset(states), limit=200)
    )
    return [*reversed(found.rows)]


async def dead_letters(engine: Engine) -> list[Delivery]:
    """Return the dead letters, the oldest first."""
    return await deliveries(engine, DeliveryState.DEAD)


async def kept(engine: Engine, seq: int) -> Kept:
    """Return a message with its body."""
    found = await messages_of(engine).message(seq)
    assert found is not None
    return found


def fault(delivery: Delivery) -> Fault:
    """Return what went wrong with a delivery."""
    found = read_fault(delivery.error)
    assert found is not None
    return found
