"""Messages, an outside and a store for the tests of receiving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from makegood.journal.memory import MemoryJournal
from makegood.journal.messages import DeliveryFilter, DeliveryState
from makegood.journal.reply import Reply
from makegood.runtime.receiving.fault import read_fault
from tests.runtime.world import turn_of_the_loop

if TYPE_CHECKING:
    from makegood import Engine
    from makegood.journal.messages import Delivery, Finished, KeepsMessages, Kept, Settled
    from makegood.journal.protocol import Fenced
    from makegood.journal.protocol import Refused as RefusedByStore
    from makegood.runtime.receiving.fault import Fault

__all__ = [
    "Charge",
    "Moody",
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


class Moody(MemoryJournal):
    """A journal that refuses to finish for as long as a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception] = []
        keeper = self.messages
        finish = keeper.finish

        def moody(finished: Finished) -> Reply[Settled | Fenced | RefusedByStore]:
            if self.errors:
                reply: Reply[Settled | Fenced | RefusedByStore] = Reply()
                reply.give(self.errors.pop(0))
                return reply
            return finish(finished)  # type: ignore[return-value]

        keeper.finish = moody  # type: ignore[method-assign]
