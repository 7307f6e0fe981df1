"""What must be true of read models: at every moment, each row is what its marked messages give."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from makegood.journal.beside.models import EditionState, RowKey
from makegood.journal.messages import DeliveryState
from tests.simulation.models.shop import LATEST, LINES, SPENT, SPENT_TWICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood import Projection
    from makegood.journal.beside.models import Edition, RowKept
    from makegood.journal.lanes.office import StoredMessage
    from makegood.journal.memory import MemoryStore
    from makegood.testing.simulation import Call, Fate

__all__ = ["Witness", "judged", "situations"]

# Any: each has rows of a class of its own.
DECLARED: dict[str, Projection[Any]] = {
    each.fingerprint: each for each in (LINES, SPENT, SPENT_TWICE)
}

Rows = dict[RowKey, bytes | None]


class Witness:
    """Looks at every row whenever something was written."""

    def __init__(self, store: MemoryStore) -> None:
        self.wrong: list[str] = []
        self._store = store

    def look(self, call: Call, _fate: Fate, _outcome: object) -> None:
        """Compare the rows with the marks."""
        if call.operation in {"fold", "finish"} and not self.wrong:
            self.wrong += _off(self._store)


def _off(store: MemoryStore) -> Iterator[str]:
    for edition in store.office.editions.values():
        if edition.state is EditionState.RETIRED:
            continue
        marked = [stored for stored in _messages(store) if _is_marked(stored, edition)]
        expected, rows = _folded(edition, marked), store.office.rows[edition.recipient]
        for at, row in rows.items():
            if row.is_torn:
                if row.body is not None:
                    yield f"{at.key} of {edition.recipient} is torn, and is {row.body!r}"
            elif row.body != expected.get(at):
                wanted = expected.get(at)
                yield f"{at.key} of {edition.recipient} is {row.body!r}, and is marked {wanted!r}"
        for at in expected.keys() - rows.keys():
            yield f"{at.key} of {edition.recipient} is marked, and is not there"


def _messages(store: MemoryStore) -> list[StoredMessage]:
    kept = store.office.messages
    return [kept[seq] for seq in sorted(kept) if kept[seq].erased_at is None]


def _is_marked(stored: StoredMessage, edition: Edition) -> bool:
    delivery = stored.deliveries.get(edition.recipient)
    return delivery is not None and delivery.state is DeliveryState.DONE


def _folded(edition: Edition, messages: list[StoredMessage]) -> Rows:
    """Return the rows that messages give in their order."""
    projection = DECLARED[edition.fingerprint]
    rows: Rows = {}
    for stored in messages:
        message: Any = projection.message_of(stored.message)
        key = projection.row_of(message, stored.message)
        assert key is not None, "each goes to a row"
        at = RowKey(stored.message.tenant, key)
        row = projection.fold(projection.read(rows.get(at)), message)
        rows[at] = None if row is None else projection.write(row)
    return rows


def judged(store: MemoryStore) -> Iterator[str]:
    """Yield what is wrong when all has come to rest."""
    for projection in LATEST:
        serving = [
            each
            for each in store.office.editions.values()
            if each.fingerprint == projection.fingerprint and each.state is EditionState.SERVING
        ]
        if not serving:
            yield f"{projection.name} is not served"
            continue
        edition = serving[-1]
        expected = _folded(edition, _messages(store))
        kept = store.office.rows[edition.recipient]
        yield from _compared(edition, expected, kept)
    yield from _off(store)
    left = {recipient for recipient, rows in store.office.rows.items() if rows}
    live = {each.recipient for each in store.office.editions.values()}
    if left - live:
        yield f"rows of {left - live} are left, which are no more"


def _compared(edition: Edition, expected: Rows, kept: dict[RowKey, RowKept]) -> Iterator[str]:
    there: defaultdict[RowKey, bytes | None] = defaultdict(lambda: None)
    there.update({at: row.body for at, row in kept.items()})
    for at in sorted({*expected, *there}):
        if there[at] != expected.get(at):
            yield (
                f"{at.key} of {edition.recipient} is {there[at]!r}, and should be "
                f"{expected.get(at)!r} in the end"
            )


def situations(store: MemoryStore) -> Iterator[str]:
    """Name what came about."""
    for stored in store.office.messages.values():
        if stored.erased_at is not None:
            yield "a message was erased"
        for delivery in stored.deliveries.values():
            yield f"a message: {delivery.state}"
    for edition in store.office.editions.values():
        yield f"an edition of {edition.model}: {edition.state}"
        if edition.number > 1:
            yield f"{edition.model} was built anew"
