"""What callers without a lease leave for a run, and the facts that the holder makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from makegood.decision.facts import CancelRequested, RunStarted, UndoRequested

if TYPE_CHECKING:
    from makegood.decision.facts import Fact
    from makegood.journal.protocol import Posted

__all__ = ["CancelPost", "StartPost", "UndoPost", "as_fact", "write_post"]


class StartPost(msgspec.Struct, frozen=True, tag="start"):
    """Start the run."""

    started: RunStarted


class CancelPost(msgspec.Struct, frozen=True, tag="cancel"):
    """Cancel the run."""

    actor: str
    reason: str


class UndoPost(msgspec.Struct, frozen=True, tag="undo"):
    """Undo the completed run."""

    actor: str
    reason: str


AnyPost = StartPost | CancelPost | UndoPost

write_post = msgspec.json.Encoder().encode
"""Return a post's body as JSON."""

_decoder: msgspec.json.Decoder[AnyPost] = msgspec.json.Decoder(AnyPost)


def as_fact(posted: Posted) -> Fact:
    """Return the fact that a post becomes when the run's holder takes it."""
    post = _decoder.decode(posted.body)
    match post:
        case StartPost():
            return post.started
        case CancelPost():
            return CancelRequested(posted.n, post.actor, post.reason, posted.at)
        case UndoPost():
            return UndoRequested(posted.n, post.actor, post.reason, posted.at)
