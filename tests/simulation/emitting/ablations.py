"""What keeps what runs say right, taken away in turn: by wrappers that are made for each world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from makegood.journal.protocol import Applied
from makegood.journal.reply import Reply
from tests.simulation.ablation import Ablation, Around

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.messages import Receipt
    from makegood.journal.protocol import Append, Journal, Verdict
    from makegood.journal.reply import Pending
    from makegood.testing.simulation import Host
    from makegood.values.envelope import Envelope

__all__ = ["MISSED"]


class _TwoWrites(Around):
    """What a run says is published by one write, and what it comes of is recorded by another."""

    def __init__(self, journal: Journal, host: Host) -> None:
        super().__init__(journal, host._simulation.store)
        self._ids = host._simulation.ids

    def _publish(self, append: Append) -> Pending[Sequence[Receipt]]:
        messages = self._named(append.messages)
        return self.journal.messages.publish(messages, now=append.at)

    def _named(self, messages: tuple[Envelope, ...]) -> tuple[Envelope, ...]:
        return messages


class Before(_TwoWrites):
    """What a run says is published first."""

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        if not append.messages:
            return self.journal.append(append)
        given: Reply[Verdict] = Reply()
        published = self._publish(append)

        def write(_done: object) -> None:
            if (error := published.exception()) is not None:
                given.give(error)
                return
            reply = self.journal.append(replace(append, messages=()))
            reply.add_done_callback(lambda done: given.give(done.exception() or done.result()))

        published.add_done_callback(write)
        return given


class FromItsBody(Before):
    """What a run says is published first, and each time as a message of its own."""

    def _named(self, messages: tuple[Envelope, ...]) -> tuple[Envelope, ...]:
        return tuple(replace(each, id=self._ids.run()) for each in messages)


class Behind(_TwoWrites):
    """What a run says is published once it is recorded."""

    def append(self, append: Append) -> Pending[Verdict]:
        """Write one turn of one run."""
        if not append.messages:
            return self.journal.append(append)
        given: Reply[Verdict] = Reply()
        written = self.journal.append(replace(append, messages=()))

        def publish(_done: object) -> None:
            if written.exception() is None and isinstance(written.result(), Applied):
                self._publish(append)
            given.give(written.exception() or written.result())

        written.add_done_callback(publish)
        return given


# Any: a wrapper of a journal, which has all that the journal has.
def _before(name: str, removes: str, journal: Any) -> Callable[[], Ablation]:
    return lambda: Ablation(name=name, removes=removes, journal=journal)


ONE_WRITE = "What a run says is published by the append that records what it comes of."

MISSED: dict[str, tuple[Callable[[], Ablation], str]] = {
    "published before": (
        _before("published before", ONE_WRITE, Before),
        ", and has recorded ",
    ),
    "published from its body": (
        _before("published from its body", f"{ONE_WRITE} It has one name.", FromItsBody),
        " times",
    ),
    "published behind": (
        _before("published behind", ONE_WRITE, Behind),
        "nobody was told",
    ),
}
"""How each safeguard is taken away, and what shows its lack.

What was published before is seen at that moment: whoever does the effect anew has the same name for
it, so at rest it is as if nothing had been."""
