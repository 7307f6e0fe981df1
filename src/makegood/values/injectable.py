"""What a step may ask the runtime for: the marker `injected` and the types it can stand for.

Services are found by their annotated type; the names below are filled in by the runtime itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NewType, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

__all__ = [
    "Attempt",
    "CompletionToken",
    "Deadline",
    "Emit",
    "IdempotencyKey",
    "MessageInfo",
    "Once",
    "Record",
    "RunInfo",
    "Sql",
    "Transaction",
    "Writes",
    "injected",
]

T = TypeVar("T", contravariant=True)

Sql = str | int | float | bytes | None
"""What a statement may take as a parameter and give as a column."""


class _Injected:
    """The type of `injected`; there is one value of it."""

    def __repr__(self) -> str:
        return "injected"


# Any: a keyword-only default must be assignable to every service's type.
injected: Any = _Injected()
"""The default of a keyword-only parameter that the runtime fills in, by its annotation."""

IdempotencyKey = NewType("IdempotencyKey", str)
"""The key of this effect: hand it to the other side. The same for every attempt."""

CompletionToken = NewType("CompletionToken", str)
"""By what somebody outside says how this step ended, when its body ends with `later(…)`."""

Attempt = NewType("Attempt", int)
"""Which attempt this is, counted from 1."""

Deadline = NewType("Deadline", "datetime")
"""When this attempt will be cancelled: an aware UTC datetime."""


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which run this is. Values only: a step cannot reach its run through it."""

    id: str
    workflow: str
    key: str | None
    path: str
    worker: str
    correlation: str = ""
    """What it shares with everything that came of one beginning."""


class Record(Protocol[T]):
    """Stores what an undo will need, while the body is still at work: `await record(hold)`.

    The value is in the journal when the call returns, so it outlives the worker, the attempt and
    the step's own failure. A step has one record: the value stored last is the one that counts,
    whether its body, its compensate or its undo has stored it, and the next attempt goes on with
    it. The undo and the compensate read it as `*, recorded: Hold | None = injected`.
    """

    async def __call__(self, value: T, /) -> None:
        """Store a value; it replaces the one before.

        Raises `OutcomeUnknown` when the value cannot be stored: it is not of the declared type,
        is too large or one too many, or the attempt is over. A body that does not catch it is in
        doubt, because what the value is about may have happened.
        """


class MessageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which message is being received. Values only."""

    id: str
    source: str
    """Whoever gave it its id."""
    type: str
    version: int
    """Of the schema by which it was written; what you are given is of the present one."""
    key: str | None
    tenant: str
    correlation: str
    """What it shares with everything that came of one beginning."""
    causation: str | None
    """The message or the run that it came from."""
    receptor: str
    """Who receives it: a receptor's whole name."""


class Emit(Protocol[T]):
    """Sends a message because of this one, or of this step: `emit(OrderPaid(…))`.

    It goes out when what emits it is done, in the same transaction, and not at all when that
    fails. `Emit[OrderPaid | OrderRefused]` says which classes there may be. A message that a
    receptor emits and then returns, the same object, goes out once.

    A step, an undo and a handler of a lifecycle may have one too, and a compensate: what that emits
    goes out if it says `Proceed`. An effect that is done once more under its idempotency key sends
    the same messages, which are known then. A step that can send a command is not begun while
    nobody owns that, and fails.
    """

    def __call__(
        self, message: T, /, *, key: str | None = None, after: timedelta | None = None
    ) -> None:
        """Send a message; nobody receives it before `after` is over.

        Its key is the one given, or its own `message_key`, or that of what is being received, or
        of the run, which is the run's id where it has none. Raises `InvalidInput` for a message
        that cannot be carried, or one too many, and `DefinitionError` for one of a class that was
        not declared. A step that raises that on has had its effect, so the run is parked.
        """


class Once(Protocol):
    """Says to one receiver of a message alone that something is to be done: `await once(key)`."""

    async def __call__(self, key: str, /) -> bool:
        """Return True to exactly one of all messages that ask for this key, ever again to the same.

        A receptor that fails and is tried again, or sent its message again by a person, has the
        same answer as before. Keys are remembered as long as messages are.
        """
        ...


class Writes(Protocol):
    """Statements that are to be applied with the step's own record, in the same transaction.

    For steps that also call the outside: the statements are only collected here, and applied
    when the step's result is recorded. If the store refuses them the run parks, because the
    effect has happened.
    """

    def execute(self, sql: str, *parameters: Sql, expect_rows: int | None = None) -> None:
        """Collect one statement; `expect_rows` refuses all of them if it changes other rows."""


class Transaction(Protocol):
    """The transaction in which a local step's own record is written: read and write.

    A step that takes it awaits nothing else, and is therefore never in doubt: what it did and
    the record that it did it are one commit. It may be run again when that commit is lost.
    """

    async def execute(self, sql: str, *parameters: Sql) -> int:
        """Run one statement and return how many rows it changed."""
        ...

    async def fetch(self, sql: str, *parameters: Sql) -> Sequence[tuple[Sql, ...]]:
        """Run one query and return its rows."""
        ...
