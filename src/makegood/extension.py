"""What plugs into an engine and its tools: tables of its own, and commands of its own.

The engine, the command line, the HTTP service and the dashboard know an extension only by this
Protocol; nothing of the engine imports an extension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from makegood.journal.protocol import Migration

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Command", "Extension", "Migration"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command that the extension adds to the command line, under its own name."""

    name: str
    run: Callable[..., int]
    """Its annotated parameters are the command's options; it returns the exit status."""
    summary: str


class Extension(Protocol):
    """A room built beside the engine: payments, commerce, or a user's own."""

    @property
    def name(self) -> str:
        """The extension's name: the owner of its tables and the group of its commands."""
        ...

    @property
    def migrations(self) -> Sequence[Migration]:
        """The numbered steps of its tables' schema, in order, forward only."""
        ...

    @property
    def commands(self) -> Sequence[Command]:
        """What it adds to the command line."""
        ...
