"""What a run says by messages: which it sends, which it waits for, and which it gives back.

It follows from the facts of a turn and from what they add up to, so a turn that is decided anew
says the same. It is remembered with the facts, and delivered once they are durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.state import RunState
    from makegood.values.ids import RunId

__all__ = ["Await", "AwaitNoMore", "Mail", "Message", "mail_of"]


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message goes to whoever waits for it."""

    id: str
    message: str
    key: str
    value: msgspec.Raw
    until: Instant
    is_returned: bool = False
    """It was given to this run, which has no use for it any more."""


class Await(msgspec.Struct, frozen=True, gc=False):
    """The run is to be given a message."""

    message: str
    key: str
    node: str


class AwaitNoMore(msgspec.Struct, frozen=True, gc=False):
    """The run is not to be given it any more."""

    message: str
    key: str
    node: str


Mail = Message | Await | AwaitNoMore
"""Everything that a run says by messages."""


_SAYING = frozenset(
    {
        facts.WaitBegan,
        facts.NodeFailed,
        facts.NodeStopped,
        facts.MessageCame,
        facts.MessageSent,
        facts.RunEnded,
    }
)
"""Facts with which something may be said: most turns have none of them."""


def mail_of(state: RunState, run: RunId, recorded: Sequence[Fact]) -> tuple[Mail, ...]:
    """Return what a run says because of the facts of a turn, in their order."""
    if _SAYING.isdisjoint(map(type, recorded)):
        return ()
    return tuple(_mail_of(state, run, recorded))


def _mail_of(state: RunState, run: RunId, recorded: Sequence[Fact]) -> Iterator[Mail]:
    for fact in recorded:
        match fact:
            case facts.WaitBegan():
                yield Await(fact.message, fact.key, fact.node)
            case facts.NodeFailed(node=path) | facts.NodeStopped(node=path):
                awaited = state.nodes[state.positions[path]].message
                if awaited is not None:
                    yield AwaitNoMore(*awaited, path)
            case facts.MessageCame() if fact.id in state.mailbox.unwanted:
                yield Message(
                    fact.id, fact.message, fact.key, fact.value, fact.until, is_returned=True
                )
            case facts.MessageSent(on="now"):
                yield _sent(run, fact)
            case facts.RunEnded(status=EndStatus.COMPLETED):
                yield from (_sent(run, held) for held in state.mailbox.held_back)
            case _:
                continue


def _sent(run: RunId, fact: facts.MessageSent) -> Message:
    # A node sends once, so that its place in its run names what it sends.
    return Message(f"{run}/{fact.node}", fact.message, fact.key, fact.value, fact.until)
