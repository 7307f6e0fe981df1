"""What a journal keeps of read models, at the other end of a wire."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from makegood.journal.beside.models import (
        Edition,
        Folded,
        KeepsModels,
        NewEdition,
        RowKept,
        RowKey,
        Rows,
        TornRow,
        Verdict,
    )
    from makegood.journal.messages import Due, Order
    from makegood.testing.simulation.calls import Calls
    from makegood.values.instants import Instant

__all__ = ["SimulatedModels"]


class SimulatedModels:
    """What whoever folds asks takes time and fares as the fates say; what readers ask does not."""

    def __init__(self, models: KeepsModels, calls: Calls) -> None:
        self._models = models
        self._calls = calls

    async def begin(self, new: NewEdition, *, anew: bool = False, now: Instant) -> Edition:
        """Begin an edition, or return the one that there is."""
        work = partial(self._models.begin, new, anew=anew, now=now)
        return await self._calls.ask("begin", new.model, work)

    async def fill(self, model: str, number: int, *, limit: int, now: Instant) -> bool:
        """Give an edition messages that were stored before."""
        work = partial(self._models.fill, model, number, limit=limit, now=now)
        return await self._calls.ask("fill", model, work)

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows together with the marks of what was folded into them."""
        work = partial(self._models.fold, folded)
        return await self._calls.ask("fold", folded.recipient, work)

    async def rows(self, recipient: str, keys: Sequence[RowKey]) -> tuple[RowKept, ...]:
        """Return rows by their keys."""
        return await self._calls.ask("read", "", partial(self._models.rows, recipient, keys))

    async def page(
        self, recipient: str, *, tenant: str = "", after: str | None = None, limit: int
    ) -> Rows:
        """Return one page of rows, at once."""
        return await self._models.page(recipient, tenant=tenant, after=after, limit=limit)

    async def history(
        self, recipient: str, *, key: RowKey | None, after: int, limit: int
    ) -> tuple[Due, ...]:
        """Return what was folded behind a number."""
        work = partial(self._models.history, recipient, key=key, after=after, limit=limit)
        return await self._calls.ask("read", "", work)

    async def torn(self, recipients: Sequence[str], *, limit: int) -> tuple[TornRow, ...]:
        """Return rows of editions that are to be folded again, at once."""
        return await self._models.torn(recipients, limit=limit)

    async def promote(self, model: str, number: int) -> bool:
        """Let an edition serve if it has caught up."""
        work = partial(self._models.promote, model, number)
        return await self._calls.ask("promote", model, work)

    async def retire(self, model: str, number: int, order: Order) -> bool:
        """End an edition, at once."""
        return await self._models.retire(model, number, order)

    async def clear(self, *, limit: int) -> bool:
        """Remove what is left of retired editions, at once."""
        return await self._models.clear(limit=limit)

    async def editions(self, model: str | None = None) -> tuple[Edition, ...]:
        """Return editions, at once."""
        return await self._models.editions(model)

    async def seen(self, editions: Sequence[Edition], *, now: Instant) -> None:
        """Say that somebody serves these editions, at once."""
        await self._models.seen(editions, now=now)
