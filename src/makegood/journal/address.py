"""Which store does a URL mean? Knows the forms of the address and nothing of the stores."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from makegood.errors import InvalidInput, StoreRefused

if TYPE_CHECKING:
    from collections.abc import Generator

    from makegood.journal.protocol import Journal
    from makegood.journal.upkeep import Upkeep

__all__ = ["open_journal", "open_upkeep"]

_SQLITE = "sqlite:///"
_MEMORY = "memory://"
_POSTGRES = ("postgresql", "postgres")


def open_journal(url: str) -> Journal:
    """Return the journal that a URL names, not yet opened.

    `sqlite:///orders.journal` is relative to the working directory, `sqlite:////var/lib/orders`
    is absolute, and `memory://` is a store of its own that ends with the process.
    `postgresql://user@host/database` is a server's; `?schema=` names the engine's schema in it,
    `makegood` otherwise, and `pooled=1` says that a transaction pooler stands between, past which
    `listen_dsn=`, percent-encoded, leads to the server. Anything else raises `InvalidInput`, and
    `StoreRefused` where the driver for it is not installed.
    """
    if url == _MEMORY:
        from makegood.journal.memory import MemoryJournal  # noqa: PLC0415 - only what is used

        return MemoryJournal()
    path = _path(url)
    if path is not None:
        from makegood.journal.sqlite.journal import SqliteJournal  # noqa: PLC0415 - as above

        return SqliteJournal(path)
    if _is_server(url):
        with _driver_needed():
            from makegood.journal.postgres.journal import PostgresJournal  # noqa: PLC0415
        return PostgresJournal(url)
    raise _no_journal(url)


def open_upkeep(url: str) -> Upkeep:
    """Return what looks after the store that a URL names; nothing is opened, and nothing made.

    It raises what `open_journal` raises, and `InvalidInput` for a store in memory, which nobody
    can look after.
    """
    path = _path(url)
    if path is not None:
        from makegood.journal.sqlite.upkeep import SqliteUpkeep  # noqa: PLC0415 - as above

        return SqliteUpkeep(path)
    if _is_server(url):
        with _driver_needed():
            from makegood.journal.postgres.upkeep.upkeep import PostgresUpkeep  # noqa: PLC0415
        return PostgresUpkeep(url)
    if url == _MEMORY:
        message = f"{url} ends with its process, so there is nothing to look after; name a file"
        raise InvalidInput(message)
    raise _no_journal(url)


def _path(url: str) -> str | None:
    """Return the path of the file that an address names, or None."""
    path = url.removeprefix(_SQLITE)
    return path if path != url and path.strip("/") and not path.endswith("/") else None


def _is_server(url: str) -> bool:
    return url.partition("://")[0] in _POSTGRES


def _no_journal(url: str) -> InvalidInput:
    return InvalidInput(
        f"{url!r} names no journal; write sqlite:///orders.journal, "
        "sqlite:////an/absolute/path.journal, memory:// or postgresql://user@host/database"
    )


@contextmanager
def _driver_needed() -> Generator[None]:
    """Name the extra that brings the driver, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        message = 'PostgreSQL is reached by asyncpg; run: pip install "makegood[postgres]"'
        raise StoreRefused(message) from None
