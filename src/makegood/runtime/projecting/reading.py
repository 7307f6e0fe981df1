"""Reading a read model: its rows, and waiting until a message was folded into it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from makegood.errors import InvalidInput, ModelBehind
from makegood.journal.beside.models import EditionState, RowKey
from makegood.journal.messages import DeliveryState, MessageFilter
from makegood.runtime.clock import pause
from makegood.runtime.engine import parts_of
from makegood.values.instants import after as instant_after
from makegood.values.limits import PAGE_ROWS_MAX

if TYPE_CHECKING:
    from makegood.definition.receiving.projection import Projection
    from makegood.journal.beside.models import Edition, KeepsModels
    from makegood.journal.lanes.shown import Delivery
    from makegood.runtime.engine import Engine
    from makegood.runtime.receiving.publishing import Receipt

__all__ = ["ModelPage", "ReadModel"]

M = TypeVar("M")

WITHIN = timedelta(seconds=30)
"""How long a message is waited for, unless somebody says otherwise."""

CHANGES_MAX = 10
"""How often it is read again because another edition has begun to serve meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage(Generic[M]):
    """One page of rows by their keys, and behind which the next begins; None: it is the last."""

    rows: dict[str, M]
    next: str | None


class ReadModel(Generic[M]):
    """The rows of a read model, as far as it has come; any engine on the store may read them.

    Raises `ModelBehind` while it is built for the first time, or as it is declared here.
    """

    def __init__(self, engine: Engine, projection: Projection[M]) -> None:
        self._engine = engine
        self._projection = projection

    def __repr__(self) -> str:
        return f"<ReadModel {self._projection.name}>"

    async def get(self, key: str, *, tenant: str = "") -> M | None:
        """Return the row of a key, or None where there is none."""
        models = self._models()
        for _ in range(CHANGES_MAX):
            edition = await self._serving(models)
            rows = await models.rows(edition.recipient, [RowKey(tenant, key)])
            if rows or await self._still_serves(models, edition):
                return self._projection.read(rows[0].body) if rows else None
        raise self._behind("changes too often to be read")

    async def page(
        self, *, tenant: str = "", after: str | None = None, limit: int = 50
    ) -> ModelPage[M]:
        """Return one page of rows, sorted by their keys: those behind `after`."""
        if not 1 <= limit <= PAGE_ROWS_MAX:
            message = f"a page of {limit} rows; ask for 1 to {PAGE_ROWS_MAX}"
            raise InvalidInput(message)
        models = self._models()
        for _ in range(CHANGES_MAX):
            edition = await self._serving(models)
            page = await models.page(edition.recipient, tenant=tenant, after=after, limit=limit)
            if await self._still_serves(models, edition):
                read = {each.at.key: self._projection.read(each.body) for each in page.rows}
                rows = {key: row for key, row in read.items() if row is not None}
                return ModelPage(rows=rows, next=page.next)
        raise self._behind("changes too often to be read")

    async def wait_for(self, receipt: Receipt, *, within: timedelta = WITHIN) -> None:
        """Wait until a message that was published stands in what is read.

        Raises `ModelBehind` where it does not within that time, or was given up, and `InvalidInput`
        for a message that this model does not fold.
        """
        shell, _codes = parts_of(self._engine)
        clock, config = shell.clock, shell.config
        give_up_at = instant_after(clock.now(), within)
        wait = config.poll_min
        while True:
            folded = shell.folded.next()
            why = await self._missing(receipt)
            if why is None:
                return
            if clock.now() >= give_up_at:
                raise self._behind(why)
            look_again_at = min(give_up_at, instant_after(clock.now(), wait))
            waiting = asyncio.ensure_future(pause(clock, look_again_at))
            try:
                await asyncio.wait([waiting, folded], return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                folded.cancel()
            wait = min(2 * wait, config.poll_max)

    async def _missing(self, receipt: Receipt) -> str | None:
        """Say why a message does not stand in the rows that are read; None: it does."""
        shell, _codes = parts_of(self._engine)
        messages = shell.journal.messages
        wanted = MessageFilter(id=receipt.id, source=receipt.source, tenant=receipt.tenant, limit=1)
        found = (await messages.messages(wanted)).rows
        if not found:
            message = f"no message {receipt.id!r} is stored here any more"
            raise InvalidInput(message)
        kept = found[0]
        if kept.message.type not in self._projection.types:
            message = f"`{self._projection.name}` folds no `{kept.message.type}`"
            raise InvalidInput(message)
        try:
            edition = await self._serving(messages.models)
        except ModelBehind as error:
            return str(error)
        given = [each for each in kept.deliveries if each.id.recipient == edition.recipient]
        return f"was not given message {receipt.id}" if not given else _left(given[0])

    async def _serving(self, models: KeepsModels) -> Edition:
        """Return the edition that is read."""
        projection = self._projection
        there = await models.editions(projection.name)
        mine = [each for each in there if each.fingerprint == projection.fingerprint]
        serving = [each for each in mine if each.state is EditionState.SERVING]
        if serving:
            return serving[-1]
        if any(each.state is not EditionState.RETIRED for each in mine):
            raise self._behind("is being built")
        raise self._behind("is not served as it is declared here; serve it, and it is built")

    async def _still_serves(self, models: KeepsModels, edition: Edition) -> bool:
        there = await models.editions(edition.model)
        serving = [each.number for each in there if each.state is EditionState.SERVING]
        return edition.number in serving

    def _models(self) -> KeepsModels:
        shell, _codes = parts_of(self._engine)
        return shell.journal.messages.models

    def _behind(self, why: str) -> ModelBehind:
        return ModelBehind(f"the read model `{self._projection.name}` {why}")


def _left(delivery: Delivery) -> str | None:
    """Say what is still to be done about a message, or None where it was folded."""
    match delivery.state:
        case DeliveryState.DONE:
            return None
        case DeliveryState.DEAD:
            return (
                f"has given up message {delivery.message.id} ({delivery.reason}): "
                "`makegood dead` shows why"
            )
        case DeliveryState.DISCARDED:
            return f"was not to fold message {delivery.message.id}: somebody has discarded it"
        case _:
            return f"has not folded message {delivery.message.id} yet"
