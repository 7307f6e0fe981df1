"""Which journal does a URL mean? Knows the forms of the address and nothing of the stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import InvalidInput, StoreRefused

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal

__all__ = ["open_journal"]

_SQLITE = "sqlite:///"
_MEMORY = "memory://"
_POSTGRES = ("postgresql", "postgres")


def open_journal(url: str) -> Journal:
    """Return the journal that a URL names, not yet opened.

    `sqlite:///orders.journal` is relative to the working directory, `sqlite:////var/lib/orders`
    is absolute, and `memory://` is a store of its own that ends with the process.
    `postgresql://user@host/database` is a server's; `?schema=` names the engine's schema in it,
    `makegood` otherwise, and `pooled=1` says that a transaction pooler stands between. Anything
    else raises `InvalidInput`, and `StoreRefused` where the driver for it is not installed.
    """
    if url == _MEMORY:
        from makegood.journal.memory import MemoryJournal  # noqa: PLC0415 - only what is used

        return MemoryJournal()
    path = url.removeprefix(_SQLITE)
    if path != url and path.strip("/") and not path.endswith("/"):
        from makegood.journal.sqlite.journal import SqliteJournal  # noqa: PLC0415 - as above

        return SqliteJournal(path)
    if url.partition("://")[0] in _POSTGRES:
        return _postgres(url)
    message = (
        f"{url!r} names no journal; write sqlite:///orders.journal, "
        "sqlite:////an/absolute/path.journal, memory:// or postgresql://user@host/database"
    )
    raise InvalidInput(message)


def _postgres(url: str) -> Journal:
    try:
        from makegood.journal.postgres.journal import PostgresJournal  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        message = 'PostgreSQL is reached by asyncpg; run: pip install "makegood[postgres]"'
        raise StoreRefused(message) from None
    return PostgresJournal(url)
