"""A safeguard of messages taken away: through ports and wrappers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from makegood.testing.simulation import SimulatedBroker

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood import Transport
    from makegood.journal.memory import MemoryStore
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.protocol import Journal
    from makegood.testing.simulation import Simulation

__all__ = ["NOTHING", "AroundMessages", "Without", "around"]


class AroundMessages:
    """What a store keeps of messages, but for what a subclass takes away."""

    def __init__(self, messages: KeepsMessages, store: MemoryStore | None) -> None:
        self.messages_inside = messages
        self.store = store

    # Any: whatever the store inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self.messages_inside, name)


class _Around:
    """A journal whose messages are kept by another."""

    def __init__(self, journal: Journal, messages: object) -> None:
        self._journal = journal
        self.messages = messages

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


# Any: whatever the journal inside has, what is returned has too.
def around(
    journal: Any, store: MemoryStore | None, wrap: Callable[[KeepsMessages, Any], object]
) -> Any:
    """Return a journal that keeps its messages in a wrapper."""
    return _Around(journal, wrap(journal.messages, store))


def _same_store(journal: Journal, _store: MemoryStore) -> Journal:
    return journal


def _same_journal(journal: Journal) -> Journal:
    return journal


def _same_transport(transport: Transport) -> Transport:
    return transport


@dataclass(frozen=True, kw_only=True)
class Without:
    """What is wrapped around the parts of every process, and what that removes."""

    name: str
    removes: str
    """The safeguard, in a sentence."""
    store: Callable[[Journal, MemoryStore], Journal] = _same_store
    """Wraps the journal where it is written, behind the wire."""
    journal: Callable[[Journal], Journal] = _same_journal
    """Wraps the journal in the engine's hands, before the wire."""
    transport: Callable[[Transport], Transport] = _same_transport
    """Wraps the way to the broker."""
    broker: Callable[[Simulation], SimulatedBroker] = SimulatedBroker
    """Makes the broker."""


NOTHING = Without(name="nothing", removes="Nothing: the product as it is.")
"""What every world must pass with."""
