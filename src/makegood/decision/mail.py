"""What a run says by messages: which it sends, which it waits for, and which it gives back.

It follows from the facts of a turn and from what they add up to, so a turn that is decided anew
says the same. It is remembered with the facts, and delivered once they are durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.values.held import HELD, claim_id
from makegood.values.ids import RunId
from makegood.values.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from makegood.decision.facts import Fact
    from makegood.decision.lifecycle.state import LifecycleState
    from makegood.decision.state import RunState

__all__ = ["Await", "AwaitNoMore", "Claim", "LetGo", "Mail", "Message", "mail_of"]


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


class Claim(msgspec.Struct, frozen=True, gc=False):
    """The run is to hold a key, before or beside no other tree of runs."""

    id: str
    key: str
    root: RunId
    """The run with which its tree began."""
    at: Instant


class LetGo(msgspec.Struct, frozen=True, gc=False):
    """The run holds a key no longer, and does not wait for it."""

    key: str
    id: str | None = None
    """The claim that is given up; None: every one of the run."""


Mail = Message | Await | AwaitNoMore | Claim | LetGo
"""Everything that a run says by messages."""


_SAYING = frozenset(
    {
        facts.WaitBegan,
        facts.NodeFailed,
        facts.NodeStopped,
        facts.MessageCame,
        facts.MessageSent,
        facts.Moved,
        facts.Listened,
        facts.RollbackBegan,
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
            case facts.WaitBegan(message=message) if message == HELD:
                id = claim_id(fact.node, fact.at)
                yield Claim(id, fact.key, state.family.root or run, fact.at)
            case facts.WaitBegan():
                yield Await(fact.message, fact.key, fact.node)
            case facts.NodeFailed(node=path) | facts.NodeStopped(node=path):
                yield from _given_up(state, path)
            case facts.MessageCame(message=message) if (
                message != HELD and fact.id in state.mailbox.unwanted
            ):
                yield _returned(fact)
            case facts.Listened(node=path, key=key):
                yield from (Await(message, key, path) for message in fact.messages)
            case facts.Moved() | facts.RollbackBegan() if state.lifecycle is not None:
                yield from _let_go(state, state.lifecycle, fact)
            case facts.MessageSent(on="now"):
                yield _sent(run, fact)
            case facts.RunEnded():
                if fact.status is EndStatus.COMPLETED:
                    yield from (_sent(run, held) for held in state.mailbox.held_back)
                yield from map(LetGo, state.mailbox.claimed)
            case _:
                continue


def _let_go(
    state: RunState, lifecycle: LifecycleState, fact: facts.Moved | facts.RollbackBegan
) -> Iterator[Mail]:
    """Give what is said when a status is left: what nobody hears any more, and what is unhandled.

    What is given back is kept for whoever waits for it next: it may be the next status.
    """
    path = state.graph[lifecycle.index].path
    version = fact.version if isinstance(fact, facts.Moved) else -1
    parting = lifecycle.partings.get(version)
    if parting is not None:
        yield from (AwaitNoMore(message, key, path) for message, key in parting.closed)
        yield from map(_returned, parting.returned)


def _returned(came: facts.MessageCame) -> Message:
    return Message(came.id, came.message, came.key, came.value, came.until, is_returned=True)


def _given_up(state: RunState, path: str) -> Iterator[Mail]:
    """Give what is said when a node ends that may have waited."""
    index = state.positions[path]
    awaited = state.nodes[index].message
    if awaited is None:
        return
    message, key = awaited
    if message == HELD:
        yield LetGo(key, state.mailbox.claims[index])
    else:
        yield AwaitNoMore(message, key, path)


def _sent(run: RunId, fact: facts.MessageSent) -> Message:
    # A node sends once, so that its place in its run names what it sends.
    return Message(f"{run}/{fact.node}", fact.message, fact.key, fact.value, fact.until)
