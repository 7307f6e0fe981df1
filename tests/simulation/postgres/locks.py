"""Who waits for whom in the simulated database: one transaction at a time for each name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.postgres.rows import Transaction

__all__ = ["LockWait", "Locks", "Rows", "Waiting"]

T = TypeVar("T")


class LockWait:
    """A transaction that cannot go on before another one has ended."""

    __slots__ = ("name", "transaction", "wake")

    def __init__(self, transaction: Transaction, name: str) -> None:
        self.transaction = transaction
        self.name = name
        self.wake: Callable[[], None] = lambda: None
        """Called once when it is worth looking again."""


Waiting = Generator[LockWait, None, T]
"""What gives something once all that it waits for is free."""

Rows = Generator[LockWait, None, list[Any]]
"""A statement being carried out. Any: what it answers is whatever its columns are."""


class Locks:
    """The locks of a server. A name is that of a row, of a key, or of an application's row."""

    def __init__(self) -> None:
        self.holders: dict[str, Transaction] = {}
        self._waiting: defaultdict[str, list[LockWait]] = defaultdict(list)
        self.looked_at: Callable[[Transaction], None] = lambda _holder: None
        """Told of a transaction that is in somebody's way."""

    def take(self, transaction: Transaction, name: str) -> Waiting[None]:
        """Wait until nobody else holds it, and hold it."""
        while (holder := self.holders.setdefault(name, transaction)) is not transaction:
            self.looked_at(holder)
            yield LockWait(transaction, name)
        if name not in transaction.locked:
            transaction.locked.append(name)

    def take_free(self, transaction: Transaction, name: str) -> bool:
        """Hold it unless somebody else does, as SKIP LOCKED has it; say whether it is held now."""
        holder = self.holders.setdefault(name, transaction)
        if holder is not transaction:
            self.looked_at(holder)
            return False
        if name not in transaction.locked:
            transaction.locked.append(name)
        return True

    def wait(self, wait: LockWait, wake: Callable[[], None]) -> bool:
        """Have it woken when its turn may have come; False when all would wait for each other."""
        blocking: Transaction | None = self.holders.get(wait.name)
        while blocking is not None:
            if blocking is wait.transaction:
                return False
            blocking = self._blocker_of(blocking)
        wait.wake = wake
        self._waiting[wait.name].append(wait)
        return True

    def give_up(self, wait: LockWait) -> None:
        """Wait no longer."""
        if wait in self._waiting[wait.name]:
            self._waiting[wait.name].remove(wait)

    def release(self, transaction: Transaction) -> list[LockWait]:
        """Let go of all that a transaction holds; return those that waited for it."""
        freed: list[LockWait] = []
        for name in transaction.locked:
            del self.holders[name]
            freed += self._waiting.pop(name, ())
        transaction.locked.clear()
        return freed

    def _blocker_of(self, transaction: Transaction) -> Transaction | None:
        for name, waits in self._waiting.items():
            if any(wait.transaction is transaction for wait in waits):
                return self.holders.get(name)
        return None
