"""What plugs into an engine and its tools: tables, commands and HTTP routes of its own.

The engine, the command line, the HTTP service and the dashboard know an extension only by this
Protocol; nothing of the engine imports an extension.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from makegood.journal.protocol import Migration

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Answer", "Ask", "Command", "Extension", "HttpRoute", "Migration"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command that the extension adds to the command line, under its own name."""

    name: str
    run: Callable[..., int]
    """Its annotated parameters are the command's options; it returns the exit status."""
    summary: str


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a route is asked, over HTTP."""

    path: Mapping[str, str]
    """What stands in the places of the route's path."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes
    """As it came, which is what a signature is over."""
    # Any: of the type that the route takes.
    value: Any = None
    """The body, read as what the route takes."""
    actor: str = ""
    """Who asks: the name of the API key; empty where everybody may."""
    key: str | None = None
    """The idempotency key that the caller has given."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a route answers, over HTTP."""

    value: object = None
    """Written as JSON; bytes are written as they are, of the type that `headers` say."""
    status: int = 200
    headers: Mapping[str, str] = {}


class HttpRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route of the HTTP service; that of an extension stands below its name."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    """As in `/orders/{order_id}`."""
    scope: str | None
    """What an API key must be allowed to do, as in `orders:write`. None: anybody may call it, and
    `handle` finds out by itself whether it believes what it is told, as by a signature."""
    # Any: what an engine is, this Protocol's room does not know: see `makegood.Engine`.
    handle: Callable[[Any, Ask], Awaitable[Answer]]
    """Is given the engine and what is asked. What it raises is answered as a problem."""
    summary: str
    # Any: a type form, not only a class.
    takes: Any = None
    """The type of the body, read strictly; None: it is for `handle` to read."""
    gives: Any = None
    """The type of what is answered, for who reads the documentation."""
    needs_key: bool = False
    """Whether it is refused without an `Idempotency-Key`."""
    body_max: int | None = None
    """How many bytes the body may have; None: as many as a workflow's inputs."""


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

    @property
    def routes(self) -> Sequence[HttpRoute]:
        """What it adds to the HTTP service."""
        ...
