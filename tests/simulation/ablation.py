"""A safeguard taken away: through ports and wrappers only, never by editing the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from makegood.decision.decide import decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from makegood.journal.memory import MemoryStore
    from makegood.journal.protocol import Journal
    from makegood.runtime.ports import Decide
    from makegood.testing.simulation import Host
    from tests.simulation.outside import Answer, Request

__all__ = ["NOTHING", "Ablation", "Around", "Teller"]


class Teller(Protocol):
    """What a process asks the outside through."""

    async def ask(self, request: Request) -> Answer:
        """Have something done outside."""
        ...


class Around:
    """A journal that does what the one inside does, but for what a subclass takes away."""

    def __init__(self, journal: Journal, store: MemoryStore) -> None:
        self.journal = journal
        self.store = store

    # Any: whatever the journal inside has.
    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)


def _same_store(journal: Journal, _store: MemoryStore) -> Journal:
    return journal


def _same_journal(journal: Journal, _host: Host) -> Journal:
    return journal


def _same_teller(teller: Teller) -> Teller:
    return teller


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What is wrapped around the parts of every worker process, and what that removes."""

    name: str
    removes: str
    """The safeguard, in a sentence."""
    store: Callable[[Journal, MemoryStore], Journal] = _same_store
    """Wraps the journal where it is written, behind the wire."""
    journal: Callable[[Journal, Host], Journal] = _same_journal
    """Wraps the journal in the engine's hands, before the wire."""
    teller: Callable[[Teller], Teller] = _same_teller
    """Wraps the way to the outside, in the hands of the steps."""
    decide: Decide = decide
    """The decision core."""


NOTHING = Ablation(name="nothing", removes="Nothing: the product as it is.")
"""What every world must pass with."""
