"""What happens to a step whose result comes from outside."""

from __future__ import annotations

import msgspec

from makegood.values.codec import NULL
from makegood.values.instants import Instant
from makegood.values.verdict import Failure

__all__ = ["CompletionAwaited", "CompletionGiven"]


class CompletionAwaited(msgspec.Struct, frozen=True, tag="completion_awaited", gc=False):
    """The body has ended, and somebody outside is to say how the step ended."""

    node: str
    due: Instant
    """From when on nobody is waited for, and the step is in doubt."""
    at: Instant


class CompletionGiven(
    msgspec.Struct, frozen=True, tag="completion_given", kw_only=True, omit_defaults=True
):
    """Somebody outside has said how a step ended."""

    post: int
    node: str
    number: int
    """Which token of the node it was said with: how many answers had been taken before."""
    result: msgspec.Raw = NULL
    failure: Failure | None = None
    """Set where it failed."""
    actor: str = ""
    at: Instant
    misfit: str | None = None
    """Why the result is none of the node's, as whoever took the answer found."""
