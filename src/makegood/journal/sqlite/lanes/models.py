"""Read models in the file: the promises of `KeepsModels` over its two threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from makegood.journal.beside.models import Verdict
from makegood.journal.sqlite.keeping.models import (
    Stale,
    begin_edition,
    clear_retired,
    editions_kept,
    fill_edition,
    fold_into,
    history_of_edition,
    page_of_rows,
    promote_edition,
    retire_edition,
    rows_of_keys,
    see_editions,
    torn_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.beside.models import (
        Edition,
        Folded,
        NewEdition,
        RowKept,
        RowKey,
        Rows,
        TornRow,
    )
    from makegood.journal.lanes.shown import Order
    from makegood.journal.messages import Due
    from makegood.journal.sqlite.reading import Reader
    from makegood.journal.sqlite.writer import Writer
    from makegood.values.instants import Instant

__all__ = ["SqliteModels"]


class _Opened(Protocol):
    """The threads of an open file."""

    @property
    def writer(self) -> Writer: ...

    @property
    def reader(self) -> Reader: ...


class SqliteModels:
    """What a journal in a file keeps of read models. `ready` raises where it is not open."""

    def __init__(self, ready: Callable[[], _Opened]) -> None:
        self._ready = ready

    async def begin(self, new: NewEdition, *, anew: bool = False, now: Instant) -> Edition:
        """Begin an edition, or return the one that there is."""
        return await self._ready().writer.call(
            lambda connection: begin_edition(connection, new, anew=anew, now=now)
        )

    async def fill(self, model: str, number: int, *, limit: int, now: Instant) -> bool:
        """Give an edition messages that were stored before; say whether there are more."""
        return await self._ready().writer.call(
            lambda connection: fill_edition(connection, model, number, limit=limit, now=now)
        )

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows together with the marks of what was folded into them."""
        writer = self._ready().writer
        if not writer.leads:
            return Verdict.FENCED
        try:
            return await writer.call(lambda connection: fold_into(connection, folded))
        except Stale:
            return Verdict.STALE

    async def rows(self, recipient: str, keys: Sequence[RowKey]) -> tuple[RowKept, ...]:
        """Return rows by their keys."""
        return await self._ready().reader.read(
            lambda connection: rows_of_keys(connection, recipient, keys)
        )

    async def page(
        self, recipient: str, *, tenant: str = "", after: str | None = None, limit: int
    ) -> Rows:
        """Return one page of rows."""
        return await self._ready().reader.read(
            lambda connection: page_of_rows(
                connection, recipient, tenant=tenant, after=after, limit=limit
            )
        )

    async def history(
        self, recipient: str, *, key: RowKey | None, after: int, limit: int
    ) -> tuple[Due, ...]:
        """Return what was folded behind a number."""
        return await self._ready().reader.read(
            lambda connection: history_of_edition(
                connection, recipient, key=key, after=after, limit=limit
            )
        )

    async def torn(self, recipients: Sequence[str], *, limit: int) -> tuple[TornRow, ...]:
        """Return rows of editions that are to be folded again."""
        return await self._ready().reader.read(
            lambda connection: torn_rows(connection, recipients, limit)
        )

    async def promote(self, model: str, number: int) -> bool:
        """Let an edition serve if it has caught up; say whether it serves."""
        return await self._ready().writer.call(
            lambda connection: promote_edition(connection, model, number)
        )

    async def retire(self, model: str, number: int, order: Order) -> bool:
        """End an edition; say whether it was not retired before."""
        return await self._ready().writer.call(
            lambda connection: retire_edition(connection, model, number, order)
        )

    async def clear(self, *, limit: int) -> bool:
        """Remove what is left of retired editions; say whether there is more."""
        return await self._ready().writer.call(
            lambda connection: clear_retired(connection, limit=limit)
        )

    async def editions(self, model: str | None = None) -> tuple[Edition, ...]:
        """Return editions, of one model or of all."""
        return await self._ready().reader.read(lambda connection: editions_kept(connection, model))

    async def seen(self, editions: Sequence[Edition], *, now: Instant) -> None:
        """Say that somebody serves these editions."""
        await self._ready().writer.call(lambda connection: see_editions(connection, editions, now))
