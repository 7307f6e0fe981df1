"""Where is the journal, and how is it used? The address taken apart; knows no connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from makegood.errors import InvalidInput

__all__ = ["SCHEMES", "Place"]

SCHEMES = ("postgresql", "postgres")

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_OURS = ("schema", "pooled", "lease_seconds", "listen_dsn")
_SECONDS_MAX = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A database, the schema in it that is the engine's, and how long anything may take there."""

    dsn: str = field(repr=False)
    """The address as the driver takes it. It may hold a password, so it is never shown."""
    schema: str = "makegood"
    pooled: bool = False
    """Whether a transaction pooler stands between: no session is then counted on."""
    listen_dsn: str | None = field(default=None, repr=False)
    """Where a worker listens for what others left for it, when the other address is a pooler's.
    Without it nothing listens behind a pooler, and what was left is found by asking."""
    lease_seconds: float = 10.0
    """How long a run stays with a worker that does not renew it, by the server's clock."""
    answer_seconds_max: float = 10.0
    """How long one round trip may take, the commit included, before its connection is dropped."""
    lock_seconds_max: float = 3.0
    """How long a statement waits for a row that another transaction holds, before it gives way."""
    ask_seconds_max: float = 5.0
    """How long a read, a post or a claim is tried while the server cannot be reached."""
    close_seconds_max: float = 10.0
    """How long closing waits for appends that a server out of reach has not answered."""
    transaction_seconds_max: float = 60.0
    """How old a transaction may be, anywhere in the database, before the log warns of it; and how
    often a worker looks."""
    connections_max: int = 4
    """The most connections of each of two kinds, beside the one that writes: for reads, posts
    and leases, and for steps that bring their own work."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not _NAME.fullmatch(self.schema) or self.schema.startswith("pg_"):
            message = (
                f"the schema {self.schema!r} is not a plain name; write lower-case letters, "
                "digits and _"
            )
            raise InvalidInput(message)
        if not 0 < self.lease_seconds <= _SECONDS_MAX:
            message = f"a lease of {self.lease_seconds} seconds; give more than 0, at most a day"
            raise InvalidInput(message)
        if self.listen_dsn is not None and urlsplit(self.listen_dsn).scheme not in SCHEMES:
            message = (
                "listen_dsn is no address of a PostgreSQL server; write "
                "postgresql://user@host/database, and %3A%2F%2F for :// inside another address"
            )
            raise InvalidInput(message)

    @classmethod
    def of(cls, url: str) -> Self:
        """Take an address apart.

        `?schema=`, `pooled=1`, `lease_seconds=` and `listen_dsn=`, percent-encoded, are for us.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            asked = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            message = f"the address of the PostgreSQL database cannot be read: {error}"
            raise InvalidInput(message) from None
        assert parts.scheme in SCHEMES, "whoever asks has looked at the scheme"
        assert port is None or port >= 0
        ours = {name: value for name, value in asked if name in _OURS}
        rest = urlencode([pair for pair in asked if pair[0] not in _OURS])
        try:
            return cls(
                dsn=urlunsplit(parts._replace(query=rest)),
                schema=ours.get("schema", "makegood"),
                pooled={"1": True, "0": False}[ours.get("pooled", "0")],
                listen_dsn=ours.get("listen_dsn"),
                lease_seconds=float(ours.get("lease_seconds", "10")),
            )
        except (KeyError, ValueError) as error:
            if isinstance(error, InvalidInput):
                raise
            # The address to listen at may hold a password.
            shown = {name: value for name, value in ours.items() if name != "listen_dsn"}
            message = (
                f"the address of the PostgreSQL database ends in {shown}; write pooled=0 or "
                "pooled=1, and lease_seconds as a number"
            )
            raise InvalidInput(message) from None

    @property
    def lease_micros(self) -> int:
        """How long a lease lasts, in microseconds."""
        return round(self.lease_seconds * 1_000_000)

    @property
    def shown(self) -> str:
        """The host and the database, for messages: never the user or the password."""
        parts = urlsplit(self.dsn)
        host = parts.hostname or "the local server"
        return f"{host}{'' if parts.port is None else f':{parts.port}'}{parts.path}"
