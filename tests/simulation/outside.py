"""The world outside: a bank, a warehouse, a courier and letters, with append-only books.

It knows nothing of runs. It is idempotent by key, keeps the parameters of every key, and refuses
a key that comes with others. A look-up that finds nothing may close the key, so that a request
that is still on its way finds it closed: only then is it certain that nothing will happen.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from makegood.errors import Declined, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.orders.destiny import Destiny

__all__ = [
    "FORGOTTEN_AFTER",
    "LOOK_UP",
    "QUERY",
    "TAKES_BACK",
    "Answer",
    "Entry",
    "Outside",
    "Request",
]

TAKES_BACK = {
    "release": "reserve",
    "void": "authorize",
    "refund": "capture",
    "recall": "ship",
    "unwrap": "wrap",
    "withdraw": "insure",
    "free": "seat",
    "repay": "charge",
    "put back": "take",
}
"""What each undo takes back."""
QUERY = "credit"
"""What only asks."""
LOOK_UP = "find "
"""How a look-up begins: it asks about the effect of the operation named after it."""
FORGOTTEN_AFTER = {"charge": 300_000_000}
"""How long a key is remembered where it is not for ever, in microseconds, by operation."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a process asks the outside for."""

    operation: str
    key: str
    order: str
    amount: int = 0
    reference: str = ""
    """What an undo takes back."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the outside answers: what was done, or `state` says how a question was answered."""

    reference: str = ""
    amount: int = 0
    state: str = "done"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One effect, as the books have it. They are only ever added to."""

    at: int
    """In virtual time, in microseconds."""
    request: Request
    reference: str


class Outside:
    """All services outside at once, and their books."""

    def __init__(
        self,
        destinies: Mapping[str, Destiny],
        now: Callable[[], int],
        *,
        broken: Callable[[str, str], None],
        before: Callable[[Request], None],
    ) -> None:
        self.books: list[Entry] = []
        self.closed: set[str] = set()
        """Keys under which nothing will ever be done."""
        self.troubles: Counter[tuple[str, str, str]] = Counter()
        """How often each order was refused for the moment, or got an answer that says nothing."""
        self._destinies = destinies
        self._now = now
        self._broken = broken
        """Told of each rule that a request breaks: its name, and what was asked."""
        self._before = before
        """Told of every request before anything is done."""
        self._known: dict[str, Entry] = {}
        self._taken_back: dict[str, str] = {}
        """By reference: the key that took it back."""

    def ask(self, request: Request) -> Answer:
        """Do what is asked, or say why not."""
        self._before(request)
        operation, destiny = request.operation, self._destinies[request.order]
        if operation == QUERY:
            return Answer(state="no" if operation in destiny.declined else "yes")
        if operation.startswith(LOOK_UP):
            return self._look_up(request, operation.removeprefix(LOOK_UP), destiny)
        known = self._remembered(request.key)
        if known is not None:
            return self._again(known, request)
        if request.key in self.closed:
            message = f"the key {request.key} is closed"
            raise Declined(message)
        if operation in destiny.declined:
            message = f"{operation} is declined"
            raise Declined(message)
        if operation in TAKES_BACK:
            self._take_back(request, destiny)
        return self._enter(request, destiny)

    def enter(self, operation: str, order: str, amount: int) -> None:
        """Put on the books what the journal's own database says has happened."""
        request = Request(operation=operation, key="", order=order, amount=amount)
        self.books.append(Entry(at=self._now(), request=request, reference="shelf"))

    def net(self, order: str, operation: str) -> int:
        """Return how often something was done for an order, less how often it was taken back."""
        count = 0
        for entry in self.books:
            if entry.request.order == order:
                count += entry.request.operation == operation
                count -= TAKES_BACK.get(entry.request.operation) == operation
        return count

    def _remembered(self, key: str) -> Entry | None:
        known = self._known.get(key)
        if known is None:
            return None
        kept = FORGOTTEN_AFTER.get(known.request.operation)
        return None if kept is not None and self._now() - known.at > kept else known

    def _again(self, known: Entry, request: Request) -> Answer:
        if known.request != request:
            self._broken("same key, same parameters", f"{known.request} and then {request}")
            message = f"the key {request.key} came with other parameters before"
            raise Declined(message)
        return Answer(reference=known.reference, amount=request.amount)

    def _take_back(self, request: Request, destiny: Destiny) -> None:
        if request.operation in destiny.undo_never or self._now() < destiny.undo_from:
            self.troubles[request.order, request.operation, "refused"] += 1
            message = f"{request.operation} does not work at present"
            raise Unavailable(message)
        done = [
            entry
            for entry in self.books
            if entry.request.operation == TAKES_BACK[request.operation]
            and entry.reference == request.reference
            and entry.request.order == request.order
        ]
        if not done or request.reference in self._taken_back:
            self._broken("only what was done is taken back, once", f"{request}")
        self._taken_back[request.reference] = request.key

    def _enter(self, request: Request, destiny: Destiny) -> Answer:
        reference = f"{request.operation}-{len(self.books)}"
        if request.operation == destiny.unwritable:
            # Half of a character, which no file can hold.
            reference += "\ud800"
        entry = Entry(at=self._now(), request=request, reference=reference)
        self.books.append(entry)
        self._known[request.key] = entry
        return Answer(reference=reference, amount=request.amount)

    def _look_up(self, request: Request, operation: str, destiny: Destiny) -> Answer:
        if operation in destiny.unsure or self._now() < destiny.unsure_until:
            self.troubles[request.order, request.operation, "astray"] += 1
            return Answer(state="unsure")
        known = self._remembered(request.key)
        if known is not None:
            return Answer(reference=known.reference, amount=known.request.amount)
        if destiny.absence != "again":
            self.closed.add(request.key)
        return Answer(state=destiny.absence)
