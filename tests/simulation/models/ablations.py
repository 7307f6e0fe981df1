"""What keeps read models right, taken away in turn: by wrappers that are made for each world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from makegood.journal.beside.models import Folded, Verdict
from tests.simulation.ablation import Ablation, Around
from tests.simulation.messages.without import AroundMessages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from makegood.journal.beside.models import KeepsModels, RowKept, RowKey, RowWrite
    from makegood.journal.memory import MemoryStore
    from makegood.journal.messages import KeepsMessages
    from makegood.journal.protocol import Journal
    from makegood.testing.simulation import Host

__all__ = ["MISSED"]


class AroundModels:
    """What a store keeps of read models, but for what a subclass takes away."""

    def __init__(self, models: KeepsModels, store: MemoryStore) -> None:
        self.models = models
        self.store = store

    # Any: whatever the models inside have.
    def __getattr__(self, name: str) -> Any:
        return getattr(self.models, name)


class MarksFirst(AroundModels):
    """Messages are marked by one write, and what comes of them stands in rows by the next."""

    async def fold(self, folded: Folded) -> Verdict:
        """Write the marks, and then the rows."""
        marked = await self.models.fold(replace(folded, rows=(), sources=()))
        if marked is not Verdict.WRITTEN:
            return marked
        return await self.models.fold(replace(folded, finished=()))


class RowsFirst(AroundModels):
    """What comes of messages stands in rows by one write, and they are marked by the next."""

    async def fold(self, folded: Folded) -> Verdict:
        """Write the rows, and then the marks."""
        written = await self.models.fold(replace(folded, finished=()))
        if written is not Verdict.WRITTEN:
            return written
        return await self.models.fold(replace(folded, rows=(), sources=()))


class OverAnyRevision(AroundModels):
    """A row is written over whatever is there."""

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows and marks."""
        there = self.store.office.rows.get(folded.recipient, {})
        rows = tuple(replace(each, revision=_revision(there, each)) for each in folded.rows)
        return await self.models.fold(replace(folded, rows=rows))


class Untold(AroundModels):
    """To which row a message of another key went is not written down."""

    async def fold(self, folded: Folded) -> Verdict:
        """Write rows and marks."""
        return await self.models.fold(replace(folded, sources=()))


class AsTheyCome(AroundModels):
    """What was folded before is not looked at where a message is late."""

    async def rows(self, recipient: str, keys: Sequence[RowKey]) -> tuple[RowKept, ...]:
        """Return rows, as if nothing had been folded into them that could be behind."""
        found = await self.models.rows(recipient, keys)
        return tuple(replace(each, seq=0) for each in found)


def _revision(there: dict[RowKey, RowKept], row: RowWrite) -> int:
    return there[row.at].revision if row.at in there else 0


# Any: a wrapper of models, which has all that the models have.
def _journal_with(journal: Journal, store: MemoryStore, wrap: Any) -> Any:
    around: Any = Around(journal, store)
    around.messages = _messages_with(journal.messages, store, wrap)
    return around


# Any: as above.
def _messages_with(messages: KeepsMessages, store: MemoryStore, wrap: Any) -> Any:
    around: Any = AroundMessages(messages, store)
    around.models = wrap(messages.models, store)
    return around


# Any: as above.
def _before(name: str, removes: str, wrap: Any) -> Callable[[], Ablation]:
    def journal(inside: Journal, host: Host) -> Journal:
        with_it: Journal = _journal_with(inside, host._simulation.store, wrap)
        return with_it

    return lambda: Ablation(name=name, removes=removes, journal=journal)


# Any: as above.
def _behind(name: str, removes: str, wrap: Any) -> Callable[[], Ablation]:
    return lambda: Ablation(
        name=name,
        removes=removes,
        store=lambda journal, store: _journal_with(journal, store, wrap),
    )


ONE_WRITE = "Rows and the marks of what was folded into them are written together."
IN_THE_END = "in the end"

MISSED: dict[str, tuple[Callable[[], Ablation], str]] = {
    "marked first": (_before("marked first", ONE_WRITE, MarksFirst), IN_THE_END),
    "rows first": (_before("rows first", ONE_WRITE, RowsFirst), IN_THE_END),
    "over any revision": (
        _behind("over any revision", "A row is written over the one read.", OverAnyRevision),
        IN_THE_END,
    ),
    "untold": (
        _behind("untold", "To which row a message went is written down.", Untold),
        IN_THE_END,
    ),
    "as they come": (
        _behind("as they come", "What is late is folded where it belongs.", AsTheyCome),
        IN_THE_END,
    ),
}
"""How each safeguard is taken away, and what shows its lack when all has come to rest."""
