"""Which journal does a URL mean? Knows the forms of the address and nothing of the stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from makegood.errors import InvalidInput

if TYPE_CHECKING:
    from makegood.journal.protocol import Journal

__all__ = ["open_journal"]

_SQLITE = "sqlite:///"
_MEMORY = "memory://"


def open_journal(url: str) -> Journal:
    """Return the journal that a URL names, not yet opened.

    `sqlite:///orders.journal` is relative to the working directory, `sqlite:////var/lib/orders`
    is absolute, and `memory://` is a store of its own that ends with the process. Anything else
    raises `InvalidInput`.
    """
    if url == _MEMORY:
        from makegood.journal.memory import MemoryJournal  # noqa: PLC0415 - only what is used

        return MemoryJournal()
    path = url.removeprefix(_SQLITE)
    if path != url and path.strip("/") and not path.endswith("/"):
        from makegood.journal.sqlite.journal import SqliteJournal  # noqa: PLC0415 - as above

        return SqliteJournal(path)
    message = (
        f"{url!r} names no journal; write sqlite:///orders.journal, "
        "sqlite:////an/absolute/path.journal or memory://"
    )
    raise InvalidInput(message)
