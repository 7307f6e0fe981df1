"""What waits for the writer because of messages. Packed by the caller, so on the loop's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.journal.reply import Reply
from makegood.journal.sqlite.lanes.finishing import pack_finished
from makegood.journal.sqlite.lanes.publishing import pack_messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from makegood.journal.messages import (
        Finished,
        LocalHandling,
        Malformed,
        Outcome,
        Receipt,
        Settled,
    )
    from makegood.journal.protocol import Fenced, Refused
    from makegood.values.envelope import Envelope
    from makegood.values.instants import Instant

__all__ = ["FinishJob", "PublishJob"]


class PublishJob:
    """Messages that are stored together, and who waits for their receipts."""

    __slots__ = ("messages", "outcome", "packed", "reply")

    def __init__(self, messages: Sequence[Envelope | Malformed], now: Instant) -> None:
        self.messages = messages
        self.reply: Reply[tuple[Receipt, ...]] = Reply()
        self.packed: list[bytes] = pack_messages(messages, now)
        self.outcome: tuple[Receipt, ...] | BaseException | None = None

    @property
    def size(self) -> int:
        """How many bytes it brings."""
        return sum(map(len, self.packed))

    def settle(self) -> None:
        """On the loop: hand the outcome to whoever waits for it."""
        assert self.outcome is not None, "what was published has receipts"
        if not self.reply.done():
            self.reply.give(self.outcome)


class FinishJob:
    """What came of a lane's deliveries, and who waits for the verdict."""

    __slots__ = ("decided", "finished", "is_plain", "messages", "outcome", "packed", "reply")

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        self.reply: Reply[Settled | Fenced | Refused] = Reply()
        self.packed: msgspec.Raw
        self.messages: list[bytes]
        self.pack(finished.outcome)
        self.is_plain: bool = finished.local is None and not finished.writes
        self.decided: Outcome | Refused | None = None
        """What the receptor's own part came to in a transaction that was lost with it: it is not
        run again when the batch is applied again."""
        self.outcome: Settled | Fenced | Refused | BaseException | None = None

    @property
    def size(self) -> int:
        """How many bytes it brings."""
        return len(self.packed) + sum(map(len, self.messages))

    @property
    def local(self) -> LocalHandling | None:
        """The receptor's body."""
        return self.finished.local

    def pack(self, outcome: Outcome) -> None:
        """Take this outcome for what came of it."""
        self.packed = pack_finished(self.finished, outcome)
        self.messages = pack_messages(outcome.messages, self.finished.at)

    def settle(self) -> None:
        """On the loop: hand the outcome to whoever waits for it."""
        assert self.outcome is not None, "what was finished has a verdict"
        if not self.reply.done():
            self.reply.give(self.outcome)
