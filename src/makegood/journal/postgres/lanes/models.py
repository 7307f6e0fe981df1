"""Read models on the server: the promises of `KeepsModels` over a pool of connections."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from makegood.journal.beside.models import Verdict
from makegood.journal.messages import Settled
from makegood.journal.postgres.connection import in_transaction
from makegood.journal.postgres.keeping.models import (
    begin_edition,
    clear_retired,
    editions_kept,
    fill_edition,
    history_of_edition,
    page_of_rows,
    promote_edition,
    retire_edition,
    rows_of_keys,
    see_editions,
    torn_rows,
    write_rows,
    write_sources,
)
from makegood.journal.postgres.lanes.writing import Finishing, work

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

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
    from makegood.journal.postgres.connection import Connection
    from makegood.journal.postgres.desk import Desk
    from makegood.journal.postgres.lanes.taking import LanesHeld
    from makegood.journal.postgres.working.work import Work
    from makegood.values.instants import Instant

__all__ = ["PostgresModels"]

T = TypeVar("T")


class _Opened(Protocol):
    """What an open journal has for read models."""

    work: Work | None

    @property
    def lanes(self) -> LanesHeld: ...

    @property
    def desk(self) -> Desk: ...


class _NotWritten(Exception):
    """What was folded does not fit what is there: its transaction is rolled back."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


class PostgresModels:
    """What a journal on a server keeps of read models. `ready` raises where it is not open."""

    def __init__(self, schema: str, ready: Callable[[], _Opened]) -> None:
        self._schema = schema
        self._ready = ready

    async def begin(self, new: NewEdition, *, anew: bool = False, now: Instant) -> Edition:
        """Begin an edition, or return the one that there is."""
        return await self._at_once(partial(begin_edition, new=new, anew=anew, now=now))

    async def fill(self, model: str, number: int, *, limit: int, now: Instant) -> bool:
        """Give an edition messages that were stored before; say whether there are more."""
        return await self._at_once(
            partial(fill_edition, model=model, number=number, limit=limit, now=now)
        )

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows together with the marks of what was folded into them."""
        opened = self._ready()
        if opened.work is None:
            return Verdict.FENCED
        try:
            await self._at_once(partial(_fold, folded=folded))
        except _NotWritten as error:
            return error.verdict
        for each in folded.finished:
            opened.lanes.notice(each, Settled())
        return Verdict.WRITTEN

    async def rows(self, recipient: str, keys: Sequence[RowKey]) -> tuple[RowKept, ...]:
        """Return rows by their keys."""
        return await self._ask(partial(rows_of_keys, recipient=recipient, keys=keys))

    async def page(
        self, recipient: str, *, tenant: str = "", after: str | None = None, limit: int
    ) -> Rows:
        """Return one page of rows."""
        return await self._ask(
            partial(page_of_rows, recipient=recipient, tenant=tenant, after=after, limit=limit)
        )

    async def history(
        self, recipient: str, *, key: RowKey | None, after: int, limit: int
    ) -> tuple[Due, ...]:
        """Return what was folded behind a number."""
        return await self._ask(
            partial(history_of_edition, recipient=recipient, key=key, after=after, limit=limit)
        )

    async def torn(self, recipients: Sequence[str], *, limit: int) -> tuple[TornRow, ...]:
        """Return rows of editions that are to be folded again."""
        return await self._ask(partial(torn_rows, recipients=recipients, limit=limit))

    async def promote(self, model: str, number: int) -> bool:
        """Let an edition serve if it has caught up; say whether it serves."""
        return await self._at_once(partial(promote_edition, model=model, number=number))

    async def retire(self, model: str, number: int, order: Order) -> bool:
        """End an edition; say whether it was not retired before."""
        return await self._at_once(partial(retire_edition, model=model, number=number, order=order))

    async def clear(self, *, limit: int) -> bool:
        """Remove what is left of retired editions; say whether there is more."""
        return await self._at_once(partial(clear_retired, limit=limit))

    async def editions(self, model: str | None = None) -> tuple[Edition, ...]:
        """Return editions, of one model or of all."""
        return await self._ask(partial(editions_kept, model=model))

    async def seen(self, editions: Sequence[Edition], *, now: Instant) -> None:
        """Say that somebody serves these editions."""
        await self._ask(partial(see_editions, editions=editions, now=now))

    async def _ask(self, question: Callable[[Connection, str], Awaitable[T]]) -> T:
        return await self._ready().desk.ask(partial(_asked, question=question, schema=self._schema))

    async def _at_once(self, question: Callable[[Connection, str], Awaitable[T]]) -> T:
        """Ask what takes several statements, in one transaction."""
        work = partial(_asked, question=question, schema=self._schema)
        return await self._ready().desk.ask(partial(in_transaction, work=work), bare=True)


async def _asked(
    connection: Connection, *, question: Callable[[Connection, str], Awaitable[T]], schema: str
) -> T:
    return await question(connection, schema)


async def _fold(connection: Connection, schema: str, *, folded: Folded) -> None:
    finishing = [Finishing(each, each.outcome) for each in folded.finished]
    if finishing:
        written = await work(connection, schema, (), finishing)
        if len(written.fitting) < len(finishing):
            raise _NotWritten(Verdict.FENCED)
    if folded.rows and not await write_rows(connection, schema, folded.recipient, folded.rows):
        raise _NotWritten(Verdict.STALE)
    if folded.sources:
        await write_sources(connection, schema, folded.recipient, folded.sources)
