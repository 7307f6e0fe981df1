"""What happens to messages that a run sends and waits for."""

from __future__ import annotations

from typing import Literal

import msgspec

from makegood.values.instants import Instant

__all__ = ["MessageCame", "MessageSent", "WaitBegan", "WaitRefused"]


class WaitBegan(msgspec.Struct, frozen=True, tag="wait_began", gc=False):
    """The node waits for a message."""

    node: str
    message: str
    """The name of the message's class."""
    key: str
    due: Instant | None
    """When it is given up; None: never."""
    at: Instant


class WaitRefused(msgspec.Struct, frozen=True, tag="wait_refused", omit_defaults=True, gc=False):
    """Another wait is for the same message, and only one may be."""

    node: str
    at: Instant
    message: str = ""
    """Which one it is, of those that a lifecycle listens for."""


class MessageCame(msgspec.Struct, frozen=True, tag="message_came", omit_defaults=True, gc=False):
    """The run was given a message. Where it does not wait for it any more, it gives it back."""

    id: str
    message: str
    key: str
    value: msgspec.Raw
    until: Instant
    """Until when the message is kept for another run that waits for it."""
    at: Instant
    misfit: str | None = None
    """Why it cannot be read as what the run waits for, as whoever took it found."""


class MessageSent(msgspec.Struct, frozen=True, tag="message_sent", gc=False):
    """The node has sent a message, or will have once the run has completed."""

    node: str
    message: str
    key: str
    value: msgspec.Raw
    on: Literal["now", "success"]
    until: Instant
    at: Instant
