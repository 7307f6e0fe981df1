"""What must be true of what runs say: what the facts say is said, once and in order, no more.

At every moment: a message is stored with the fact that it comes of, and never without it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from makegood import Abort
from makegood.decision import facts
from makegood.decision.facts import EndStatus
from makegood.journal.messages import DeliveryState
from makegood.values.ids import Direction, effect_key
from tests.simulation.emitting.shop import SAYS, Told
from tests.simulation.flow.histories import history_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from makegood.journal.memory import MemoryStore
    from makegood.journal.memory_store import Record
    from makegood.testing.simulation import Call, Fate
    from tests.simulation.kinds.books import Books

__all__ = ["Witness", "judged", "situations"]

UNDONE = frozenset({"book", "insure"})
"""What is taken back outside."""

Saying = tuple[str, int]
"""The key of an effect, and which of the things it is that it says."""


class Witness:
    """Sees everything that is written, and whether what is told is on record at that moment."""

    def __init__(self, store: MemoryStore) -> None:
        self.wrong: list[str] = []
        self._store = store
        self._seen = 0

    def look(self, call: Call, _fate: Fate, _outcome: object) -> None:
        """Look at the messages that have come since, and at what a run has just recorded."""
        told = self._told_since()
        if call.operation == "append" or told:
            runs = {call.subject, *(run for run, _saying in told)}
            self.wrong += [wrong for run in sorted(runs) for wrong in self._about(run)]

    def _told_since(self) -> list[tuple[str, Saying]]:
        kept = self._store.office.messages
        new = [seq for seq in sorted(kept) if seq > self._seen]
        self._seen = max(new, default=self._seen)
        return [(kept[seq].message.causation or "", _read(kept[seq].message.body)) for seq in new]

    def _about(self, run: str) -> Iterator[str]:
        record = next((each for each in self._store.records.values() if each.run == run), None)
        if record is None:
            return
        told, recorded = sayings(self._store, run), [*_recorded(record)]
        if told != recorded:
            yield f"{run} has told {told}, and has recorded {recorded}"


def sayings(store: MemoryStore, run: str) -> list[Saying]:
    """Return what a run has said, in the order in which it is stored."""
    kept = store.office.messages
    return [
        _read(kept[seq].message.body) for seq in sorted(kept) if kept[seq].message.causation == run
    ]


def _read(body: bytes) -> Saying:
    told = msgspec.json.decode(body, type=Told)
    return told.of, told.number


def _recorded(record: Record) -> Iterator[Saying]:
    """Yield what follows from the facts of a run, in their order."""
    for fact in history_of(record):
        match fact:
            case (
                facts.NodeDone(node=node) | facts.VerdictGiven(node=node, verdict=facts.Proceeded())
            ):
                yield from _said_by(record, node, "do")
            case facts.UndoDone(node=node):
                yield from _said_by(record, node, "undo")
            case _:
                pass


def _said_by(record: Record, node: str, direction: Direction) -> Iterator[Saying]:
    count = SAYS.get((node.rpartition("/")[2], direction), 0)
    workflow = record.new.workflow
    # The key of a record of a lifecycle is not its own for ever.
    run = record.run if workflow == "files" else record.new.key or record.run
    key = effect_key(workflow, run, node, direction, generation=0)
    yield from ((key, number) for number in range(1, count + 1))


def judged(store: MemoryStore, books: Books) -> Iterator[str]:
    """Yield what is wrong when all has come to rest."""
    for record in store.records.values():
        recorded, told = [*_recorded(record)], sayings(store, record.run)
        for saying, count in Counter(told).items():
            if count > 1:
                yield f"{record.run} has told {saying} {count} times"
        if lost := Counter(recorded) - Counter(told):
            yield f"{record.run} has recorded {[*lost]}, and nobody was told"
        if invented := Counter(told) - Counter(recorded):
            yield f"{record.run} has told {[*invented]}, and that is not on record"
        if told != recorded:
            yield f"{record.run} has told {told}, and recorded it as {recorded}"
        if record.status in {EndStatus.FAILED, EndStatus.CANCELLED}:
            left = {thing for thing in books.net(record.run) if thing.rpartition("/")[2] in UNDONE}
            if left:
                yield f"{record.run} is {record.status}, and {left} is left"
    yield from _about_hearing(store)
    yield from _about_entries(store)


def _about_hearing(store: MemoryStore) -> Iterator[str]:
    """Compare what was told with what was heard."""
    told: Counter[Saying] = Counter()
    for stored in store.office.messages.values():
        told[_read(stored.message.body)] += 1
        for delivery in stored.deliveries.values():
            if delivery.state is not DeliveryState.DONE:
                yield f"{stored.message.id} is {delivery.state} at {delivery.id.recipient}"
    rows = store.scratch().rows("SELECT effect, number FROM heard", ())
    heard = Counter((str(effect), int(str(number))) for effect, number in rows)
    if heard != told:
        off = sorted({*(heard - told), *(told - heard)})
        yield f"{off} were heard and told not as often as each other"


def _about_entries(store: MemoryStore) -> Iterator[str]:
    """Compare what local steps have entered with what the facts say."""
    expected: Counter[str] = Counter()
    for record in store.records.values():
        for fact in history_of(record):
            if isinstance(fact, facts.NodeDone) and fact.node == "enter":
                expected[record.new.key or ""] += 1
            elif isinstance(fact, facts.UndoDone) and fact.node == "enter":
                expected[record.new.key or ""] -= 1
    rows = store.scratch().rows("SELECT trip FROM entered", ())
    entered = Counter(str(trip) for (trip,) in rows)
    if entered != +expected:
        yield f"{entered} is entered, and should be {+expected}"


def situations(store: MemoryStore) -> Iterator[str]:
    """Name what came about."""
    for record in store.records.values():
        name = record.new.workflow
        yield f"{name}: {record.status}"
        for fact in history_of(record):
            match fact:
                case facts.NodeDone(node=node) if _says(node, "do"):
                    yield f"told of: {node.rpartition('/')[2]}"
                case facts.VerdictGiven(node=node, verdict=facts.Proceeded()):
                    yield f"its compensate told of: {node}"
                case facts.VerdictGiven(verdict=Abort()):
                    yield "a compensate that says nothing"
                case facts.UndoDone(node=node) if _says(node, "undo"):
                    yield f"told of the undo of: {node.rpartition('/')[2]}"
                case facts.NodeStarted(node=node, attempt=attempt) if attempt > 1:
                    yield f"tried again: {node.rpartition('/')[2]}"
                case _:
                    pass


def _says(node: str, direction: Direction) -> bool:
    return (node.rpartition("/")[2], direction) in SAYS
