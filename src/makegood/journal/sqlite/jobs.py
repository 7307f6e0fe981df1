"""What waits for the writer: appends, messages, calls that share a commit, and work between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from makegood.journal.reply import Reply
from makegood.journal.sqlite.appending import pack
from makegood.journal.sqlite.lanes.jobs import FinishJob, PublishJob
from makegood.journal.sqlite.lanes.publishing import pack_messages

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from makegood.journal.application.connection import Connection
    from makegood.journal.protocol import Append, LocalOutcome, LocalWork, Refused, Verdict

__all__ = ["AppendJob", "Between", "Call", "Job", "Shared"]

T = TypeVar("T")


class AppendJob:
    """One append and who waits for its verdict. Packed by the caller, so on the loop's thread."""

    __slots__ = ("append", "decided", "is_plain", "messages", "outcome", "packed", "reply")

    def __init__(self, append: Append) -> None:
        self.append = append
        self.reply: Reply[Verdict] = Reply()
        self.packed: bytes = pack(append)
        self.messages: list[bytes] = (
            pack_messages(append.messages, append.at) if append.messages else []
        )
        self.is_plain: bool = (
            append.local is None
            and not append.writes
            and not append.outgoing
            and (append.create is None or not append.create.is_correlated)
        )
        self.decided: LocalOutcome | Refused | None = None
        """What the step's own part came to in a transaction that was lost with it: it is not
        run again when the batch is applied again."""
        self.outcome: Verdict | BaseException | None = None

    @property
    def size(self) -> int:
        """How many bytes it brings."""
        return len(self.packed) + sum(map(len, self.messages))

    @property
    def local(self) -> LocalWork | None:
        """The step's body."""
        return self.append.local

    def settle(self) -> None:
        """On the loop: hand the outcome to whoever waits for it."""
        assert self.outcome is not None, "an append has a verdict"
        if not self.reply.done():
            self.reply.give(self.outcome)


class Call(Generic[T]):
    """A small write that shares the commit of whatever else waits."""

    __slots__ = ("future", "outcome", "run")

    def __init__(self, run: Callable[[Connection], T], future: Future[T]) -> None:
        self.run = run
        self.future = future
        self.outcome: T | BaseException | None = None

    def settle(self) -> None:
        """On the loop: hand the outcome to whoever waits for it."""
        _settle(self.future, self.outcome)


class Between(Generic[T]):
    """Work on the writer's thread that is done alone, outside of any transaction."""

    __slots__ = ("future", "outcome", "run")

    def __init__(self, run: Callable[[], T], future: Future[T]) -> None:
        self.run = run
        self.future = future
        self.outcome: T | BaseException | None = None

    def settle(self) -> None:
        """On the loop: hand the outcome to whoever waits for it."""
        _settle(self.future, self.outcome)


# Any: what a call returns is known to its caller alone.
Shared = AppendJob | FinishJob | PublishJob | Call[Any]
"""What may share a commit."""

Job = Shared | Between[Any]


# Any: what a call returns, and None is a result too, is known to its caller alone.
def _settle(future: Future[Any], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
