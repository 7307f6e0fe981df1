"""Other companies: they do what they are asked, once for each key, and keep their own book."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from makegood import Declined, OutcomeUnknown, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from makegood.journal.memory import MemoryStore
    from makegood.testing.simulation import Line

__all__ = ["Answer", "Companies", "Desk", "Foresight", "Look", "Outside", "Request", "Way"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a step asks of another company."""

    operation: str
    key: str
    about: object = None


class Foresight(Protocol):
    """Knows what is going to happen, as the journal must."""

    def __call__(self, key: str, /) -> str | None:
        """Say what is wrong about an effect under this key that happens now, if anything is."""
        ...


class Outside(Protocol):
    """What is on the other side of the line."""

    # Any: what is answered is between a service and its company.
    def take(self, request: Request) -> Any:
        """Do what is asked, or raise why not."""
        ...

    def violations(self, store: MemoryStore) -> Iterator[str]:
        """Compare the books after the end with what they must be."""
        ...


class Way:
    """A process's way to the outside."""

    def __init__(self, line: Line, outside: Outside) -> None:
        self._line = line
        self._outside = outside

    async def ask(self, request: Request) -> Any:  # Any: see `Outside.take`.
        """Have something done outside."""
        return await self._line.ask(request.operation, lambda: self._outside.take(request))


class Answer(StrEnum):
    """How a request goes wrong that is asked for the first time."""

    BUSY = "busy"
    """Nothing was done, and that is said."""
    DROPPED = "dropped"
    """Nothing was done, and nobody says so."""
    LOST = "lost"
    """It was done, and nobody says so."""
    DECLINED = "declined"
    REFUSED = "refused"
    """It was refused for good, which only a look-up shows."""


class Look(StrEnum):
    """What a look-up finds."""

    FOUND = "found"
    NOTHING = "nothing"
    REFUSED = "refused"
    CLOSED = "closed"
    """The company cannot say yet."""


class Companies:
    """Do each operation once for each key. `answers` says what goes wrong, asking by asking.

    Whoever looks up an operation in `barring` and does not find it may be sure that it will not
    be done under that key any more, whatever is still on its way: only that is a proof.

    What takes `x` back is called `undo x`. At the end the book must show every one of `must_do`
    or, when the saga is to fail, nothing that was not taken back.
    """

    def __init__(
        self,
        *,
        answers: Mapping[str, Sequence[Answer]],
        closed: Mapping[str, int],
        barring: frozenset[str],
        must_do: frozenset[str],
        foresight: Foresight,
    ) -> None:
        self.entries: list[str] = []
        """What was done, in order."""
        self._answers = {operation: list(script) for operation, script in answers.items()}
        self._closed = dict(closed)
        self._barring = barring
        self._barred: set[str] = set()
        self._must_do = must_do
        self._foresight = foresight
        self._done: dict[str, str] = {}
        self._refused: set[str] = set()
        self._wrong: list[str] = []

    def take(self, request: Request) -> str | Look:
        """Do an operation, or look one up."""
        if request.operation.startswith("look up "):
            return self._look(request)
        operation, key = request.operation, request.key
        if key in self._done:
            if self._done[key] != operation:
                self._wrong.append(f"the key of {self._done[key]} came with {operation}")
            return _receipt(operation)
        if key in self._barred:
            raise Declined("it was looked up before it came")
        script = self._answers.get(operation, [])
        answer = script.pop(0) if script else None
        match answer:
            case Answer.BUSY:
                raise Unavailable("come back later")
            case Answer.DECLINED:
                raise Declined("no")
            case Answer.DROPPED:
                raise OutcomeUnknown("the connection was cut")
            case Answer.REFUSED:
                self._refused.add(key)
                raise OutcomeUnknown("the connection was cut")
            case Answer.LOST | None:
                self._enter(operation, key)
        if answer is Answer.LOST:
            raise OutcomeUnknown("the connection was cut")
        return _receipt(operation)

    def violations(self, store: MemoryStore) -> Iterator[str]:
        """Compare the book after the end with what it must be."""
        yield from self._wrong
        for operation, count in Counter(self.entries).items():
            if count > 1:
                yield f"{operation} was done {count} times"
        stands = [
            operation
            for operation in self.entries
            if f"undo {operation}" not in self.entries and not operation.startswith("undo ")
        ]
        if sorted(stands) != sorted(self._must_do):
            yield f"the companies' books show {stands} and should show {sorted(self._must_do)}"
        for at, operation in enumerate(self.entries):
            if operation.startswith("undo "):
                done = operation.removeprefix("undo ")
                if done not in self.entries[:at]:
                    yield f"{done} was taken back before it was done"

    def _look(self, request: Request) -> Look:
        operation = request.operation.removeprefix("look up ")
        if self._closed.get(operation, 0) > 0:
            self._closed[operation] -= 1
            return Look.CLOSED
        if request.key in self._refused:
            return Look.REFUSED
        if request.key in self._done:
            return Look.FOUND
        if operation in self._barring:
            self._barred.add(request.key)
        return Look.NOTHING

    def _enter(self, operation: str, key: str) -> None:
        wrong = self._foresight(key)
        if wrong is not None:
            self._wrong.append(f"{operation}: {wrong}")
        self._done[key] = operation
        self.entries.append(operation)


def _receipt(operation: str) -> str:
    return f"receipt for {operation}"


class Asking(Protocol):
    """What a process asks the outside through."""

    async def ask(self, request: Request) -> Any:  # Any: see `Outside.take`.
        """Have something done outside."""
        ...


class Desk:
    """The service that steps are given."""

    def __init__(self, way: Asking) -> None:
        self._way = way

    async def do(self, operation: str, key: str) -> str:
        """Have an operation done and return its receipt."""
        receipt: str = await self._way.ask(Request(operation=operation, key=key))
        return receipt

    async def look_up(self, operation: str, key: str) -> Look:
        """Ask what became of an operation."""
        found: Look = await self._way.ask(Request(operation=f"look up {operation}", key=key))
        return found
